/* loop.c - the loop itself, its timers and signals.
 *
 * A turn of the loop: timers that are due, callbacks left over, then the end-of-turn callback (a prepare
 * handle), then the wait for sockets, the pool and signals with their callbacks, then the callbacks of closed
 * handles. What the end-of-turn callback writes goes out before the wait; a timer it sets and a handle it
 * closes shorten the wait. So it never needs a second turn to be noticed. */
#include "net/net_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>

struct net_timer {
    struct net_thing thing; /* first */
    struct net *net;
    uv_timer_t handle;
    void (*cb)(void *ctx);
    void *ctx;
};

static const int net_signal_numbers[NET_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

void net_thing_init(struct net *n, struct net_thing *t, void (*stop)(struct net_thing *t), bool dropped)
{
    t->stop = stop;
    t->gone = false;
    t->dropped = dropped;
    list_push(&n->things, &t->link);
}

static void net_thing_release(struct net_thing *t)
{
    if (t->gone && t->dropped) {
        list_remove(&t->link);
        mem_free(t);
    }
}

void net_thing_gone(struct net_thing *t)
{
    t->gone = true;
    net_thing_release(t);
}

void net_thing_drop(struct net_thing *t)
{
    t->dropped = true;
    net_thing_release(t);
}

dkv_err net_error(int result)
{
    if (result >= 0) {
        return DKV_OK;
    }
    if (result == UV_ECANCELED) {
        return DKV_CANCELED;
    }
    dkv_err err = err_from_errno(-result);
    return err == DKV_LOCKED ? DKV_IO : err; /* EACCES of a socket is no lock */
}

static void net_on_prepare(uv_prepare_t *handle)
{
    struct net *n = handle->data;
    if (n->on_turn != NULL) {
        n->on_turn(n->turn_ctx);
    }
}

/* The kernel would otherwise end the process when a write meets a closed connection. */
static void net_ignore_sigpipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
}

/* A lookup cannot be cut short: it holds a thread of the pool, of which lookups get only half, and the
 * process cannot end before it. With a name server that does not answer, the resolver's own limits are 10 s
 * for a name; here it is 2 s per server, and peers are dialed again anyway. What the user has set stays. */
static void net_bound_lookups(void)
{
    setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
}

struct net *net_new(void)
{
    struct net *n = mem_zalloc(1, sizeof *n);
    if (n == NULL) {
        return NULL;
    }
    int rc = uv_loop_init(&n->loop);
    if (rc < 0) {
        log_error("event=loop_failed reason=\"%s\"", uv_strerror(rc));
        mem_free(n);
        return NULL;
    }
    list_init(&n->things);
    list_init(&n->lookups);
    list_init(&n->lingering);
    uv_prepare_init(&n->loop, &n->turn);
    n->turn.data = n;
    uv_prepare_start(&n->turn, net_on_prepare);
    uv_timer_init(&n->loop, &n->linger_timer);
    n->linger_timer.data = n;
    net_ignore_sigpipe();
    net_bound_lookups();
    return n;
}

void net_run(struct net *n)
{
    uv_run(&n->loop, UV_RUN_DEFAULT);
    ensure(n->stopped); /* the prepare handle keeps the loop alive until then */
}

void net_stop(struct net *n)
{
    if (n->stopped) {
        return;
    }
    n->stopped = true;
    for (struct link *l = n->things.next; l != &n->things; l = l->next) {
        struct net_thing *t = CONTAINER(l, struct net_thing, link);
        t->stop(t);
    }
    uv_close((uv_handle_t *)&n->turn, NULL);
    uv_close((uv_handle_t *)&n->linger_timer, NULL);
    for (int i = 0; n->has_signals && i < NET_SIGNALS; i++) {
        uv_close((uv_handle_t *)&n->signals[i], NULL);
    }
}

void net_free(struct net *n)
{
    if (n == NULL) {
        return;
    }
    net_stop(n);
    net_run(n); /* nothing is left to wait for, unless it never ran */
    int rc = uv_loop_close(&n->loop);
    ensure(rc == 0);
    struct link *l;
    while ((l = list_pop(&n->things)) != NULL) {
        mem_free(CONTAINER(l, struct net_thing, link));
    }
    mem_free(n);
}

uint64_t net_now_ms(const struct net *n)
{
    return uv_now(&n->loop);
}

uint64_t net_clock_ns(void)
{
    return uv_hrtime();
}

void net_on_turn(struct net *n, void (*cb)(void *ctx), void *ctx)
{
    n->on_turn = cb;
    n->turn_ctx = ctx;
}

static void net_timer_on_closed(uv_handle_t *handle)
{
    struct net_timer *t = handle->data;
    net_thing_gone(&t->thing);
}

static void net_timer_stop(struct net_thing *thing)
{
    struct net_timer *t = CONTAINER(thing, struct net_timer, thing);
    if (!uv_is_closing((uv_handle_t *)&t->handle)) {
        uv_close((uv_handle_t *)&t->handle, net_timer_on_closed);
    }
}

static void net_timer_on_due(uv_timer_t *handle)
{
    struct net_timer *t = handle->data;
    struct net *n = t->net;
    n->in_timer = true;
    t->cb(t->ctx);
    n->in_timer = false;
}

struct net_timer *net_timer_new(struct net *n, void (*cb)(void *ctx), void *ctx)
{
    ensure(!n->stopped);
    struct net_timer *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->net = n;
    t->cb = cb;
    t->ctx = ctx;
    uv_timer_init(&n->loop, &t->handle);
    t->handle.data = t;
    net_thing_init(n, &t->thing, net_timer_stop, false);
    return t;
}

void net_timer_set(struct net_timer *t, uint64_t at_ms)
{
    if (uv_is_closing((uv_handle_t *)&t->handle)) {
        return;
    }
    if (at_ms == UINT64_MAX) {
        uv_timer_stop(&t->handle);
        return;
    }
    uint64_t now = uv_now(&t->net->loop);
    uint64_t delay = at_ms > now ? at_ms - now : 0;
    /* libuv 1.44 runs timers until none is due: one that sets itself to "now" would keep the loop there. */
    if (t->net->in_timer && delay == 0) {
        delay = 1;
    }
    uv_timer_start(&t->handle, net_timer_on_due, delay, 0);
}

void net_timer_close(struct net_timer *t)
{
    if (t != NULL) {
        net_timer_stop(&t->thing);
        net_thing_drop(&t->thing);
    }
}

static void net_on_uv_signal(uv_signal_t *handle, int number)
{
    struct net *n = handle->data;
    n->on_signal(n->signal_ctx, number);
}

void net_on_signal(struct net *n, void (*cb)(void *ctx, int number), void *ctx)
{
    ensure(!n->stopped);
    n->on_signal = cb;
    n->signal_ctx = ctx;
    if (n->has_signals) {
        return;
    }
    n->has_signals = true;
    for (int i = 0; i < NET_SIGNALS; i++) {
        uv_signal_init(&n->loop, &n->signals[i]);
        n->signals[i].data = n;
        int rc = uv_signal_start(&n->signals[i], net_on_uv_signal, net_signal_numbers[i]);
        if (rc < 0) {
            log_error("event=signal_failed number=%d reason=\"%s\"", net_signal_numbers[i], uv_strerror(rc));
        }
    }
}

dkv_err net_random(void *into, size_t n)
{
    uint8_t *at = into;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_error("event=random_failed reason=\"%s\"", strerror(errno));
            return DKV_IO;
        }
        at += got;
        n -= (size_t)got;
    }
    return DKV_OK;
}

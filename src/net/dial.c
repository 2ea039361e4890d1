/* dial.c - connecting.
 *
 * The happy path: a numeric address is used as it is, a name goes to the pool (lookup_on_done); each address
 * is tried in turn (dial_next); the first that connects is handed over (dial_on_connect).
 *
 * What can go wrong: no such name, no address answers, no memory: the callback gets NULL. The time runs out,
 * or net_stop(): the callback gets NULL, and a lookup goes on without its dial. The callback always fires
 * from the loop: a failure within net_dial() itself is left to the timer.
 *
 * A lookup outlives its dial because nothing can stop a thread that waits for a name server, and the next
 * dial of the same address takes it over. Else names that nobody answers for would fill the half of the pool
 * that lookups may use, in front of names that somebody does, and a name server slower than the dials would
 * never be heard. */
#include "net/net_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <netdb.h>
#include <stdio.h>

struct lookup {
    struct net_thing thing; /* first */
    struct link link;       /* in net->lookups */
    struct address of;
    struct net_dial *dial; /* NULL: it gave up */
    uv_getaddrinfo_t req;
};

struct net_dial {
    struct net_thing thing; /* first */
    struct net *net;
    net_dial_cb cb; /* NULL: it was called */
    void *ctx;
    uv_timer_t timer;
    struct lookup *lookup;       /* in the pool; NULL: none */
    struct tcp *tcp;             /* the attempt under way; NULL: none */
    struct addrinfo *found;      /* of a name; NULL: numeric, or not found yet */
    const struct addrinfo *next; /* to try */
    struct sockaddr_storage numeric;
};

static void dial_on_timer_closed(uv_handle_t *handle)
{
    struct net_dial *d = handle->data;
    if (d->cb != NULL) { /* net_stop() */
        d->cb(d->ctx, NULL);
        d->cb = NULL;
    }
    uv_freeaddrinfo(d->found);
    net_thing_gone(&d->thing);
}

static void dial_stop(struct net_thing *thing)
{
    struct net_dial *d = CONTAINER(thing, struct net_dial, thing);
    if (uv_is_closing((uv_handle_t *)&d->timer)) {
        return;
    }
    uv_close((uv_handle_t *)&d->timer, dial_on_timer_closed);
    if (d->lookup != NULL) {
        d->lookup->dial = NULL;
        d->lookup = NULL;
    }
    if (d->tcp != NULL) {
        tcp_close(d->tcp, DKV_CANCELED);
        d->tcp = NULL;
    }
}

static void dial_finish(struct net_dial *d, struct stream *s)
{
    net_dial_cb cb = d->cb;
    d->cb = NULL;
    dial_stop(&d->thing);
    cb(d->ctx, s);
}

static void dial_on_timeout(uv_timer_t *timer)
{
    dial_finish(timer->data, NULL);
}

static void dial_next(struct net_dial *d);

/* Two ends of one socket: the kernel may give a caller on this host the very port it calls, if nobody
 * listens. */
static bool dial_is_self(struct tcp *t)
{
    struct sockaddr_storage here = {0};
    struct sockaddr_storage there = {0};
    int here_len = sizeof here;
    int there_len = sizeof there;
    return uv_tcp_getsockname(tcp_handle(t), (struct sockaddr *)&here, &here_len) == 0 &&
           uv_tcp_getpeername(tcp_handle(t), (struct sockaddr *)&there, &there_len) == 0 &&
           here_len == there_len && memcmp(&here, &there, (size_t)here_len) == 0;
}

static void dial_on_connect(uv_connect_t *req, int status)
{
    if (status == UV_ECANCELED) {
        return; /* its stream is being closed by dial_stop() or net_stop(); the dial may be gone */
    }
    struct net_dial *d = req->data;
    struct stream *s = NULL;
    dkv_err err = status < 0 ? net_error(status) : DKV_OK;
    if (err == DKV_OK) {
        err = dial_is_self(d->tcp) ? DKV_UNAVAILABLE : tcp_start(d->tcp, &s);
    }
    if (err != DKV_OK) {
        tcp_close(d->tcp, err);
        d->tcp = NULL;
        dial_next(d);
        return;
    }
    d->tcp = NULL; /* the callee's now */
    dial_finish(d, s);
}

static dkv_err dial_try(struct net_dial *d, const struct sockaddr *to)
{
    d->tcp = tcp_new(d->net);
    if (d->tcp == NULL) {
        return DKV_NO_MEMORY;
    }
    int rc = tcp_connect(d->tcp, to, dial_on_connect, d);
    if (rc < 0) {
        tcp_close(d->tcp, net_error(rc));
        d->tcp = NULL;
    }
    return net_error(rc);
}

/* Try what is left of the addresses; after the last one the timer ends it, at once. */
static void dial_next(struct net_dial *d)
{
    while (d->next != NULL) {
        const struct sockaddr *to = d->next->ai_addr;
        d->next = d->next->ai_next;
        if (dial_try(d, to) == DKV_OK) {
            return;
        }
    }
    uv_timer_start(&d->timer, dial_on_timeout, 0, 0);
}

static void lookup_on_done(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct lookup *l = CONTAINER(req, struct lookup, req);
    struct net_dial *d = l->dial;
    if (status < 0) {
        log_debug("event=lookup_failed host=%s reason=\"%s\"", l->of.host, uv_strerror(status));
    }
    list_remove(&l->link);
    net_thing_gone(&l->thing);
    if (d == NULL) {
        uv_freeaddrinfo(found);
        return;
    }
    d->lookup = NULL;
    d->found = found;
    d->next = found;
    dial_next(d);
}

/* Fails when it is running: then net_run() waits for it. */
static void lookup_stop(struct net_thing *thing)
{
    struct lookup *l = CONTAINER(thing, struct lookup, thing);
    (void)uv_cancel((uv_req_t *)&l->req);
}

static dkv_err lookup_new(struct net *n, const struct address *of, struct lookup **out)
{
    struct lookup *l = mem_zalloc(1, sizeof *l);
    if (l == NULL) {
        return DKV_NO_MEMORY;
    }
    char port[8];
    snprintf(port, sizeof port, "%u", of->port);
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int rc = uv_getaddrinfo(&n->loop, &l->req, lookup_on_done, of->host, port, &want);
    if (rc < 0) {
        mem_free(l);
        return net_error(rc);
    }
    l->of = *of;
    net_thing_init(n, &l->thing, lookup_stop, true);
    list_push(&n->lookups, &l->link);
    *out = l;
    return DKV_OK;
}

/* One that its dial has left; NULL: none. Linear; at most one for each dial of the same time, that is, one
 * for each peer. */
static struct lookup *lookup_find_left(struct net *n, const struct address *of)
{
    for (struct link *i = n->lookups.next; i != &n->lookups; i = i->next) {
        struct lookup *l = CONTAINER(i, struct lookup, link);
        if (l->dial == NULL && l->of.port == of->port && strcmp(l->of.host, of->host) == 0) {
            return l;
        }
    }
    return NULL;
}

static bool dial_is_numeric(const struct address *to, struct sockaddr_storage *out)
{
    return uv_ip4_addr(to->host, to->port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(to->host, to->port, (struct sockaddr_in6 *)out) == 0;
}

static dkv_err dial_begin(struct net_dial *d, const struct address *to)
{
    if (dial_is_numeric(to, &d->numeric)) {
        return dial_try(d, (const struct sockaddr *)&d->numeric);
    }
    d->lookup = lookup_find_left(d->net, to);
    dkv_err err = d->lookup != NULL ? DKV_OK : lookup_new(d->net, to, &d->lookup);
    if (err == DKV_OK) {
        ensure(d->lookup != NULL);
        d->lookup->dial = d;
    }
    return err;
}

dkv_err net_dial(struct net *n, const struct address *to, uint64_t timeout_ms, net_dial_cb cb, void *ctx)
{
    if (n->stopped) {
        return DKV_CANCELED;
    }
    struct net_dial *d = mem_zalloc(1, sizeof *d);
    if (d == NULL) {
        return DKV_NO_MEMORY;
    }
    d->net = n;
    d->cb = cb;
    d->ctx = ctx;
    uv_timer_init(&n->loop, &d->timer);
    d->timer.data = d;
    net_thing_init(n, &d->thing, dial_stop, true);
    bool begun = dial_begin(d, to) == DKV_OK;
    uv_timer_start(&d->timer, dial_on_timeout, begun ? timeout_ms : 1, 0);
    return DKV_OK;
}

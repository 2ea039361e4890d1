/* listen.c - listening sockets.
 *
 * Accepting is done here, on a polled socket, and not by uv_listen(): when descriptors run out, libuv 1.44
 * either accepts and drops every caller without a word or spins. Here the callers wait in the backlog, the
 * listener rests for NET_ACCEPT_PAUSE_MS and says so once in a while. */
#include "net/net_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

struct net_listener {
    struct net_thing thing; /* first */
    struct net *net;
    int fd;
    uv_poll_t poll;
    uv_timer_t pause;
    int handles; /* not closed yet */
    bool closing;
    net_accept_cb cb;
    void *ctx;
    bool has_logged;
    uint64_t logged_ms;
};

static void listener_on_readable(uv_poll_t *poll, int status, int events);

static void listener_resume(struct net_listener *l)
{
    int rc = uv_poll_start(&l->poll, UV_READABLE, listener_on_readable);
    ensure(rc == 0);
}

static void listener_on_pause_over(uv_timer_t *timer)
{
    listener_resume(timer->data);
}

static void listener_rest(struct net_listener *l, int number)
{
    uint64_t now = uv_now(&l->net->loop);
    if (!l->has_logged || now - l->logged_ms >= NET_ACCEPT_LOG_EVERY_MS) {
        log_warn("event=accept_failed reason=\"%s\" rest_ms=%u", strerror(number), NET_ACCEPT_PAUSE_MS);
        l->has_logged = true;
        l->logged_ms = now;
    }
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause, listener_on_pause_over, NET_ACCEPT_PAUSE_MS, 0);
}

static void listener_hand_over(struct net_listener *l, int fd)
{
    struct tcp *t = tcp_new(l->net);
    if (t == NULL) {
        close(fd);
        listener_rest(l, ENOMEM);
        return;
    }
    struct stream *s = NULL;
    dkv_err err = net_error(uv_tcp_open(tcp_handle(t), fd));
    if (err != DKV_OK) {
        close(fd);
    } else {
        err = tcp_start(t, &s);
    }
    if (err != DKV_OK) {
        tcp_close(t, err); /* a caller that has gone already */
        return;
    }
    l->cb(l->ctx, s);
}

/* This caller has gone, or its network has failed: the next one may be fine (accept(2), "Error handling"). */
static bool listener_may_go_on(int number)
{
    switch (number) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

static void listener_on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct net_listener *l = poll->data;
    if (status < 0) {
        listener_rest(l, -status);
        return;
    }
    for (int i = 0; i < NET_ACCEPTS_PER_TURN && !l->closing; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener_hand_over(l, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!listener_may_go_on(errno)) {
            listener_rest(l, errno);
            return;
        }
    }
}

static void listener_on_closed(uv_handle_t *handle)
{
    struct net_listener *l = handle->data;
    l->handles--;
    if (l->handles == 0) {
        net_thing_gone(&l->thing);
    }
}

static void listener_stop(struct net_thing *thing)
{
    struct net_listener *l = CONTAINER(thing, struct net_listener, thing);
    if (l->closing) {
        return;
    }
    l->closing = true;
    uv_close((uv_handle_t *)&l->poll, listener_on_closed);
    uv_close((uv_handle_t *)&l->pause, listener_on_closed);
    close(l->fd); /* at once, so that the port is free when the call returns; the poll handle let go of it
                     above */
}

void net_listener_close(struct net_listener *l)
{
    if (l != NULL) {
        listener_stop(&l->thing);
        net_thing_drop(&l->thing);
    }
}

/* A bound and listening socket; below 0: errno says why not. */
static int listener_socket(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, NET_BACKLOG) < 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static dkv_err listener_bind(const struct address *at, int *fd)
{
    char port[8];
    snprintf(port, sizeof port, "%u", at->port);
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(at->host, port, &want, &found);
    if (rc != 0) {
        log_error("event=listen_failed host=%s port=%s reason=\"%s\"", at->host, port, gai_strerror(rc));
        return rc == EAI_MEMORY ? DKV_NO_MEMORY : DKV_CONFIG;
    }
    *fd = -1;
    for (const struct addrinfo *a = found; a != NULL && *fd < 0; a = a->ai_next) {
        *fd = listener_socket(a);
    }
    int number = errno;
    freeaddrinfo(found);
    if (*fd >= 0) {
        return DKV_OK;
    }
    log_error("event=listen_failed host=%s port=%s reason=\"%s\"", at->host, port, strerror(number));
    return number == EADDRNOTAVAIL ? DKV_CONFIG : net_error(-number);
}

dkv_err net_listen(struct net *n, const struct address *at, net_accept_cb cb, void *ctx,
                   struct net_listener **out)
{
    ensure(!n->stopped);
    ensure(at->port != 0);
    struct net_listener *l = mem_zalloc(1, sizeof *l);
    if (l == NULL) {
        return DKV_NO_MEMORY;
    }
    dkv_err err = listener_bind(at, &l->fd);
    if (err != DKV_OK) {
        mem_free(l);
        return err;
    }
    int rc = uv_poll_init_socket(&n->loop, &l->poll, l->fd);
    if (rc < 0) { /* cannot poll: out of memory or of kernel watches */
        log_error("event=listen_failed host=%s port=%u reason=\"%s\"", at->host, at->port, uv_strerror(rc));
        close(l->fd);
        mem_free(l);
        return net_error(rc);
    }
    uv_timer_init(&n->loop, &l->pause);
    l->net = n;
    l->poll.data = l;
    l->pause.data = l;
    l->handles = 2;
    l->cb = cb;
    l->ctx = ctx;
    net_thing_init(n, &l->thing, listener_stop, false);
    listener_resume(l);
    *out = l;
    return DKV_OK;
}

/* tcp.c - base/stream.h over a TCP socket.
 *
 * The happy path: tcp_new(), a socket by listen.c or dial.c, tcp_start(), the owner sets its events; reads
 * come as tcp_on_read(), writes go out at once with uv_try_write() and what the kernel did not take follows
 * by uv_write().
 *
 * What can go wrong:
 *   the other end closes      the rest of what was written is sent, then on_close(DKV_OK);
 *   a read or write fails     on_close(error); what was not sent is lost;
 *   the owner closes          at once, or with linger: see tcp_linger();
 *   no memory for a write     the stream is closed, because a hole in it would be worse.
 *
 * Every end passes through tcp_close(), and on_close fires from libuv's close callback: never inside a call
 * of the owner. */
#include "net/net_internal.h"

#include "base/mem.h"

#include <stdio.h>

enum tcp_state {
    TCP_STATE_NEW,       /* no owner yet */
    TCP_STATE_OPEN,      /* events flow */
    TCP_STATE_LINGERING, /* sends its rest, hears nothing but the other end's close */
    TCP_STATE_CLOSING,   /* on_close follows */
    TCP_STATES
};

static const unsigned tcp_next[TCP_STATES] = {
    [TCP_STATE_NEW] = BIT(TCP_STATE_OPEN) | BIT(TCP_STATE_CLOSING),
    [TCP_STATE_OPEN] = BIT(TCP_STATE_LINGERING) | BIT(TCP_STATE_CLOSING),
    [TCP_STATE_LINGERING] = BIT(TCP_STATE_CLOSING),
};

struct tcp {
    struct net_thing thing; /* first */
    struct stream stream;
    struct net *net;
    enum tcp_state state;
    uv_tcp_t handle;
    uv_connect_t connect;
    dkv_err err; /* what on_close will say */

    /* lingering */
    struct link link; /* in net->lingering */
    uv_shutdown_t shutdown;
    uint64_t linger_until_ms;
    bool sent_end;
    bool got_end;
};

/* What the kernel did not take at once. */
struct tcp_write {
    uv_write_t req;
    struct buf data;
    size_t bytes; /* the part of data that is still to go */
};

static void tcp_move(struct tcp *t, enum tcp_state to)
{
    ensure(tcp_next[t->state] & BIT(to));
    t->state = to;
}

uv_tcp_t *tcp_handle(struct tcp *t)
{
    return &t->handle;
}

static struct tcp *tcp_of(struct stream *s)
{
    return CONTAINER(s, struct tcp, stream);
}

static void tcp_on_closed(uv_handle_t *handle)
{
    struct tcp *t = handle->data;
    if (t->stream.events != NULL) {
        t->stream.events->on_close(&t->stream, t->err);
    }
    net_thing_gone(&t->thing);
}

void tcp_close(struct tcp *t, dkv_err err)
{
    if (t->state == TCP_STATE_CLOSING) {
        return;
    }
    tcp_move(t, TCP_STATE_CLOSING);
    t->err = err;
    list_remove(&t->link);
    uv_close((uv_handle_t *)&t->handle, tcp_on_closed);
}

static void tcp_stop(struct net_thing *thing)
{
    tcp_close(CONTAINER(thing, struct tcp, thing), DKV_CANCELED);
}

static void tcp_linger_check(struct tcp *t)
{
    if (t->state == TCP_STATE_LINGERING && t->sent_end && t->got_end) {
        tcp_close(t, t->err);
    }
}

static void tcp_on_shutdown(uv_shutdown_t *req, int status)
{
    struct tcp *t = req->data;
    if (status < 0) {
        tcp_close(t, t->err);
        return;
    }
    t->sent_end = true;
    tcp_linger_check(t);
}

static void tcp_on_linger_timer(uv_timer_t *timer);

static void tcp_arm_linger_timer(struct net *n)
{
    if (list_empty(&n->lingering) || uv_is_closing((uv_handle_t *)&n->linger_timer)) {
        return;
    }
    struct tcp *first = CONTAINER(n->lingering.next, struct tcp, link);
    uint64_t now = uv_now(&n->loop);
    uint64_t delay = first->linger_until_ms > now ? first->linger_until_ms - now : 0;
    uv_timer_start(&n->linger_timer, tcp_on_linger_timer, delay, 0);
}

static void tcp_on_linger_timer(uv_timer_t *timer)
{
    struct net *n = timer->data;
    uint64_t now = uv_now(&n->loop);
    while (!list_empty(&n->lingering)) {
        struct tcp *t = CONTAINER(n->lingering.next, struct tcp, link);
        if (t->linger_until_ms > now) {
            break;
        }
        tcp_close(t, t->err);
    }
    tcp_arm_linger_timer(n);
}

/* Send what is queued and the end of the stream, then wait for the other end's. Closing while bytes of the
 * other end are unread would make the kernel send a reset, which may destroy our last words on their way. */
static void tcp_linger(struct tcp *t, dkv_err err)
{
    tcp_move(t, TCP_STATE_LINGERING);
    t->err = err;
    t->shutdown.data = t;
    if (uv_shutdown(&t->shutdown, (uv_stream_t *)&t->handle, tcp_on_shutdown) < 0) {
        tcp_close(t, err);
        return;
    }
    t->linger_until_ms = uv_now(&t->net->loop) + NET_LINGER_MS;
    bool first = list_empty(&t->net->lingering);
    list_push(&t->net->lingering, &t->link);
    if (first) {
        tcp_arm_linger_timer(t->net);
    }
}

static void tcp_on_written(uv_write_t *req, int status)
{
    struct tcp_write *w = CONTAINER(req, struct tcp_write, req);
    struct tcp *t = w->req.handle->data;
    t->stream.unsent -= w->bytes;
    buf_fini(&w->data);
    mem_free(w);
    if (status < 0) {
        tcp_close(t, net_error(status));
    } else if (t->stream.unsent == 0 && t->state == TCP_STATE_OPEN && t->stream.events->on_drain != NULL) {
        t->stream.events->on_drain(&t->stream);
    }
}

static dkv_err tcp_write_rest(struct tcp *t, struct buf *data, size_t from)
{
    struct tcp_write *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        return DKV_NO_MEMORY;
    }
    w->data = *data;
    w->bytes = data->len - from;
    *data = (struct buf){0};
    t->stream.unsent += w->bytes;
    uv_buf_t rest = {.base = (char *)w->data.data + from, .len = w->bytes};
    int rc = uv_write(&w->req, (uv_stream_t *)&t->handle, &rest, 1, tcp_on_written);
    if (rc < 0) {
        t->stream.unsent -= w->bytes;
        buf_fini(&w->data);
        mem_free(w);
    }
    return net_error(rc);
}

static dkv_err tcp_write_some(struct tcp *t, struct buf *data)
{
    if (!buf_ok(data)) {
        return DKV_NO_MEMORY;
    }
    int sent = 0;
    if (t->stream.unsent == 0) {
        uv_buf_t all = {.base = (char *)data->data, .len = data->len};
        sent = uv_try_write((uv_stream_t *)&t->handle, &all, 1);
        if (sent == UV_EAGAIN) {
            sent = 0;
        }
    }
    if (sent < 0) {
        return net_error(sent);
    }
    return (size_t)sent == data->len ? DKV_OK : tcp_write_rest(t, data, (size_t)sent);
}

static void tcp_write(struct stream *s, struct buf *data)
{
    struct tcp *t = tcp_of(s);
    if (t->state == TCP_STATE_OPEN && (data->len > 0 || !buf_ok(data))) {
        dkv_err err = tcp_write_some(t, data);
        if (err != DKV_OK) {
            tcp_close(t, err);
        }
    }
    buf_fini(data);
}

static void tcp_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct tcp *t = handle->data;
    *out = (uv_buf_t){.base = t->net->read_bytes, .len = sizeof t->net->read_bytes};
}

static void tcp_on_end(struct tcp *t)
{
    t->got_end = true;
    if (t->state == TCP_STATE_LINGERING) {
        tcp_linger_check(t);
    } else if (t->stream.unsent > 0) {
        tcp_linger(t, DKV_OK);
    } else {
        tcp_close(t, DKV_OK);
    }
}

static void tcp_on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *into)
{
    struct tcp *t = handle->data;
    if (n == UV_EOF) {
        tcp_on_end(t);
    } else if (n < 0) {
        tcp_close(t, t->state == TCP_STATE_LINGERING ? t->err : net_error((int)n));
    } else if (n > 0 && t->state == TCP_STATE_OPEN) {
        ensure(t->stream.events != NULL);
        t->stream.events->on_data(&t->stream, slice_of(into->base, (size_t)n));
    }
}

static void tcp_pause(struct stream *s, bool paused)
{
    struct tcp *t = tcp_of(s);
    if (t->state != TCP_STATE_OPEN) {
        return;
    }
    if (paused) {
        uv_read_stop((uv_stream_t *)&t->handle);
    } else {
        /* Fails only when it reads already, which is as asked. */
        (void)uv_read_start((uv_stream_t *)&t->handle, tcp_on_alloc, tcp_on_read);
    }
}

static void tcp_close_stream(struct stream *s, bool linger)
{
    struct tcp *t = tcp_of(s);
    if (!linger) {
        tcp_close(t, DKV_CANCELED);
    } else if (t->state == TCP_STATE_OPEN) {
        tcp_pause(s, false); /* to see the other end close */
        tcp_linger(t, DKV_CANCELED);
    }
}

static const struct stream_ops tcp_ops = {
    .write = tcp_write,
    .pause = tcp_pause,
    .close = tcp_close_stream,
};

struct tcp *tcp_new(struct net *n)
{
    struct tcp *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->net = n;
    t->stream.ops = &tcp_ops;
    uv_tcp_init(&n->loop, &t->handle);
    t->handle.data = t;
    net_thing_init(n, &t->thing, tcp_stop, true);
    return t;
}

int tcp_connect(struct tcp *t, const struct sockaddr *to, uv_connect_cb cb, void *data)
{
    t->connect.data = data;
    return uv_tcp_connect(&t->connect, &t->handle, to, cb);
}

static void tcp_format_peer(const struct sockaddr *a, char *out, size_t n)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)a;
        uv_ip4_name(v4, host, sizeof host);
        snprintf(out, n, "%s:%u", host, ntohs(v4->sin_port));
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)a;
        uv_ip6_name(v6, host, sizeof host);
        snprintf(out, n, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(out, n, "%s", host);
    }
}

dkv_err tcp_start(struct tcp *t, struct stream **out)
{
    struct sockaddr_storage peer = {0};
    int len = sizeof peer;
    int rc = uv_tcp_getpeername(&t->handle, (struct sockaddr *)&peer, &len);
    if (rc == 0) {
        tcp_format_peer((const struct sockaddr *)&peer, t->stream.peer, sizeof t->stream.peer);
        rc = uv_tcp_nodelay(&t->handle, 1);
    }
    if (rc == 0) {
        rc = uv_read_start((uv_stream_t *)&t->handle, tcp_on_alloc, tcp_on_read);
    }
    if (rc == 0) {
        tcp_move(t, TCP_STATE_OPEN);
        *out = &t->stream;
    }
    return net_error(rc);
}

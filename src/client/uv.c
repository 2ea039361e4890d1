/* uv.c - the transport of a client on a libuv loop, and the blocking call.
 *
 * Happy path:
 *   1. client_call() hands the call to the core; before the loop waits again, the prepare handle lets the
 * core tick and carries out what it wants: so all calls of one loop turn leave in one write;
 *   2. a dial makes a socket: resolve the name unless it is a number, connect, read;
 *   3. bytes go to the core, which fires the callbacks.
 *
 * What can go wrong: a name has several addresses, and they are tried one after the other; a socket breaks,
 * the core is told once and the socket closes by itself; the core hangs up, then the socket belongs to nobody
 * and its late callbacks only end it. client_close() closes all handles, and when the last is gone cancels
 * the calls, tells the caller and frees. */
#include "client/client_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <uv.h>

#define CLIENT_READ_BYTES 65536u

/* One attempt to reach an endpoint, up to the end of the connection. */
struct client_socket {
    struct client *client;
    int conn; /* of the core; below 0: nobody's any more */
    bool resolving;
    bool opened;  /* tcp is initialised */
    bool closing; /* of tcp */
    uv_tcp_t tcp;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *found;     /* owned */
    struct addrinfo *candidate; /* the next to try */
};

struct client {
    struct client_core core;
    uv_loop_t *loop;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uint64_t armed_ms; /* when the timer fires; UINT64_MAX: off */
    bool dirty;        /* something happened since the last tick */
    bool closing;
    unsigned handles; /* prepare, timer and sockets that are not gone */
    struct client_socket *sockets[CLIENT_CONNS];
    void (*close_cb)(void *ctx);
    void *close_ctx;
    char read[CLIENT_READ_BYTES];
};

struct client_write {
    uv_write_t req;
    struct buf data;
};

static uint64_t client_now_ms(void)
{
    return uv_hrtime() / 1000000u; /* uv_now() is old when the caller was away from the loop */
}

static void client_release(struct client *c)
{
    if (--c->handles > 0) {
        return;
    }
    client_core_cancel(&c->core);
    client_core_fini(&c->core);
    if (c->close_cb != NULL) {
        c->close_cb(c->close_ctx);
    }
    mem_free(c);
}

/* ---- sockets ------------------------------------------------------------------------------------------ */

static void socket_try_next(struct client_socket *s);

static void socket_free(struct client_socket *s)
{
    struct client *c = s->client;
    uv_freeaddrinfo(s->found);
    mem_free(s);
    client_release(c);
}

static void socket_on_close(uv_handle_t *handle)
{
    struct client_socket *s = handle->data;
    s->opened = false;
    s->closing = false;
    if (s->conn >= 0) {
        socket_try_next(s); /* that address failed, and there may be others */
    } else {
        socket_free(s);
    }
}

static void socket_close_tcp(struct client_socket *s)
{
    if (s->opened && !s->closing) {
        s->closing = true;
        uv_close((uv_handle_t *)&s->tcp, socket_on_close);
    }
}

/* The core has no use for it any more. */
static void socket_drop(struct client_socket *s)
{
    s->client->sockets[s->conn] = NULL;
    s->conn = -1;
    if (s->resolving) {
        uv_cancel((uv_req_t *)&s->resolve); /* its callback frees, canceled or not */
    } else if (s->opened) {
        socket_close_tcp(s);
    } else {
        socket_free(s);
    }
}

static void socket_broken(struct client_socket *s, const char *why)
{
    if (s->conn < 0) {
        return;
    }
    struct client *c = s->client;
    unsigned conn = (unsigned)s->conn;
    socket_drop(s);
    c->dirty = true;
    client_core_on_closed(&c->core, conn, why, client_now_ms());
}

static void socket_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct client_socket *s = handle->data;
    *out = uv_buf_init(s->client->read, sizeof s->client->read);
}

static void socket_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct client_socket *s = stream->data;
    if (n < 0) {
        socket_broken(s, n == UV_EOF ? "connection closed" : uv_strerror((int)n));
    } else if (n > 0 && s->conn >= 0) {
        s->client->dirty = true;
        client_core_on_bytes(&s->client->core, (unsigned)s->conn, slice_of(bytes->base, (size_t)n),
                             client_now_ms());
    }
}

static void socket_on_written(uv_write_t *req, int status)
{
    struct client_write *w = CONTAINER(req, struct client_write, req);
    struct client_socket *s = req->handle->data;
    buf_fini(&w->data);
    mem_free(w);
    if (status < 0) {
        socket_broken(s, uv_strerror(status));
    }
}

/* Send now what the kernel takes; the rest, if any, waits in a request of its own. */
static void socket_send(struct client_socket *s, struct buf *data)
{
    uv_buf_t all = uv_buf_init((char *)data->data, (unsigned)data->len);
    int sent = uv_try_write((uv_stream_t *)&s->tcp, &all, 1);
    buf_consume(data, sent > 0 ? (size_t)sent : 0);
    if (data->len == 0) {
        return;
    }
    struct client_write *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        socket_broken(s, err_text(DKV_NO_MEMORY));
        return;
    }
    w->data = *data;
    *data = (struct buf){0};
    uv_buf_t rest = uv_buf_init((char *)w->data.data, (unsigned)w->data.len);
    int err = uv_write(&w->req, (uv_stream_t *)&s->tcp, &rest, 1, socket_on_written);
    if (err < 0) {
        buf_fini(&w->data);
        mem_free(w);
        socket_broken(s, uv_strerror(err));
    }
}

static void socket_on_connect(uv_connect_t *req, int status)
{
    struct client_socket *s = CONTAINER(req, struct client_socket, connect);
    if (s->conn < 0) {
        return; /* being closed */
    }
    if (status == 0) {
        status = uv_read_start((uv_stream_t *)&s->tcp, socket_on_alloc, socket_on_read);
    }
    if (status < 0 && s->candidate != NULL) {
        socket_close_tcp(s);
    } else if (status < 0) {
        socket_broken(s, uv_strerror(status));
    } else {
        uv_tcp_nodelay(&s->tcp, 1);
        s->client->dirty = true;
        client_core_on_connected(&s->client->core, (unsigned)s->conn, client_now_ms());
    }
}

static void socket_connect(struct client_socket *s, const struct sockaddr *to)
{
    int err = uv_tcp_init(s->client->loop, &s->tcp);
    s->opened = err == 0;
    s->tcp.data = s;
    if (err == 0) {
        err = uv_tcp_connect(&s->connect, &s->tcp, to, socket_on_connect);
    }
    if (err < 0 && s->opened && s->candidate != NULL) {
        socket_close_tcp(s);
    } else if (err < 0) {
        socket_broken(s, uv_strerror(err));
    }
}

static void socket_try_next(struct client_socket *s)
{
    struct addrinfo *to = s->candidate;
    s->candidate = to->ai_next;
    socket_connect(s, to->ai_addr);
}

static void socket_on_resolve(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct client_socket *s = CONTAINER(req, struct client_socket, resolve);
    s->resolving = false;
    s->found = found;
    s->candidate = found;
    if (s->conn < 0) {
        socket_free(s);
    } else if (status < 0 || found == NULL) {
        socket_broken(s, status < 0 ? uv_strerror(status) : "the name has no address");
    } else {
        socket_try_next(s);
    }
}

static void socket_resolve(struct client_socket *s, const struct address *to)
{
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)to->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    s->resolving = true;
    int err = uv_getaddrinfo(s->client->loop, &s->resolve, socket_on_resolve, to->host, port, &hints);
    if (err < 0) {
        s->resolving = false;
        socket_broken(s, uv_strerror(err));
    }
}

static void socket_open(struct client *c, unsigned conn, const struct address *to)
{
    struct client_socket *s = mem_zalloc(1, sizeof *s);
    if (s == NULL) {
        client_core_on_closed(&c->core, conn, err_text(DKV_NO_MEMORY), client_now_ms());
        c->dirty = true;
        return;
    }
    s->client = c;
    s->conn = (int)conn;
    c->sockets[conn] = s;
    c->handles++;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (uv_ip4_addr(to->host, to->port, &v4) == 0) {
        socket_connect(s, (const struct sockaddr *)&v4);
    } else if (uv_ip6_addr(to->host, to->port, &v6) == 0) {
        socket_connect(s, (const struct sockaddr *)&v6);
    } else {
        socket_resolve(s, to);
    }
}

/* ---- turns of the loop -------------------------------------------------------------------------------- */

static void client_carry_out(struct client *c, unsigned conn)
{
    struct client_output out;
    client_core_output(&c->core, conn, &out);
    if (out.hangup && c->sockets[conn] != NULL) {
        socket_drop(c->sockets[conn]);
    }
    if (out.dial != NULL) {
        struct address to = *out.dial;
        socket_open(c, conn, &to);
    }
    if (out.send->len > 0 && c->sockets[conn] != NULL) {
        socket_send(c->sockets[conn], out.send);
    }
}

static void client_on_timer(uv_timer_t *timer)
{
    struct client *c = timer->data;
    c->armed_ms = UINT64_MAX;
    c->dirty = true;
}

/* A timer that fires too early costs a tick, one that is moved at every request costs more. */
static void client_arm(struct client *c, uint64_t wake_ms, uint64_t now_ms)
{
    if (wake_ms < c->armed_ms) {
        c->armed_ms = wake_ms;
        uv_update_time(c->loop);
        uv_timer_start(&c->timer, client_on_timer, wake_ms > now_ms ? wake_ms - now_ms : 0, 0);
    }
}

static void client_on_prepare(uv_prepare_t *prepare)
{
    struct client *c = prepare->data;
    while (c->dirty && !c->closing) {
        c->dirty = false;
        uint64_t now_ms = client_now_ms();
        uint64_t wake_ms = client_core_tick(&c->core, now_ms);
        for (unsigned i = 0; i < CLIENT_CONNS && !c->closing; i++) {
            client_carry_out(c, i);
        }
        if (!c->closing && wake_ms != UINT64_MAX) {
            client_arm(c, wake_ms, now_ms);
        }
    }
}

/* ---- the public face ---------------------------------------------------------------------------------- */

static void client_start_handles(struct client *c)
{
    /* None of these can fail. */
    uv_prepare_init(c->loop, &c->prepare);
    uv_prepare_start(&c->prepare, client_on_prepare);
    uv_timer_init(c->loop, &c->timer);
    c->prepare.data = c;
    c->timer.data = c;
    c->handles = 2;
}

struct client *client_uv_new(void *loop, const struct client_config *config)
{
    struct client *c = mem_zalloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->loop = loop;
    c->armed_ms = UINT64_MAX;
    uint64_t seed = uv_hrtime() ^ (uint64_t)(uintptr_t)c; /* of the jitter alone */
    if (client_core_init(&c->core, config, seed) != DKV_OK) {
        client_core_fini(&c->core);
        mem_free(c);
        return NULL;
    }
    client_start_handles(c);
    return c;
}

void client_call(struct client *c, struct client_call *call)
{
    ensure(!c->closing);
    c->dirty = true;
    client_core_call(&c->core, call, client_now_ms());
}

static void client_on_close(uv_handle_t *handle)
{
    client_release(handle->data);
}

void client_close(struct client *c, void (*cb)(void *ctx), void *ctx)
{
    ensure(!c->closing);
    c->closing = true;
    c->core.stopped = true;
    c->close_cb = cb;
    c->close_ctx = ctx;
    uv_close((uv_handle_t *)&c->prepare, client_on_close);
    uv_close((uv_handle_t *)&c->timer, client_on_close);
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        if (c->sockets[i] != NULL) {
            socket_drop(c->sockets[i]);
        }
    }
}

struct client_waiting {
    struct client_call call;
    struct client *client;
    struct reply *rep;
    struct buf *keep;
};

static struct slice client_kept(const struct buf *keep, size_t *at, size_t len)
{
    struct slice s = len == 0 ? slice_of(NULL, 0) : slice_of(keep->data + *at, len);
    *at += len;
    return s;
}

void client_keep_reply(const struct reply *from, struct reply *to, struct buf *keep)
{
    buf_reset(keep);
    *to = *from;
    buf_put(keep, from->detail);
    buf_put(keep, from->value);
    buf_put(keep, from->node);
    buf_put(keep, from->leader);
    if (!buf_ok(keep)) {
        *to = (struct reply){.err = from->err == DKV_OK ? DKV_NO_MEMORY : from->err};
        return;
    }
    size_t at = 0;
    to->detail = client_kept(keep, &at, from->detail.len);
    to->value = client_kept(keep, &at, from->value.len);
    to->node = client_kept(keep, &at, from->node.len);
    to->leader = client_kept(keep, &at, from->leader.len);
}

static void client_on_waited(struct client_call *call)
{
    struct client_waiting *w = CONTAINER(call, struct client_waiting, call);
    client_keep_reply(&call->reply, w->rep, w->keep);
    client_close(w->client, NULL, NULL);
}

dkv_err client_call_wait(const struct client_config *config, const struct request *req, struct reply *rep,
                         struct buf *keep)
{
    uv_loop_t loop;
    *rep = (struct reply){.err = DKV_NO_MEMORY};
    if (uv_loop_init(&loop) != 0) {
        return rep->err;
    }
    struct client_waiting w = {.call = {.request = *req, .cb = client_on_waited}, .rep = rep, .keep = keep};
    w.client = client_uv_new(&loop, config);
    if (w.client != NULL) {
        client_call(w.client, &w.call);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    ensure(uv_loop_close(&loop) == 0);
    return rep->err;
}

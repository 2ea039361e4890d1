/* door.c - see door.h.
 *
 * Happy path of a connection, in steps:
 *   1. door_accept   it is counted and watched for its first byte
 *   2. on_data       whole messages are cut out, each becomes a request with its own copy of the bytes
 *   3. on_reply      the answer is encoded into the connection's output
 *   4. door_turn     one write per connection and turn
 *   5. on_close      the stream is gone; the connection is freed once its last request is answered
 *
 * What can go wrong: (1) too many: closed at once; (2) bytes that are no message: an error reply where
 * possible, then closed; a wrong request: an error reply; (3, 4) the client does not read: reading stops,
 * then it is closed. */
#include "front/door.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/native.h"

#define SWEEP_MS     1000u
#define NATIVE_FIRST 0x94u

struct door {
    struct router *router;
    struct pack_doc *doc;
    struct link conns;
    struct link dirty; /* connections with output to send */
    uint32_t conn_count;
    uint32_t conns_max;
    uint64_t full_ms;  /* turning away is logged once a second at most */
    uint32_t inflight; /* requests of all connections */
    uint64_t sweep_ms;
    uint64_t warned_ms; /* bad input is logged once a second at most */
    bool stopped;
    bool closing;
    void (*close_cb)(void *ctx);
    void *close_ctx;
};

struct conn {
    struct door *door;
    struct stream *stream; /* NULL: gone */
    struct link link;
    struct link dirty;
    struct buf in;         /* the beginning of a message */
    struct pack_scan scan; /* of the message that begins in */
    struct buf out;
    uint32_t inflight;
    size_t inflight_bytes;
    uint64_t since_ms; /* of its beginning, then of the last time all output had left */
    uint64_t begun_ms; /* when the message that begins in in began, or had its last reason to wait */
    bool spoke;        /* the first byte came */
    bool paused;
    bool broken; /* closing: no more requests */
};

/* One request, with its bytes behind it. */
struct ask {
    struct router_call call;
    struct conn *conn;
    uint32_t id;
    size_t bytes;
};

struct door *door_new(struct router *router)
{
    struct door *d = mem_zalloc(1, sizeof *d);
    if (d == NULL) {
        return NULL;
    }
    d->router = router;
    d->conns_max = CONNS_MAX;
    d->doc = pack_doc_new();
    if (d->doc == NULL) {
        mem_free(d);
        return NULL;
    }
    list_init(&d->conns);
    list_init(&d->dirty);
    d->sweep_ms = UINT64_MAX;
    return d;
}

static void door_maybe_free(struct door *d)
{
    if (!d->closing || d->conn_count > 0) {
        return;
    }
    void (*cb)(void *ctx) = d->close_cb;
    void *ctx = d->close_ctx;
    pack_doc_free(d->doc);
    mem_free(d);
    cb(ctx);
}

static void conn_maybe_free(struct conn *c)
{
    struct door *d = c->door;
    if (c->stream != NULL || c->inflight > 0) {
        return;
    }
    list_remove(&c->link);
    list_remove(&c->dirty);
    buf_fini(&c->in);
    buf_fini(&c->out);
    mem_free(c);
    d->conn_count--;
    door_maybe_free(d);
}

/* ---- output ------------------------------------------------------------------------------------------- */

static void conn_touch(struct conn *c)
{
    if (c->dirty.next == NULL) {
        list_push(&c->door->dirty, &c->dirty);
    }
}

static void conn_put_reply(struct conn *c, uint32_t id, const struct reply *reply)
{
    if (c->stream != NULL) {
        native_put_reply(&c->out, id, reply);
        conn_touch(c);
    }
}

static void conn_refuse(struct conn *c, uint32_t id, dkv_err err, const struct buf *why)
{
    struct reply reply = {.err = err, .detail = buf_slice(why)};
    conn_put_reply(c, id, &reply);
}

static bool conn_is_full(const struct conn *c)
{
    return c->inflight >= CONN_INFLIGHT_MAX || c->inflight_bytes >= CONN_INFLIGHT_BYTES ||
           c->out.len + (c->stream == NULL ? 0 : c->stream->unsent) >= CONN_OUTPUT_BYTES_MAX;
}

/* ---- input -------------------------------------------------------------------------------------------- */

static void conn_on_reply(struct router_call *call, const struct reply *reply)
{
    struct ask *ask = CONTAINER(call, struct ask, call);
    struct conn *c = ask->conn;
    c->inflight--;
    c->inflight_bytes -= ask->bytes;
    c->door->inflight--;
    conn_put_reply(c, ask->id, reply);
    conn_touch(c); /* there is room again: parsing may go on */
    mem_free(ask);
    conn_maybe_free(c);
}

/* Framing is lost, or nothing more is wanted: send what there is and close. */
static void conn_break(struct conn *c)
{
    c->broken = true;
    conn_touch(c);
}

static void conn_bad_input(struct conn *c, dkv_err err)
{
    struct door *d = c->door;
    uint64_t now = router_now(d->router);
    struct buf why = {0};
    buf_put_text(&why, "these bytes are no request; the connection is closed");
    conn_refuse(c, 0, err, &why);
    buf_fini(&why);
    if (now - d->warned_ms >= 1000 || d->warned_ms == 0) {
        d->warned_ms = now;
        log_warn("event=bad_input iface=native kind=\"%s\" peer=%s", err_text(err), c->stream->peer);
    }
    conn_break(c);
}

/* Start one complete message. */
static void conn_start(struct conn *c, struct slice message)
{
    struct buf why = {0};
    struct ask *ask = mem_alloc(sizeof *ask + message.len);
    if (ask == NULL) {
        conn_break(c);
        return;
    }
    *ask = (struct ask){.conn = c, .bytes = message.len, .call = {.cb = conn_on_reply}};
    uint8_t *copy = (uint8_t *)(ask + 1);
    memcpy(copy, message.data, message.len);
    dkv_err err =
        native_parse_request(c->door->doc, slice_of(copy, message.len), &ask->id, &ask->call.request, &why);
    if (err == DKV_MALFORMED) {
        conn_bad_input(c, err);
    } else if (err != DKV_OK) {
        conn_refuse(c, ask->id, err, &why);
    } else if (ask->call.request.op == OP_READ_INDEX) {
        buf_put_text(&why, "only nodes ask this, of each other");
        conn_refuse(c, ask->id, DKV_UNSUPPORTED, &why);
        err = DKV_UNSUPPORTED;
    }
    buf_fini(&why);
    if (err != DKV_OK) {
        mem_free(ask);
        return;
    }
    ask->call.request.forwarded = false; /* a client cannot claim to be a node */
    c->inflight++;
    c->inflight_bytes += ask->bytes;
    c->door->inflight++;
    router_submit(c->door->router, &ask->call);
}

/* Start every complete message at the front of in, while there is room. Returns how many bytes were used;
 * what stands behind them is a message that begins now. */
static size_t conn_parse(struct conn *c, struct slice in)
{
    size_t used = 0;
    while (used < in.len && !conn_is_full(c) && !c->broken && !c->door->stopped) {
        struct slice rest = slice_of(in.data + used, in.len - used);
        size_t len = 0;
        dkv_err err = pack_scan(&c->scan, rest, REQUEST_BYTES_MAX, &len);
        if (err == DKV_MORE) {
            break;
        }
        if (err != DKV_OK) {
            conn_bad_input(c, err);
            break;
        }
        c->scan = (struct pack_scan){0};
        conn_start(c, slice_of(rest.data, len));
        used += len;
    }
    if (used > 0) {
        c->begun_ms = router_now(c->door->router);
    }
    return used;
}

static bool conn_first_byte(struct conn *c, uint8_t first)
{
    c->spoke = true;
    if (first == NATIVE_FIRST) {
        return true;
    }
    log_debug("event=bad_input iface=client kind=protocol peer=%s", c->stream->peer);
    conn_break(c);
    return false;
}

static void conn_on_data(struct stream *s, struct slice bytes)
{
    struct conn *c = s->owner;
    if (c->broken || bytes.len == 0 || (!c->spoke && !conn_first_byte(c, bytes.data[0]))) {
        return;
    }
    if (c->in.len > 0) {
        buf_put(&c->in, bytes);
        buf_consume(&c->in, conn_parse(c, buf_slice(&c->in)));
    } else {
        c->begun_ms = router_now(c->door->router);
        size_t used = conn_parse(c, bytes);
        buf_put(&c->in, slice_of(bytes.data + used, bytes.len - used));
    }
    if (!buf_ok(&c->in)) {
        conn_break(c);
    }
    conn_touch(c); /* the turn decides whether reading goes on */
}

static void conn_on_drain(struct stream *s)
{
    conn_touch(s->owner);
}

static void conn_on_close(struct stream *s, dkv_err err)
{
    struct conn *c = s->owner;
    (void)err;
    c->stream = NULL;
    c->broken = true;
    conn_maybe_free(c);
}

static const struct stream_events conn_events = {
    .on_data = conn_on_data,
    .on_drain = conn_on_drain,
    .on_close = conn_on_close,
};

void door_set_conns_max(struct door *d, uint32_t max)
{
    d->conns_max = max;
}

static void turned_away(struct stream *s, dkv_err err)
{
    (void)s;
    (void)err;
}

static const struct stream_events turned_away_events = {.on_close = turned_away};

/* Without a word: what the caller speaks is not known yet. */
static void door_note_full(struct door *d)
{
    uint64_t now = router_now(d->router);
    if (now - d->full_ms >= 1000 || d->full_ms == 0) {
        d->full_ms = now;
        log_warn("event=conns_limit conns=%u max_conns=%u", d->conn_count, d->conns_max);
    }
}

void door_accept(struct door *d, struct stream *s)
{
    bool full = d->conn_count >= d->conns_max;
    struct conn *c = full || d->stopped ? NULL : mem_zalloc(1, sizeof *c);
    if (full && !d->stopped) {
        door_note_full(d);
    }
    if (c == NULL) {
        s->events = &turned_away_events;
        s->ops->close(s, false);
        return;
    }
    *c = (struct conn){.door = d, .stream = s, .since_ms = router_now(d->router)};
    s->owner = c;
    s->events = &conn_events;
    list_push(&d->conns, &c->link);
    d->conn_count++;
    if (d->sweep_ms == UINT64_MAX) {
        d->sweep_ms = c->since_ms + SWEEP_MS;
    }
}

/* ---- turns -------------------------------------------------------------------------------------------- */

/* Messages that waited in the input because the connection was full. */
static void conn_resume(struct conn *c)
{
    if (c->in.len > 0 && !conn_is_full(c) && !c->broken) {
        buf_consume(&c->in, conn_parse(c, buf_slice(&c->in)));
    }
    bool pause = conn_is_full(c) || c->in.len > REQUEST_BYTES_MAX;
    if (pause != c->paused && c->stream != NULL) {
        c->paused = pause;
        c->begun_ms = router_now(c->door->router); /* it was not the client who kept it waiting */
        c->stream->ops->pause(c->stream, pause);
    }
}

static void conn_flush(struct conn *c)
{
    if (c->stream == NULL) {
        return;
    }
    if (c->out.len > 0 && buf_ok(&c->out)) {
        if (c->stream->unsent == 0) {
            c->since_ms = router_now(c->door->router);
        }
        c->stream->ops->write(c->stream, &c->out);
    }
    if (!buf_ok(&c->out) || (c->broken && c->inflight == 0)) {
        c->stream->ops->close(c->stream, true);
        return;
    }
    conn_resume(c);
}

/* A message that does not become whole. Each byte that came buys a millisecond, so 1 KB/s is fast enough. */
static bool conn_dawdles(const struct conn *c, uint64_t now_ms)
{
    return c->in.len > 0 && !c->paused && now_ms - c->begun_ms >= CONN_MESSAGE_MS + c->in.len;
}

static bool conn_is_late(const struct conn *c, uint64_t now_ms)
{
    uint64_t age = now_ms - c->since_ms;
    return (!c->spoke && age >= CONN_FIRST_BYTE_MS) || conn_dawdles(c, now_ms) ||
           (c->stream->unsent > 0 && age >= CONN_WRITE_STALL_MS);
}

static void door_sweep(struct door *d, uint64_t now_ms)
{
    for (struct link *item = d->conns.next; item != &d->conns; item = item->next) {
        struct conn *c = CONTAINER(item, struct conn, link);
        if (c->stream != NULL && conn_is_late(c, now_ms)) {
            c->broken = true;
            c->stream->ops->close(c->stream, false);
        }
    }
    d->sweep_ms = list_empty(&d->conns) ? UINT64_MAX : now_ms + SWEEP_MS;
}

void door_turn(struct door *d)
{
    struct link now;
    struct link *item;
    list_detach(&d->dirty, &now);
    while ((item = list_pop(&now)) != NULL) {
        conn_flush(CONTAINER(item, struct conn, dirty));
    }
    uint64_t now_ms = router_now(d->router);
    if (now_ms >= d->sweep_ms) {
        door_sweep(d, now_ms);
    }
}

uint64_t door_deadline(const struct door *d)
{
    return list_empty(&d->dirty) ? d->sweep_ms : 0;
}

void door_stop(struct door *d)
{
    d->stopped = true;
}

bool door_is_idle(const struct door *d)
{
    if (d->inflight > 0 || !list_empty(&d->dirty)) {
        return false;
    }
    for (struct link *item = d->conns.next; item != &d->conns; item = item->next) {
        const struct conn *c = CONTAINER(item, struct conn, link);
        if (c->stream != NULL && c->stream->unsent > 0) {
            return false;
        }
    }
    return true;
}

void door_close(struct door *d, void (*cb)(void *ctx), void *ctx)
{
    d->stopped = true;
    d->closing = true;
    d->close_cb = cb;
    d->close_ctx = ctx;
    for (struct link *item = d->conns.next; item != &d->conns; item = item->next) {
        struct conn *c = CONTAINER(item, struct conn, link);
        c->broken = true;
        if (c->stream != NULL) {
            c->stream->ops->close(c->stream, true);
        }
    }
    door_maybe_free(d);
}

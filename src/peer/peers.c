/* peers.c - the door of the layer: finds the side a call is for, keeps time, counts and logs. */
#include "peer/peers_internal.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

struct peers *peers_new(const struct peers_config *config, const struct peer_identity *self)
{
    struct peers *p = mem_zalloc(1, sizeof *p);
    if (p != NULL) {
        p->config = *config;
        p->self = *self;
        list_init(&p->greeting);
        list_init(&p->settled);
    }
    return p;
}

void peers_set_identity(struct peers *p, const struct peer_identity *self)
{
    p->self = *self;
}

void peers_rehello(struct peers *p)
{
    for (size_t i = 0; i < p->dialed_count; i++) {
        dialed_close(p->dialed[i], 0);
    }
}

struct dialed *peers_find(const struct peers *p, uint32_t node)
{
    for (size_t i = 0; i < p->dialed_count; i++) {
        if (p->dialed[i]->node == node) {
            return p->dialed[i];
        }
    }
    return NULL;
}

dkv_err peers_add(struct peers *p, uint32_t node, const char *name, const struct address *to)
{
    ensure(node != p->self.node);
    ensure(strlen(name) <= NODE_NAME_MAX);
    struct dialed *d = peers_find(p, node);
    if (d == NULL) {
        ensure(p->dialed_count < NODES_MAX);
        d = dialed_new(p, node);
        if (d == NULL) {
            return DKV_NO_MEMORY;
        }
        p->dialed[p->dialed_count++] = d;
    }
    snprintf(d->name, sizeof d->name, "%s", name);
    d->to = *to;
    return DKV_OK;
}

void peers_stream_gone(struct peers *p)
{
    ensure(p->streams > 0);
    p->streams--;
    if (p->closing && p->streams == 0 && p->dials == 0) {
        p->close_cb(p->close_ctx);
    }
}

static void turned_away_on_data(struct stream *s, struct slice bytes)
{
    (void)s;
    (void)bytes;
}

static void turned_away_on_close(struct stream *s, dkv_err err)
{
    (void)err;
    peers_stream_gone(s->owner);
}

static const struct stream_events turned_away_events = {
    .on_data = turned_away_on_data,
    .on_close = turned_away_on_close,
};

void peers_turn_away(struct peers *p, struct stream *s)
{
    s->owner = p;
    s->events = &turned_away_events;
    p->streams++;
    s->ops->close(s, false);
}

void peers_dialed(struct peers *p, uint32_t node, struct stream *s, uint64_t now_ms)
{
    struct dialed *d = peers_find(p, node);
    ensure(d != NULL);
    ensure(p->dials > 0);
    p->dials--;
    if (!p->closing) {
        p->now_ms = now_ms;
        dialed_take(d, s);
    } else if (s != NULL) {
        peers_turn_away(p, s);
    } else if (p->streams == 0 && p->dials == 0) {
        p->close_cb(p->close_ctx);
    }
}

void peers_accepted(struct peers *p, struct stream *s, uint64_t now_ms)
{
    if (p->closing) {
        peers_turn_away(p, s);
        return;
    }
    p->now_ms = now_ms;
    accepted_new(p, s);
}

bool peers_send(struct peers *p, uint32_t node, const struct frame *f, bool urgent)
{
    ensure(f->kind >= FRAME_RAFT);
    struct dialed *d = peers_find(p, node);
    return d != NULL && dialed_send(d, f, urgent);
}

bool peers_up(const struct peers *p, uint32_t node)
{
    const struct dialed *d = peers_find(p, node);
    return d != NULL && d->state == DIALED_UP;
}

const struct peer_identity *peers_identity(const struct peers *p, uint32_t node)
{
    const struct dialed *d = peers_find(p, node);
    return d != NULL && d->has_identity ? &d->identity : NULL;
}

void peers_flush(struct peers *p)
{
    for (size_t i = 0; i < p->dialed_count; i++) {
        struct dialed *d = p->dialed[i];
        if (d->state == DIALED_UP) {
            queue_flush(&d->queue, d->stream);
        }
    }
}

/* When the line about it may be written. */
static uint64_t report_deadline(const struct report *r)
{
    if (r->pending == 0) {
        return UINT64_MAX;
    }
    return r->has_logged ? r->logged_ms + REPORT_EVERY_MS : 0;
}

static void report_log(struct report *r, const char *event, uint64_t now_ms)
{
    if (now_ms >= report_deadline(r)) {
        log_warn("event=%s count=%" PRIu64 " last=\"%s\"", event, r->pending, r->about);
        r->pending = 0;
        r->has_logged = true;
        r->logged_ms = now_ms;
    }
}

void peers_note_bad_input(struct peers *p, const struct stream *s, const char *what)
{
    p->stats.bad_input++;
    p->bad_input.pending++;
    snprintf(p->bad_input.about, sizeof p->bad_input.about, "%s: %s", s->peer, what);
}

void peers_note_refused(struct peers *p, const struct stream *s, const char *why)
{
    p->refused.pending++;
    snprintf(p->refused.about, sizeof p->refused.about, "%s: %s", s->peer, why);
}

void peers_note_drop(struct peers *p, const struct dialed *d, size_t bytes)
{
    p->stats.dropped_frames++;
    p->stats.dropped_bytes += bytes;
    p->dropped.pending++;
    snprintf(p->dropped.about, sizeof p->dropped.about, "to %s, %zu bytes", d->name, bytes);
}

const struct peers_stats *peers_stats(const struct peers *p)
{
    return &p->stats;
}

void peers_tick(struct peers *p, uint64_t now_ms)
{
    if (p->closing) {
        return;
    }
    p->now_ms = now_ms;
    accepted_tick(p);
    report_log(&p->bad_input, "peer_bad_input", now_ms);
    report_log(&p->refused, "peer_refused", now_ms);
    report_log(&p->dropped, "peer_dropped", now_ms);
    for (size_t i = 0; i < p->dialed_count; i++) {
        dialed_tick(p->dialed[i]);
    }
}

uint64_t peers_deadline(const struct peers *p)
{
    if (p->closing) {
        return UINT64_MAX;
    }
    uint64_t at = deadline_earlier(report_deadline(&p->bad_input), report_deadline(&p->dropped));
    at = deadline_earlier(at, report_deadline(&p->refused));
    at = deadline_earlier(at, accepted_deadline(p));
    for (size_t i = 0; i < p->dialed_count; i++) {
        at = deadline_earlier(at, dialed_deadline(p->dialed[i]));
    }
    return at;
}

dkv_err peers_input(struct buf *kept, struct slice bytes, peers_frame_fn on_frame, void *side)
{
    bool direct = kept->len == 0; /* mostly whole frames come: they need no copy */
    if (!direct) {
        buf_put(kept, bytes);
        if (!buf_ok(kept)) {
            return DKV_NO_MEMORY;
        }
        bytes = buf_slice(kept);
    }
    size_t at = 0;
    dkv_err err = DKV_OK;
    while (err == DKV_OK) {
        struct frame f;
        size_t used = 0;
        err = frame_decode(slice_of(bytes.data + at, bytes.len - at), &used, &f);
        if (err == DKV_OK && !on_frame(side, &f)) {
            return DKV_OK; /* the connection is over: nothing is kept */
        }
        at += used;
    }
    if (err != DKV_MORE) {
        return err;
    }
    if (!direct) {
        buf_consume(kept, at);
        return DKV_OK;
    }
    if (at == bytes.len) {
        return DKV_OK;
    }
    buf_put(kept, slice_of(bytes.data + at, bytes.len - at));
    return buf_ok(kept) ? DKV_OK : DKV_NO_MEMORY;
}

void peers_close(struct peers *p, void (*cb)(void *ctx), void *ctx)
{
    ensure(!p->closing);
    p->closing = true;
    p->close_cb = cb;
    p->close_ctx = ctx;
    for (size_t i = 0; i < p->dialed_count; i++) {
        dialed_close(p->dialed[i], LINK_RETRY_MS);
    }
    accepted_close_all(p);
    if (p->streams == 0 && p->dials == 0) {
        cb(ctx);
    }
}

void peers_free(struct peers *p)
{
    if (p == NULL) {
        return;
    }
    ensure(p->streams == 0);
    accepted_free_all(p);
    for (size_t i = 0; i < p->dialed_count; i++) {
        dialed_free(p->dialed[i]);
    }
    mem_free(p);
}

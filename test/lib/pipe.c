/* pipe.c - two inboxes. */
#include "lib/pipe.h"

#include "base/mem.h"

#include <stdio.h>

struct end {
    struct stream stream;
    struct pipe *pipe;
    struct buf inbox; /* on the way to this end */
    bool paused;
    bool full;      /* unsent was above 0 when a write returned: a drain is due */
    bool ended;     /* the owner closed it; nothing more is heard */
    bool lingering; /* ended, but its bytes still go */
    bool lost;      /* pipe_break() */
    bool closed;    /* on_close has fired */
};

struct pipe {
    struct end ends[PIPE_ENDS];
    size_t window;
};

static struct end *end_of(struct stream *s)
{
    return CONTAINER(s, struct end, stream);
}

static struct end *end_other(struct end *e)
{
    return &e->pipe->ends[e == &e->pipe->ends[PIPE_A] ? PIPE_B : PIPE_A];
}

static void end_count_unsent(struct end *e)
{
    size_t on_the_way = end_other(e)->inbox.len;
    size_t window = e->pipe->window;
    e->stream.unsent = on_the_way > window ? on_the_way - window : 0;
    e->full = e->full || e->stream.unsent > 0;
}

static void pipe_write(struct stream *s, struct buf *data)
{
    struct end *e = end_of(s);
    struct end *other = end_other(e);
    if (!buf_ok(data)) {
        e->ended = true;
    } else if (!e->ended && !e->lost && !other->ended) {
        buf_put(&other->inbox, buf_slice(data));
        end_count_unsent(e);
    }
    buf_fini(data);
    if (!buf_ok(&other->inbox)) {
        pipe_break(e->pipe); /* a hole in the stream would be worse */
    }
}

static void pipe_pause(struct stream *s, bool paused)
{
    end_of(s)->paused = paused;
}

static void pipe_close_end(struct stream *s, bool linger)
{
    struct end *e = end_of(s);
    if (!e->ended) {
        e->ended = true;
        e->lingering = linger;
    } else if (!linger) {
        e->lingering = false;
    }
    if (!e->lingering) {
        buf_fini(&end_other(e)->inbox);
    }
    buf_fini(&e->inbox);
}

static const struct stream_ops pipe_ops = {
    .write = pipe_write,
    .pause = pipe_pause,
    .close = pipe_close_end,
};

struct pipe *pipe_new(void)
{
    struct pipe *p = mem_zalloc(1, sizeof *p);
    for (int i = 0; p != NULL && i < PIPE_ENDS; i++) {
        struct end *e = &p->ends[i];
        e->pipe = p;
        e->stream.ops = &pipe_ops;
        snprintf(e->stream.peer, sizeof e->stream.peer, "pipe:%d", i == PIPE_A ? PIPE_B : PIPE_A);
    }
    return p;
}

void pipe_free(struct pipe *p)
{
    if (p == NULL) {
        return;
    }
    for (int i = 0; i < PIPE_ENDS; i++) {
        buf_fini(&p->ends[i].inbox);
    }
    mem_free(p);
}

struct stream *pipe_stream(struct pipe *p, enum pipe_end end)
{
    return &p->ends[end].stream;
}

void pipe_set_window(struct pipe *p, size_t bytes)
{
    p->window = bytes;
}

size_t pipe_pending(const struct pipe *p, enum pipe_end to)
{
    return p->ends[to].inbox.len;
}

static bool end_is_deaf(const struct end *e)
{
    return e->closed || e->ended || e->lost || e->stream.events == NULL;
}

/* The bytes move to memory of their own first: the owner may close the end, or write, while it reads them. */
static bool end_take(struct end *e, size_t max)
{
    if (end_is_deaf(e) || e->paused || e->inbox.len == 0 || max == 0) {
        return false;
    }
    size_t n = e->inbox.len < max ? e->inbox.len : max;
    uint8_t *bytes = mem_alloc(n);
    if (bytes == NULL) {
        pipe_break(e->pipe);
        return true;
    }
    memcpy(bytes, e->inbox.data, n);
    buf_consume(&e->inbox, n);
    end_count_unsent(end_other(e));
    e->stream.events->on_data(&e->stream, slice_of(bytes, n));
    mem_free(bytes);
    return true;
}

static bool end_drain(struct end *e)
{
    if (!e->full || e->stream.unsent > 0 || end_is_deaf(e)) {
        return false;
    }
    e->full = false;
    if (e->stream.events->on_drain != NULL) {
        e->stream.events->on_drain(&e->stream);
    }
    return true;
}

/* Is it time for on_close, and with what? */
static bool end_is_over(const struct end *e, const struct end *other, dkv_err *err)
{
    if (e->lost) {
        *err = e->ended ? DKV_CANCELED : DKV_IO;
        return true;
    }
    if (e->ended) { /* one that lingers waits until its bytes have arrived, or nobody is there to take them */
        *err = DKV_CANCELED;
        return !e->lingering || other->inbox.len == 0 || other->ended;
    }
    *err = DKV_OK;
    return other->ended && e->inbox.len == 0;
}

static bool end_close(struct end *e)
{
    dkv_err err = DKV_OK;
    if (e->closed || e->stream.events == NULL || !end_is_over(e, end_other(e), &err)) {
        return false;
    }
    e->closed = true;
    e->ended = true;
    e->stream.events->on_close(&e->stream, err);
    return true;
}

bool pipe_deliver(struct pipe *p, enum pipe_end to, size_t max)
{
    struct end *e = &p->ends[to];
    bool moved = end_take(e, max);
    moved = end_drain(end_other(e)) || moved;
    return end_close(e) || moved;
}

void pipe_run(struct pipe *p)
{
    bool moved = true;
    while (moved) {
        moved = pipe_deliver(p, PIPE_A, SIZE_MAX);
        moved = pipe_deliver(p, PIPE_B, SIZE_MAX) || moved;
    }
}

void pipe_break(struct pipe *p)
{
    for (int i = 0; i < PIPE_ENDS; i++) {
        p->ends[i].lost = true;
        buf_fini(&p->ends[i].inbox);
        p->ends[i].stream.unsent = 0;
    }
}

bool pipe_is_closed(const struct pipe *p)
{
    for (int i = 0; i < PIPE_ENDS; i++) {
        if (!p->ends[i].closed && p->ends[i].stream.events != NULL) {
            return false;
        }
    }
    return true;
}

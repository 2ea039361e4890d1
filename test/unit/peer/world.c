/* world.c - see world.h. */
#include "world.h"

#include <check.h>
#include <stdio.h>

static void side_on_dial(void *ctx, uint32_t node, const struct address *to)
{
    struct side *side = ctx;
    ck_assert_uint_ne(node, side->self.node);
    ck_assert_uint_eq(to->port, 7000 + node);
    side->dials++;
    buf_put_text(&side->log, "dial;");
}

static void side_on_hello(void *ctx, const struct peer_identity *who, struct handshake *h)
{
    struct side *side = ctx;
    buf_printf(&side->log, "hello %s;", who->name);
    switch (side->policy) {
    case ANSWER_OK:
        peers_answer(side->peers, h, DKV_OK, side->knew, (struct slice){0});
        break;
    case ANSWER_REFUSE:
        peers_answer(side->peers, h, side->refuse_err, false, slice_str(side->refuse_detail));
        break;
    case ANSWER_LATER:
        side->asked = h;
        break;
    }
}

static void side_on_answer(void *ctx, uint32_t node, const struct peer_answer *a)
{
    struct side *side = ctx;
    ck_assert_uint_eq(node, a->who->node);
    if (a->err == DKV_OK) {
        buf_printf(&side->log, "answer %s %d;", a->who->name, a->knew);
    } else {
        buf_printf(&side->log, "refused %d %.*s;", (int)a->err, (int)a->detail.len,
                   (const char *)a->detail.data);
    }
}

static void side_on_link(void *ctx, uint32_t node, bool up)
{
    struct side *side = ctx;
    ck_assert_int_eq(peers_up(side->peers, node), up);
    buf_put_text(&side->log, up ? "up;" : "down;");
}

static void side_on_closed(void *ctx)
{
    struct side *side = ctx;
    buf_put_text(&side->log, "closed;");
}

static void side_on_frame(void *ctx, uint32_t node, const struct frame *f)
{
    struct side *side = ctx;
    ck_assert_uint_ne(node, side->self.node);
    buf_printf(&side->log, "frame %.*s;", (int)f->body.len, (const char *)f->body.data);
    if (side->stop_at_frame) {
        side->stop_at_frame = false;
        peers_close(side->peers, side_on_closed, side);
    }
}

static void side_init(struct side *side, uint32_t node)
{
    *side = (struct side){.self = {.cluster = 77, .node = node, .boot = 1000 + node, .epoch = 1}};
    snprintf(side->self.name, sizeof side->self.name, "n%u", node);
    memset(side->self.incarnation, (int)node, PEER_INCARNATION_BYTES);
    struct peers_config config = {
        .ctx = side,
        .dial = side_on_dial,
        .on_hello = side_on_hello,
        .on_answer = side_on_answer,
        .on_link = side_on_link,
        .on_frame = side_on_frame,
    };
    side->peers = peers_new(&config, &side->self);
    ck_assert_ptr_nonnull(side->peers);
    uint32_t other = 3 - node;
    char name[4];
    snprintf(name, sizeof name, "n%u", other);
    struct address to = {.host = "h", .port = (uint16_t)(7000 + other)};
    ck_assert_int_eq(peers_add(side->peers, other, name, &to), DKV_OK);
}

void world_init(struct world *w)
{
    *w = (struct world){.now_ms = 5000};
    side_init(&w->n1, 1);
    side_init(&w->n2, 2);
    world_pass(w, 0);
    side_says(&w->n1, "dial;");
    side_says(&w->n2, "dial;");
}

static void side_fini(struct side *side)
{
    peers_free(side->peers);
    buf_fini(&side->log);
}

static void world_on_closed(void *ctx)
{
    bool *closed = ctx;
    *closed = true;
}

void world_fini(struct world *w)
{
    bool closed[2] = {false, false};
    peers_close(w->n1.peers, world_on_closed, &closed[0]);
    peers_close(w->n2.peers, world_on_closed, &closed[1]);
    while (w->n1.dials > 0) {
        world_fail_dial(w, &w->n1);
    }
    while (w->n2.dials > 0) {
        world_fail_dial(w, &w->n2);
    }
    world_run(w);
    ck_assert(closed[0] && closed[1]);
    side_fini(&w->n1);
    side_fini(&w->n2);
    for (size_t i = 0; i < w->pipe_count; i++) {
        ck_assert(pipe_is_closed(w->pipes[i]));
        pipe_free(w->pipes[i]);
    }
}

struct side *world_other(struct world *w, struct side *side)
{
    return side == &w->n1 ? &w->n2 : &w->n1;
}

static void side_tick(struct world *w, struct side *side)
{
    if (w->now_ms >= peers_deadline(side->peers)) {
        peers_tick(side->peers, w->now_ms);
    }
}

void world_pass(struct world *w, uint64_t ms)
{
    w->now_ms += ms;
    side_tick(w, &w->n1);
    side_tick(w, &w->n2);
    world_run(w);
}

static struct pipe *world_pipe(struct world *w)
{
    ck_assert_uint_lt(w->pipe_count, WORLD_PIPES_MAX);
    struct pipe *p = pipe_new();
    ck_assert_ptr_nonnull(p);
    w->pipes[w->pipe_count++] = p;
    return p;
}

struct pipe *world_connect(struct world *w, struct side *from)
{
    struct pipe *p = world_pipe(w);
    struct side *to = world_other(w, from);
    ck_assert_int_gt(from->dials, 0);
    from->dials--;
    peers_accepted(to->peers, pipe_stream(p, PIPE_B), w->now_ms);
    peers_dialed(from->peers, to->self.node, pipe_stream(p, PIPE_A), w->now_ms);
    return p;
}

void world_fail_dial(struct world *w, struct side *from)
{
    ck_assert_int_gt(from->dials, 0);
    from->dials--;
    peers_dialed(from->peers, world_other(w, from)->self.node, NULL, w->now_ms);
}

void world_greet(struct world *w)
{
    world_connect(w, &w->n1);
    world_connect(w, &w->n2);
    world_run(w);
    side_says(&w->n1, "hello n2;up;answer n2 0;");
    side_says(&w->n2, "hello n1;up;answer n1 0;");
}

void world_run(struct world *w)
{
    peers_flush(w->n1.peers);
    peers_flush(w->n2.peers);
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < w->pipe_count; i++) {
            moved = pipe_deliver(w->pipes[i], PIPE_A, SIZE_MAX) || moved;
            moved = pipe_deliver(w->pipes[i], PIPE_B, SIZE_MAX) || moved;
        }
    }
}

bool side_send(struct world *w, struct side *from, const char *text, bool urgent)
{
    struct frame f = {.kind = FRAME_RAFT, .body = slice_str(text)};
    return peers_send(from->peers, world_other(w, from)->self.node, &f, urgent);
}

void side_check(struct side *side, const char *want, int line)
{
    ck_assert_msg(slice_eq(buf_slice(&side->log), slice_str(want)),
                  "line %d: %s was told \"%.*s\", not \"%s\"", line, side->self.name, (int)side->log.len,
                  (const char *)side->log.data, want);
    buf_reset(&side->log);
}

static void stranger_on_data(struct stream *s, struct slice bytes)
{
    struct stranger *stranger = s->owner;
    buf_put(&stranger->got, bytes);
}

static void stranger_on_close(struct stream *s, dkv_err err)
{
    (void)err;
    struct stranger *stranger = s->owner;
    stranger->closed = true;
}

static const struct stream_events stranger_events = {
    .on_data = stranger_on_data,
    .on_close = stranger_on_close,
};

static void stranger_init(struct world *w, struct stranger *s)
{
    struct pipe *p = world_pipe(w);
    buf_fini(&s->got);
    *s = (struct stranger){.pipe = p, .stream = pipe_stream(p, PIPE_A)};
    s->stream->owner = s;
    s->stream->events = &stranger_events;
}

void stranger_call(struct world *w, struct side *to, struct stranger *s)
{
    stranger_init(w, s);
    peers_accepted(to->peers, pipe_stream(s->pipe, PIPE_B), w->now_ms);
}

void stranger_answer(struct world *w, struct side *from, struct stranger *s)
{
    stranger_init(w, s);
    from->dials--;
    peers_dialed(from->peers, world_other(w, from)->self.node, pipe_stream(s->pipe, PIPE_B), w->now_ms);
    world_run(w);
    buf_reset(&s->got); /* the HELLO */
}

void stranger_say(struct world *w, struct stranger *s, struct slice bytes)
{
    struct buf b = {0};
    buf_put(&b, bytes);
    s->stream->ops->write(s->stream, &b);
    world_run(w);
}

void stranger_forget(struct stranger *s)
{
    s->stream->ops->close(s->stream, false);
    pipe_run(s->pipe);
    buf_fini(&s->got);
}

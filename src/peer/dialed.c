/* dialed.c - the link to one peer, over the connection this node dials.
 *
 * The happy path: dialed_tick() asks for a connection, dialed_take() gets it and says HELLO, WELCOME comes
 * (dialed_on_welcome), frames are queued and flushed.
 *
 * What can go wrong: the dial fails, the stream breaks, no answer in HANDSHAKE_MS: idle, then dial again.
 * REFUSE, or an answer that is none, or of another node than the one expected: the same, with a longer pause.
 * Every one passes through dialed_close() and dialed_on_close(). */
#include "peer/peers_internal.h"

#include "base/log.h"
#include "base/mem.h"

static const unsigned dialed_next[DIALED_STATES] = {
    [DIALED_IDLE] = BIT(DIALED_DIALING),
    [DIALED_DIALING] = BIT(DIALED_GREETING) | BIT(DIALED_IDLE),
    [DIALED_GREETING] = BIT(DIALED_UP) | BIT(DIALED_CLOSING),
    [DIALED_UP] = BIT(DIALED_CLOSING),
    [DIALED_CLOSING] = BIT(DIALED_IDLE),
};

static void dialed_move(struct dialed *d, enum dialed_state to)
{
    ensure(dialed_next[d->state] & BIT(to));
    d->state = to;
}

struct dialed *dialed_new(struct peers *p, uint32_t node)
{
    struct dialed *d = mem_zalloc(1, sizeof *d);
    if (d != NULL) {
        d->peers = p;
        d->node = node;
        queue_init(&d->queue);
    }
    return d;
}

void dialed_free(struct dialed *d)
{
    ensure(d->stream == NULL);
    queue_drop(&d->queue);
    buf_fini(&d->input);
    mem_free(d);
}

void dialed_close(struct dialed *d, uint64_t retry_ms)
{
    if (d->state == DIALED_GREETING || d->state == DIALED_UP) {
        dialed_move(d, DIALED_CLOSING);
        d->retry_ms = retry_ms;
        d->stream->ops->close(d->stream, false);
    } else if (d->state == DIALED_IDLE) {
        d->at_ms = d->dialed_ms + retry_ms;
    }
}

/* The end of the stream, or of the hope for one. The pause counts from when the last dial ended: a link that
 * has stood for long is dialed again at once, so that a dead process shows itself by refusing. */
static void dialed_be_idle(struct dialed *d, uint64_t retry_ms)
{
    dialed_move(d, DIALED_IDLE);
    d->at_ms = d->dialed_ms + retry_ms;
}

static void dialed_on_close(struct stream *s, dkv_err err)
{
    struct dialed *d = s->owner;
    struct peers *p = d->peers;
    log_debug("event=link_closed node=%s err=\"%s\"", d->name, err_text(err));
    if (d->state != DIALED_CLOSING) {
        dialed_move(d, DIALED_CLOSING);
        d->retry_ms = LINK_RETRY_MS;
    }
    d->stream = NULL;
    buf_fini(&d->input);
    queue_drop(&d->queue);
    dialed_be_idle(d, d->retry_ms);
    if (d->announced) {
        d->announced = false;
        d->downs++;
        if (!p->closing) {
            p->config.on_link(p->config.ctx, d->node, false);
        }
    }
    peers_stream_gone(p);
}

static void dialed_refuse(struct dialed *d, const char *what)
{
    peers_note_bad_input(d->peers, d->stream, what);
    dialed_close(d, REFUSED_RETRY_MS);
}

/* Is it the node we meant to call? */
static bool dialed_is_expected(const struct dialed *d, const struct peer_identity *who)
{
    return who->node == d->node && strcmp(who->name, d->name) == 0;
}

static void dialed_remember(struct dialed *d, const struct peer_identity *who)
{
    d->has_identity = true;
    d->identity = *who;
}

static void dialed_on_welcome(struct dialed *d, const struct frame *f)
{
    struct peers *p = d->peers;
    struct welcome w;
    if (welcome_decode(f->body, &w) != DKV_OK) {
        dialed_refuse(d, "malformed WELCOME");
        return;
    }
    if (!dialed_is_expected(d, &w.who) || w.who.cluster != p->self.cluster) {
        dialed_refuse(d, "WELCOME of another node than was called");
        return;
    }
    dialed_move(d, DIALED_UP);
    dialed_remember(d, &w.who);
    d->announced = true;
    p->config.on_link(p->config.ctx, d->node, true);
    if (!p->closing) {
        struct peer_answer answer = {.who = &w.who, .knew = w.knew};
        p->config.on_answer(p->config.ctx, d->node, &answer);
    }
}

static void dialed_on_refuse(struct dialed *d, const struct frame *f)
{
    struct peers *p = d->peers;
    struct refuse r;
    if (refuse_decode(f->body, &r) != DKV_OK) {
        dialed_refuse(d, "malformed REFUSE");
        return;
    }
    if (!dialed_is_expected(d, &r.who)) {
        dialed_refuse(d, "REFUSE of another node than was called");
        return;
    }
    p->stats.refused_by++;
    dialed_close(d, REFUSED_RETRY_MS);
    struct peer_answer answer = {.who = &r.who, .err = r.err, .detail = r.detail};
    p->config.on_answer(p->config.ctx, d->node, &answer);
}

/* One answer is all that may come this way: what the peer has to say later comes over the connection it
 * dials. */
static bool dialed_on_frame(void *side, const struct frame *f)
{
    struct dialed *d = side;
    bool greeting = d->state == DIALED_GREETING;
    if (greeting && f->kind == FRAME_WELCOME) {
        dialed_on_welcome(d, f);
    } else if (greeting && f->kind == FRAME_REFUSE) {
        dialed_on_refuse(d, f);
    } else {
        dialed_refuse(d, "unexpected frame on a dialed connection");
    }
    return d->state == DIALED_UP;
}

static void dialed_on_data(struct stream *s, struct slice bytes)
{
    struct dialed *d = s->owner;
    if (d->state == DIALED_CLOSING) {
        return;
    }
    dkv_err err = peers_input(&d->input, bytes, dialed_on_frame, d);
    if (err == DKV_OK && d->input.len > GREETING_FRAME_MAX) {
        err = DKV_TOO_LARGE;
    }
    if (err != DKV_OK && d->state != DIALED_CLOSING) {
        dialed_refuse(d, err_text(err));
    }
}

static const struct stream_events dialed_events = {
    .on_data = dialed_on_data,
    .on_close = dialed_on_close,
};

static void dialed_say_hello(struct dialed *d)
{
    struct hello hello = {.to = d->node, .who = d->peers->self};
    struct buf body = {0};
    struct buf out = {0};
    hello_encode(&hello, &body);
    struct frame f = {.kind = FRAME_HELLO, .body = buf_slice(&body)};
    frame_encode(&f, &out);
    if (buf_ok(&body) && buf_ok(&out)) {
        d->stream->ops->write(d->stream, &out);
    } else {
        dialed_close(d, LINK_RETRY_MS); /* no memory; there may be some later */
    }
    buf_fini(&body);
    buf_fini(&out);
}

void dialed_take(struct dialed *d, struct stream *s)
{
    d->dialed_ms = d->peers->now_ms;
    if (s == NULL) {
        dialed_be_idle(d, LINK_RETRY_MS);
        return;
    }
    dialed_move(d, DIALED_GREETING);
    d->at_ms = d->dialed_ms + HANDSHAKE_MS;
    d->stream = s;
    s->owner = d;
    s->events = &dialed_events;
    d->peers->streams++;
    dialed_say_hello(d);
}

void dialed_tick(struct dialed *d)
{
    struct peers *p = d->peers;
    if (p->now_ms < dialed_deadline(d)) {
        return;
    }
    if (d->state == DIALED_GREETING) {
        log_debug("event=no_answer node=%s", d->name);
        dialed_close(d, LINK_RETRY_MS);
        return;
    }
    dialed_move(d, DIALED_DIALING);
    p->dials++;
    p->config.dial(p->config.ctx, d->node, &d->to);
}

uint64_t dialed_deadline(const struct dialed *d)
{
    return d->state == DIALED_IDLE || d->state == DIALED_GREETING ? d->at_ms : UINT64_MAX;
}

bool dialed_send(struct dialed *d, const struct frame *f, bool urgent)
{
    if (d->state != DIALED_UP) {
        return false;
    }
    dkv_err err = queue_put(&d->queue, f, urgent);
    if (err == DKV_NO_MEMORY) {
        queue_drop(&d->queue); /* half a frame may be in it */
        dialed_close(d, LINK_RETRY_MS);
    }
    if (err != DKV_OK) {
        peers_note_drop(d->peers, d, f->body.len);
    }
    return err == DKV_OK;
}

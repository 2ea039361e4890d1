/* accepted.c - a connection somebody else dialed: what a peer has to say comes over it.
 *
 * The happy path: accepted_new(), HELLO (accepted_on_hello) is judged here and by the owner, peers_answer()
 * welcomes, then frames are handed up.
 *
 * What can go wrong: no HELLO in time, rubbish, frames before WELCOME: closed. A caller that is not wanted:
 * REFUSE, then a lingering close. The caller goes while its owner still thinks: the handshake stays until the
 * answer. Too many that have not been welcomed: the oldest goes, so that strangers who connect and stay
 * silent cannot lock a peer out.
 *
 * When the other end closes a welcomed connection, the link to it is closed too: its process is likely gone,
 * and the link would only find out by writing. But not if the link went down since that connection was
 * welcomed: then it is of an older session, and both ends would tear down each other's new connections for
 * ever. */
#include "peer/peers_internal.h"

#include "base/log.h"
#include "base/mem.h"

#define ACCEPTED_GREETING_MAX 256u

enum accepted_state {
    ACCEPTED_SILENT,   /* HELLO is due */
    ACCEPTED_ASKING,   /* the owner was asked */
    ACCEPTED_WELCOMED, /* heard */
    ACCEPTED_CLOSING,  /* on_close is due */
    ACCEPTED_STATES
};

static const unsigned accepted_next[ACCEPTED_STATES] = {
    [ACCEPTED_SILENT] = BIT(ACCEPTED_ASKING) | BIT(ACCEPTED_CLOSING),
    [ACCEPTED_ASKING] = BIT(ACCEPTED_WELCOMED) | BIT(ACCEPTED_CLOSING),
    [ACCEPTED_WELCOMED] = BIT(ACCEPTED_CLOSING),
};

struct handshake {
    bool asked; /* peers_answer() is due */
};

struct accepted {
    struct link link; /* in peers->greeting or peers->settled */
    struct handshake handshake;
    struct peers *peers;
    enum accepted_state state;
    uint64_t give_up_ms;
    struct stream *stream; /* NULL: gone */
    struct buf input;      /* the begin of a frame */
    bool deaf;             /* in the call that brought HELLO: nothing may follow it before the answer */
    struct peer_identity who;
    struct dialed *from; /* NULL until HELLO, and of a stranger */
    uint64_t downs;      /* of from, when this was welcomed */
};

static void accepted_settle(struct accepted *a)
{
    list_remove(&a->link);
    list_push(&a->peers->settled, &a->link);
    a->peers->greeting_count--;
}

static void accepted_move(struct accepted *a, enum accepted_state to)
{
    ensure(accepted_next[a->state] & BIT(to));
    if (a->state == ACCEPTED_SILENT || a->state == ACCEPTED_ASKING) {
        if (to != ACCEPTED_ASKING) {
            accepted_settle(a);
        }
    }
    a->state = to;
}

static void accepted_end(struct accepted *a, bool linger)
{
    if (a->state != ACCEPTED_CLOSING) {
        accepted_move(a, ACCEPTED_CLOSING);
        a->stream->ops->close(a->stream, linger);
    }
}

static void accepted_close(struct accepted *a)
{
    accepted_end(a, false);
}

static void accepted_free(struct accepted *a)
{
    list_remove(&a->link);
    buf_fini(&a->input);
    mem_free(a);
}

static void accepted_on_close(struct stream *s, dkv_err err)
{
    struct accepted *a = s->owner;
    struct peers *p = a->peers;
    struct dialed *from = a->from;
    bool theirs = a->state == ACCEPTED_WELCOMED; /* we did not close it */
    log_debug("event=caller_closed from=%s err=\"%s\"", s->peer, err_text(err));
    if (a->state != ACCEPTED_CLOSING) {
        accepted_move(a, ACCEPTED_CLOSING);
    }
    a->stream = NULL;
    if (from != NULL && from->heard == a) {
        from->heard = NULL;
    }
    ensure(!theirs || from != NULL); /* only a known peer is welcomed */
    if (theirs && from->downs == a->downs && from->state == DIALED_UP) {
        dialed_close(from, LINK_RETRY_MS);
    }
    if (!a->handshake.asked) {
        accepted_free(a);
    }
    peers_stream_gone(p);
}

static void accepted_refuse(struct accepted *a, const char *what)
{
    peers_note_bad_input(a->peers, a->stream, what);
    accepted_close(a);
}

/* Write a greeting; false: no memory. */
static bool accepted_say(struct accepted *a, enum frame_kind kind, const struct buf *body)
{
    struct buf out = {0};
    struct frame f = {.kind = kind, .body = buf_slice(body)};
    frame_encode(&f, &out);
    bool ok = buf_ok(body) && buf_ok(&out);
    if (ok) {
        a->stream->ops->write(a->stream, &out);
    }
    buf_fini(&out);
    return ok;
}

static void accepted_send_refuse(struct accepted *a, dkv_err err, struct slice detail)
{
    a->peers->stats.refused++;
    struct refuse refuse = {.who = a->peers->self, .err = err, .detail = detail};
    struct buf body = {0};
    refuse_encode(&refuse, &body);
    bool sent = accepted_say(a, FRAME_REFUSE, &body);
    buf_fini(&body);
    accepted_end(a, sent);
}

static void accepted_welcome(struct accepted *a, bool knew)
{
    struct dialed *from = a->from;
    struct welcome welcome = {.who = a->peers->self, .knew = knew};
    struct buf body = {0};
    welcome_encode(&welcome, &body);
    bool sent = accepted_say(a, FRAME_WELCOME, &body);
    buf_fini(&body);
    if (!sent) {
        accepted_close(a);
        return;
    }
    if (from->heard != NULL) {
        accepted_close(from->heard);
    }
    from->heard = a;
    from->has_identity = true;
    from->identity = a->who;
    a->downs = from->downs;
    accepted_move(a, ACCEPTED_WELCOMED);
}

/* What can be said against a caller of our own cluster without asking the owner. NULL: nothing. */
static const char *accepted_judge(const struct accepted *a, uint32_t to)
{
    const struct peers *p = a->peers;
    if (a->who.node == p->self.node) {
        return "the caller has the id of the node it calls";
    }
    if (to != p->self.node) {
        return "another node was meant: the address is not that node's";
    }
    if (a->from == NULL || strcmp(a->from->name, a->who.name) != 0) {
        return "no node of that name and id is known here";
    }
    return NULL;
}

static void accepted_on_hello(struct accepted *a, const struct frame *f)
{
    struct peers *p = a->peers;
    struct hello hello;
    if (hello_decode(f->body, &hello) != DKV_OK) {
        accepted_refuse(a, "malformed HELLO");
        return;
    }
    a->who = hello.who;
    a->from = peers_find(p, hello.who.node);
    a->deaf = true;
    accepted_move(a, ACCEPTED_ASKING);
    bool foreign = hello.who.cluster != p->self.cluster; /* the owner has the better words for it */
    const char *objection = foreign ? NULL : accepted_judge(a, hello.to);
    if (objection != NULL) {
        peers_note_refused(p, a->stream, objection);
        accepted_send_refuse(a, DKV_REFUSED, slice_str(objection));
        return;
    }
    a->handshake.asked = true;
    p->config.on_hello(p->config.ctx, &a->who, &a->handshake);
}

static bool accepted_on_frame(void *side, const struct frame *f)
{
    struct accepted *a = side;
    struct peers *p = a->peers;
    if (a->state == ACCEPTED_SILENT && f->kind == FRAME_HELLO) {
        accepted_on_hello(a, f);
    } else if (a->state == ACCEPTED_WELCOMED && !a->deaf && f->kind >= FRAME_RAFT) {
        p->config.on_frame(p->config.ctx, a->from->node, f);
    } else {
        accepted_refuse(a, "unexpected frame on an accepted connection");
    }
    return a->state != ACCEPTED_CLOSING;
}

static void accepted_on_data(struct stream *s, struct slice bytes)
{
    struct accepted *a = s->owner;
    if (a->state == ACCEPTED_CLOSING) {
        return;
    }
    dkv_err err = peers_input(&a->input, bytes, accepted_on_frame, a);
    if (a->state == ACCEPTED_CLOSING) {
        return;
    }
    bool greeting = a->state != ACCEPTED_WELCOMED || a->deaf;
    if (err == DKV_OK && greeting && a->input.len > GREETING_FRAME_MAX) {
        err = DKV_TOO_LARGE;
    }
    if (err == DKV_OK && a->deaf && a->input.len > 0) {
        err = DKV_MALFORMED;
    }
    a->deaf = false;
    if (err != DKV_OK) {
        accepted_refuse(a, err_text(err));
    }
}

static const struct stream_events accepted_events = {
    .on_data = accepted_on_data,
    .on_close = accepted_on_close,
};

void accepted_new(struct peers *p, struct stream *s)
{
    struct accepted *a = mem_zalloc(1, sizeof *a);
    if (a == NULL) {
        peers_turn_away(p, s);
        return;
    }
    a->peers = p;
    a->stream = s;
    a->give_up_ms = p->now_ms + HANDSHAKE_MS;
    s->owner = a;
    s->events = &accepted_events;
    list_push(&p->greeting, &a->link);
    p->greeting_count++;
    p->streams++;
    if (p->greeting_count > ACCEPTED_GREETING_MAX) {
        accepted_refuse(CONTAINER(p->greeting.next, struct accepted, link), "too many unfinished handshakes");
    }
}

void accepted_tick(struct peers *p)
{
    while (p->now_ms >= accepted_deadline(p)) {
        accepted_refuse(CONTAINER(p->greeting.next, struct accepted, link), "no handshake in time");
    }
}

uint64_t accepted_deadline(const struct peers *p)
{
    if (list_empty(&p->greeting)) {
        return UINT64_MAX;
    }
    return CONTAINER(p->greeting.next, struct accepted, link)->give_up_ms;
}

void accepted_close_all(struct peers *p)
{
    while (!list_empty(&p->greeting)) {
        accepted_close(CONTAINER(p->greeting.next, struct accepted, link));
    }
    for (struct link *l = p->settled.next; l != &p->settled; l = l->next) {
        struct accepted *a = CONTAINER(l, struct accepted, link);
        accepted_close(a);
        if (a->stream != NULL) {
            a->stream->ops->close(a->stream, false); /* an end to lingering */
        }
    }
}

void accepted_free_all(struct peers *p)
{
    struct link *l;
    while ((l = list_pop(&p->settled)) != NULL) {
        struct accepted *a = CONTAINER(l, struct accepted, link);
        ensure(a->stream == NULL); /* only an answer that never came kept it */
        accepted_free(a);
    }
}

void peers_answer(struct peers *p, struct handshake *h, dkv_err err, bool knew, struct slice detail)
{
    struct accepted *a = CONTAINER(h, struct accepted, handshake);
    ensure(a->peers == p);
    ensure(h->asked);
    h->asked = false;
    if (a->stream == NULL) {
        accepted_free(a);
    } else if (a->state == ACCEPTED_CLOSING) {
        return; /* freed when the stream is */
    } else if (err != DKV_OK) {
        accepted_send_refuse(a, err, detail);
    } else if (a->from == NULL) {
        accepted_send_refuse(a, DKV_REFUSED, slice_str("no node of that name and id is known here"));
    } else {
        accepted_welcome(a, knew);
    }
}

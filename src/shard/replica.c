/* replica.c - see replica.h.
 *
 * Happy path of a write, in steps:
 *   1. replica_write    the request joins the queue
 *   2. replica_turn     at the end of the turn all queued writes become one proposal; each gets an index
 *   3. drain            the entries go to the journal, the appends to the followers
 *   4. on_applied       the majority has it: the state machine applies it and the request is answered
 *
 * What can go wrong: (1, 2) no leadership: DKV_NOT_LEADER, nothing happened; (2) too much in flight: it stays
 * in the queue; (3, 4) leadership lost: it waits until its index is applied, by whichever entry; deadline:
 * before 2 DKV_UNAVAILABLE, after it DKV_UNKNOWN. */
#include "shard/replica.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/journal.h"

#define PROPOSE_MAX 256u /* commands of one group_propose */

struct replica {
    struct group *group;
    struct state *state; /* a shard's, or NULL */
    struct meta *meta;   /* the meta group's, or NULL */
    struct group_status status;
    struct replica_config config;

    struct link queue;    /* writes not yet proposed */
    struct link proposed; /* writes with an index, ascending; two of one index are of different terms */

    struct link reads_next;  /* arrived, wait for a round */
    struct link reads_round; /* covered by the round or question on its way */
    struct link reads_apply; /* confirmed, wait for their index; not sorted */
    uint64_t round;          /* number of the round on its way as leader; 0: none */
    uint64_t round_index;    /* commit index noted when it began */
    uint32_t round_yes;      /* bit i: the i-th voter said yes */
    bool asking;             /* a question to the leader is on its way, as follower */

    uint64_t unsaved;        /* newest journal batch with something of this group; 0: all is durable */
    uint64_t leads_since_ms; /* when this term's leadership became ready */
    uint64_t leads_from;     /* log time then */
    struct buf scratch;      /* encoded commands of one proposal */
};

static void replica_drain(struct replica *r, uint64_t now_ms);

static uint64_t replica_applied(const struct replica *r)
{
    return r->state != NULL ? state_index(r->state) : meta_index(r->meta);
}

static uint64_t replica_log_time(const struct replica *r)
{
    return r->state != NULL ? state_log_time(r->state) : meta_log_time(r->meta);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static bool replica_build(struct replica *r, const struct group_saved *saved, uint64_t now_ms)
{
    if (r->config.group.id == META_GROUP) {
        r->meta = meta_new(r->config.map);
    } else {
        r->state = state_new(r->config.group.id, r->config.ring);
    }
    if (r->meta == NULL && r->state == NULL) {
        return false;
    }
    r->group = group_new(&r->config.group, saved, now_ms);
    return r->group != NULL;
}

struct replica *replica_new(const struct replica_config *config, const struct group_saved *saved,
                            uint64_t now_ms)
{
    struct replica *r = mem_zalloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->config = *config;
    list_init(&r->queue);
    list_init(&r->proposed);
    list_init(&r->reads_next);
    list_init(&r->reads_round);
    list_init(&r->reads_apply);
    if (!replica_build(r, saved, now_ms)) {
        replica_free(r);
        return NULL;
    }
    replica_drain(r, now_ms);
    return r;
}

static void fail_writes(struct link *list, dkv_err err)
{
    struct link failed;
    struct link *item;
    list_detach(list, &failed);
    while ((item = list_pop(&failed)) != NULL) {
        struct replica_write *op = CONTAINER(item, struct replica_write, link);
        op->cb(op, err);
    }
}

static void fail_reads(struct link *list, dkv_err err)
{
    struct link failed;
    struct link *item;
    list_detach(list, &failed);
    while ((item = list_pop(&failed)) != NULL) {
        struct replica_read *op = CONTAINER(item, struct replica_read, link);
        op->cb(op, err);
    }
}

void replica_free(struct replica *r)
{
    if (r == NULL) {
        return;
    }
    fail_writes(&r->queue, DKV_CANCELED);
    fail_writes(&r->proposed, DKV_UNKNOWN);
    fail_reads(&r->reads_next, DKV_CANCELED);
    fail_reads(&r->reads_round, DKV_CANCELED);
    fail_reads(&r->reads_apply, DKV_CANCELED);
    group_free(r->group);
    state_free(r->state);
    meta_free(r->meta);
    buf_fini(&r->scratch);
    mem_free(r);
}

/* ---- applying ----------------------------------------------------------------------------------------- */

static void replica_apply_command(struct replica *r, uint64_t index, struct slice data,
                                  struct state_result *out)
{
    struct command c;
    dkv_err err = command_decode(data, &c);
    if (err != DKV_OK) {
        /* Skipping it would let this replica diverge from those that know it. */
        log_error("event=unknown_command group=%u index=%llu err=\"%s\"", r->config.group.id,
                  (unsigned long long)index, err_text(err));
        ensure(err == DKV_OK);
    }
    if (r->state != NULL) {
        state_apply(r->state, index, &c, out);
        ensure(out->err != DKV_NO_MEMORY); /* a replica that fails alone has diverged */
    } else {
        meta_apply(r->meta, index, &c, out);
    }
}

/* Answer the writes that wait for this index: more than one when leadership was lost and regained in between.
 * Only now that another's entry is applied there is a write certain not to have been. */
static void replica_answer_writes(struct replica *r, uint64_t index, uint64_t term,
                                  const struct state_result *result)
{
    while (!list_empty(&r->proposed)) {
        struct replica_write *op = CONTAINER(r->proposed.next, struct replica_write, link);
        ensure(op->index >= index);
        if (op->index > index) {
            return;
        }
        list_remove(&op->link);
        op->result = *result;
        op->cb(op, op->term == term ? DKV_OK : DKV_UNAVAILABLE);
    }
}

static void replica_on_apply(struct replica *r, uint64_t index, const struct entry *e)
{
    struct state_result result = {0};
    if (e->type == ENTRY_COMMAND) {
        replica_apply_command(r, index, e->data, &result);
    } else if (r->state != NULL) {
        state_skip(r->state, index);
    } else {
        meta_skip(r->meta, index);
    }
    journal_set_commit(r->config.journal, r->config.group.id, index);
    replica_answer_writes(r, index, e->term, &result);
}

/* Serve the confirmed reads whose index has been applied. */
static void replica_serve_reads(struct replica *r)
{
    uint64_t applied = replica_applied(r);
    struct link *next;
    for (struct link *item = r->reads_apply.next; item != &r->reads_apply; item = next) {
        next = item->next;
        struct replica_read *op = CONTAINER(item, struct replica_read, link);
        if (op->index <= applied || op->index_only) {
            list_remove(item);
            op->cb(op, DKV_OK);
            next = r->reads_apply.next; /* the callback may have changed the list */
        }
    }
}

/* ---- leadership --------------------------------------------------------------------------------------- */

/* Reads a lost round or question covered ride the next one: their confirmation will be younger still. */
static void replica_requeue_reads(struct replica *r)
{
    struct link again;
    struct link *item;
    list_detach(&r->reads_round, &again);
    while ((item = list_pop(&again)) != NULL) {
        list_push(&r->reads_next, item);
    }
    r->round = 0;
    r->asking = false;
}

static void replica_write_map(struct replica *r, uint64_t now_ms)
{
    struct command c = {.op = COMMAND_MAP, .log_time = replica_log_time(r), .value = meta_map(r->meta)};
    uint64_t index;
    buf_reset(&r->scratch);
    command_encode(&c, &r->scratch);
    struct slice data = buf_slice(&r->scratch);
    /* Refused only when leadership is going already; the next leader does it. */
    dkv_err err = group_propose(r->group, now_ms, &data, 1, &index);
    log_debug("event=map_written err=\"%s\"", err_text(err));
}

static void replica_on_role(struct replica *r, uint64_t now_ms)
{
    struct group_status was = r->status;
    group_status(r->group, &r->status);
    const struct group_status *is = &r->status;
    if (is->role != was.role || is->term != was.term || is->leader != was.leader) {
        replica_requeue_reads(r);
    }
    if (is->role != ROLE_LEADER && was.role == ROLE_LEADER) {
        log_info("event=leader_lost shard=%u term=%llu", r->config.group.id, (unsigned long long)is->term);
    }
    if (is->role != ROLE_LEADER && is->leader != 0) {
        fail_writes(&r->queue, DKV_NOT_LEADER);
    }
    if (is->ready && (!was.ready || was.term != is->term)) {
        r->leads_since_ms = now_ms;
        r->leads_from = replica_log_time(r);
        log_info("event=leader shard=%u term=%llu index=%llu", r->config.group.id,
                 (unsigned long long)is->term, (unsigned long long)is->applied);
        if (r->meta != NULL && !meta_is_written(r->meta)) {
            replica_write_map(r, now_ms);
        }
    }
    r->config.on_role(r->config.ctx, r);
}

/* Carry out everything the group asks for, in order. */
static void replica_drain(struct replica *r, uint64_t now_ms)
{
    struct journal *j = r->config.journal;
    uint32_t id = r->config.group.id;
    bool applied = false;
    struct effect e;
    while (group_next(r->group, &e)) {
        switch (e.kind) {
        case EFFECT_VOTE:
            r->unsaved = journal_put_vote(j, id, e.vote.term, e.vote.vote);
            group_saved_in(r->group, r->unsaved);
            break;
        case EFFECT_ENTRIES:
            r->unsaved = journal_put_entries(j, id, e.entries.first, e.entries.entries, e.entries.n);
            group_saved_in(r->group, r->unsaved);
            break;
        case EFFECT_SEND:
            r->config.send(r->config.ctx, r, e.send.to, e.send.body, e.send.urgent);
            break;
        case EFFECT_APPLY:
            replica_on_apply(r, e.apply.index, &e.apply.entry);
            applied = true;
            break;
        case EFFECT_ROLE:
            replica_on_role(r, now_ms);
            break;
        }
    }
    if (applied) {
        replica_serve_reads(r);
    }
    group_status(r->group, &r->status);
}

void replica_receive(struct replica *r, uint64_t now_ms, const struct message *m)
{
    group_receive(r->group, now_ms, m);
    replica_drain(r, now_ms);
}

void replica_durable(struct replica *r, uint64_t now_ms, uint64_t batch)
{
    if (r->unsaved == 0) {
        return;
    }
    if (batch >= r->unsaved) {
        r->unsaved = 0;
    }
    group_durable(r->group, now_ms, batch);
    replica_drain(r, now_ms);
}

void replica_tick(struct replica *r, uint64_t now_ms)
{
    group_tick(r->group, now_ms);
    replica_drain(r, now_ms);
}

uint64_t replica_deadline(const struct replica *r)
{
    return group_deadline(r->group);
}

void replica_hand_over(struct replica *r, uint64_t now_ms)
{
    if (r->status.role == ROLE_LEADER) {
        dkv_err err = group_transfer(r->group, now_ms, 0);
        log_debug("event=hand_over shard=%u err=\"%s\"", r->config.group.id, err_text(err));
        replica_drain(r, now_ms);
    }
}

/* ---- writes ------------------------------------------------------------------------------------------- */

void replica_write(struct replica *r, struct replica_write *op)
{
    op->index = 0;
    list_push(&r->queue, &op->link);
}

/* Log time goes on from where it stood by the leader's own monotonic clock (no wall clock decides).
 */
static uint64_t replica_stamp(const struct replica *r, uint64_t now_ms)
{
    return r->leads_from + (now_ms - r->leads_since_ms);
}

static void replica_encode(struct replica *r, const struct replica_write *op, uint64_t log_time)
{
    struct command c = {.op = op->op, .log_time = log_time, .id = op->id, .key = op->key, .value = op->value};
    command_encode(&c, &r->scratch);
}

/* Encode the first writes of the queue; slices get their commands. Returns how many. */
static size_t replica_gather(struct replica *r, uint64_t now_ms, struct slice *slices,
                             struct replica_write **ops)
{
    size_t ends[PROPOSE_MAX];
    size_t n = 0;
    uint64_t log_time = replica_stamp(r, now_ms);
    buf_reset(&r->scratch);
    for (struct link *item = r->queue.next; item != &r->queue && n < PROPOSE_MAX; item = item->next) {
        ops[n] = CONTAINER(item, struct replica_write, link);
        replica_encode(r, ops[n], log_time);
        ends[n++] = r->scratch.len;
        if (r->scratch.len > APPEND_BYTES_MAX) {
            break;
        }
    }
    ensure(buf_ok(&r->scratch));
    for (size_t i = 0; i < n; i++) {
        size_t begin = i == 0 ? 0 : ends[i - 1];
        slices[i] = slice_of(r->scratch.data + begin, ends[i] - begin);
    }
    return n;
}

/* Keep proposed in the order of indexes: those of an earlier leadership may stand above the new one. */
static void replica_await(struct replica *r, struct replica_write *op)
{
    struct link *before = r->proposed.prev;
    while (before != &r->proposed && CONTAINER(before, struct replica_write, link)->index > op->index) {
        before = before->prev;
    }
    list_push(before->next, &op->link);
}

/* Propose one handful; false: no more can be proposed now. */
static bool replica_propose(struct replica *r, uint64_t now_ms)
{
    struct slice slices[PROPOSE_MAX];
    struct replica_write *ops[PROPOSE_MAX];
    uint64_t first = 0;
    size_t n = replica_gather(r, now_ms, slices, ops);
    dkv_err err = group_propose(r->group, now_ms, slices, n, &first);
    if (err == DKV_LIMIT && n > 1) {
        n = 1; /* what does not fit together may fit alone */
        err = group_propose(r->group, now_ms, slices, n, &first);
    }
    if (err != DKV_OK) {
        return false; /* the queue waits for room, or for a change of leadership */
    }
    for (size_t i = 0; i < n; i++) {
        list_remove(&ops[i]->link);
        ops[i]->index = first + i;
        ops[i]->term = r->status.term;
        replica_await(r, ops[i]);
    }
    return true;
}

void replica_turn(struct replica *r, uint64_t now_ms)
{
    bool any = false;
    while (r->status.ready && !r->status.transferring && !list_empty(&r->queue) &&
           replica_propose(r, now_ms)) {
        any = true;
    }
    if (any) {
        replica_drain(r, now_ms);
    }
}

/* ---- reads -------------------------------------------------------------------------------------------- */

void replica_read(struct replica *r, struct replica_read *op)
{
    op->index = 0;
    list_push(&r->reads_next, &op->link);
}

bool replica_wants_round(const struct replica *r)
{
    return r->status.ready && r->round == 0 && !list_empty(&r->reads_next);
}

bool replica_wants_index(const struct replica *r)
{
    return r->status.role != ROLE_LEADER && r->status.leader != 0 && !r->asking &&
           !list_empty(&r->reads_next);
}

uint64_t replica_round(const struct replica *r)
{
    return r->round;
}

/* What was covered is confirmed: index is a commit index noted after every one of these reads arrived. */
static void replica_confirm(struct replica *r, uint64_t index)
{
    struct link *item;
    while ((item = list_pop(&r->reads_round)) != NULL) {
        struct replica_read *op = CONTAINER(item, struct replica_read, link);
        op->index = index;
        list_push(&r->reads_apply, item);
    }
    r->round = 0;
    r->asking = false;
    replica_serve_reads(r);
}

static void replica_cover(struct replica *r)
{
    struct link *item;
    while ((item = list_pop(&r->reads_next)) != NULL) {
        list_push(&r->reads_round, item);
    }
}

void replica_round_begin(struct replica *r, uint64_t round)
{
    ensure(r->status.ready);
    replica_cover(r);
    r->round = round;
    r->round_index = r->status.commit;
    r->round_yes = 0;
    replica_round_answer(r, round, r->config.group.self, true);
}

void replica_round_answer(struct replica *r, uint64_t round, uint64_t voter, bool yes)
{
    if (!yes || round != r->round || round == 0 || !r->status.ready) {
        return;
    }
    uint64_t voters[REPLICAS_MAX];
    size_t n = group_voters(r->group, voters);
    for (size_t i = 0; i < n; i++) {
        if (voters[i] == voter) {
            r->round_yes |= BIT(i);
        }
    }
    if ((size_t)__builtin_popcount(r->round_yes) > n / 2) {
        replica_confirm(r, r->round_index);
    }
}

void replica_index_asked(struct replica *r)
{
    replica_cover(r);
    r->asking = true;
}

void replica_index_answer(struct replica *r, dkv_err err, uint64_t index)
{
    if (!r->asking) {
        return; /* the leader changed meanwhile: those reads were queued again */
    }
    if (err == DKV_OK) {
        replica_confirm(r, index);
    } else {
        replica_requeue_reads(r);
    }
}

/* ---- deadlines ---------------------------------------------------------------------------------------- */

static void sweep_writes(struct link *list, uint64_t now_ms, bool queued)
{
    struct link late;
    struct link *next;
    list_init(&late);
    for (struct link *item = list->next; item != list; item = next) {
        next = item->next;
        struct replica_write *op = CONTAINER(item, struct replica_write, link);
        uint64_t deadline = queued ? op->queue_deadline_ms : op->deadline_ms;
        if (now_ms >= deadline) {
            list_remove(item);
            list_push(&late, item);
        }
    }
    fail_writes(&late, queued ? DKV_UNAVAILABLE : DKV_UNKNOWN);
}

static void sweep_reads(struct link *list, uint64_t now_ms)
{
    struct link late;
    struct link *next;
    list_init(&late);
    for (struct link *item = list->next; item != list; item = next) {
        next = item->next;
        if (now_ms >= CONTAINER(item, struct replica_read, link)->deadline_ms) {
            list_remove(item);
            list_push(&late, item);
        }
    }
    fail_reads(&late, DKV_UNAVAILABLE);
}

void replica_sweep(struct replica *r, uint64_t now_ms)
{
    sweep_writes(&r->queue, now_ms, true);
    sweep_writes(&r->proposed, now_ms, false);
    sweep_reads(&r->reads_next, now_ms);
    sweep_reads(&r->reads_round, now_ms);
    sweep_reads(&r->reads_apply, now_ms);
}

bool replica_is_waiting(const struct replica *r)
{
    return !list_empty(&r->queue) || !list_empty(&r->proposed) || !list_empty(&r->reads_next) ||
           !list_empty(&r->reads_round) || !list_empty(&r->reads_apply);
}

/* ---- what it is --------------------------------------------------------------------------------------- */

uint32_t replica_shard(const struct replica *r)
{
    return r->config.group.id;
}

uint64_t replica_self(const struct replica *r)
{
    return r->config.group.self;
}

const struct group_status *replica_status(const struct replica *r)
{
    return &r->status;
}

struct group *replica_group(struct replica *r)
{
    return r->group;
}

struct state *replica_state(struct replica *r)
{
    return r->state;
}

uint64_t replica_memory(const struct replica *r)
{
    return group_log_bytes(r->group) + (r->state == NULL ? 0 : state_memory(r->state));
}

struct meta *replica_meta(struct replica *r)
{
    return r->meta;
}

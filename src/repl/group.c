/* group.c - one group's replica: the log in memory, what is stored of it, and the effects to carry out.
 *
 * The core decides and calls back during an event; the callbacks only note what has to be done. group_next()
 * then hands it out in the order that safety asks for: vote, entries, messages, commands to apply. */
#include "repl/group.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "repl/core.h"
#include "repl/entrylog.h"
#include "repl/fifo.h"
#include "repl/members.h"

#include <inttypes.h>
#include <stdlib.h>

#define ENTRY_OVERHEAD_BYTES 16u /* of an entry in an append, rounded up */

/* A peer not heard of for so many heartbeats, or of which it is not known yet how much of the log it has,
 * gets appends of one entry at most until it answers: the library repeats all it may have in flight with
 * every probe, which to a dead node would be megabytes per group and heartbeat. */
#define SILENT_HEARTBEATS 4u

/* A leader at rest tells the others what it has committed after so long; the library would only with the next
 * heartbeat, and reads at followers wait for it. Under load the next append carries it. */
#define COMMIT_NOTICE_MS 2u

/* Entries that one journal batch carries. */
struct run {
    uint64_t first;
    uint64_t last;
    uint64_t batch;
};

struct outgoing {
    struct message m; /* of an append only the range of entries, which the log still has */
    uint64_t cuts;    /* how often the log had been cut then */
    bool alive_sent;  /* an urgent heartbeat has gone ahead of this one */
};

struct peer {
    uint64_t id;       /* 0: none */
    uint64_t heard_ms; /* when it last said something */
    uint64_t sent_ms;  /* when it was last sent an append */
};

struct group {
    uint32_t id;
    uint64_t self;
    uint64_t heartbeat_ms;
    bool hold; /* G8 */
    struct core *core;
    uint64_t now;

    struct entrylog log;
    uint64_t cuts; /* how often the log was cut */
    uint64_t commit;
    uint64_t applied;
    size_t tail_bytes; /* data of the entries above commit */

    /* on its way to the disk */
    uint64_t term;
    uint64_t vote;
    bool vote_dirty;       /* term and vote are to be handed out */
    uint64_t vote_batch;   /* the batch that carries them */
    bool vote_open;        /* handed out; group_saved_in() will name the batch */
    uint64_t persist_from; /* first index to be handed out */
    struct fifo runs;      /* of struct run: handed out, not known durable */
    bool run_open;         /* as vote_open, for the last run */
    uint64_t durable;      /* highest durable batch */

    /* on its way to the peers */
    struct fifo outbox; /* of struct outgoing */
    struct buf body;
    struct peer peers[REPLICAS_MAX]; /* those heard of last */
    uint64_t notice_ms;              /* when to tell the others the commit index; UINT64_MAX: no need */

    struct group_status shown; /* what the last EFFECT_ROLE stood for */
};

/* ---- called by the core ------------------------------------------------------------------------------- */

static const struct entry *group_core_entry(void *ctx, uint64_t index)
{
    const struct group *g = ctx;
    return entrylog_at(&g->log, index);
}

static void group_core_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct group *g = ctx;
    ensure(term >= g->term);
    g->term = term;
    g->vote = vote;
    g->vote_dirty = true;
}

static size_t group_bytes(const struct group *g, uint64_t first, uint64_t last)
{
    size_t bytes = 0;
    for (uint64_t i = first; i <= last; i++) {
        bytes += entrylog_at(&g->log, i)->data.len;
    }
    return bytes;
}

/* What lies in the journal from first on is about to be void. */
static void group_cut(struct group *g, uint64_t first)
{
    ensure(first > g->commit);
    g->tail_bytes -= group_bytes(g, first, g->log.last);
    entrylog_cut(&g->log, first);
    g->cuts++;
    if (first < g->persist_from) {
        g->persist_from = first;
    }
    struct run *run = fifo_back(&g->runs);
    while (run != NULL && run->first >= first) {
        fifo_pop_back(&g->runs);
        run = fifo_back(&g->runs);
    }
    if (run != NULL && run->last >= first) {
        run->last = first - 1;
    }
}

static void group_core_entries(void *ctx, uint64_t first, const struct entry *entries, size_t n)
{
    struct group *g = ctx;
    ensure(first <= g->log.last + 1);
    if (first <= g->log.last) {
        group_cut(g, first);
    }
    dkv_err err = entrylog_append(&g->log, entries, n);
    ensure(err == DKV_OK); /* the core has them already: going on without would be another log */
    g->tail_bytes += group_bytes(g, first, g->log.last);
}

/* NULL: not heard of yet. */
static struct peer *group_peer(struct group *g, uint64_t id)
{
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        if (g->peers[i].id == id) {
            return &g->peers[i];
        }
    }
    return NULL;
}

/* Heard of lately, and known to have some of the log. */
static bool group_is_in_step(struct group *g, uint64_t id)
{
    uint64_t match;
    const struct peer *peer = group_peer(g, id);
    return peer != NULL && g->now - peer->heard_ms <= SILENT_HEARTBEATS * g->heartbeat_ms &&
           core_match(g->core, id, &match) && match > 0;
}

/* To a peer with all in flight that is allowed the library sends an empty append for every proposal. One per
 * heartbeat is enough: there is nothing in them that it does not get with what is under way. */
static bool group_is_idle_talk(struct group *g, const struct message *m)
{
    struct peer *peer = m->kind == MESSAGE_APPEND ? group_peer(g, m->to) : NULL;
    if (peer == NULL) {
        return false;
    }
    uint64_t match;
    bool full = m->append.n == 0 && m->append.prev_index < g->log.last &&
                core_match(g->core, m->to, &match) && match > 0; /* else it is a probe, and waited for */
    if (full && g->now - peer->sent_ms < g->heartbeat_ms) {
        return true;
    }
    peer->sent_ms = g->now;
    return false;
}

static void group_queue(struct group *g, const struct message *m)
{
    struct outgoing *out = fifo_push(&g->outbox);
    ensure(out != NULL);
    *out = (struct outgoing){.m = *m, .cuts = g->cuts};
    if (m->kind == MESSAGE_APPEND && m->append.n > 1 && !group_is_in_step(g, m->to)) {
        out->m.append.n = 1;
    }
}

static void group_core_send(void *ctx, const struct message *m)
{
    struct group *g = ctx;
    if (!group_is_idle_talk(g, m)) {
        group_queue(g, m);
    }
}

static void group_core_commit(void *ctx, uint64_t index)
{
    struct group *g = ctx;
    if (index > g->commit) {
        g->tail_bytes -= group_bytes(g, g->commit + 1, index);
    } else { /* only without the guard */
        g->tail_bytes += group_bytes(g, index + 1, g->commit);
    }
    g->commit = index;
    g->notice_ms = g->now + COMMIT_NOTICE_MS;
}

/* ---- start -------------------------------------------------------------------------------------------- */

static int group_compare_ids(const void *a, const void *b)
{
    uint64_t x = ((const struct member *)a)->id;
    uint64_t y = ((const struct member *)b)->id;
    return (x > y) - (x < y);
}

/* The first configuration as entry 1: sorted, so that it is alike on every replica. */
static dkv_err group_found(struct group *g, const struct group_config *config)
{
    struct members members = {.n = config->voter_count};
    if (config->voter_count > REPLICAS_MAX) {
        return DKV_CONFIG;
    }
    for (size_t i = 0; i < members.n; i++) {
        members.at[i] = (struct member){.id = config->voters[i], .role = MEMBER_VOTER};
    }
    if (!members_are_valid(&members)) {
        return DKV_CONFIG;
    }
    qsort(members.at, members.n, sizeof(members.at[0]), group_compare_ids);
    struct buf data = {0};
    members_encode(&members, &data);
    struct entry entry = {.term = 1, .type = ENTRY_CHANGE, .data = buf_slice(&data)};
    dkv_err err = buf_ok(&data) ? entrylog_append(&g->log, &entry, 1) : DKV_NO_MEMORY;
    buf_fini(&data);
    g->tail_bytes = group_bytes(g, 1, g->log.last);
    g->term = 1;
    g->vote_dirty = true;
    return err;
}

/* Nothing of the saved state may speak against the rest of it. A group whose very first batch was torn has a
 * term of at most 1 or just its first entry: it begins again, alike. */
static dkv_err group_check_saved(const struct group_saved *saved)
{
    if (saved->n == 0) {
        return saved->term <= 1 && saved->vote == 0 && saved->commit == 0 ? DKV_OK : DKV_CORRUPT;
    }
    uint64_t term = 1;
    struct members members;
    for (size_t i = 0; i < saved->n; i++) {
        const struct entry *e = &saved->entries[i];
        bool unreadable = e->type == ENTRY_CHANGE && members_decode(e->data, &members) != DKV_OK;
        if (e->term < term || unreadable || (i == 0 && e->type != ENTRY_CHANGE)) {
            return DKV_CORRUPT;
        }
        term = e->term;
    }
    bool torn = saved->n == 1 && saved->term == 0;
    return (saved->term >= term || torn) && saved->commit <= saved->n ? DKV_OK : DKV_CORRUPT;
}

static dkv_err group_restore(struct group *g, const struct group_config *config,
                             const struct group_saved *saved)
{
    dkv_err err = group_check_saved(saved);
    if (err != DKV_OK) {
        return err;
    }
    if (saved->n == 0) {
        g->persist_from = 1;
        return group_found(g, config);
    }
    g->term = saved->term > 0 ? saved->term : 1;
    g->vote = saved->vote;
    g->vote_dirty = saved->term == 0;
    g->persist_from = saved->n + 1;
    err = entrylog_append(&g->log, saved->entries, saved->n);
    g->tail_bytes = group_bytes(g, 1, g->log.last);
    return err;
}

static dkv_err group_start(struct group *g, const struct group_config *config,
                           const struct group_saved *saved, uint64_t now_ms)
{
    dkv_err err = group_restore(g, config, saved);
    if (err != DKV_OK) {
        return err;
    }
    struct core_config core_config = {
        .group = config->id,
        .self = config->self,
        .election_ms = config->election_ms,
        .heartbeat_ms = config->heartbeat_ms,
        .seed = config->seed,
        .guards_off = config->guards_off,
        .host = {.ctx = g,
                 .entry = group_core_entry,
                 .on_vote = group_core_vote,
                 .on_entries = group_core_entries,
                 .on_send = group_core_send,
                 .on_commit = group_core_commit},
    };
    struct core_saved core_saved = {.term = g->term, .vote = g->vote, .commit = saved->commit};
    core_saved.entries = saved->n > 0 ? saved->entries : entrylog_at(&g->log, 1);
    core_saved.n = saved->n > 0 ? saved->n : 1;
    g->core = core_new(&core_config, &core_saved, now_ms);
    return g->core == NULL ? DKV_NO_MEMORY : DKV_OK;
}

struct group *group_new(const struct group_config *config, const struct group_saved *saved, uint64_t now_ms)
{
    struct group *g = mem_zalloc(1, sizeof(*g));
    if (g == NULL) {
        return NULL;
    }
    g->id = config->id;
    g->self = config->self;
    g->heartbeat_ms = config->heartbeat_ms;
    g->hold = (config->guards_off & BIT(GUARD_HOLD)) == 0;
    g->now = now_ms;
    g->notice_ms = UINT64_MAX;
    g->runs.size = sizeof(struct run);
    g->outbox.size = sizeof(struct outgoing);
    dkv_err err = group_start(g, config, saved, now_ms);
    if (err != DKV_OK) {
        log_error("event=group_not_started group=%" PRIu32 " replica=%" PRIu64 " term=%" PRIu64
                  " commit=%" PRIu64 " entries=%zu why=\"%s\"",
                  config->id, config->self, saved->term, saved->commit, saved->n, err_text(err));
        group_free(g);
        return NULL;
    }
    return g;
}

void group_free(struct group *g)
{
    if (g == NULL) {
        return;
    }
    core_free(g->core);
    entrylog_fini(&g->log);
    fifo_fini(&g->runs);
    fifo_fini(&g->outbox);
    buf_fini(&g->body);
    mem_free(g);
}

/* ---- effects ------------------------------------------------------------------------------------------ */

static bool group_next_vote(struct group *g, struct effect *out)
{
    if (!g->vote_dirty) {
        return false;
    }
    g->vote_dirty = false;
    g->vote_open = true;
    *out = (struct effect){.kind = EFFECT_VOTE, .vote = {.term = g->term, .vote = g->vote}};
    return true;
}

static bool group_next_entries(struct group *g, struct effect *out)
{
    size_t n;
    const struct entry *entries = entrylog_run(&g->log, g->persist_from, SIZE_MAX, &n);
    if (n == 0) {
        return false;
    }
    struct run *run = fifo_push(&g->runs);
    ensure(run != NULL);
    *run = (struct run){.first = g->persist_from, .last = g->persist_from + n - 1};
    g->run_open = true;
    if (run->first == 1) { /* the core counts entry 1 as stored from the start: hold messages until it is */
        g->vote_open = true;
    }
    *out = (struct effect){.kind = EFFECT_ENTRIES,
                           .entries = {.first = g->persist_from, .entries = entries, .n = n}};
    g->persist_from += n;
    return true;
}

/* G8: whatever is said in a term, or after a vote, is said only when a crash cannot take term and vote back.
 */
static bool group_is_held(const struct group *g)
{
    return g->hold && (g->vote_dirty || g->vote_open || g->vote_batch > g->durable);
}

static void group_emit(struct group *g, const struct message *m, bool urgent, struct effect *out)
{
    buf_reset(&g->body);
    message_encode(m, &g->body);
    ensure(buf_ok(&g->body));
    *out = (struct effect){.kind = EFFECT_SEND,
                           .send = {.to = m->to, .body = buf_slice(&g->body), .urgent = urgent}};
}

/* A heartbeat that speaks of entries still queued as bulk must not overtake them, or it would be rejected and
 * all of them sent again. So that it does not wait behind them either, one goes ahead that speaks only of
 * what the peer has. False: that one went, the heartbeat itself comes next. */
static bool group_emit_heartbeat(struct group *g, struct outgoing *o, struct effect *out)
{
    uint64_t match;
    bool known = core_match(g->core, o->m.to, &match) && match > 0;
    if (!known || o->m.append.prev_index <= match || o->alive_sent) {
        group_emit(g, &o->m, !o->alive_sent, out);
        return true;
    }
    struct message alive = o->m;
    alive.append.prev_index = match;
    alive.append.prev_term = group_term_at(g, match);
    group_emit(g, &alive, true, out);
    o->alive_sent = true;
    return false;
}

/* One part of an append: as many entries as lie together and fit a message. True: it was the last. */
static bool group_emit_append(struct group *g, struct outgoing *o, struct effect *out)
{
    size_t max = o->m.append.n < APPEND_ENTRIES_MAX ? o->m.append.n : APPEND_ENTRIES_MAX;
    size_t n;
    const struct entry *entries = entrylog_run(&g->log, o->m.append.prev_index + 1, max, &n);
    ensure(n > 0);
    size_t bytes = entries[0].data.len + ENTRY_OVERHEAD_BYTES;
    size_t part = 1;
    while (part < n && bytes + entries[part].data.len + ENTRY_OVERHEAD_BYTES <= APPEND_BYTES_MAX) {
        bytes += entries[part].data.len + ENTRY_OVERHEAD_BYTES;
        part++;
    }
    struct message m = o->m;
    m.append.entries = entries;
    m.append.n = (uint32_t)part;
    group_emit(g, &m, false, out);
    o->m.append.prev_index += part;
    o->m.append.prev_term = entries[part - 1].term;
    o->m.append.n -= (uint32_t)part;
    return o->m.append.n == 0;
}

static bool group_next_send(struct group *g, struct effect *out)
{
    if (group_is_held(g)) {
        return false;
    }
    while (g->outbox.n > 0) {
        struct outgoing *o = fifo_front(&g->outbox);
        bool append = o->m.kind == MESSAGE_APPEND;
        if (append &&
            o->cuts != g->cuts) { /* other entries are there now: a lost append, as far as anyone sees */
            fifo_pop_front(&g->outbox);
            continue;
        }
        bool done = true;
        if (!append) {
            group_emit(g, &o->m, true, out);
        } else if (o->m.append.n == 0) {
            done = group_emit_heartbeat(g, o, out);
        } else {
            done = group_emit_append(g, o, out);
        }
        if (done) {
            fifo_pop_front(&g->outbox);
        }
        return true;
    }
    return false;
}

static bool group_next_apply(struct group *g, struct effect *out)
{
    if (g->applied >= g->commit) {
        return false;
    }
    g->applied++;
    *out = (struct effect){.kind = EFFECT_APPLY,
                           .apply = {.index = g->applied, .entry = *entrylog_at(&g->log, g->applied)}};
    return true;
}

static bool group_next_role(struct group *g, struct effect *out)
{
    struct group_status now;
    group_status(g, &now);
    bool same = now.role == g->shown.role && now.term == g->shown.term && now.leader == g->shown.leader &&
                now.ready == g->shown.ready && now.transferring == g->shown.transferring;
    g->shown = now;
    *out = (struct effect){.kind = EFFECT_ROLE};
    return !same;
}

bool group_next(struct group *g, struct effect *out)
{
    ensure(!g->vote_open); /* group_saved_in() was forgotten */
    ensure(!g->run_open);
    return group_next_vote(g, out) || group_next_entries(g, out) || group_next_send(g, out) ||
           group_next_apply(g, out) || group_next_role(g, out);
}

void group_saved_in(struct group *g, uint64_t batch)
{
    ensure(g->vote_open || g->run_open);
    if (g->vote_open) {
        g->vote_batch = batch;
    }
    if (g->run_open) {
        struct run *run = fifo_back(&g->runs);
        run->batch = batch;
    }
    g->vote_open = false;
    g->run_open = false;
}

/* ---- events ------------------------------------------------------------------------------------------- */

static void group_clock(struct group *g, uint64_t now_ms)
{
    g->now = now_ms > g->now ? now_ms : g->now;
}

static void group_note_heard(struct group *g, uint64_t id)
{
    struct peer *peer = group_peer(g, id);
    for (size_t i = 0; peer == NULL && i < REPLICAS_MAX; i++) {
        peer = g->peers[i].id == 0 ? &g->peers[i] : NULL;
    }
    if (peer == NULL) {
        peer = &g->peers[g->now % REPLICAS_MAX]; /* more talk than a group has members: any place will do */
    }
    if (peer->id != id) {
        *peer = (struct peer){.id = id};
    }
    peer->heard_ms = g->now;
}

void group_receive(struct group *g, uint64_t now_ms, const struct message *m)
{
    group_clock(g, now_ms);
    group_note_heard(g, m->from);
    core_receive(g->core, g->now, m);
}

/* As leader, an empty append to every replica that has some of the log, about no more than what it has: it
 * can only be accepted, and what it answers is no news. */
static void group_notice(struct group *g)
{
    struct core_status status;
    struct members members;
    core_status(g->core, &status);
    core_members(g->core, &members);
    for (size_t i = 0; i < members.n && status.state == CORE_LEADER; i++) {
        uint64_t match;
        uint64_t to = members.at[i].id;
        if (to == g->self || !group_is_in_step(g, to) || !core_match(g->core, to, &match)) {
            continue;
        }
        struct message m = {.kind = MESSAGE_APPEND, .group = g->id, .from = g->self, .to = to};
        m.term = status.term;
        m.append.prev_index = match;
        m.append.prev_term = group_term_at(g, match);
        m.append.commit = g->commit;
        group_queue(g, &m);
    }
}

void group_tick(struct group *g, uint64_t now_ms)
{
    group_clock(g, now_ms);
    if (g->now >= g->notice_ms) {
        g->notice_ms = UINT64_MAX;
        group_notice(g);
    }
    core_tick(g->core, g->now);
}

uint64_t group_deadline(const struct group *g)
{
    uint64_t deadline = core_deadline(g->core);
    return g->notice_ms < deadline ? g->notice_ms : deadline;
}

void group_durable(struct group *g, uint64_t now_ms, uint64_t batch)
{
    group_clock(g, now_ms);
    ensure(!g->run_open); /* group_saved_in() was forgotten */
    if (batch <= g->durable) {
        return;
    }
    g->durable = batch;
    uint64_t stored = 0;
    struct run *run = fifo_front(&g->runs);
    while (run != NULL && run->batch <= batch) {
        stored = run->last;
        fifo_pop_front(&g->runs);
        run = fifo_front(&g->runs);
    }
    if (stored > 0) {
        core_stored(g->core, g->now, stored);
    }
}

dkv_err group_propose(struct group *g, uint64_t now_ms, const struct slice *commands, size_t n,
                      uint64_t *first)
{
    group_clock(g, now_ms);
    struct core_status status;
    core_status(g->core, &status);
    if (status.state != CORE_LEADER || status.transferring) {
        return DKV_NOT_LEADER;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += commands[i].len;
    }
    if (g->log.last - g->commit + n > GROUP_INFLIGHT_ENTRIES ||
        g->tail_bytes + bytes > GROUP_INFLIGHT_BYTES) {
        return DKV_LIMIT;
    }
    *first = g->log.last + 1;
    if (n == 0) {
        return DKV_OK;
    }
    g->notice_ms = UINT64_MAX; /* these tell it */
    return core_submit(g->core, g->now, commands, n);
}

dkv_err group_transfer(struct group *g, uint64_t now_ms, uint64_t to)
{
    group_clock(g, now_ms);
    return core_transfer(g->core, g->now, to);
}

/* ---- questions ---------------------------------------------------------------------------------------- */

static enum role group_role(enum core_state state)
{
    switch (state) {
    case CORE_LEADER:
        return ROLE_LEADER;
    case CORE_CANDIDATE:
        return ROLE_CANDIDATE;
    case CORE_FOLLOWER:
        break;
    }
    return ROLE_FOLLOWER;
}

void group_status(const struct group *g, struct group_status *out)
{
    struct core_status core;
    core_status(g->core, &core);
    *out = (struct group_status){
        .role = group_role(core.state),
        .term = core.term,
        .leader = core.leader,
        .last = g->log.last,
        .commit = g->commit,
        .applied = g->applied,
        .dropped = core.dropped,
        .ready = core.state == CORE_LEADER && group_term_at(g, g->applied) == core.term,
        .transferring = core.transferring,
    };
}

uint64_t group_log_bytes(const struct group *g)
{
    return g->log.bytes;
}

uint64_t group_term_at(const struct group *g, uint64_t index)
{
    const struct entry *e = entrylog_at(&g->log, index);
    return e == NULL ? 0 : e->term;
}

size_t group_voters(const struct group *g, uint64_t *ids)
{
    struct members members;
    core_members(g->core, &members);
    size_t n = 0;
    for (size_t i = 0; i < members.n; i++) {
        if (members.at[i].role == MEMBER_VOTER) {
            ids[n++] = members.at[i].id;
        }
    }
    return n;
}

bool group_confirms(const struct group *g, uint64_t term, uint64_t leader)
{
    struct core_status status;
    core_status(g->core, &status);
    return status.term == term && (status.leader == 0 || status.leader == leader);
}

bool group_match(const struct group *g, uint64_t replica, uint64_t *index)
{
    return core_match(g->core, replica, index);
}

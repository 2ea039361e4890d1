/* oracle.c - the invariants of Raft (Ongaro 2014, figure 3.2) and of the journal, over all replicas at once.
 */
#include "sim/oracle.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>

struct applied {
    uint64_t term;
    uint64_t hash;    /* of the entry and all before it */
    uint64_t in_term; /* of the first replica that applied it */
};

struct oracle_group {
    struct applied *applied; /* index i at i - 1 */
    size_t applied_n;
    size_t applied_cap;
    uint64_t *leaders; /* by term: replica id, 0: none */
    size_t leaders_cap;
};

struct oracle {
    struct oracle_group groups[SIM_GROUPS_MAX];
    struct entry entries[APPEND_ENTRIES_MAX]; /* scratch for decoding */
};

struct oracle *oracle_new(void)
{
    struct oracle *o = mem_zalloc(1, sizeof(*o));
    ensure(o != NULL);
    return o;
}

void oracle_free(struct oracle *o)
{
    for (size_t i = 0; i < SIM_GROUPS_MAX; i++) {
        mem_free(o->groups[i].applied);
        mem_free(o->groups[i].leaders);
    }
    mem_free(o);
}

/* Room for at least n elements of size bytes, new ones zeroed. */
static void *oracle_grow(void *p, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap) {
        return p;
    }
    size_t more = n * 2 + 64;
    p = mem_realloc(p, more * size);
    ensure(p != NULL);
    memset((uint8_t *)p + *cap * size, 0, (more - *cap) * size);
    *cap = more;
    return p;
}

static uint64_t oracle_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0xBF58476D1CE4E5B9ull;
    return h ^ (h >> 29);
}

static uint64_t oracle_hash(uint64_t before, const struct entry *e)
{
    uint64_t h = oracle_mix(oracle_mix(before, e->term), e->type);
    for (size_t i = 0; i < e->data.len; i++) {
        h = oracle_mix(h, e->data.data[i]);
    }
    return oracle_mix(h, e->data.len);
}

static const struct sim_entry *oracle_at(const struct sim_replica *r, uint64_t index)
{
    return index >= 1 && index <= r->log_n ? &r->log[index - 1] : NULL;
}

static void oracle_append(struct sim_replica *r, const struct entry *e, uint64_t batch)
{
    uint64_t before = r->log_n > 0 ? r->log[r->log_n - 1].hash : 0;
    r->log = oracle_grow(r->log, &r->log_cap, r->log_n + 1, sizeof(*r->log));
    r->log[r->log_n++] = (struct sim_entry){.term = e->term, .hash = oracle_hash(before, e), .batch = batch};
}

void oracle_vote(struct sim_node *n, size_t group, const struct sim_vote *vote)
{
    struct sim_replica *r = &n->replicas[group];
    const struct sim_vote *last = r->pending_n > 0 ? &r->pending[r->pending_n - 1] : &r->durable;
    if (vote->term < last->term ||
        (vote->term == last->term && last->vote != 0 && vote->vote != last->vote)) {
        world_violation(
            n->world, "node %" PRIu64 " votes %" PRIu64 " in term %" PRIu64 " after %" PRIu64 " in %" PRIu64,
            n->id, vote->vote, vote->term, last->vote, last->term);
    }
    ensure(r->pending_n < sizeof(r->pending) / sizeof(r->pending[0]));
    r->pending[r->pending_n++] = *vote;
}

/* Two logs with the same term at an index are the same up to there. */
static void oracle_match(const struct sim_node *n, size_t group, uint64_t index)
{
    const struct sim_world *w = n->world;
    const struct sim_entry *mine = oracle_at(&n->replicas[group], index);
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        const struct sim_entry *other = oracle_at(&w->nodes[id].replicas[group], index);
        if (other != NULL && other->term == mine->term && other->hash != mine->hash) {
            world_violation(w,
                            "log matching: group %zu entry %" PRIu64 " of term %" PRIu64
                            " differs on %" PRIu64 " and %" PRIu64,
                            group, index, mine->term, n->id, id);
        }
    }
}

/* What a replica holds of the committed log it never gives up. */
static void oracle_cut(const struct sim_node *n, size_t group, uint64_t first)
{
    const struct sim_world *w = n->world;
    const struct sim_replica *r = &n->replicas[group];
    const struct oracle_group *o = &w->oracle->groups[group];
    if (first <= r->applied) {
        world_violation(w, "node %" PRIu64 " cuts applied entries from %" PRIu64 " (applied %" PRIu64 ")",
                        n->id, first, r->applied);
    }
    for (uint64_t i = first; i <= r->log_n && i <= o->applied_n; i++) {
        if (r->log[i - 1].term == o->applied[i - 1].term) {
            world_violation(w, "node %" PRIu64 " cuts committed entry %" PRIu64, n->id, i);
        }
    }
}

void oracle_entries(struct sim_node *n, size_t group, const struct effect *e, uint64_t batch)
{
    struct sim_replica *r = &n->replicas[group];
    uint64_t first = e->entries.first;
    if (first > r->log_n + 1) {
        world_violation(n->world, "node %" PRIu64 " leaves a hole before %" PRIu64, n->id, first);
    }
    oracle_cut(n, group, first);
    r->log_n = first - 1;
    for (size_t i = 0; i < e->entries.n; i++) {
        oracle_append(r, &e->entries.entries[i], batch);
        oracle_match(n, group, first + i);
    }
}

static bool oracle_is_durable(const struct sim_node *n, size_t group, uint64_t index, uint64_t term)
{
    const struct sim_entry *e = oracle_at(&n->replicas[group], index);
    return e != NULL && e->term == term && e->batch <= n->durable;
}

/* A vote of an earlier term than the durable one cannot be given again either. */
static void oracle_send_vote(const struct sim_node *n, const struct sim_vote *vote, const struct message *m)
{
    uint64_t candidate = m->kind == MESSAGE_VOTE ? n->id : m->to;
    if (vote->term < m->term || (vote->term == m->term && vote->vote != candidate)) {
        world_violation(n->world,
                        "node %" PRIu64 " speaks of its vote for %" PRIu64 " in term %" PRIu64
                        " before it is durable (durable: %" PRIu64 " in term %" PRIu64 ")",
                        n->id, candidate, m->term, vote->vote, vote->term);
    }
}

static void oracle_trace(const struct sim_world *w, const struct message *m)
{
    const char *kinds[] = {"?", "append", "append_result", "vote", "vote_result", "timeout_now"};
    uint64_t a = 0;
    uint64_t b = 0;
    if (m->kind == MESSAGE_APPEND) {
        a = m->append.prev_index;
        b = m->append.n;
    } else if (m->kind == MESSAGE_APPEND_RESULT) {
        a = m->append_result.rejected;
        b = m->append_result.last_index;
    } else if (m->kind == MESSAGE_VOTE_RESULT) {
        a = m->vote_result.granted;
        b = m->vote_result.pre_vote;
    }
    world_trace(w, "group %" PRIu32 ": %" PRIu64 " to %" PRIu64 " term %" PRIu64 " %s %" PRIu64 " %" PRIu64,
                m->group, m->from, m->to, m->term, kinds[m->kind], a, b);
}

void oracle_send(struct sim_node *n, size_t group, struct slice body)
{
    struct message m;
    const struct sim_replica *r = &n->replicas[group];
    struct oracle *o = n->world->oracle;
    if (message_decode(body, &m, o->entries, APPEND_ENTRIES_MAX) != DKV_OK) {
        world_violation(n->world, "node %" PRIu64 " sends what cannot be read", n->id);
    }
    oracle_trace(n->world, &m);
    bool pre_vote = (m.kind == MESSAGE_VOTE && m.vote.pre_vote) ||
                    (m.kind == MESSAGE_VOTE_RESULT && m.vote_result.pre_vote);
    if (m.term > r->durable.term && !pre_vote) {
        world_violation(n->world, "node %" PRIu64 " speaks in term %" PRIu64 ", durable is %" PRIu64, n->id,
                        m.term, r->durable.term);
    }
    if (!pre_vote && (m.kind == MESSAGE_VOTE || (m.kind == MESSAGE_VOTE_RESULT && m.vote_result.granted))) {
        oracle_send_vote(n, &r->durable, &m);
    }
    if (m.kind == MESSAGE_APPEND_RESULT && m.append_result.rejected == 0 && m.append_result.last_index > 0) {
        const struct sim_entry *last = oracle_at(r, m.append_result.last_index);
        if (last == NULL || last->batch > n->durable) {
            world_violation(n->world, "node %" PRIu64 " acknowledges %" PRIu64 ", which is not durable there",
                            n->id, m.append_result.last_index);
        }
    }
}

static void oracle_acknowledged(const struct sim_node *n, size_t group, uint64_t index, uint64_t term)
{
    const struct sim_world *w = n->world;
    size_t holders = 0;
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        holders += oracle_is_durable(&w->nodes[id], group, index, term);
    }
    if (index > 1 && holders <= w->nodes_n / 2) { /* entry 1 is what everyone starts with */
        world_violation(
            w, "node %" PRIu64 " commits entry %" PRIu64 " of term %" PRIu64 ", durable on %zu of %zu", n->id,
            index, term, holders, w->nodes_n);
    }
}

void oracle_apply(struct sim_node *n, size_t group, uint64_t index, const struct entry *entry)
{
    struct sim_world *w = n->world;
    struct sim_replica *r = &n->replicas[group];
    struct oracle_group *o = &w->oracle->groups[group];
    const struct sim_entry *mine = oracle_at(r, index);
    if (index != r->applied + 1 || mine == NULL || mine->term != entry->term) {
        world_violation(w, "node %" PRIu64 " applies %" PRIu64 " after %" PRIu64, n->id, index, r->applied);
    }
    r->applied = index;
    w->totals.applied++;
    if (index <= o->applied_n) {
        if (o->applied[index - 1].hash != mine->hash) {
            world_violation(w, "state machine safety: node %" PRIu64 " applies another entry at %" PRIu64,
                            n->id, index);
        }
        return;
    }
    oracle_acknowledged(n, group, index, entry->term);
    struct group_status status;
    group_status(r->group, &status);
    o->applied = oracle_grow(o->applied, &o->applied_cap, o->applied_n + 1, sizeof(*o->applied));
    o->applied[o->applied_n++] =
        (struct applied){.term = entry->term, .hash = mine->hash, .in_term = status.term};
}

/* A leader has every entry that was committed in an earlier term. */
static void oracle_complete(const struct sim_node *n, size_t group, uint64_t term)
{
    const struct oracle_group *o = &n->world->oracle->groups[group];
    for (uint64_t i = 1; i <= o->applied_n; i++) {
        if (o->applied[i - 1].in_term < term &&
            group_term_at(n->replicas[group].group, i) != o->applied[i - 1].term) {
            world_violation(n->world, "leader %" PRIu64 " of term %" PRIu64 " lacks committed entry %" PRIu64,
                            n->id, term, i);
        }
    }
}

static void oracle_leader(struct sim_node *n, size_t group, uint64_t term)
{
    struct oracle_group *o = &n->world->oracle->groups[group];
    o->leaders = oracle_grow(o->leaders, &o->leaders_cap, (size_t)term + 1, sizeof(*o->leaders));
    if (o->leaders[term] != 0 && o->leaders[term] != n->id) {
        world_violation(n->world, "two leaders in term %" PRIu64 ": %" PRIu64 " and %" PRIu64, term,
                        o->leaders[term], n->id);
    }
    o->leaders[term] = n->id;
    if (n->replicas[group].lead_term != term) {
        n->replicas[group].lead_term = term;
        n->world->totals.elections++;
        world_trace(n->world, "group %zu: node %" PRIu64 " leads term %" PRIu64, group, n->id, term);
        oracle_complete(n, group, term);
    }
}

void oracle_status(struct sim_node *n, size_t group)
{
    struct sim_replica *r = &n->replicas[group];
    struct group_status status;
    group_status(r->group, &status);
    if (status.commit < r->commit) {
        world_violation(n->world, "node %" PRIu64 " commit index back from %" PRIu64 " to %" PRIu64, n->id,
                        r->commit, status.commit);
    }
    r->commit = status.commit;
    if (status.role == ROLE_LEADER) {
        oracle_leader(n, group, status.term);
    }
    if (group_deadline(r->group) <= n->world->now && status.role == ROLE_LEADER &&
        n->world->now > group_deadline(r->group) + 1000) {
        world_violation(n->world, "node %" PRIu64 " has a deadline long past", n->id);
    }
}

void oracle_durable(struct sim_node *n, uint64_t batch)
{
    n->durable = batch;
    for (size_t g = 0; g < n->world->groups_n; g++) {
        struct sim_replica *r = &n->replicas[g];
        size_t done = 0;
        while (done < r->pending_n && r->pending[done].batch <= batch) {
            r->durable = r->pending[done++];
        }
        memmove(r->pending, r->pending + done, (r->pending_n - done) * sizeof(r->pending[0]));
        r->pending_n -= done;
    }
}

void oracle_found(struct sim_node *n, size_t group, const struct group_saved *saved)
{
    struct sim_replica *r = &n->replicas[group];
    struct sim_entry *before = r->log;
    size_t before_n = r->log_n;
    if (saved->term < r->durable.term ||
        (saved->term == r->durable.term && saved->vote != r->durable.vote && r->durable.vote != 0)) {
        world_violation(n->world, "node %" PRIu64 " lost a durable vote: term %" PRIu64 ", was %" PRIu64,
                        n->id, saved->term, r->durable.term);
    }
    r->log = NULL;
    r->log_n = 0;
    r->log_cap = 0;
    for (size_t i = 0; i < saved->n; i++) {
        oracle_append(r, &saved->entries[i], 0);
    }
    for (size_t i = 0; i < before_n && before[i].batch <= n->durable; i++) {
        if (i >= r->log_n || r->log[i].hash != before[i].hash) {
            world_violation(n->world, "node %" PRIu64 " lost durable entry %zu of group %zu", n->id, i + 1,
                            group);
        }
    }
    mem_free(before);
    r->durable = (struct sim_vote){.term = saved->term, .vote = saved->vote};
    r->pending_n = 0;
    r->applied = 0;
    r->commit = 0;
    r->lead_term = 0;
    for (uint64_t i = 1; i <= r->log_n; i++) {
        oracle_match(n, group, i);
    }
}

uint64_t oracle_committed(const struct oracle *o, size_t group)
{
    return o->groups[group].applied_n;
}

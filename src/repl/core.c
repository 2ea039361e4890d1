/* core.c - raft_step() behind its guards. The only file that includes the library's header, hence its length.
 *
 * Reading order: memory and conversions; what comes out of a step; what follows every event; then one part
 * per event: start, messages, the rest. A guard_ function stands just above its first use. */
#include "repl/core.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <raft.h>
#include <stdio.h>

#if RAFT_VERSION_NUMBER < 2201
#error "libraft 0.22.1 or later is needed: earlier ones lose acknowledged entries"
#endif

_Static_assert((int)ENTRY_COMMAND == (int)RAFT_COMMAND, "entry types are the library's");
_Static_assert((int)ENTRY_BARRIER == (int)RAFT_BARRIER, "entry types are the library's");
_Static_assert((int)ENTRY_CHANGE == (int)RAFT_CHANGE, "entry types are the library's");

#define MESSAGE_FIELDS_VERSION 2u /* of the library's messages: from 2 on results tell pre-votes */
#define TIMER_GAP_MS           5u /* between two timeouts of a follower or candidate */
#define PEER_ADDRESSES         8u
#define TERM_JUMP_MAX          (1ull << 32) /* of a message, over this replica's own term */
#define ADDRESS_TEXT_BYTES     24u          /* a replica id in decimal */

/* What the library may send ahead of a peer's last answer. Beyond it every submit costs an empty message, so
 * it lies above what a leader admits: only a peer that the majority has left behind gets there. */
#define INFLIGHT_ENTRIES_MAX (2 * GROUP_INFLIGHT_ENTRIES)

/* The text of a replica id, kept because every message needs one. */
struct peer_address {
    uint64_t id;
    char text[ADDRESS_TEXT_BYTES];
};

struct core {
    struct raft raft;
    struct core_config config;
    uint64_t now;
    uint64_t commit;     /* own, never goes back */
    uint64_t timed_ms;   /* when the library last had a timeout */
    uint64_t heard_ms;   /* when a leader of the current term last spoke */
    uint64_t lead_term;  /* the last term this replica led */
    uint64_t lead_entry; /* its first entry of that term; 0: none yet */
    uint64_t dropped;
    void *batch;            /* for the next received entries; NULL: the library freed it */
    struct raft_entry *raw; /* scratch for entries on their way into the library, */
    struct entry *entries;  /* and for entries made here */
    size_t scratch_cap;
    struct peer_address addresses[PEER_ADDRESSES]; /* by replica id modulo their number */
};

/* The entries an event carries in, in dkv's form. What the library takes of them is a tail. */
struct carried {
    uint64_t first;
    const struct entry *entries;
    size_t n;
};

static bool core_guarded(const struct core *c, enum core_guard guard)
{
    return (c->config.guards_off & BIT(guard)) == 0;
}

_Noreturn static void core_stop(const struct core *c, const char *what, uint64_t detail)
{
    log_error("event=raft_failed group=%" PRIu32 " replica=%" PRIu64 " term=%llu what=\"%s\" detail=%" PRIu64,
              c->config.group, c->config.self, raft_current_term(&c->raft), what, detail);
    ensure_failed(what, __FILE__, __LINE__);
}

static uint64_t core_last(const struct core *c)
{
    return raft_last_index((struct raft *)(uintptr_t)&c->raft); /* only reads */
}

static uint64_t core_term_at(const struct core *c, uint64_t index)
{
    const struct entry *e = c->config.host.entry(c->config.host.ctx, index);
    return e == NULL ? 0 : e->term;
}

/* The library wants addresses; a replica's is its id. */
static void core_address(uint64_t id, char text[ADDRESS_TEXT_BYTES])
{
    snprintf(text, ADDRESS_TEXT_BYTES, "%" PRIu64, id);
}

static const char *core_peer_address(struct core *c, uint64_t id)
{
    struct peer_address *slot = &c->addresses[id % PEER_ADDRESSES];
    if (slot->id != id) {
        slot->id = id;
        core_address(id, slot->text);
    }
    return slot->text;
}

/* Scratch that grows and stays; out of memory inside an event cannot be undone. */
static void core_reserve(struct core *c, size_t n)
{
    if (n <= c->scratch_cap) {
        return;
    }
    size_t cap = n > 2 * c->scratch_cap ? n : 2 * c->scratch_cap;
    c->raw = mem_realloc(c->raw, cap * sizeof(*c->raw));
    c->entries = mem_realloc(c->entries, cap * sizeof(*c->entries));
    ensure(c->raw != NULL);
    ensure(c->entries != NULL);
    c->scratch_cap = cap;
}

/* ---- configurations in the library's form ------------------------------------------------------------- */

static int core_role_to_raft(enum member_role role)
{
    switch (role) {
    case MEMBER_VOTER:
        return RAFT_VOTER;
    case MEMBER_STANDBY:
        return RAFT_STANDBY;
    case MEMBER_SPARE:
        break;
    }
    return RAFT_SPARE;
}

static enum member_role core_role_from_raft(int role)
{
    return role == RAFT_VOTER ? MEMBER_VOTER : role == RAFT_STANDBY ? MEMBER_STANDBY : MEMBER_SPARE;
}

static void core_members_from(const struct raft_configuration *from, struct members *out)
{
    *out = (struct members){0};
    ensure(from->n <= REPLICAS_MAX);
    for (unsigned i = 0; i < from->n; i++) {
        out->at[out->n++] =
            (struct member){.id = from->servers[i].id, .role = core_role_from_raft(from->servers[i].role)};
    }
}

/* A configuration that the library takes over. */
static void core_members_to(const struct core *c, const struct members *from, struct raft_configuration *out)
{
    raft_configuration_init(out);
    for (size_t i = 0; i < from->n; i++) {
        char address[ADDRESS_TEXT_BYTES];
        core_address(from->at[i].id, address);
        int rv = raft_configuration_add(out, from->at[i].id, address, core_role_to_raft(from->at[i].role));
        if (rv != 0) {
            core_stop(c, "a configuration could not be built", (uint64_t)rv);
        }
    }
}

/* One entry as the library wants it. Commands stay where they are: it never looks into them. A configuration
 * is put into its own encoding, which core_release() frees. */
static struct raft_entry core_raw_entry(const struct core *c, const struct entry *e, void *batch)
{
    struct raft_entry raw = {.term = e->term, .type = (enum raft_entry_type)e->type, .batch = batch};
    raw.buf.base = (void *)(uintptr_t)e->data.data;
    raw.buf.len = e->data.len;
    if (e->type == ENTRY_CHANGE) {
        struct members members;
        if (members_decode(e->data, &members) != DKV_OK) {
            core_stop(c, "a configuration entry cannot be read", e->term);
        }
        struct raft_configuration configuration;
        core_members_to(c, &members, &configuration);
        int rv = raft_configuration_encode(&configuration, &raw.buf);
        raft_configuration_close(&configuration);
        if (rv != 0) {
            core_stop(c, "a configuration could not be encoded", (uint64_t)rv);
        }
    }
    return raw;
}

static void core_release(struct raft_entry *raw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (raw[i].type == RAFT_CHANGE) {
            raft_free(raw[i].buf.base);
        }
    }
}

/* ---- what comes out of a step ------------------------------------------------------------------------- */

/* G13: a denied pre-vote must tell the candidate a higher term, or a group of two whose terms differ elects
 * nobody for ever (doc/notes/raft-library.md B6). */
static void guard_denied_term(const struct core *c, struct message *m)
{
    uint64_t term = raft_current_term(&c->raft);
    if (core_guarded(c, GUARD_DENIED_TERM) && m->vote_result.pre_vote && !m->vote_result.granted &&
        term > m->term) {
        m->term = term;
    }
}

/* When terms conflict the library has a leader step back one index per round trip, and each time all entries
 * from there on are sent again: after a partition that is thousands of round trips (B17). Name the beginning
 * of the conflicting term instead (Ongaro 2014, 3.5), but nothing that is known to match. */
static void guard_hint(const struct core *c, struct message *m)
{
    uint64_t rejected = m->append_result.rejected;
    uint64_t term = rejected == 0 ? 0 : core_term_at(c, rejected);
    bool conflict = term != 0 && m->append_result.last_index == rejected - 1;
    if (!core_guarded(c, GUARD_HINT) || !conflict || c->raft.state != RAFT_FOLLOWER) {
        return;
    }
    uint64_t known = c->raft.follower_state.match > c->commit ? c->raft.follower_state.match : c->commit;
    while (m->append_result.last_index > known && core_term_at(c, m->append_result.last_index) == term) {
        m->append_result.last_index--;
    }
}

static void core_out_append(const struct raft_append_entries *raw, struct message *m)
{
    m->kind = MESSAGE_APPEND;
    m->term = raw->term;
    m->append.prev_index = raw->prev_log_index;
    m->append.prev_term = raw->prev_log_term;
    m->append.commit = raw->leader_commit;
    m->append.n = raw->n_entries; /* the rest of raw is undefined: the entries are the host's */
}

static void core_out_vote(const struct raft_request_vote *raw, struct message *m)
{
    m->kind = MESSAGE_VOTE;
    m->term = raw->term;
    m->vote.candidate = raw->candidate_id;
    m->vote.last_index = raw->last_log_index;
    m->vote.last_term = raw->last_log_term;
    m->vote.disrupt = raw->disrupt_leader;
    m->vote.pre_vote = raw->pre_vote;
}

static void core_out_vote_result(const struct core *c, const struct raft_request_vote_result *raw,
                                 struct message *m)
{
    m->kind = MESSAGE_VOTE_RESULT;
    m->term = raw->term;
    m->vote_result.granted = raw->vote_granted;
    m->vote_result.pre_vote = raw->pre_vote;
    guard_denied_term(c, m);
}

static void core_out(struct core *c, const struct raft_message *raw)
{
    struct message m = {.group = c->config.group, .from = c->config.self, .to = raw->server_id};
    switch (raw->type) {
    case RAFT_APPEND_ENTRIES:
        core_out_append(&raw->append_entries, &m);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        m.kind = MESSAGE_APPEND_RESULT;
        m.term = raw->append_entries_result.term;
        m.append_result.rejected = raw->append_entries_result.rejected;
        m.append_result.last_index = raw->append_entries_result.last_log_index;
        guard_hint(c, &m);
        break;
    case RAFT_REQUEST_VOTE:
        core_out_vote(&raw->request_vote, &m);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        core_out_vote_result(c, &raw->request_vote_result, &m);
        break;
    case RAFT_TIMEOUT_NOW:
        m.kind = MESSAGE_TIMEOUT_NOW;
        m.term = raw->timeout_now.term;
        m.timeout_now.last_index = raw->timeout_now.last_log_index;
        m.timeout_now.last_term = raw->timeout_now.last_log_term;
        break;
    case RAFT_INSTALL_SNAPSHOT:
        core_stop(c, "a snapshot was asked for, but nothing is ever compacted", raw->server_id);
    }
    c->config.host.on_send(c->config.host.ctx, &m);
}

/* The library's own commit index can go back (B9): this one does not, and stays within the log. */
static void guard_commit(struct core *c)
{
    uint64_t commit = raft_commit_index(&c->raft);
    bool back = commit < c->commit;
    if (commit == c->commit || (back && core_guarded(c, GUARD_COMMIT))) {
        return;
    }
    ensure(commit <= core_last(c));
    c->commit = commit;
    c->config.host.on_commit(c->config.host.ctx, commit);
}

/* Entries that the library has taken into its log: the host's log follows. */
static void core_out_entries(struct core *c, const struct raft_update *update, const struct carried *carried)
{
    uint64_t first = update->entries.index;
    const struct entry *entries;
    struct entry barrier = {.term = c->raft.barrier.term, .type = ENTRY_BARRIER};
    if (update->entries.batch == &c->raft.barrier) {
        raft_free(c->raft.barrier.batch); /* made by the library, ours since this step */
        entries = &barrier;
    } else {
        ensure(first >= carried->first);
        ensure(first - carried->first + update->entries.n == carried->n);
        entries = carried->entries + (first - carried->first);
    }
    if (first <= c->commit) {
        core_stop(c, "a committed entry would be cut", first);
    }
    if (raft_state(&c->raft) == RAFT_LEADER && c->lead_entry == 0) {
        c->lead_entry = first;
    }
    c->config.host.on_entries(c->config.host.ctx, first, entries, update->entries.n);
}

/* Vote, entries, messages, commit: the order in which the host must carry them out. */
static void core_emit(struct core *c, const struct raft_update *update, const struct carried *carried)
{
    if (raft_state(&c->raft) == RAFT_LEADER && c->lead_term != raft_current_term(&c->raft)) {
        c->lead_term = raft_current_term(&c->raft);
        c->lead_entry = 0;
    }
    if (update->flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) {
        c->config.host.on_vote(c->config.host.ctx, raft_current_term(&c->raft), raft_voted_for(&c->raft));
    }
    if (update->flags & RAFT_UPDATE_ENTRIES) {
        core_out_entries(c, update, carried);
    }
    if (update->flags & RAFT_UPDATE_SNAPSHOT) {
        core_stop(c, "a snapshot was accepted, but none is ever received", 0);
    }
    if (update->flags & RAFT_UPDATE_MESSAGES) {
        for (unsigned i = 0; i < update->messages.n; i++) {
            core_out(c, &update->messages.batch[i]);
        }
    }
    guard_commit(c);
}

/* One step; returns the library's result. taken (may be NULL) says whether it took the carried entries. */
static int core_try(struct core *c, struct raft_event *event, const struct carried *carried, bool *taken)
{
    static const struct carried nothing;
    struct raft_update update = {0};
    event->time = c->now;
    event->capacity = 0;
    int rv = raft_step(&c->raft, event, &update);
    if (rv != 0) {
        return rv;
    }
    core_emit(c, &update, carried == NULL ? &nothing : carried);
    if (taken != NULL) {
        *taken = (update.flags & RAFT_UPDATE_ENTRIES) != 0;
    }
    return 0;
}

/* A step that has no way to fail but a lost invariant or memory. */
static void core_step(struct core *c, struct raft_event *event, const struct carried *carried, bool *taken)
{
    int rv = core_try(c, event, carried, taken);
    if (rv != 0) {
        core_stop(c, raft_strerror(rv), (uint64_t)event->type);
    }
}

/* ---- after every event -------------------------------------------------------------------------------- */

/* The configuration at the library's uncommitted index is committed: say so. By the library's own invariant
 * it is the one in use. */
static void core_confirm_change(struct core *c)
{
    struct members members;
    core_members_from(&c->raft.configuration, &members);
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    event.configuration.index = c->raft.configuration_uncommitted_index;
    core_members_to(c, &members, &event.configuration.conf); /* consumed by the step */
    core_step(c, &event, NULL, NULL);
}

static int core_submit_entries(struct core *c, const struct entry *entries, size_t n)
{
    core_reserve(c, n);
    for (size_t i = 0; i < n; i++) {
        c->raw[i] = core_raw_entry(c, &entries[i], c); /* the batch is never freed here, only not NULL */
    }
    struct raft_event event = {.type = RAFT_SUBMIT};
    event.submit.entries = c->raw;
    event.submit.n = (unsigned)n;
    struct carried carried = {.first = core_last(c) + 1, .entries = entries, .n = n};
    int rv = core_try(c, &event, &carried, NULL);
    core_release(c->raw, n);
    return rv;
}

/* G3: a leader always gets an entry of its own term to commit; the library adds one only when it knows of
 * uncommitted entries, and a sole voter's never. Without it the commit index may stay behind for ever, and a
 * change could be made on a configuration that is not committed (B8). */
static void guard_own_entry(struct core *c)
{
    if (!core_guarded(c, GUARD_OWN_ENTRY) || raft_state(&c->raft) != RAFT_LEADER || c->lead_entry != 0) {
        return;
    }
    struct entry barrier = {.term = raft_current_term(&c->raft), .type = ENTRY_BARRIER};
    int rv = core_submit_entries(c, &barrier, 1);
    if (rv != 0) {
        core_stop(c, "a new leader's first entry was refused", (uint64_t)rv);
    }
}

static void core_settle(struct core *c)
{
    uint64_t change = c->raft.configuration_uncommitted_index;
    if (change != 0 && change <= c->commit) {
        core_confirm_change(c);
    }
    guard_own_entry(c);
}

static void core_clock(struct core *c, uint64_t now_ms)
{
    c->now = now_ms > c->now ? now_ms : c->now; /* the library does not stand a clock that goes back */
}

/* ---- start -------------------------------------------------------------------------------------------- */

/* Checklist 17: a sole voter makes itself leader at start without a new term (B1), so two leaders could have
 * had one term. It starts in the next one, with its own vote; nothing of it leaves before that is durable. */
static void guard_sole_voter(struct core *c, const struct members *members, struct raft_event *start)
{
    const struct member *self = members_find(members, c->config.self);
    bool sole = self != NULL && self->role == MEMBER_VOTER && members_voters(members) == 1;
    if (!core_guarded(c, GUARD_SOLE_VOTER) || !sole) {
        return;
    }
    start->start.term++;
    start->start.voted_for = c->config.self;
    c->config.host.on_vote(c->config.host.ctx, start->start.term, c->config.self);
}

static dkv_err core_latest_members(const struct core_saved *saved, struct members *out)
{
    dkv_err err = DKV_MALFORMED; /* no configuration at all */
    for (size_t i = 0; i < saved->n; i++) {
        if (saved->entries[i].type == ENTRY_CHANGE) {
            err = members_decode(saved->entries[i].data, out);
            if (err != DKV_OK) {
                return err;
            }
        }
    }
    return err;
}

/* The array and the batch must be the library's memory: it frees both when it fails. */
static void core_start(struct core *c, const struct core_saved *saved, const struct members *members)
{
    struct raft_entry *raw = raft_malloc(saved->n * sizeof(*raw));
    void *batch = raft_malloc(1);
    ensure(raw != NULL);
    ensure(batch != NULL);
    for (size_t i = 0; i < saved->n; i++) {
        raw[i] = core_raw_entry(c, &saved->entries[i], batch);
    }
    struct raft_event event = {.type = RAFT_START};
    event.start.term = saved->term;
    event.start.voted_for = saved->vote;
    event.start.start_index = 1;
    event.start.entries = raw;
    event.start.n_entries = (unsigned)saved->n;
    guard_sole_voter(c, members, &event);
    core_step(c, &event, NULL, NULL);
    core_release(raw, saved->n);
    raft_free(raw);
    raft_free(batch);
}

static bool core_init_raft(struct core *c)
{
    char address[ADDRESS_TEXT_BYTES];
    core_address(c->config.self, address);
    if (raft_init(&c->raft, NULL, NULL, c->config.self, address) != 0) {
        return false;
    }
    c->raft.tracer = NULL; /* the default one formats a text per step into a static buffer, even when off */
    raft_seed(&c->raft, (unsigned)(c->config.seed ^ c->config.seed >> 32));
    raft_set_election_timeout(&c->raft, (unsigned)c->config.election_ms);
    raft_set_heartbeat_timeout(&c->raft, (unsigned)c->config.heartbeat_ms);
    raft_set_pre_vote(&c->raft, true);
    raft_set_max_inflight_entries(&c->raft, INFLIGHT_ENTRIES_MAX);
    return true;
}

struct core *core_new(const struct core_config *config, const struct core_saved *saved, uint64_t now_ms)
{
    ensure(saved->n >= 1);
    ensure(saved->commit <= saved->n);
    struct members members;
    if (saved->entries[0].type != ENTRY_CHANGE || core_latest_members(saved, &members) != DKV_OK) {
        return NULL;
    }
    struct core *c = mem_zalloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->config = *config;
    c->now = now_ms;
    c->heard_ms = now_ms;
    if (!core_init_raft(c)) {
        mem_free(c);
        return NULL;
    }
    core_start(c, saved, &members);
    if (saved->commit >
        c->commit) { /* known committed before: the library will learn it again from a leader */
        c->commit = saved->commit;
        c->config.host.on_commit(c->config.host.ctx, c->commit);
    }
    core_settle(c);
    return c;
}

void core_free(struct core *c)
{
    if (c == NULL) {
        return;
    }
    raft_close(&c->raft, NULL);
    raft_free(c->batch);
    mem_free(c->raw);
    mem_free(c->entries);
    mem_free(c);
}

/* ---- messages ----------------------------------------------------------------------------------------- */

/* A message no correct replica sends, or one that a guard keeps from the library. */
static void core_drop(struct core *c, const struct message *m, const char *why)
{
    c->dropped++;
    log_debug("event=message_dropped group=%" PRIu32 " from=%" PRIu64 " kind=%d why=\"%s\"", c->config.group,
              m->from, (int)m->kind, why);
}

/* The library's message, with everything but its type-specific part set. */
static struct raft_message core_raw_message(struct core *c, const struct message *m,
                                            enum raft_message_type type)
{
    return (struct raft_message){
        .type = type, .server_id = m->from, .server_address = core_peer_address(c, m->from)};
}

static void core_step_message(struct core *c, struct raft_message *raw, const struct carried *carried,
                              bool *taken)
{
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = raw;
    core_step(c, &event, carried, taken);
}

/* G16 (B0): the library's answer to a message of an old term can read as the acknowledgement of entries that
 * this replica does not have, and then acknowledged data is lost. Answer here: rejected, in the current term,
 * so that the old leader steps down. */
static bool guard_stale_term(struct core *c, const struct message *m)
{
    uint64_t term = raft_current_term(&c->raft);
    if (!core_guarded(c, GUARD_STALE_TERM) || m->term >= term) {
        return false;
    }
    struct message reply = {
        .kind = MESSAGE_APPEND_RESULT,
        .group = c->config.group,
        .from = c->config.self,
        .to = m->from,
        .term = term,
        .append_result = {.rejected = m->append.prev_index != 0 ? m->append.prev_index : 1},
    };
    c->config.host.on_send(c->config.host.ctx, &reply);
    return true;
}

/* What is committed here cannot differ at a leader of this term or a later one. The library checks the same,
 * but against its own commit index, which can go back and begins at 1 after a restart. */
static void core_check_committed(const struct core *c, const struct message *m)
{
    uint64_t index = m->append.prev_index;
    uint64_t term = m->append.prev_term;
    for (uint32_t i = 0; index <= c->commit; i++) {
        if (index != 0 && core_term_at(c, index) != term) {
            core_stop(c, "a leader's log differs from what is committed here", index);
        }
        if (i == m->append.n) {
            return;
        }
        index++;
        term = m->append.entries[i].term;
    }
}

/* G1: the library takes the index of a configuration for that of the first new entry of its message (B2), so
 * one must be the first of its message. How many of the next n entries go into one. */
static size_t guard_split(const struct core *c, const struct entry *entries, size_t n)
{
    if (!core_guarded(c, GUARD_SPLIT)) {
        return n;
    }
    for (size_t i = 1; i < n; i++) {
        if (entries[i].type == ENTRY_CHANGE) {
            return i;
        }
    }
    return n;
}

/* G2: when a second configuration arrives before the first was reported committed, a later cut brings back
 * the one before both (B3). By the rule of one change at a time the first is committed: say so first. */
static void guard_confirm(struct core *c, uint64_t prev_index, uint64_t prev_term, const struct entry *first)
{
    uint64_t older = c->raft.configuration_uncommitted_index;
    bool applies = first->type == ENTRY_CHANGE && older != 0 && older <= prev_index;
    if (!core_guarded(c, GUARD_CONFIRM) || !applies) {
        return;
    }
    if (core_term_at(c, prev_index) == prev_term && core_term_at(c, prev_index + 1) != first->term) {
        core_confirm_change(c);
    }
}

/* Step one AppendEntries. The library frees the batch of a message of which it takes nothing and leaves it to
 * us otherwise; the entries' bytes are the caller's, so the batch is a mere token that mostly lives on. */
static void core_step_append(struct core *c, const struct message *m, const struct carried *part,
                             uint64_t prev_term)
{
    struct raft_message raw = core_raw_message(c, m, RAFT_APPEND_ENTRIES);
    raw.append_entries = (struct raft_append_entries){
        .term = m->term,
        .prev_log_index = part->first - 1,
        .prev_log_term = prev_term,
        .leader_commit = m->append.commit,
    };
    if (part->n == 0) {
        core_step_message(c, &raw, part, NULL);
        return;
    }
    void *batch = c->batch == NULL ? raft_malloc(1) : c->batch;
    ensure(batch != NULL);
    c->batch = NULL;
    core_reserve(c, part->n);
    for (size_t i = 0; i < part->n; i++) {
        c->raw[i] = core_raw_entry(c, &part->entries[i], batch);
    }
    raw.append_entries.entries = c->raw;
    raw.append_entries.n_entries = (unsigned)part->n;
    bool taken = false;
    core_step_message(c, &raw, part, &taken);
    core_release(c->raw, part->n);
    c->batch = taken ? batch : NULL;
}

static void core_receive_append(struct core *c, const struct message *m)
{
    if (guard_stale_term(c, m)) {
        return;
    }
    uint64_t term = raft_current_term(&c->raft);
    if ((m->term == term && raft_state(&c->raft) == RAFT_LEADER) || !message_append_is_sound(m)) {
        core_drop(c, m, "no leader's append");
        return;
    }
    if (m->term >= term) {
        core_check_committed(c, m);
        c->heard_ms = c->now;
    }
    struct carried part = {.first = m->append.prev_index + 1, .entries = m->append.entries};
    uint64_t prev_term = m->append.prev_term;
    size_t left = m->append.n;
    while (true) {
        part.n = guard_split(c, part.entries, left);
        if (part.n > 0) {
            guard_confirm(c, part.first - 1, prev_term, part.entries);
        }
        core_step_append(c, m, &part, prev_term);
        left -= part.n;
        if (left == 0) {
            return;
        }
        prev_term = part.entries[part.n - 1].term;
        part.first += part.n;
        part.entries += part.n;
        if (core_term_at(c, part.first - 1) != prev_term) {
            return; /* rejected: so would be the rest */
        }
    }
}

/* G5: a rejection from before what the peer has since acknowledged would set the library's next index to
 * below that, and the peer would get empty messages until the next election (B5). */
static bool guard_stale_rejection(const struct core *c, const struct message *m)
{
    raft_index match;
    return core_guarded(c, GUARD_STALE_REJECT) && m->append_result.rejected != 0 &&
           raft_match_index(&c->raft, m->from, &match) == 0 && m->append_result.rejected <= match;
}

/* The other half of G16: in one term a follower never has more of the leader's log than the leader. */
static bool guard_phantom(const struct core *c, const struct message *m)
{
    return core_guarded(c, GUARD_STALE_TERM) && m->append_result.rejected == 0 &&
           raft_state((struct raft *)(uintptr_t)&c->raft) == RAFT_LEADER &&
           m->term == raft_current_term(&c->raft) && m->append_result.last_index > core_last(c);
}

static void core_receive_append_result(struct core *c, const struct message *m)
{
    if (guard_stale_rejection(c, m) || guard_phantom(c, m)) {
        core_drop(c, m, "stale result");
        return;
    }
    struct raft_message raw = core_raw_message(c, m, RAFT_APPEND_ENTRIES_RESULT);
    raw.append_entries_result = (struct raft_append_entries_result){
        .version = MESSAGE_FIELDS_VERSION,
        .term = m->term,
        .rejected = m->append_result.rejected,
        .last_log_index = m->append_result.last_index,
    };
    core_step_message(c, &raw, NULL, NULL);
}

/* G14: a follower that is no voter by its own log must vote all the same: the log of those who ask may have
 * made it one, and without its vote there might be no leader to tell it (B7). While it votes it takes itself
 * for a voter; and as nothing makes a non-voter forget a dead leader, that is done here. False: not needed.
 */
static bool guard_non_voter(struct core *c, struct raft_message *raw)
{
    if (!core_guarded(c, GUARD_NON_VOTER) || raft_state(&c->raft) != RAFT_FOLLOWER ||
        raft_role(&c->raft) == RAFT_VOTER) {
        return false;
    }
    if (c->now - c->heard_ms >= c->config.election_ms) {
        c->raft.follower_state.current_leader.id = 0;
        raft_free(c->raft.follower_state.current_leader.address);
        c->raft.follower_state.current_leader.address = NULL;
    }
    struct raft_configuration own = c->raft.configuration;
    struct raft_server self = {.id = c->raft.id, .address = c->raft.address, .role = RAFT_VOTER};
    c->raft.configuration = (struct raft_configuration){.servers = &self, .n = 1};
    core_step_message(c, raw, NULL, NULL); /* a follower's vote only reads the configuration */
    c->raft.configuration = own;
    return true;
}

static void core_receive_vote(struct core *c, const struct message *m)
{
    if (m->vote.candidate != m->from) {
        core_drop(c, m, "a vote for somebody else");
        return;
    }
    struct raft_message raw = core_raw_message(c, m, RAFT_REQUEST_VOTE);
    raw.request_vote = (struct raft_request_vote){
        .version = MESSAGE_FIELDS_VERSION,
        .term = m->term,
        .candidate_id = m->vote.candidate,
        .last_log_index = m->vote.last_index,
        .last_log_term = m->vote.last_term,
        .disrupt_leader = m->vote.disrupt,
        .pre_vote = m->vote.pre_vote,
    };
    if (!guard_non_voter(c, &raw)) {
        core_step_message(c, &raw, NULL, NULL);
    }
}

/* G9: whoever is no candidate must not see a vote result: the library would read its candidate's fields out
 * of a union that now holds something else (B12). */
static bool guard_vote_result(struct core *c)
{
    return core_guarded(c, GUARD_VOTE_RESULT) && raft_state(&c->raft) != RAFT_CANDIDATE;
}

static void core_receive_vote_result(struct core *c, const struct message *m)
{
    bool impossible = m->vote_result.granted && m->vote_result.pre_vote &&
                      m->term > raft_current_term(&c->raft) + 1; /* nobody was asked for that term */
    if (guard_vote_result(c) || impossible) {
        core_drop(c, m, "no result of this vote");
        return;
    }
    struct raft_message raw = core_raw_message(c, m, RAFT_REQUEST_VOTE_RESULT);
    raw.request_vote_result = (struct raft_request_vote_result){
        .version = MESSAGE_FIELDS_VERSION,
        .term = m->term,
        .vote_granted = m->vote_result.granted,
        .pre_vote = m->vote_result.pre_vote,
    };
    core_step_message(c, &raw, NULL, NULL);
}

static void core_receive_timeout_now(struct core *c, const struct message *m)
{
    struct raft_message raw = core_raw_message(c, m, RAFT_TIMEOUT_NOW);
    raw.timeout_now = (struct raft_timeout_now){
        .version = 1,
        .term = m->term,
        .last_log_index = m->timeout_now.last_index,
        .last_log_term = m->timeout_now.last_term,
    };
    core_step_message(c, &raw, NULL, NULL);
}

/* Requests are heard from anyone: a replica behind in its log may not know a new member yet, and without
 * listening never will. Results only from members: who was never asked has nothing to say. */
static bool core_may_speak(const struct core *c, const struct message *m)
{
    if (m->group != c->config.group || m->to != c->config.self || m->from == c->config.self || m->from == 0 ||
        m->term == 0) {
        return false;
    }
    if (m->kind != MESSAGE_APPEND_RESULT && m->kind != MESSAGE_VOTE_RESULT) {
        return true;
    }
    for (unsigned i = 0; i < c->raft.configuration.n; i++) {
        if (c->raft.configuration.servers[i].id == m->from) {
            return true;
        }
    }
    return false;
}

/* No history of elections leads so far ahead: one a millisecond would take fifty days. Who believed it could
 * soon stand in no higher term. */
static bool core_is_absurd(struct core *c, const struct message *m)
{
    uint64_t term = raft_current_term(&c->raft);
    return m->term > term && m->term - term > TERM_JUMP_MAX;
}

void core_receive(struct core *c, uint64_t now_ms, const struct message *m)
{
    core_clock(c, now_ms);
    if (!core_may_speak(c, m)) {
        core_drop(c, m, "not for this replica, or from no member");
        return;
    }
    if (core_is_absurd(c, m)) {
        core_drop(c, m, "a term out of all reach");
        return;
    }
    switch (m->kind) {
    case MESSAGE_APPEND:
        core_receive_append(c, m);
        break;
    case MESSAGE_APPEND_RESULT:
        core_receive_append_result(c, m);
        break;
    case MESSAGE_VOTE:
        core_receive_vote(c, m);
        break;
    case MESSAGE_VOTE_RESULT:
        core_receive_vote_result(c, m);
        break;
    case MESSAGE_TIMEOUT_NOW:
        core_receive_timeout_now(c, m);
        break;
    }
    core_settle(c);
}

/* ---- the other events --------------------------------------------------------------------------------- */

/* Checklist 18: the library's deadline can stay in the past for ever (B10), and a leader whose timer fires
 * early drops its pipelines (B14). A leader's lies a heartbeat after the last at least, which also keeps the
 * heartbeats to all peers in step. */
static uint64_t guard_timer(const struct core *c, uint64_t deadline)
{
    bool leads = raft_state((struct raft *)(uintptr_t)&c->raft) == RAFT_LEADER;
    uint64_t earliest = c->timed_ms + (leads ? c->config.heartbeat_ms : TIMER_GAP_MS);
    return core_guarded(c, GUARD_TIMER) && deadline < earliest ? earliest : deadline;
}

uint64_t core_deadline(const struct core *c)
{
    return guard_timer(c, raft_timeout(&c->raft));
}

void core_tick(struct core *c, uint64_t now_ms)
{
    core_clock(c, now_ms);
    if (c->now < core_deadline(c)) {
        return;
    }
    c->timed_ms = c->now;
    struct raft_event event = {.type = RAFT_TIMEOUT};
    core_step(c, &event, NULL, NULL);
    core_settle(c);
}

void core_stored(struct core *c, uint64_t now_ms, uint64_t index)
{
    core_clock(c, now_ms);
    ensure(index <= core_last(c));
    if (index <= c->raft.last_stored) {
        return; /* the library takes only news */
    }
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = index;
    core_step(c, &event, NULL, NULL);
    core_settle(c);
}

static bool core_takes_entries(const struct core *c)
{
    return raft_state((struct raft *)(uintptr_t)&c->raft) == RAFT_LEADER && raft_transferee(&c->raft) == 0;
}

dkv_err core_submit(struct core *c, uint64_t now_ms, const struct slice *commands, size_t n)
{
    core_clock(c, now_ms);
    if (!core_takes_entries(c)) {
        return DKV_NOT_LEADER;
    }
    core_reserve(c, n);
    uint64_t term = raft_current_term(&c->raft);
    for (size_t i = 0; i < n; i++) {
        c->entries[i] = (struct entry){.term = term, .type = ENTRY_COMMAND, .data = commands[i]};
    }
    int rv = core_submit_entries(c, c->entries, n);
    if (rv != 0) {
        core_stop(c, "a leader's entries were refused", (uint64_t)rv);
    }
    core_settle(c);
    return DKV_OK;
}

dkv_err core_change(struct core *c, uint64_t now_ms, const struct members *members)
{
    core_clock(c, now_ms);
    if (!core_takes_entries(c)) {
        return DKV_NOT_LEADER;
    }
    struct members now;
    core_members(c, &now);
    size_t voters = members_voters(members);
    if (!members_are_valid(members) || members_difference(&now, members) != 1 || voters == 0 ||
        (voters == 1 && members_voters(&now) > 1)) {
        return DKV_BAD_REQUEST; /* checklist 17: never back to one voter */
    }
    if (core_guarded(c, GUARD_OWN_ENTRY) && (c->lead_entry == 0 || c->commit < c->lead_entry)) {
        return DKV_LIMIT; /* G3, second half */
    }
    struct buf data = {0};
    members_encode(members, &data);
    ensure(buf_ok(&data));
    struct entry entry = {
        .term = raft_current_term(&c->raft), .type = ENTRY_CHANGE, .data = buf_slice(&data)};
    int rv = core_submit_entries(c, &entry, 1);
    buf_fini(&data);
    if (rv == RAFT_CANTCHANGE) {
        return DKV_LIMIT;
    }
    if (rv != 0) {
        core_stop(c, "a change was refused", (uint64_t)rv);
    }
    core_settle(c);
    return DKV_OK;
}

/* The other voter with the most of the log; 0: there is none. The library itself would take just any. */
static uint64_t core_most_caught_up(const struct core *c)
{
    uint64_t best = 0;
    uint64_t best_match = 0;
    for (unsigned i = 0; i < c->raft.configuration.n; i++) {
        const struct raft_server *server = &c->raft.configuration.servers[i];
        uint64_t match;
        if (server->role == RAFT_VOTER && server->id != c->config.self && core_match(c, server->id, &match) &&
            (best == 0 || match > best_match)) {
            best = server->id;
            best_match = match;
        }
    }
    return best;
}

dkv_err core_transfer(struct core *c, uint64_t now_ms, uint64_t to)
{
    core_clock(c, now_ms);
    if (!core_takes_entries(c)) {
        return DKV_NOT_LEADER;
    }
    struct raft_event event = {.type = RAFT_TRANSFER};
    event.transfer.server_id = to != 0 ? to : core_most_caught_up(c);
    int rv = core_try(c, &event, NULL, NULL);
    if (rv == RAFT_BADID || rv == RAFT_NOTFOUND) {
        return DKV_NOT_FOUND;
    }
    if (rv != 0) {
        core_stop(c, "a transfer was refused", (uint64_t)rv);
    }
    core_settle(c);
    return DKV_OK;
}

/* ---- questions ---------------------------------------------------------------------------------------- */

void core_status(const struct core *c, struct core_status *out)
{
    struct raft *raft = (struct raft *)(uintptr_t)&c->raft; /* these only read */
    *out = (struct core_status){
        .term = raft_current_term(raft),
        .commit = c->commit,
        .dropped = c->dropped,
        .transferring = raft_transferee(raft) != 0,
    };
    switch (raft_state(raft)) {
    case RAFT_LEADER:
        out->state = CORE_LEADER;
        out->leader = c->config.self; /* also while handing over, when the library says nobody */
        break;
    case RAFT_CANDIDATE:
        out->state = CORE_CANDIDATE;
        break;
    case RAFT_FOLLOWER:
    case RAFT_UNAVAILABLE:
        out->state = CORE_FOLLOWER;
        out->leader = raft->follower_state.current_leader.id;
        break;
    }
}

uint64_t core_commit(const struct core *c)
{
    return c->commit;
}

void core_members(const struct core *c, struct members *out)
{
    core_members_from(&c->raft.configuration, out);
}

bool core_match(const struct core *c, uint64_t id, uint64_t *index)
{
    raft_index match;
    if (raft_match_index(&c->raft, id, &match) != 0) {
        return false;
    }
    *index = match;
    return true;
}

uint64_t core_uncommitted_change(const struct core *c)
{
    return c->raft.configuration_uncommitted_index;
}

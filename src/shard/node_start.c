/* node_start.c - how a node comes to life and ends.
 *
 * Happy path, in steps:
 *   1. node_open        the journal is replayed into saved groups, known incarnations and the voting note
 *   2. node_start       the journal gets its segment; then links are dialed
 *   3. handshakes       every node is judged (join.h); a new incarnation is recorded before it is welcomed
 *   4. node_begin_vote  once that is safe, "voting" is noted durably; then the replicas start
 *   5. node_close       waiting requests are answered, the journal closes, the links close, the memory goes
 *
 * What can go wrong: (1) corrupt or foreign data: refused with a reason; (2) the disk fails: fatal; (3)
 * another cluster or name: refused; our own name known with another incarnation: fatal, this disk is not the
 * one that voted; (4) too few answers: it waits, as it must. */
#include "shard/node_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"

#define NOTE_VOTING 0u /* keys of the journal's notes: 0, and node ids for incarnations */

/* ---- replay ------------------------------------------------------------------------------------------- */

static struct saved *replay_group(void *ctx, uint32_t group)
{
    struct node *n = ctx;
    return group < n->config.map->shard_count ? &n->saved[group] : NULL;
}

static dkv_err replay_vote(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    struct saved *s = replay_group(ctx, group);
    if (s == NULL) {
        return DKV_CORRUPT;
    }
    s->term = term;
    s->vote = vote;
    return DKV_OK;
}

static dkv_err replay_truncate(void *ctx, uint32_t group, uint64_t from)
{
    struct saved *s = replay_group(ctx, group);
    if (s == NULL || from == 0) {
        return DKV_CORRUPT;
    }
    while (s->n >= from) {
        mem_free((void *)(uintptr_t)s->entries[--s->n].data.data);
    }
    return DKV_OK;
}

static dkv_err replay_entry(void *ctx, uint32_t group, uint64_t index, const struct entry *e)
{
    struct saved *s = replay_group(ctx, group);
    if (s == NULL || index == 0 || index > s->n + 1) {
        return DKV_CORRUPT; /* a gap */
    }
    dkv_err err = replay_truncate(ctx, group, index);
    if (err != DKV_OK) {
        return err;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 64 : s->cap * 2;
        struct entry *entries = mem_realloc(s->entries, cap * sizeof *entries);
        if (entries == NULL) {
            return DKV_NO_MEMORY;
        }
        s->entries = entries;
        s->cap = cap;
    }
    char *data = mem_text(e->data);
    if (data == NULL) {
        return DKV_NO_MEMORY;
    }
    s->entries[s->n++] =
        (struct entry){.term = e->term, .type = e->type, .data = slice_of(data, e->data.len)};
    return DKV_OK;
}

static dkv_err replay_commit(void *ctx, uint32_t group, uint64_t index)
{
    struct saved *s = replay_group(ctx, group);
    if (s == NULL) {
        return DKV_CORRUPT;
    }
    s->commit = index;
    return DKV_OK;
}

static dkv_err replay_note(void *ctx, uint32_t key, struct slice value)
{
    struct node *n = ctx;
    if (key == NOTE_VOTING) {
        n->join.voting = true;
    } else if (value.len == PEER_INCARNATION_BYTES) {
        join_remember(&n->join, key, value.data);
    } else {
        return DKV_CORRUPT;
    }
    return DKV_OK;
}

static void saved_free(struct node *n)
{
    for (uint32_t i = 0; n->saved != NULL && i < n->config.map->shard_count; i++) {
        replay_truncate(n, i, 1);
        mem_free(n->saved[i].entries);
    }
    mem_free(n->saved);
    n->saved = NULL;
}

/* ---- fatal -------------------------------------------------------------------------------------------- */

static uint64_t node_now(const struct node *n)
{
    return n->config.now_ms(n->config.ctx);
}

static void node_on_disk_failure(void *ctx, dkv_err err)
{
    struct node *n = ctx;
    struct buf why = {0};
    buf_printf(&why,
               "a write to the journal failed (%s); what was acknowledged is safe on the other replicas",
               err_text(err));
    buf_put_u8(&why, 0);
    n->config.on_fatal(n->config.ctx, FATAL_STORAGE, (const char *)why.data);
    buf_fini(&why);
}

static void node_impostor(struct node *n, struct slice detail)
{
    struct buf why = {0};
    buf_printf(&why, "%.*s", (int)detail.len, (const char *)detail.data);
    buf_put_u8(&why, 0);
    n->config.on_fatal(n->config.ctx, FATAL_LOCKED, (const char *)why.data);
    buf_fini(&why);
}

/* ---- voting ------------------------------------------------------------------------------------------- */

static struct replica *node_make_replica(struct node *n, const struct seat *seat)
{
    const struct map_shard *shard = map_shard(n->config.map, seat->shard);
    const struct saved *s = &n->saved[seat->shard];
    uint64_t voters[REPLICAS_MAX];
    for (uint32_t i = 0; i < shard->replica_count; i++) {
        voters[i] = shard->replicas[i].id;
    }
    struct replica_config config = {
        .group =
            {
                .id = seat->shard,
                .self = map_replica_on(shard, n->config.self)->id,
                .voters = voters,
                .voter_count = shard->replica_count,
                .election_ms = n->config.election_ms,
                .heartbeat_ms = n->config.heartbeat_ms,
                .seed = n->config.seed + seat->shard,
            },
        .ring = n->ring,
        .map = n->config.map,
        .journal = n->journal,
        .ctx = n,
        .send = node_on_send,
        .on_role = node_on_role,
    };
    struct group_saved saved = {s->term, s->vote, s->commit, s->entries, s->n};
    return replica_new(&config, &saved, node_now(n));
}

static void node_start_replicas(struct node *n)
{
    n->state = NODE_VOTING;
    n->identity.voting = true;
    peers_set_identity(n->peers, &n->identity);
    for (uint32_t i = 0; i < n->seat_count; i++) {
        n->seats[i].replica = node_make_replica(n, &n->seats[i]);
        if (n->seats[i].replica == NULL) {
            n->config.on_fatal(n->config.ctx, FATAL_STORAGE, "a shard's log contradicts itself");
            return;
        }
    }
    saved_free(n);
    n->deadline_ms = 0;
    log_info("event=voting node=%s replicas=%u", n->identity.name, n->seat_count);
    n->config.on_change(n->config.ctx);
}

/* Note durably that this directory votes from now on; then start. */
static void node_maybe_vote(struct node *n)
{
    if (n->state == NODE_JOINING && n->voting_batch == 0 && join_may_vote(&n->join)) {
        n->voting_batch = journal_put_note(n->journal, NOTE_VOTING, slice_str("1"));
    }
}

static void node_on_durable_vote(struct node *n)
{
    n->voting_batch = 0;
    n->join.voting = true;
    node_start_replicas(n);
    peers_rehello(n->peers); /* who has not recorded us does so now */
}

/* ---- handshakes --------------------------------------------------------------------------------------- */

/* Write the incarnation down; the caller, if one waits, is welcomed when that is durable. */
static bool node_record(struct node *n, const struct peer_identity *who, struct handshake *h)
{
    for (size_t i = 0; i < RECORDINGS_MAX; i++) {
        struct recording *rec = &n->recordings[i];
        if (rec->batch == 0) {
            rec->batch =
                journal_put_note(n->journal, who->node, slice_of(who->incarnation, PEER_INCARNATION_BYTES));
            rec->node = who->node;
            rec->handshake = h;
            memcpy(rec->incarnation, who->incarnation, PEER_INCARNATION_BYTES);
            return true;
        }
    }
    return false;
}

/* Two callers of one name may have been recorded in one batch: the first one counts, as in the journal. */
static void node_on_recorded(struct node *n, struct recording *rec)
{
    bool other = n->join.nodes[rec->node].known &&
                 memcmp(n->join.nodes[rec->node].incarnation, rec->incarnation, PEER_INCARNATION_BYTES) != 0;
    struct handshake *h = rec->handshake;
    rec->batch = 0;
    if (!other) {
        join_remember(&n->join, rec->node, rec->incarnation);
    }
    if (h != NULL) {
        peers_answer(n->peers, h, other ? DKV_REFUSED : DKV_OK, false,
                     other ? slice_str("another node of that name came first") : (struct slice){0});
    }
}

static void node_refuse_impostor(struct node *n, const struct peer_identity *who, struct handshake *h)
{
    struct buf detail = {0};
    buf_printf(
        &detail,
        "node %s is known with another data directory (incarnation): its disk was lost or exchanged, and a "
        "lost disk must not vote as its former self; bring the node back with: dkvctl member replace %s",
        who->name, who->name);
    peers_answer(n->peers, h, DKV_LOCKED, false, buf_slice(&detail));
    buf_fini(&detail);
}

static void node_on_hello(void *ctx, const struct peer_identity *who, struct handshake *h)
{
    struct node *n = ctx;
    switch (join_judge(&n->join, who)) {
    case JOIN_WELCOME:
        peers_answer(n->peers, h, DKV_OK, n->join.nodes[who->node].known, (struct slice){0});
        break;
    case JOIN_RECORD:
        if (!node_record(n, who, h)) {
            peers_answer(n->peers, h, DKV_LIMIT, false, slice_str("too many new nodes at once"));
        }
        break;
    case JOIN_OTHER_CLUSTER:
        peers_answer(
            n->peers, h, DKV_REFUSED, false,
            slice_str("this node belongs to another cluster (--initial-cluster, --shards, --replicas, "
                      "--vnodes and --cluster-token must be the same on all nodes)"));
        break;
    case JOIN_UNKNOWN_NODE:
        peers_answer(n->peers, h, DKV_REFUSED, false, slice_str("no node of that name and id is in the map"));
        break;
    case JOIN_IMPOSTOR:
        node_refuse_impostor(n, who, h);
        break;
    }
}

static void node_on_answer(void *ctx, uint32_t node, const struct peer_answer *a)
{
    struct node *n = ctx;
    if (a->err == DKV_LOCKED) {
        node_impostor(n, a->detail);
        return;
    }
    if (a->err != DKV_OK) {
        log_warn("event=refused_by node=%s reason=\"%.*s\"", map_node(n->config.map, node)->name,
                 (int)a->detail.len, (const char *)a->detail.data);
        return;
    }
    switch (join_judge(&n->join, a->who)) {
    case JOIN_RECORD:
        node_record(n, a->who, NULL); /* full: the next handshake does it */
        join_answered(&n->join, a->who, a->knew);
        break;
    case JOIN_WELCOME:
        join_answered(&n->join, a->who, a->knew);
        break;
    case JOIN_OTHER_CLUSTER:
    case JOIN_UNKNOWN_NODE:
    case JOIN_IMPOSTOR:
        log_warn("event=peer_unexpected node=%s", a->who->name);
        break;
    }
    node_maybe_vote(n);
}

static void node_on_durable(void *ctx, uint64_t batch)
{
    struct node *n = ctx;
    for (size_t i = 0; i < RECORDINGS_MAX; i++) {
        if (n->recordings[i].batch != 0 && n->recordings[i].batch <= batch) {
            node_on_recorded(n, &n->recordings[i]);
        }
    }
    if (n->voting_batch != 0 && n->voting_batch <= batch) {
        node_on_durable_vote(n);
    }
    for (uint32_t i = 0; i < n->seat_count; i++) {
        if (n->seats[i].replica != NULL) {
            replica_durable(n->seats[i].replica, node_now(n), batch);
        }
    }
}

/* ---- open and start ----------------------------------------------------------------------------------- */

static void node_free(struct node *n)
{
    for (uint32_t i = 0; n->seats != NULL && i < n->seat_count; i++) {
        replica_free(n->seats[i].replica);
    }
    forwards_free(n->forwards);
    peers_free(n->peers);
    ring_free(n->ring);
    saved_free(n);
    mem_free(n->seats);
    mem_free(n->hints);
    mem_free(n->entries);
    buf_fini(&n->body);
    mem_free(n);
}

static void node_fill_identity(struct node *n)
{
    struct peer_identity *me = &n->identity;
    *me = (struct peer_identity){
        .cluster = n->config.map->cluster,
        .node = n->config.self,
        .boot = n->config.boot,
        .epoch = n->config.map->epoch,
        .voting = n->join.voting,
    };
    memcpy(me->name, map_node(n->config.map, n->config.self)->name, sizeof me->name);
    memcpy(me->incarnation, journal_incarnation(n->journal), sizeof me->incarnation);
    size_t len = strlen(n->config.client_address);
    ensure(len < sizeof me->client);
    memcpy(me->client, n->config.client_address, len + 1);
}

static void node_on_dial(void *ctx, uint32_t node, const struct address *to)
{
    struct node *n = ctx;
    n->config.dial(n->config.ctx, node, to);
}

static dkv_err node_make_links(struct node *n)
{
    struct peers_config config = {
        .ctx = n,
        .dial = node_on_dial,
        .on_hello = node_on_hello,
        .on_answer = node_on_answer,
        .on_link = node_on_link,
        .on_frame = node_on_frame,
    };
    n->peers = peers_new(&config, &n->identity);
    if (n->peers == NULL) {
        return DKV_NO_MEMORY;
    }
    n->forwards = forwards_new(n->peers);
    return n->forwards == NULL ? DKV_NO_MEMORY : DKV_OK;
}

static dkv_err node_make_seats(struct node *n)
{
    const struct map *map = n->config.map;
    n->ring = ring_new(map);
    n->saved = mem_zalloc(map->shard_count, sizeof *n->saved);
    n->seats = mem_zalloc(map->shard_count, sizeof *n->seats);
    n->hints = mem_zalloc(map->shard_count, sizeof *n->hints);
    n->entries = mem_zalloc(APPEND_ENTRIES_MAX, sizeof *n->entries);
    if (n->ring == NULL || n->saved == NULL || n->seats == NULL || n->hints == NULL || n->entries == NULL) {
        return DKV_NO_MEMORY;
    }
    for (uint32_t i = 0; i < map->shard_count; i++) {
        if (map_replica_on(&map->shards[i], n->config.self) != NULL) {
            n->seats[n->seat_count++] = (struct seat){.node = n, .shard = map->shards[i].id};
        }
    }
    return DKV_OK;
}

static dkv_err node_open_journal(struct node *n, struct buf *why)
{
    struct journal_config config = {
        .disk = n->config.disk,
        .cluster = n->config.map->cluster,
        .node = n->config.self,
        .ctx = n,
        .on_durable = node_on_durable,
        .on_failure = node_on_disk_failure,
    };
    struct journal_replay replay = {
        .ctx = n,
        .vote = replay_vote,
        .entry = replay_entry,
        .truncate = replay_truncate,
        .commit = replay_commit,
        .note = replay_note,
    };
    memcpy(config.incarnation, n->config.incarnation, sizeof config.incarnation);
    return journal_open(&config, &replay, &n->journal, why);
}

dkv_err node_open(const struct node_config *config, struct node **out, struct buf *why)
{
    struct node *n = mem_zalloc(1, sizeof *n);
    if (n == NULL) {
        return DKV_NO_MEMORY;
    }
    n->config = *config;
    n->sweep_ms = UINT64_MAX;
    n->deadline_ms = UINT64_MAX;
    join_init(&n->join, config->map, config->self);
    dkv_err err = node_make_seats(n);
    if (err == DKV_OK) {
        err = node_open_journal(n, why);
    }
    if (err == DKV_OK) {
        node_fill_identity(n);
        err = node_make_links(n);
        if (err != DKV_OK) {
            journal_abandon(n->journal);
        }
    }
    if (err != DKV_OK) {
        node_free(n);
        return err;
    }
    *out = n;
    return DKV_OK;
}

static void node_on_journal_ready(void *ctx, dkv_err err)
{
    struct node *n = ctx;
    if (err != DKV_OK) {
        node_on_disk_failure(n, err);
        return;
    }
    if (n->state != NODE_OPEN) {
        return; /* closed meanwhile */
    }
    n->state = NODE_JOINING;
    for (uint32_t i = 1; i <= n->config.map->node_count; i++) {
        const struct map_node *peer = map_node(n->config.map, i);
        dkv_err added = i == n->config.self ? DKV_OK : peers_add(n->peers, i, peer->name, &peer->peer);
        ensure(added == DKV_OK); /* fails for want of memory only, and then the process has ended already */
    }
    if (n->join.voting) {
        node_start_replicas(n);
    } else {
        node_maybe_vote(n);
    }
}

void node_start(struct node *n)
{
    journal_start(n->journal, node_on_journal_ready);
}

void node_dialed(struct node *n, uint32_t node, struct stream *s)
{
    peers_dialed(n->peers, node, s, node_now(n));
}

void node_accepted(struct node *n, struct stream *s)
{
    peers_accepted(n->peers, s, node_now(n));
}

/* ---- close -------------------------------------------------------------------------------------------- */

static void node_closed_part(struct node *n)
{
    if (--n->closing == 0) {
        void (*cb)(void *ctx) = n->close_cb;
        void *ctx = n->close_ctx;
        node_free(n);
        if (cb != NULL) {
            cb(ctx);
        }
    }
}

static void node_on_links_closed(void *ctx)
{
    node_closed_part(ctx);
}

static void node_on_journal_closed(void *ctx, dkv_err err)
{
    if (err != DKV_OK) {
        log_error("event=journal_close err=\"%s\"", err_text(err));
    }
    node_closed_part(ctx);
}

/* Answer what waits and close the links; the journal is the caller's. */
static void node_close_all_but_journal(struct node *n, void (*cb)(void *ctx), void *ctx)
{
    n->close_cb = cb;
    n->close_ctx = ctx;
    n->closing = 2;
    n->state = NODE_CLOSING;
    forwards_free(n->forwards); /* first: its answers reach replicas */
    n->forwards = NULL;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        replica_free(n->seats[i].replica);
        n->seats[i].replica = NULL;
    }
    for (size_t i = 0; i < RECORDINGS_MAX; i++) {
        n->recordings[i] = (struct recording){0}; /* their streams go with the links */
    }
    n->voting_batch = 0;
    peers_close(n->peers, node_on_links_closed, n);
}

void node_close(struct node *n, void (*cb)(void *ctx), void *ctx)
{
    node_close_all_but_journal(n, cb, ctx);
    journal_close(n->journal, node_on_journal_closed, n);
}

void node_abandon(struct node *n, void (*cb)(void *ctx), void *ctx)
{
    node_close_all_but_journal(n, cb, ctx);
    journal_abandon(n->journal);
    node_closed_part(n);
}

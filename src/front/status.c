/* status.c - a row per shard: this node's own, those of the others, and which one counts. */
#include "front/status.h"

#include "base/mem.h"
#include "proto/pack.h"

/* One shard. Names are those of the map, so they outlive every message. */
struct row {
    uint32_t shard;
    uint64_t leader; /* node id; 0: unknown */
    uint64_t leads;  /* 1: the row comes from the leader itself */
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t last;
    uint64_t lag; /* entries the slowest follower is behind, as its leader knows */
    uint64_t keys;
    uint64_t bytes;
};

/* The fields that travel as numbers, in order. */
static const struct {
    const char *name;
    size_t offset;
} row_fields[] = {
    {"leads", offsetof(struct row, leads)},   {"term", offsetof(struct row, term)},
    {"commit", offsetof(struct row, commit)}, {"applied", offsetof(struct row, applied)},
    {"last", offsetof(struct row, last)},     {"lag", offsetof(struct row, lag)},
    {"keys", offsetof(struct row, keys)},     {"bytes", offsetof(struct row, bytes)},
};

#define ROW_FIELDS (sizeof row_fields / sizeof row_fields[0])

static uint64_t *row_field(struct row *row, size_t i)
{
    return (uint64_t *)(void *)((char *)row + row_fields[i].offset);
}

/* ---- this node's rows --------------------------------------------------------------------------------- */

static uint64_t row_lag(struct replica *r, const struct map_shard *shard)
{
    uint64_t last = replica_status(r)->last;
    uint64_t lag = 0;
    for (uint32_t i = 0; i < shard->replica_count; i++) {
        uint64_t match = 0;
        if (shard->replicas[i].id != replica_self(r) &&
            group_match(replica_group(r), shard->replicas[i].id, &match) && last - match > lag) {
            lag = last - match;
        }
    }
    return lag;
}

/* False: no replica here. */
static bool row_local(struct node *n, uint32_t shard, struct row *row)
{
    struct replica *r = node_replica(n, shard);
    if (r == NULL) {
        return false;
    }
    const struct group_status *s = replica_status(r);
    *row = (struct row){
        .shard = shard,
        .leader = node_leader(n, shard),
        .leads = s->ready,
        .term = s->term,
        .commit = s->commit,
        .applied = s->applied,
        .last = s->last,
        .lag = s->role == ROLE_LEADER ? row_lag(r, map_shard(node_map(n), shard)) : 0,
        .keys = state_keys(replica_state(r)),
        .bytes = state_bytes(replica_state(r)),
    };
    return true;
}

/* ---- the answer --------------------------------------------------------------------------------------- */

static void row_put(struct buf *out, const struct map *map, struct row *row)
{
    const struct map_shard *shard = map_shard(map, row->shard);
    const struct map_node *leader = map_node(map, (uint32_t)row->leader);
    pack_put_map(out, ROW_FIELDS + 3);
    pack_put_str(out, "id");
    pack_put_u64(out, row->shard);
    pack_put_str(out, "leader");
    if (leader == NULL) {
        pack_put_nil(out);
    } else {
        pack_put_str(out, leader->name);
    }
    for (size_t i = 0; i < ROW_FIELDS; i++) {
        pack_put_str(out, row_fields[i].name);
        pack_put_u64(out, *row_field(row, i));
    }
    pack_put_str(out, "replicas");
    pack_put_array(out, shard->replica_count);
    for (uint32_t i = 0; i < shard->replica_count; i++) {
        pack_put_str(out, map_node(map, shard->replicas[i].node)->name);
    }
}

/* rows[0] is unused; a row without a shard number is left out. */
static void rows_answer(struct router_call *call, struct row *rows)
{
    struct node *n = router_node(call->router);
    const struct map *map = node_map(n);
    struct buf body = {0};
    uint32_t count = 0;
    for (uint32_t i = 1; i < map->shard_count; i++) {
        count += rows[i].shard != 0;
    }
    pack_put_map(&body, 3);
    pack_put_str(&body, "epoch");
    pack_put_u64(&body, map->epoch);
    pack_put_str(&body, "node");
    pack_put_str(&body, node_name(n));
    pack_put_str(&body, "shards");
    pack_put_array(&body, count);
    for (uint32_t i = 1; i < map->shard_count; i++) {
        if (rows[i].shard != 0) {
            row_put(&body, map, &rows[i]);
        }
    }
    struct reply reply = {.err = buf_ok(&body) ? DKV_OK : DKV_NO_MEMORY, .value = buf_slice(&body)};
    router_answer(call, &reply);
    buf_fini(&body);
}

/* ---- gathering ---------------------------------------------------------------------------------------- */

struct ask {
    struct forward forward;
    struct survey *survey;
};

struct survey {
    struct router_call *call;
    struct row *rows; /* by shard */
    uint32_t left;
    struct ask asks[NODES_MAX + 1];
};

static bool row_beats(const struct row *a, const struct row *b)
{
    if (b->shard == 0 || a->leads != b->leads) {
        return b->shard == 0 || a->leads > b->leads;
    }
    return a->leads != 0 ? a->term > b->term : a->applied > b->applied;
}

static void survey_add(struct survey *s, const struct map *map, const struct row *row)
{
    if (row->shard > 0 && row->shard < map->shard_count && row_beats(row, &s->rows[row->shard])) {
        s->rows[row->shard] = *row;
    }
}

static bool row_read(const struct map *map, const struct pack_value *v, struct row *row)
{
    uint64_t id = 0;
    struct slice leader;
    *row = (struct row){0};
    if (!pack_get_u64(pack_find(v, "id"), &id) || id >= map->shard_count) {
        return false;
    }
    row->shard = (uint32_t)id;
    if (pack_get_bytes(pack_find(v, "leader"), &leader)) {
        const struct map_node *node = map_node_named(map, leader);
        row->leader = node == NULL ? 0 : node->id;
    }
    for (size_t i = 0; i < ROW_FIELDS; i++) {
        if (!pack_get_u64(pack_find(v, row_fields[i].name), row_field(row, i))) {
            return false;
        }
    }
    return true;
}

static void survey_read(struct survey *s, const struct map *map, struct slice body)
{
    struct pack_doc *doc = pack_doc_new();
    const struct pack_value *v = NULL;
    uint32_t n = 0;
    if (doc != NULL && pack_parse(doc, body, &v) == DKV_OK && pack_get_array(pack_find(v, "shards"), &n)) {
        for (uint32_t i = 0; i < n; i++) {
            struct row row;
            if (row_read(map, pack_at(pack_find(v, "shards"), i), &row)) {
                survey_add(s, map, &row);
            }
        }
    }
    pack_doc_free(doc);
}

static void survey_part_done(struct survey *s)
{
    if (--s->left == 0) {
        rows_answer(s->call, s->rows);
        mem_free(s->rows);
        mem_free(s);
    }
}

static void survey_on_reply(struct forward *f, const struct reply *reply)
{
    struct survey *s = CONTAINER(f, struct ask, forward)->survey;
    if (reply->err == DKV_OK) {
        survey_read(s, node_map(router_node(s->call->router)), reply->value);
    }
    survey_part_done(s);
}

static void survey_local(struct survey *s, struct node *n)
{
    const struct map *map = node_map(n);
    for (uint32_t shard = 1; shard < map->shard_count; shard++) {
        struct row row = {.shard = shard}; /* unknown to all: still listed, without a leader */
        if (row_local(n, shard, &row) || !s->call->request.forwarded) {
            survey_add(s, map, &row);
        }
    }
}

static void survey_ask_others(struct survey *s, struct node *n)
{
    uint64_t deadline = router_now(s->call->router) + STATUS_WAIT_MS;
    for (uint32_t id = 1; id <= node_map(n)->node_count; id++) {
        struct ask *ask = &s->asks[id];
        *ask = (struct ask){
            .forward = {.node = id,
                        .request = {.op = OP_STATUS},
                        .deadline_ms = deadline,
                        .cb = survey_on_reply},
            .survey = s,
        };
        if (peers_up(node_peers(n), id) && node_forward(n, &ask->forward) == DKV_OK) {
            s->left++;
        }
    }
}

void status_gather(struct router_call *call)
{
    struct node *n = router_node(call->router);
    struct survey *s = mem_zalloc(1, sizeof *s);
    struct row *rows = mem_zalloc(node_map(n)->shard_count, sizeof *rows);
    if (s == NULL || rows == NULL) {
        mem_free(s);
        mem_free(rows);
        router_fail(call, DKV_NO_MEMORY, NULL);
        return;
    }
    s->call = call;
    s->rows = rows;
    s->left = 1; /* this node's own part */
    survey_local(s, n);
    if (!call->request.forwarded) {
        survey_ask_others(s, n);
    }
    survey_part_done(s);
}

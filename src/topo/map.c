/* map.c - the first map, its bytes, its invariants. Reading --initial-cluster is in map_nodes.c. */
#include "topo/map.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/reader.h"
#include "topo/map_internal.h"

#include <stdlib.h>

#define MAP_VERSION      1u
#define MAP_PLAN_VERSION 1u

/* The least bytes one node, shard or replica takes, so that no count can claim more than is there. */
#define MAP_NODE_BYTES_MIN    12u
#define MAP_SHARD_BYTES_MIN   8u
#define MAP_REPLICA_BYTES_MIN 12u

static struct map *map_new(uint32_t node_count, uint32_t shard_count)
{
    struct map *map = mem_zalloc(1, sizeof *map);
    if (map == NULL) {
        return NULL;
    }
    map->node_count = node_count;
    map->shard_count = shard_count;
    map->nodes = mem_zalloc(node_count, sizeof map->nodes[0]);
    map->shards = mem_zalloc(shard_count, sizeof map->shards[0]);
    if (map->nodes == NULL || map->shards == NULL) {
        map_free(map);
        return NULL;
    }
    return map;
}

static bool map_nodes_are_sound(const struct map *map)
{
    if (map->node_count < 1 || map->node_count > NODES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < map->node_count; i++) {
        const struct map_node *node = &map->nodes[i];
        if (node->id != i + 1 || map_node_named(map, slice_str(node->name)) != node) {
            return false;
        }
    }
    return true;
}

static bool map_shard_is_sound(const struct map *map, const struct map_shard *shard)
{
    if (shard->replica_count < 1 || shard->replica_count > REPLICAS_MAX) {
        return false;
    }
    for (uint32_t k = 0; k < shard->replica_count; k++) {
        const struct map_replica *r = &shard->replicas[k];
        bool placed = map_node(map, r->node) != NULL && map_replica_on(shard, r->node) == r;
        if (!placed || r->id == 0 || r->id >= map->next_replica) {
            return false;
        }
    }
    return true;
}

static bool map_shards_are_sound(const struct map *map)
{
    if (map->shard_count < 2 || map->shard_count > SHARDS_MAX || map->shards[0].id != META_GROUP) {
        return false;
    }
    for (uint32_t i = 0; i < map->shard_count; i++) {
        const struct map_shard *shard = &map->shards[i];
        bool ordered = i == 0 || shard->id > map->shards[i - 1].id;
        if (!ordered || shard->id >= SHARDS_MAX || !map_shard_is_sound(map, shard)) {
            return false;
        }
    }
    return true;
}

static int map_id_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Each shard is sound, so its replica count is in bounds. */
static dkv_err map_check_replica_ids(const struct map *map)
{
    uint64_t *ids = mem_alloc((size_t)map->shard_count * REPLICAS_MAX * sizeof ids[0]);
    if (ids == NULL) {
        return DKV_NO_MEMORY;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < map->shard_count; i++) {
        for (uint32_t k = 0; k < map->shards[i].replica_count; k++) {
            ids[n++] = map->shards[i].replicas[k].id;
        }
    }
    qsort(ids, n, sizeof ids[0], map_id_order);
    bool unique = true;
    for (size_t i = 1; i < n; i++) {
        unique = unique && ids[i] != ids[i - 1];
    }
    mem_free(ids);
    return unique ? DKV_OK : DKV_MALFORMED;
}

static dkv_err map_check(const struct map *map)
{
    bool numbers =
        map->epoch != 0 && map->vnodes >= 1 && map->vnodes <= VNODES_MAX && map->feature_level >= 1;
    if (!numbers || !map_nodes_are_sound(map) || !map_shards_are_sound(map)) {
        return DKV_MALFORMED;
    }
    return map_check_replica_ids(map);
}

static dkv_err map_check_plan(const struct map_plan *plan, size_t nodes, struct buf *why)
{
    if (plan->shards < 1 || plan->shards > SHARDS_MAX - 1) {
        buf_printf(why, "shards is %u: allowed are 1 to %u", plan->shards, SHARDS_MAX - 1);
        return DKV_CONFIG;
    }
    if (plan->replicas % 2 == 0 || plan->replicas > REPLICAS_MAX || plan->replicas > nodes) {
        buf_printf(why, "replicas is %u: it must be odd, at most %u and at most the number of nodes, %zu",
                   plan->replicas, REPLICAS_MAX, nodes);
        return DKV_CONFIG;
    }
    if (plan->vnodes < 1 || plan->vnodes > VNODES_MAX) {
        buf_printf(why, "vnodes is %u: allowed are 1 to %u", plan->vnodes, VNODES_MAX);
        return DKV_CONFIG;
    }
    return DKV_OK;
}

/* The hash of the canonical plan, whose bytes are drawn in PROTOCOL.md. */
static dkv_err map_identify(struct map *map, const struct map_plan *plan)
{
    struct buf bytes = {0};
    buf_put_u8(&bytes, MAP_PLAN_VERSION);
    buf_put_u32(&bytes, plan->shards);
    buf_put_u32(&bytes, plan->replicas);
    buf_put_u32(&bytes, plan->vnodes);
    buf_put_blob(&bytes, slice_str(plan->token));
    buf_put_u32(&bytes, map->node_count);
    for (uint32_t i = 0; i < map->node_count; i++) {
        map_put_node(&map->nodes[i], &bytes);
    }
    dkv_err err = buf_ok(&bytes) ? DKV_OK : DKV_NO_MEMORY;
    if (err == DKV_OK) {
        map->cluster = hash64(buf_slice(&bytes));
    }
    buf_fini(&bytes);
    return err;
}

static void map_place(struct map *map, struct map_shard *shard, uint32_t id, uint32_t replicas)
{
    uint32_t first = id == META_GROUP ? 0 : id - 1;
    shard->id = id;
    shard->replica_count = replicas;
    for (uint32_t k = 0; k < replicas; k++) {
        shard->replicas[k].id = map->next_replica++;
        shard->replicas[k].node = (first + k) % map->node_count + 1;
    }
}

static uint32_t map_meta_replicas(uint32_t nodes)
{
    return nodes >= 5 ? 5 : nodes >= 3 ? 3 : 1;
}

static dkv_err map_fill(struct map *map, const struct map_plan *plan, struct buf *why)
{
    dkv_err err = map_parse_nodes(slice_str(plan->initial_cluster), map, why);
    if (err != DKV_OK) {
        return err;
    }
    map->epoch = 1;
    map->feature_level = MAP_FEATURE_LEVEL;
    map->vnodes = plan->vnodes;
    map->next_replica = 1;
    map_place(map, &map->shards[0], META_GROUP, map_meta_replicas(map->node_count));
    for (uint32_t id = 1; id <= plan->shards; id++) {
        map_place(map, &map->shards[id], id, plan->replicas);
    }
    err = map_identify(map, plan);
    return err == DKV_OK ? map_check(map) : err;
}

dkv_err map_bootstrap(const struct map_plan *plan, struct map **out, struct buf *why)
{
    size_t nodes = map_count_nodes(slice_str(plan->initial_cluster));
    if (nodes < 1 || nodes > NODES_MAX) {
        buf_printf(why,
                   "initial cluster: %zu nodes; 1 to %u as NAME=HOST:PORT, with commas between, are allowed",
                   nodes, NODES_MAX);
        return DKV_CONFIG;
    }
    dkv_err err = map_check_plan(plan, nodes, why);
    if (err != DKV_OK) {
        return err;
    }
    struct map *map = map_new((uint32_t)nodes, plan->shards + 1);
    if (map == NULL) {
        return DKV_NO_MEMORY;
    }
    err = map_fill(map, plan, why);
    ensure(err != DKV_MALFORMED); /* what the text may not say was refused as such */
    if (err != DKV_OK) {
        map_free(map);
        return err;
    }
    *out = map;
    return DKV_OK;
}

void map_free(struct map *map)
{
    if (map != NULL) {
        mem_free(map->nodes);
        mem_free(map->shards);
        mem_free(map);
    }
}

static void map_put_shard(const struct map_shard *shard, struct buf *out)
{
    buf_put_u32(out, shard->id);
    buf_put_u32(out, shard->replica_count);
    for (uint32_t k = 0; k < shard->replica_count; k++) {
        buf_put_u64(out, shard->replicas[k].id);
        buf_put_u32(out, shard->replicas[k].node);
    }
}

void map_encode(const struct map *map, struct buf *out)
{
    buf_put_u8(out, MAP_VERSION);
    buf_put_u64(out, map->epoch);
    buf_put_u64(out, map->cluster);
    buf_put_u32(out, map->feature_level);
    buf_put_u32(out, map->vnodes);
    buf_put_u64(out, map->next_replica);
    buf_put_u32(out, map->node_count);
    buf_put_u32(out, map->shard_count);
    for (uint32_t i = 0; i < map->node_count; i++) {
        buf_put_u32(out, map->nodes[i].id);
        map_put_node(&map->nodes[i], out);
    }
    for (uint32_t i = 0; i < map->shard_count; i++) {
        map_put_shard(&map->shards[i], out);
    }
}

/* A sound address is written in one form only when its port has no leading zeroes. */
static bool map_is_plain_address(struct slice address)
{
    const uint8_t *colon = memrchr(address.data, ':', address.len);
    return colon[1] != '0';
}

static void map_read_node(struct reader *in, struct map_node *node)
{
    node->id = reader_u32(in);
    struct slice name = reader_blob(in, NODE_NAME_MAX);
    struct slice address = reader_blob(in, ADDRESS_MAX);
    if (!text_is_name(name) || text_parse_address(address, &node->peer) != DKV_OK ||
        !map_is_plain_address(address)) {
        reader_fail(in);
        return;
    }
    memcpy(node->name, name.data, name.len);
}

static void map_read_shard(struct reader *in, struct map_shard *shard)
{
    shard->id = reader_u32(in);
    shard->replica_count = reader_u32(in);
    if (shard->replica_count > REPLICAS_MAX) {
        reader_fail(in);
        return;
    }
    for (uint32_t k = 0; k < shard->replica_count; k++) {
        shard->replicas[k].id = reader_u64(in);
        shard->replicas[k].node = reader_u32(in);
    }
}

/* All behind the two counts, which claim no more than the bytes can hold. */
static dkv_err map_read_rest(struct reader *in, struct map *map)
{
    for (uint32_t i = 0; i < map->node_count && reader_ok(in); i++) {
        map_read_node(in, &map->nodes[i]);
    }
    for (uint32_t i = 0; i < map->shard_count && reader_ok(in); i++) {
        map_read_shard(in, &map->shards[i]);
    }
    return reader_done(in) ? map_check(map) : DKV_MALFORMED;
}

static bool map_counts_fit(uint32_t nodes, uint32_t shards, size_t bytes)
{
    uint64_t least = (uint64_t)nodes * MAP_NODE_BYTES_MIN +
                     (uint64_t)shards * (MAP_SHARD_BYTES_MIN + MAP_REPLICA_BYTES_MIN);
    return nodes <= NODES_MAX && shards <= SHARDS_MAX && least <= bytes;
}

dkv_err map_decode(struct slice in, struct map **out)
{
    struct reader r = reader_of(in);
    uint8_t version = reader_u8(&r);
    struct map head = {.epoch = reader_u64(&r), .cluster = reader_u64(&r)};
    head.feature_level = reader_u32(&r);
    head.vnodes = reader_u32(&r);
    head.next_replica = reader_u64(&r);
    head.node_count = reader_u32(&r);
    head.shard_count = reader_u32(&r);
    if (version > MAP_VERSION || head.feature_level > MAP_FEATURE_LEVEL) {
        return DKV_UNSUPPORTED;
    }
    if (!reader_ok(&r) || version != MAP_VERSION ||
        !map_counts_fit(head.node_count, head.shard_count, r.in.len)) {
        return DKV_MALFORMED;
    }
    struct map *map = map_new(head.node_count, head.shard_count);
    if (map == NULL) {
        return DKV_NO_MEMORY;
    }
    head.nodes = map->nodes;
    head.shards = map->shards;
    *map = head;
    dkv_err err = map_read_rest(&r, map);
    if (err != DKV_OK) {
        map_free(map);
        return err;
    }
    *out = map;
    return DKV_OK;
}

const struct map_node *map_node(const struct map *map, uint32_t id)
{
    return id >= 1 && id <= map->node_count ? &map->nodes[id - 1] : NULL;
}

const struct map_node *map_node_named(const struct map *map, struct slice name)
{
    for (uint32_t i = 0; i < map->node_count; i++) {
        if (slice_eq(slice_str(map->nodes[i].name), name)) {
            return &map->nodes[i];
        }
    }
    return NULL;
}

const struct map_shard *map_shard(const struct map *map, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = map->shard_count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (map->shards[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < map->shard_count && map->shards[low].id == id ? &map->shards[low] : NULL;
}

const struct map_replica *map_replica_on(const struct map_shard *shard, uint32_t node)
{
    for (uint32_t k = 0; k < shard->replica_count; k++) {
        if (shard->replicas[k].node == node) {
            return &shard->replicas[k];
        }
    }
    return NULL;
}

const struct map_replica *map_replica(const struct map_shard *shard, uint64_t id)
{
    for (uint32_t k = 0; k < shard->replica_count; k++) {
        if (shard->replicas[k].id == id) {
            return &shard->replicas[k];
        }
    }
    return NULL;
}

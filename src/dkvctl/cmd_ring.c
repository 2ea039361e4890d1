/* cmd_ring.c - ring show, locate, stats: which shard owns what. */
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "dkvctl/shard_view.h"
#include "topo/map.h"
#include "topo/ring.h"

#include <inttypes.h>
#include <stdio.h>

struct ring_view {
    struct map *map;
    struct ring *ring;
};

static int ring_view_fetch(struct ctl *ctl, struct ring_view *r)
{
    struct reply rep;
    *r = (struct ring_view){0};
    rep.err = session_call(ctl, &(struct request){.op = OP_RING}, &rep);
    if (rep.err == DKV_OK) {
        rep.err = map_decode(rep.value, &r->map);
    }
    if (rep.err == DKV_OK && r->map->shard_count < 2) {
        rep.err = DKV_MALFORMED; /* the meta group alone owns no key */
    }
    if (rep.err != DKV_OK) {
        int code = out_failed("ring", &rep);
        ensure(code != CTL_GO);
        return code;
    }
    r->ring = ring_new(r->map);
    return r->ring == NULL ? out_no_memory() : CTL_GO;
}

static void ring_view_fini(struct ring_view *r)
{
    ring_free(r->ring);
    map_free(r->map);
}

static bool ring_is_json(const struct ctl *ctl)
{
    return ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL;
}

/* ---- show --------------------------------------------------------------------------------------------- */

/* A position is shown as hex: as a JSON number it would not survive most readers. */
static struct json *ring_point_json(const struct ring_point *p)
{
    char position[17];
    snprintf(position, sizeof position, "%016" PRIx64, p->position);
    struct json *v = json_new_object();
    json_set(v, "position", json_new_bytes(slice_str(position)));
    json_set(v, "shard", json_new_number(p->shard));
    return v;
}

static void ring_show_json(const struct ctl *ctl, const struct ring_view *r, const struct ring_point *points,
                           size_t n)
{
    struct json *root = json_new_object();
    struct json *list = json_new_array();
    for (size_t i = 0; i < n; i++) {
        if (ctl->output == OUTPUT_JSONL) {
            out_json(ring_point_json(&points[i]));
        } else {
            json_add(list, ring_point_json(&points[i]));
        }
    }
    json_set(root, "epoch", json_new_number(r->map->epoch));
    json_set(root, "points", list);
    if (ctl->output == OUTPUT_JSON) {
        out_json(root);
    } else {
        json_free(root);
    }
}

static void ring_show(const struct ctl *ctl, const struct ring_view *r)
{
    static const char *const headings[] = {"POSITION", "SHARD"};
    const struct ring_point *points = NULL;
    size_t n = ring_points(r->ring, &points);
    if (ring_is_json(ctl)) {
        ring_show_json(ctl, r, points, n);
        return;
    }
    struct table t;
    table_init(&t, headings, 2);
    for (size_t i = 0; i < n; i++) {
        table_printf(&t, "%016" PRIx64, points[i].position);
        table_printf(&t, "%u", (unsigned)points[i].shard);
    }
    table_print(ctl, &t);
    table_fini(&t);
}

int cmd_ring_show(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct ring_view r = {0};
    int code = ctl_parse_operands(ctl, &in, 0, 0);
    code = code == CTL_GO ? ring_view_fetch(ctl, &r) : code;
    if (code == CTL_GO) {
        ring_show(ctl, &r);
        code = 0;
    }
    ring_view_fini(&r);
    return code;
}

/* ---- locate ------------------------------------------------------------------------------------------- */

static void ring_locate_json(const struct ring_view *r, struct slice key, uint32_t shard, struct slice leader)
{
    const struct map_shard *owner = map_shard(r->map, shard);
    struct json *root = json_new_object();
    struct json *replicas = json_new_array();
    for (uint32_t i = 0; i < owner->replica_count; i++) {
        json_add(replicas, json_new_bytes(slice_str(map_node(r->map, owner->replicas[i].node)->name)));
    }
    json_set(root, "key", json_new_bytes(key));
    json_set(root, "shard", json_new_number(shard));
    json_set(root, "leader", leader.len > 0 ? json_new_bytes(leader) : json_new_null());
    json_set(root, "replicas", replicas);
    json_set(root, "epoch", json_new_number(r->map->epoch));
    out_json(root);
}

static void ring_locate_text(const struct ctl *ctl, const struct ring_view *r, uint32_t shard,
                             struct slice leader)
{
    static const char *const headings[] = {"SHARD", "LEADER", "REPLICAS"};
    const struct map_shard *owner = map_shard(r->map, shard);
    struct buf replicas = {0};
    struct table t;
    for (uint32_t i = 0; i < owner->replica_count; i++) {
        buf_printf(&replicas, "%s%s", i > 0 ? "," : "", map_node(r->map, owner->replicas[i].node)->name);
    }
    table_init(&t, headings, 3);
    table_printf(&t, "%u", (unsigned)shard);
    table_put(&t, leader.len > 0 ? leader : slice_str("-"));
    table_put(&t, buf_slice(&replicas));
    table_print(ctl, &t);
    table_fini(&t);
    buf_fini(&replicas);
}

static void ring_locate(struct ctl *ctl, const struct ring_view *r, struct slice key)
{
    struct reply rep;
    struct shard_view v = {0};
    struct status_view s = {0};
    uint32_t shard = ring_find(r->ring, key);
    bool known = status_view_fetch(ctl, &s, &rep) == DKV_OK && status_view_find(&s, shard, &v);
    struct slice leader = known ? v.leader : (struct slice){0};
    if (ring_is_json(ctl)) {
        ring_locate_json(r, key, shard, leader);
    } else {
        ring_locate_text(ctl, r, shard, leader);
    }
    status_view_fini(&s);
}

int cmd_ring_locate(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct ring_view r = {0};
    int code = ctl_parse_operands(ctl, &in, 1, 1);
    if (code == CTL_GO && (argv[1][0] == '\0' || strlen(argv[1]) > KEY_BYTES_MAX)) {
        return ctl_usage_error(ctl, "KEY has to have 1 to %u bytes", KEY_BYTES_MAX);
    }
    code = code == CTL_GO ? ring_view_fetch(ctl, &r) : code;
    if (code == CTL_GO) {
        ring_locate(ctl, &r, slice_str(argv[1]));
        code = 0;
    }
    ring_view_fini(&r);
    return code;
}

/* ---- stats -------------------------------------------------------------------------------------------- */

struct ring_stats {
    uint32_t shards;
    uint64_t mean_ppm;
    uint64_t deviation_ppm; /* standard deviation */
};

static uint64_t ring_square_root(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 31; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= v) {
            root += bit;
        }
    }
    return root;
}

static struct ring_stats ring_measure(const struct ring_view *r)
{
    struct ring_stats s = {.shards = r->map->shard_count - 1};
    uint64_t squares = 0;
    s.mean_ppm = 1000000u / s.shards;
    for (uint32_t shard = 1; shard <= s.shards; shard++) {
        int64_t off = (int64_t)ring_share_ppm(r->ring, shard) - (int64_t)s.mean_ppm;
        squares += (uint64_t)(off * off); /* below 4,096 * 10^12 */
    }
    s.deviation_ppm = ring_square_root(squares / s.shards);
    return s;
}

static uint32_t ring_count_points(const struct ring_view *r, uint32_t shard)
{
    const struct ring_point *points = NULL;
    size_t n = ring_points(r->ring, &points);
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += points[i].shard == shard;
    }
    return count;
}

static void ring_stats_json(const struct ring_view *r, const struct ring_stats *s)
{
    struct json *root = json_new_object();
    struct json *list = json_new_array();
    for (uint32_t shard = 1; shard <= s->shards; shard++) {
        struct json *v = json_new_object();
        json_set(v, "id", json_new_number(shard));
        json_set(v, "points", json_new_number(ring_count_points(r, shard)));
        json_set(v, "share_ppm", json_new_number(ring_share_ppm(r->ring, shard)));
        json_add(list, v);
    }
    json_set(root, "epoch", json_new_number(r->map->epoch));
    json_set(root, "vnodes", json_new_number(r->map->vnodes));
    json_set(root, "mean_ppm", json_new_number(s->mean_ppm));
    json_set(root, "deviation_ppm", json_new_number(s->deviation_ppm));
    json_set(root, "shards", list);
    out_json(root);
}

static void ring_percent(struct table *t, uint64_t ppm)
{
    table_printf(t, "%" PRIu64 ".%02" PRIu64 "%%", ppm / 10000, ppm % 10000 / 100);
}

static void ring_stats_text(const struct ctl *ctl, const struct ring_view *r, const struct ring_stats *s)
{
    static const char *const headings[] = {"SHARD", "POINTS", "SHARE"};
    struct table t;
    table_init(&t, headings, 3);
    for (uint32_t shard = 1; shard <= s->shards; shard++) {
        table_printf(&t, "%u", (unsigned)shard);
        table_printf(&t, "%u", (unsigned)ring_count_points(r, shard));
        ring_percent(&t, ring_share_ppm(r->ring, shard));
    }
    table_put(&t, slice_str("mean"));
    table_printf(&t, "%u", (unsigned)r->map->vnodes);
    ring_percent(&t, s->mean_ppm);
    table_put(&t, slice_str("deviation"));
    table_put(&t, slice_str(""));
    ring_percent(&t, s->deviation_ppm);
    table_print(ctl, &t);
    table_fini(&t);
}

int cmd_ring_stats(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct ring_view r = {0};
    int code = ctl_parse_operands(ctl, &in, 0, 0);
    code = code == CTL_GO ? ring_view_fetch(ctl, &r) : code;
    if (code == CTL_GO) {
        struct ring_stats s = ring_measure(&r);
        if (ring_is_json(ctl)) {
            ring_stats_json(&r, &s);
        } else {
            ring_stats_text(ctl, &r, &s);
        }
        code = 0;
    }
    ring_view_fini(&r);
    return code;
}

/* meta.c - applying cluster maps. */
#include "shard/meta.h"

#include "base/mem.h"
#include "topo/map.h"

struct meta {
    struct buf map; /* encoded */
    uint64_t epoch;
    uint64_t index;
    uint64_t log_time;
    bool written;
};

struct meta *meta_new(const struct map *map)
{
    struct meta *m = mem_zalloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    map_encode(map, &m->map);
    m->epoch = map->epoch;
    if (!buf_ok(&m->map)) {
        meta_free(m);
        return NULL;
    }
    return m;
}

void meta_free(struct meta *m)
{
    if (m != NULL) {
        buf_fini(&m->map);
        mem_free(m);
    }
}

/* The first map written must be the one all nodes computed; each later one the next epoch. */
static bool meta_accepts(const struct meta *m, struct slice encoded, uint64_t epoch)
{
    return m->written ? epoch == m->epoch + 1 : slice_eq(encoded, buf_slice(&m->map));
}

void meta_apply(struct meta *m, uint64_t index, const struct command *c, struct state_result *out)
{
    *out = (struct state_result){.err = DKV_UNSUPPORTED};
    meta_skip(m, index);
    if (c->log_time > m->log_time) {
        m->log_time = c->log_time;
    }
    if (c->op != COMMAND_MAP) {
        return;
    }
    struct map *map = NULL;
    out->err = map_decode(c->value, &map);
    if (out->err != DKV_OK) {
        return;
    }
    if (meta_accepts(m, c->value, map->epoch)) {
        buf_reset(&m->map);
        buf_put(&m->map, c->value);
        ensure(buf_ok(&m->map)); /* a replica that fails alone has diverged */
        m->epoch = map->epoch;
        m->written = true;
        out->id = index;
        out->version = map->epoch;
    } else {
        out->err = DKV_CONDITION;
    }
    map_free(map);
}

void meta_skip(struct meta *m, uint64_t index)
{
    ensure(index > m->index);
    m->index = index;
}

uint64_t meta_index(const struct meta *m)
{
    return m->index;
}

uint64_t meta_log_time(const struct meta *m)
{
    return m->log_time;
}

bool meta_is_written(const struct meta *m)
{
    return m->written;
}

struct slice meta_map(const struct meta *m)
{
    return buf_slice(&m->map);
}

/* ring.c - sorted points, searched by halving. */
#include "topo/ring.h"

#include "base/hash.h"
#include "base/mem.h"
#include "topo/map.h"

#include <stdlib.h>

#define RING_PPM 1000000u

struct ring {
    size_t n;
    struct ring_point points[];
};

/* "shard", then the shard's id and the number of the point, 32 bits each, little-endian (PROTOCOL.md). */
static uint64_t ring_hash_point(uint32_t shard, uint32_t number)
{
    uint8_t bytes[13] = "shard";
    for (unsigned i = 0; i < 4; i++) {
        bytes[5 + i] = (uint8_t)(shard >> (8 * i));
        bytes[9 + i] = (uint8_t)(number >> (8 * i));
    }
    return hash64(slice_of(bytes, sizeof bytes));
}

static int ring_order(const void *a, const void *b)
{
    const struct ring_point *left = a;
    const struct ring_point *right = b;
    if (left->position != right->position) {
        return left->position < right->position ? -1 : 1;
    }
    return (left->shard > right->shard) - (left->shard < right->shard);
}

/* Of equal positions keep the first. (No two of all the points any legal map can have are equal: a test tries
 * them all, and with that no shard can lose its last point.) */
static size_t ring_unique(struct ring_point *points, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || points[i].position != points[kept - 1].position) {
            points[kept++] = points[i];
        }
    }
    return kept;
}

struct ring *ring_new(const struct map *map)
{
    ensure(map->shard_count >= 2);
    ensure(map->vnodes >= 1);
    size_t n = (size_t)(map->shard_count - 1) * map->vnodes;
    struct ring *r = mem_alloc(sizeof *r + n * sizeof r->points[0]);
    if (r == NULL) {
        return NULL;
    }
    r->n = 0;
    for (uint32_t i = 1; i < map->shard_count; i++) {
        for (uint32_t number = 0; number < map->vnodes; number++) {
            uint32_t shard = map->shards[i].id;
            r->points[r->n++] = (struct ring_point){ring_hash_point(shard, number), shard};
        }
    }
    qsort(r->points, r->n, sizeof r->points[0], ring_order);
    r->n = ring_unique(r->points, r->n);
    return r;
}

void ring_free(struct ring *r)
{
    mem_free(r);
}

uint32_t ring_find(const struct ring *r, struct slice key)
{
    uint64_t position = ring_position(key);
    const struct ring_point *base = r->points;
    size_t left = r->n;
    while (left > 1) { /* no branches: which way it goes is as good as random */
        size_t half = left / 2;
        base += base[half - 1].position < position ? half : 0;
        left -= half;
    }
    if (base->position < position) {
        base++;
    }
    return base == r->points + r->n ? r->points[0].shard : base->shard;
}

/* What decides the key's place: the tag, else all of it. */
static struct slice ring_tag(struct slice key)
{
    const uint8_t *open = key.len == 0 ? NULL : memchr(key.data, '{', key.len);
    if (open == NULL) {
        return key;
    }
    size_t left = key.len - (size_t)(open + 1 - key.data);
    const uint8_t *close = memchr(open + 1, '}', left);
    if (close == NULL || close == open + 1) {
        return key;
    }
    return slice_of(open + 1, (size_t)(close - open - 1));
}

uint64_t ring_position(struct slice key)
{
    return hash64(ring_tag(key));
}

size_t ring_points(const struct ring *r, const struct ring_point **points)
{
    *points = r->points;
    return r->n;
}

uint32_t ring_share_ppm(const struct ring *r, uint32_t shard)
{
    uint64_t sum = 0;
    bool owns = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct ring_point *before = &r->points[i == 0 ? r->n - 1 : i - 1];
        if (r->points[i].shard == shard) {
            sum += r->points[i].position - before->position;
            owns = true;
        }
    }
    if (owns && sum == 0) {
        return RING_PPM; /* no arc is empty, so the sum has wrapped: it is the whole ring */
    }
    return (uint32_t)((sum >> 20) * RING_PPM >> 44);
}

/* gather.c - batches before they are written. */
#include "wal/gather.h"

#include "base/mem.h"
#include "wal/batch.h"
#include "wal/record.h"

/* A batch this long takes no more records: a turn that puts more becomes several batches, so that the first
 * is on its way while the next is checksummed. */
#define GATHER_SOFT_BYTES (1u << 20)

/* Memory of a batch that was larger is given back. */
#define GATHER_KEPT_BYTES (4u << 20)

dkv_err gather_init(struct gather *g, size_t batch_max)
{
    *g = (struct gather){.batch_max = batch_max, .next = 1};
    list_init(&g->ready);
    g->commits = mem_zalloc(SHARDS_MAX + 1, sizeof *g->commits);
    g->is_marked = mem_zalloc(SHARDS_MAX + 1, sizeof *g->is_marked);
    g->marked = mem_zalloc(SHARDS_MAX + 1, sizeof *g->marked);
    return g->commits != NULL && g->is_marked != NULL && g->marked != NULL ? DKV_OK : DKV_NO_MEMORY;
}

static void gather_free(struct gathered *b)
{
    if (b != NULL) {
        buf_fini(&b->bytes);
        mem_free(b);
    }
}

void gather_fini(struct gather *g)
{
    for (struct link *l = list_pop(&g->ready); l != NULL; l = list_pop(&g->ready)) {
        gather_free(CONTAINER(l, struct gathered, link));
    }
    gather_free(g->open);
    gather_free(g->idle);
    mem_free(g->commits);
    mem_free(g->is_marked);
    mem_free(g->marked);
    *g = (struct gather){0};
}

static struct gathered *gather_new(struct gather *g)
{
    struct gathered *b = g->idle;
    g->idle = NULL;
    if (b == NULL) {
        b = mem_zalloc(1, sizeof *b);
    }
    if (b == NULL) {
        g->starved = true;
        return NULL;
    }
    batch_begin(&b->bytes);
    return b;
}

struct buf *gather_room(struct gather *g, size_t bytes)
{
    ensure(BATCH_HEAD_BYTES + bytes <= g->batch_max);
    if (g->open != NULL) {
        size_t len = g->open->bytes.len;
        if (len >= GATHER_SOFT_BYTES || len + bytes > g->batch_max) {
            gather_cut(g);
        }
    }
    if (g->open == NULL) {
        g->open = gather_new(g);
    }
    return g->open == NULL ? NULL : &g->open->bytes;
}

void gather_set_commit(struct gather *g, uint32_t group, uint64_t index)
{
    ensure(group <= SHARDS_MAX);
    if (index <= g->commits[group]) {
        return;
    }
    g->commits[group] = index;
    if (!g->is_marked[group]) {
        g->is_marked[group] = true;
        g->marked[g->marked_n++] = group;
    }
}

void gather_cut(struct gather *g)
{
    struct gathered *b = g->open == NULL ? gather_new(g) : g->open;
    g->open = NULL;
    if (b == NULL) {
        return;
    }
    b->content = b->bytes.len > BATCH_HEAD_BYTES;
    size_t mark_bytes = record_bytes(RECORD_COMMIT, 0);
    while (g->marked_n > 0 && b->bytes.len + mark_bytes <= g->batch_max && buf_ok(&b->bytes)) {
        uint32_t group = g->marked[--g->marked_n];
        g->is_marked[group] = false;
        record_put_commit(&b->bytes, group, g->commits[group]);
    }
    b->number = g->next++;
    g->starved = g->starved || !buf_ok(&b->bytes);
    g->queued += b->bytes.len;
    list_push(&g->ready, &b->link);
}

struct gathered *gather_first(const struct gather *g)
{
    return list_empty(&g->ready) ? NULL : CONTAINER(g->ready.next, struct gathered, link);
}

struct gathered *gather_take(struct gather *g)
{
    struct link *first = list_pop(&g->ready);
    ensure(first != NULL);
    return CONTAINER(first, struct gathered, link);
}

void gather_release(struct gather *g, struct gathered *b)
{
    ensure(b->bytes.len <= g->queued);
    g->queued -= b->bytes.len;
    if (g->idle != NULL || b->bytes.len > GATHER_KEPT_BYTES) {
        gather_free(b);
        return;
    }
    buf_reset(&b->bytes);
    g->idle = b;
}

size_t gather_backlog(const struct gather *g)
{
    return g->queued + (g->open == NULL ? 0 : g->open->bytes.len);
}

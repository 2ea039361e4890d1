/* scan.c - a page from one shard, and the merge of the pages of all. */
#include "front/scan.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/pack.h"

#include <stdlib.h>

/* ---- writing a page ----------------------------------------------------------------------------------- */

static void page_item(struct buf *items, const struct state_item *item, bool keys_only)
{
    pack_put_array(items, keys_only ? 1 : 4);
    pack_put_bin(items, item->key);
    if (!keys_only) {
        pack_put_bin(items, item->value);
        pack_put_u64(items, item->id);
        pack_put_u64(items, item->version);
    }
}

static void page_reply(struct router_call *call, const struct buf *items, uint32_t n, struct slice next)
{
    struct buf body = {0};
    struct reply reply = {.consistency = call->request.consistency};
    pack_put_map(&body, next.len > 0 ? 2 : 1);
    pack_put_str(&body, "items");
    pack_put_array(&body, n);
    buf_put(&body, buf_slice(items));
    if (next.len > 0) {
        pack_put_str(&body, "next");
        pack_put_bin(&body, next);
    }
    reply.err = buf_ok(&body) && buf_ok(items) ? DKV_OK : DKV_NO_MEMORY;
    reply.value = buf_slice(&body);
    router_answer(call, &reply);
    buf_fini(&body);
}

static uint32_t page_bytes(const struct router_call *call)
{
    uint32_t bytes = call->request.limit_bytes;
    return bytes == 0 || bytes > SCAN_BYTES_MAX ? SCAN_BYTES_MAX : bytes;
}

static uint32_t page_limit(const struct router_call *call)
{
    uint32_t limit = call->request.limit;
    return limit == 0 || limit > SCAN_KEYS_MAX ? SCAN_KEYS_MAX : limit;
}

/* ---- one shard ---------------------------------------------------------------------------------------- */

struct page {
    struct buf items;
    struct buf next; /* first key left out; empty: none */
    uint32_t n;
    uint32_t limit;
    uint32_t bytes;
    bool keys_only;
};

static bool page_visit(void *ctx, const struct state_item *item)
{
    struct page *p = ctx;
    if (p->n >= p->limit || p->items.len >= p->bytes) {
        buf_put(&p->next, item->key);
        return false;
    }
    page_item(&p->items, item, p->keys_only);
    p->n++;
    return true;
}

void scan_shard(struct router_call *call, const struct state *state)
{
    const struct request *q = &call->request;
    struct page p = {.limit = page_limit(call), .bytes = page_bytes(call), .keys_only = q->keys_only};
    state_scan(state, q->key, q->from, page_visit, &p);
    page_reply(call, &p.items, p.n, buf_slice(&p.next));
    buf_fini(&p.items);
    buf_fini(&p.next);
}

/* ---- all shards --------------------------------------------------------------------------------------- */

struct part {
    struct router_call call;
    struct gather *gather;
    struct buf body; /* the shard's page, kept */
};

struct gather {
    struct router_call *call; /* the one to answer */
    struct part *parts;
    uint32_t part_count;
    uint32_t left;
    dkv_err err; /* the first that failed */
    struct buf detail;
    struct state_item *items; /* of all parts; point into their bodies */
    uint32_t item_count;
    uint32_t item_cap;
    struct slice bound; /* lowest key a shard left out; empty: none did */
};

static void gather_free(struct gather *g)
{
    for (uint32_t i = 0; i < g->part_count; i++) {
        buf_fini(&g->parts[i].body);
    }
    buf_fini(&g->detail);
    mem_free(g->items);
    mem_free(g->parts);
    mem_free(g);
}

static bool gather_item(struct gather *g, const struct pack_value *v, bool keys_only)
{
    struct state_item item = {0};
    bool ok = pack_get_bytes(pack_at(v, 0), &item.key);
    if (!keys_only) {
        ok = ok && pack_get_bytes(pack_at(v, 1), &item.value) && pack_get_u64(pack_at(v, 2), &item.id) &&
             pack_get_u64(pack_at(v, 3), &item.version);
    }
    if (ok) {
        g->items[g->item_count++] = item;
    }
    return ok;
}

static bool gather_reserve(struct gather *g, uint32_t n)
{
    if (n <= g->item_cap - g->item_count) {
        return true;
    }
    uint32_t cap = 2 * g->item_cap + n;
    struct state_item *items = mem_realloc(g->items, cap * sizeof *items);
    if (items == NULL) {
        return false;
    }
    g->items = items;
    g->item_cap = cap;
    return true;
}

/* Take over the items of one shard's page. */
static dkv_err gather_read(struct gather *g, struct pack_doc *doc, const struct part *part)
{
    const struct pack_value *page = NULL;
    struct slice next;
    uint32_t n = 0;
    if (pack_parse(doc, buf_slice(&part->body), &page) != DKV_OK) {
        return DKV_MALFORMED;
    }
    const struct pack_value *items = pack_find(page, "items");
    if (!pack_get_array(items, &n) || n > SCAN_KEYS_MAX) {
        return DKV_MALFORMED;
    }
    if (!gather_reserve(g, n)) {
        return DKV_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!gather_item(g, pack_at(items, i), g->call->request.keys_only)) {
            return DKV_MALFORMED;
        }
    }
    if (pack_get_bytes(pack_find(page, "next"), &next) &&
        (g->bound.len == 0 || slice_cmp(next, g->bound) < 0)) {
        g->bound = next;
    }
    return DKV_OK;
}

static int item_order(const void *a, const void *b)
{
    return slice_cmp(((const struct state_item *)a)->key, ((const struct state_item *)b)->key);
}

static dkv_err gather_collect(struct gather *g)
{
    struct pack_doc *doc = pack_doc_new();
    dkv_err err = doc == NULL ? DKV_NO_MEMORY : DKV_OK;
    for (uint32_t i = 0; i < g->part_count && err == DKV_OK; i++) {
        err = gather_read(g, doc, &g->parts[i]);
    }
    pack_doc_free(doc);
    return err;
}

/* Merge: all keys below the bound, at most limit of them. */
static void gather_answer(struct gather *g)
{
    struct buf items = {0};
    uint32_t limit = page_limit(g->call);
    uint32_t n = 0;
    qsort(g->items, g->item_count, sizeof *g->items, item_order);
    while (n < g->item_count && n < limit && items.len < page_bytes(g->call) &&
           (g->bound.len == 0 || slice_cmp(g->items[n].key, g->bound) < 0)) {
        page_item(&items, &g->items[n++], g->call->request.keys_only);
    }
    struct slice next = g->bound;
    if (n < g->item_count && (next.len == 0 || slice_cmp(g->items[n].key, next) < 0)) {
        next = g->items[n].key;
    }
    page_reply(g->call, &items, n, next);
    buf_fini(&items);
}

static void gather_finish(struct gather *g)
{
    if (g->err == DKV_OK) {
        g->err = gather_collect(g);
    }
    if (g->err == DKV_OK) {
        gather_answer(g);
    } else {
        struct reply reply = {.err = g->err, .detail = buf_slice(&g->detail)};
        router_answer(g->call, &reply);
    }
    gather_free(g);
}

static void gather_on_part(struct router_call *call, const struct reply *reply)
{
    struct part *part = CONTAINER(call, struct part, call);
    struct gather *g = part->gather;
    buf_put(&part->body, reply->value);
    if (reply->err != DKV_OK && g->err == DKV_OK) {
        g->err = reply->err;
        buf_put(&g->detail, reply->detail);
    }
    if (--g->left == 0) {
        gather_finish(g);
    }
}

static struct gather *gather_new(struct router_call *call, uint32_t shards)
{
    struct gather *g = mem_zalloc(1, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    *g = (struct gather){.call = call, .part_count = shards, .left = shards};
    g->parts = mem_zalloc(shards, sizeof *g->parts);
    if (g->parts == NULL) {
        g->part_count = 0;
        gather_free(g);
        return NULL;
    }
    return g;
}

void scan_gather(struct router_call *call)
{
    uint32_t shards = node_map(router_node(call->router))->shard_count - 1;
    struct gather *g = gather_new(call, shards);
    if (g == NULL) {
        router_fail(call, DKV_NO_MEMORY, NULL);
        return;
    }
    uint32_t limit = page_limit(call) * 2 / shards + 16; /* twice the fair share, for an uneven spread */
    uint32_t bytes = page_bytes(call) * 2 / shards + 1024;
    for (uint32_t i = 0; i < shards; i++) {
        struct part *part = &g->parts[i];
        part->gather = g;
        part->call = (struct router_call){.request = call->request, .cb = gather_on_part};
        part->call.request.shard = i + 1;
        part->call.request.limit = limit < page_limit(call) ? limit : page_limit(call);
        part->call.request.limit_bytes = bytes < page_bytes(call) ? bytes : page_bytes(call);
        router_submit(call->router, &part->call);
    }
}

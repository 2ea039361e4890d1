/* reclaim.c - lists of dropped items, one per view. */
#include "store/reclaim.h"

#include "base/ensure.h"
#include "base/mem.h"

#define RECLAIM_BORN_MAX   ((UINT64_C(1) << 48) - 1)
#define RECLAIM_PAGES_MAX  UINT64_C(0xffff)
#define RECLAIM_PAGE_BYTES 4096u

void reclaim_init(struct reclaim *r)
{
    *r = (struct reclaim){.now = 1};
    list_init(&r->views);
}

void reclaim_born(const struct reclaim *r, struct reclaim_item *item, size_t bytes)
{
    uint64_t pages = bytes / RECLAIM_PAGE_BYTES;
    ensure(pages <= RECLAIM_PAGES_MAX);
    item->next = NULL;
    item->born = r->now & RECLAIM_BORN_MAX;
    item->pages = pages & RECLAIM_PAGES_MAX;
}

static struct reclaim_view *reclaim_newest(const struct reclaim *r)
{
    return list_empty(&r->views) ? NULL : CONTAINER(r->views.prev, struct reclaim_view, link);
}

bool reclaim_is_seen(const struct reclaim *r, const struct reclaim_item *item)
{
    const struct reclaim_view *newest = reclaim_newest(r);
    return newest != NULL && item->born <= newest->generation;
}

static void reclaim_hang(struct reclaim_view *view, struct reclaim_item *item)
{
    item->next = view->items;
    view->items = item;
}

void reclaim_drop(struct reclaim *r, struct reclaim_item *item)
{
    ensure(item->born <= r->now);
    if (!reclaim_is_seen(r, item)) {
        mem_free(item);
        return;
    }
    reclaim_hang(reclaim_newest(r), item);
    r->held++;
}

void reclaim_open(struct reclaim *r, struct reclaim_view *view)
{
    ensure(r->now < RECLAIM_BORN_MAX);
    *view = (struct reclaim_view){.generation = r->now++};
    list_push(&r->views, &view->link);
}

/* The newest live view that is older; NULL: none. Linear in the live views, of which there are a handful. */
static struct reclaim_view *reclaim_older(const struct reclaim *r, const struct reclaim_view *view)
{
    for (struct link *at = r->views.prev; at != &r->views; at = at->prev) {
        struct reclaim_view *older = CONTAINER(at, struct reclaim_view, link);
        if (older->generation < view->generation) {
            return older;
        }
    }
    return NULL;
}

bool reclaim_close(struct reclaim *r, struct reclaim_view *view)
{
    list_remove(&view->link); /* from the first slice on it sees nothing */
    struct reclaim_view *older = reclaim_older(r, view);
    for (uint64_t cost = 0; view->items != NULL && cost < RECLAIM_SLICE; cost++) {
        struct reclaim_item *item = view->items;
        view->items = item->next;
        if (older != NULL && item->born <= older->generation) {
            reclaim_hang(older, item);
            continue;
        }
        cost += item->pages;
        ensure(r->held > 0);
        r->held--;
        mem_free(item);
    }
    return view->items == NULL;
}

/* pages.h - keys in order over all shards, page by page, so that memory stays bounded. */
#ifndef DKV_DKVCTL_PAGES_H
#define DKV_DKVCTL_PAGES_H

#include "base/buf.h"
#include "base/err.h"

struct ctl;
struct pack_doc;
struct pack_value;
struct reply;

struct page_item {
    struct slice key;
    struct slice value; /* this and the next two: unless keys_only */
    uint64_t id;
    uint64_t version;
};

/* All zero but the wishes is a fresh one. */
struct pages {
    struct slice prefix; /* in: borrowed */
    const char *from;    /* in: first key; NULL: of the prefix */
    bool keys_only;      /* in */
    bool end;            /* no page follows; the caller may set it */

    struct pack_doc *doc;           /* private */
    struct buf next;                /* private: first key of the next page */
    const struct pack_value *items; /* private: of this page */
    uint32_t count;                 /* out: items of this page */
    bool begun;                     /* private */
};

/* Fetch the next page, of at most limit keys (0: as many as a page takes); it lives until the next call of
 * the session. Says what went wrong, after the words what. Returns the exit code. */
int pages_fetch(struct ctl *ctl, struct pages *p, uint64_t limit, const char *what);

/* Item i < count of this page. False: it is no item. */
bool pages_at(const struct pages *p, uint32_t i, struct page_item *out);

/* Say that an item is none. Returns the exit code. */
int pages_refuse(const char *what);
void pages_fini(struct pages *p);

/* How many keys there are by the shards' own count, which writes in flight may change; 0: not known. */
uint64_t pages_count_all(struct ctl *ctl);

#endif

/* pages.c - scanning by pages. */
#include "dkvctl/pages.h"

#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "dkvctl/shard_view.h"
#include "proto/pack.h"

int pages_refuse(const char *what)
{
    out_error("%s: the answer is malformed", what);
    return err_exit_code(DKV_MALFORMED);
}

/* Where the next page begins; the pages have to advance. */
static bool pages_take_next(struct pages *p, const struct pack_value *page)
{
    struct slice next = {0};
    if (!pack_get_bytes(pack_find(page, "next"), &next) || next.len == 0) {
        p->end = true;
        return true;
    }
    if (slice_cmp(next, buf_slice(&p->next)) <= 0) {
        return false;
    }
    buf_reset(&p->next);
    buf_put(&p->next, next);
    return buf_ok(&p->next);
}

int pages_fetch(struct ctl *ctl, struct pages *p, uint64_t limit, const char *what)
{
    if (!p->begun) {
        p->begun = true;
        p->doc = pack_doc_new();
        buf_put_text(&p->next, p->from != NULL ? p->from : "");
    }
    if (p->doc == NULL || !buf_ok(&p->next)) {
        return out_no_memory();
    }
    struct request req = {.op = OP_SCAN,
                          .key = p->prefix,
                          .from = buf_slice(&p->next),
                          .limit = limit == 0 || limit > SCAN_KEYS_MAX ? SCAN_KEYS_MAX : (uint32_t)limit,
                          .keys_only = p->keys_only,
                          .consistency = ctl->consistency};
    struct reply rep;
    const struct pack_value *page = NULL;
    session_renew(ctl); /* --timeout is for a page: a long scan is no hung one */
    if (session_call(ctl, &req, &rep) != DKV_OK) {
        return out_failed(what, &rep);
    }
    bool ok = pack_parse(p->doc, rep.value, &page) == DKV_OK;
    p->items = pack_find(page, "items");
    ok = ok && pack_get_array(p->items, &p->count) && pages_take_next(p, page);
    return ok ? 0 : pages_refuse(what);
}

bool pages_at(const struct pages *p, uint32_t i, struct page_item *out)
{
    const struct pack_value *v = pack_at(p->items, i);
    *out = (struct page_item){0};
    bool ok = pack_get_bytes(pack_at(v, 0), &out->key);
    if (ok && !p->keys_only) {
        ok = pack_get_bytes(pack_at(v, 1), &out->value) && pack_get_u64(pack_at(v, 2), &out->id) &&
             pack_get_u64(pack_at(v, 3), &out->version);
    }
    return ok;
}

void pages_fini(struct pages *p)
{
    pack_doc_free(p->doc);
    buf_fini(&p->next);
}

uint64_t pages_count_all(struct ctl *ctl)
{
    struct reply rep;
    struct shard_view v;
    struct status_view s = {0};
    uint64_t keys = 0;
    session_renew(ctl);
    if (status_view_fetch(ctl, &s, &rep) == DKV_OK) {
        for (uint32_t i = 0; i < s.count; i++) {
            keys += status_view_at(&s, i, &v) ? v.keys : 0;
        }
    }
    status_view_fini(&s);
    return keys;
}

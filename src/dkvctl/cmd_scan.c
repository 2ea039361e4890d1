/* cmd_scan.c - scan: keys in order over all shards, page by page, so that memory stays bounded. */
#include "base/mem.h"
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "proto/pack.h"

#include <inttypes.h>

struct scan {
    const char *from;
    const char *to;
    uint64_t limit; /* 0: all */
    bool keys_only;
    bool count;
    struct slice prefix;

    struct pack_doc *doc;
    struct buf next;  /* first key of the next page */
    uint64_t printed; /* or counted */
    bool end;
};

struct scan_item {
    struct slice key;
    struct slice value;
    uint64_t id;
    uint64_t version;
};

static bool scan_read_item(const struct scan *s, const struct pack_value *v, struct scan_item *item)
{
    *item = (struct scan_item){0};
    bool ok = pack_get_bytes(pack_at(v, 0), &item->key);
    if (ok && !s->keys_only) {
        ok = pack_get_bytes(pack_at(v, 1), &item->value) && pack_get_u64(pack_at(v, 2), &item->id) &&
             pack_get_u64(pack_at(v, 3), &item->version);
    }
    return ok;
}

static void scan_print_json(const struct ctl *ctl, const struct scan *s, const struct scan_item *item)
{
    struct json *root = json_new_object();
    json_set(root, "key", json_new_bytes(item->key));
    if (!s->keys_only) {
        json_set(root, "value", json_new_bytes(item->value));
        json_set(root, "id", json_new_number(item->id));
        json_set(root, "version", json_new_number(item->version));
    }
    if (ctl->output == OUTPUT_JSONL) {
        out_json(root);
    } else {
        out_printf("%s", s->printed == 0 ? "" : ",");
        out_json_part(root);
    }
}

static void scan_print_item(const struct ctl *ctl, const struct scan *s, const struct scan_item *item,
                            struct table *table)
{
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        scan_print_json(ctl, s, item);
    } else if (ctl->output == OUTPUT_TABLE) {
        table_put(table, item->key);
        if (!s->keys_only) {
            table_put(table, item->value);
            table_printf(table, "%" PRIu64, item->id);
            table_printf(table, "%" PRIu64, item->version);
        }
    } else {
        out_bytes(item->key);
        if (!s->keys_only) {
            out_printf("\t");
            out_bytes(item->value);
        }
        out_printf("\n");
    }
}

/* The items of a page, up to the limit or the end key. False: the page is no page. */
static bool scan_take_items(const struct ctl *ctl, struct scan *s, const struct pack_value *items,
                            struct table *table)
{
    uint32_t n = 0;
    if (!pack_get_array(items, &n)) {
        return false;
    }
    for (uint32_t i = 0; i < n && !s->end; i++) {
        struct scan_item item;
        if (!scan_read_item(s, pack_at(items, i), &item)) {
            return false;
        }
        if (s->to != NULL && slice_cmp(item.key, slice_str(s->to)) >= 0) {
            s->end = true;
            break;
        }
        if (!s->count) {
            scan_print_item(ctl, s, &item, table);
        }
        s->printed++;
        s->end = s->limit != 0 && s->printed == s->limit;
    }
    return true;
}

/* Where the next page begins; the pages have to advance. */
static bool scan_take_next(struct scan *s, const struct pack_value *page)
{
    struct slice next = {0};
    if (!pack_get_bytes(pack_find(page, "next"), &next) || next.len == 0) {
        s->end = true;
        return true;
    }
    if (slice_cmp(next, buf_slice(&s->next)) <= 0) {
        return false;
    }
    buf_reset(&s->next);
    buf_put(&s->next, next);
    return buf_ok(&s->next);
}

static int scan_take_page(const struct ctl *ctl, struct scan *s, struct slice body)
{
    static const char *const headings[] = {"KEY", "VALUE", "ID", "VERSION"};
    struct table table;
    const struct pack_value *page = NULL;
    table_init(&table, headings, s->keys_only ? 1 : 4);
    bool ok = pack_parse(s->doc, body, &page) == DKV_OK &&
              scan_take_items(ctl, s, pack_find(page, "items"), &table) && scan_take_next(s, page);
    if (ok && ctl->output == OUTPUT_TABLE && !s->count) {
        table_print(ctl, &table);
    }
    table_fini(&table);
    if (!ok) {
        out_error("scan: the answer is malformed");
    }
    return ok ? 0 : err_exit_code(DKV_MALFORMED);
}

static int scan_one_page(struct ctl *ctl, struct scan *s)
{
    uint64_t left = s->limit == 0 ? SCAN_KEYS_MAX : s->limit - s->printed;
    struct request req = {.op = OP_SCAN,
                          .key = s->prefix,
                          .from = buf_slice(&s->next),
                          .limit = left < SCAN_KEYS_MAX ? (uint32_t)left : SCAN_KEYS_MAX,
                          .keys_only = s->keys_only,
                          .consistency = ctl->consistency};
    struct reply rep;
    session_renew(ctl); /* --timeout is for a page: a long scan is no hung one */
    if (session_call(ctl, &req, &rep) != DKV_OK) {
        return out_failed("scan", &rep);
    }
    return scan_take_page(ctl, s, rep.value);
}

static void scan_print_end(const struct ctl *ctl, const struct scan *s)
{
    bool is_json = ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL;
    if (s->count && is_json) {
        struct json *root = json_new_object();
        json_set(root, "count", json_new_number(s->printed));
        out_json(root);
    } else if (s->count) {
        out_printf("%" PRIu64 "\n", s->printed);
    } else if (ctl->output == OUTPUT_JSON) {
        out_printf("]}\n");
    }
}

static int scan_all(struct ctl *ctl, struct scan *s)
{
    int code = 0;
    if (ctl->output == OUTPUT_JSON && !s->count) {
        out_printf("{\"items\":[");
    }
    buf_put_text(&s->next, s->from != NULL ? s->from : "");
    while (code == 0 && !s->end) {
        code = scan_one_page(ctl, s);
        s->end = s->end || !out_flush();
    }
    if (code == 0) {
        scan_print_end(ctl, s);
    }
    return code;
}

int cmd_scan(struct ctl *ctl, int argc, char **argv)
{
    struct scan s = {0};
    const struct arg rows[] = {
        {.name = "from", .kind = ARG_TEXT, .value = "KEY", .help = "the first key", .text = &s.from},
        {.name = "to", .kind = ARG_TEXT, .value = "KEY", .help = "stop before this key", .text = &s.to},
        {.name = "limit", .kind = ARG_U64, .value = "N", .help = "at most so many keys", .number = &s.limit},
        {.name = "keys-only", .kind = ARG_SWITCH, .help = "no values", .on = &s.keys_only},
        {.name = "count", .kind = ARG_SWITCH, .help = "print only how many there are", .on = &s.count},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands > 1) {
        return ctl_usage_error(ctl, "too many words");
    }
    s.prefix = slice_str(in.operands == 1 ? argv[1] : "");
    s.keys_only = s.keys_only || s.count;
    s.doc = pack_doc_new();
    code = s.doc == NULL ? out_no_memory() : scan_all(ctl, &s);
    pack_doc_free(s.doc);
    buf_fini(&s.next);
    return code;
}

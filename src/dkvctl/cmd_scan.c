/* cmd_scan.c - scan: print keys in order over all shards. */
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/pages.h"
#include "dkvctl/progress.h"
#include "dkvctl/session.h"

#include <inttypes.h>

struct scan {
    const char *to;
    uint64_t limit; /* 0: all */
    bool count;
    struct pages pages;
    struct progress progress;
    uint64_t printed; /* or counted */
};

static void scan_print_json(const struct ctl *ctl, const struct scan *s, const struct page_item *item)
{
    struct json *root = json_new_object();
    json_set(root, "key", json_new_bytes(item->key));
    if (!s->pages.keys_only) {
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

static void scan_print_item(const struct ctl *ctl, const struct scan *s, const struct page_item *item,
                            struct table *table)
{
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        scan_print_json(ctl, s, item);
    } else if (ctl->output == OUTPUT_TABLE) {
        table_put(table, item->key);
        if (!s->pages.keys_only) {
            table_put(table, item->value);
            table_printf(table, "%" PRIu64, item->id);
            table_printf(table, "%" PRIu64, item->version);
        }
    } else {
        out_bytes(item->key);
        if (!s->pages.keys_only) {
            out_printf("\t");
            out_bytes(item->value);
        }
        out_printf("\n");
    }
}

/* The items of a page, up to the limit or the end key. */
static int scan_take_items(const struct ctl *ctl, struct scan *s, struct table *table)
{
    struct pages *p = &s->pages;
    for (uint32_t i = 0; i < p->count && (s->limit == 0 || s->printed < s->limit); i++) {
        struct page_item item;
        if (!pages_at(p, i, &item)) {
            return pages_refuse("scan");
        }
        if (s->to != NULL && slice_cmp(item.key, slice_str(s->to)) >= 0) {
            p->end = true;
            break;
        }
        if (!s->count) {
            scan_print_item(ctl, s, &item, table);
        }
        s->printed++;
    }
    p->end = p->end || (s->limit != 0 && s->printed == s->limit);
    return 0;
}

static int scan_one_page(struct ctl *ctl, struct scan *s)
{
    static const char *const headings[] = {"KEY", "VALUE", "ID", "VERSION"};
    struct table table;
    int code = pages_fetch(ctl, &s->pages, s->limit == 0 ? 0 : s->limit - s->printed, "scan");
    if (code != 0) {
        return code;
    }
    table_init(&table, headings, s->pages.keys_only ? 1 : 4);
    code = scan_take_items(ctl, s, &table);
    if (code == 0 && ctl->output == OUTPUT_TABLE && !s->count) {
        table_print(ctl, &table);
    }
    table_fini(&table);
    return code;
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

/* How far it is can be told when nothing else is printed on the terminal; how far it has to go when all keys
 * are wanted. */
static void scan_begin_progress(struct ctl *ctl, struct scan *s)
{
    if (out_is_terminal() && !s->count) {
        return;
    }
    bool all = s->pages.prefix.len == 0 && s->pages.from == NULL && s->to == NULL && s->limit == 0;
    progress_begin(&s->progress, ctl, "keys", s->limit, session_now_us());
    if (all && s->progress.on) {
        s->progress.total = pages_count_all(ctl);
    }
}

static int scan_all(struct ctl *ctl, struct scan *s)
{
    int code = 0;
    scan_begin_progress(ctl, s);
    if (ctl->output == OUTPUT_JSON && !s->count) {
        out_printf("{\"items\":[");
    }
    while (code == 0 && !s->pages.end) {
        code = scan_one_page(ctl, s);
        s->pages.end = s->pages.end || !out_flush();
        progress_show(&s->progress, s->printed, s->printed, session_now_us());
    }
    progress_wipe(&s->progress);
    if (code == 0) {
        scan_print_end(ctl, s);
    }
    return code;
}

int cmd_scan(struct ctl *ctl, int argc, char **argv)
{
    struct scan s = {0};
    struct pages *p = &s.pages;
    const struct arg rows[] = {
        {.name = "from", .kind = ARG_TEXT, .value = "KEY", .help = "the first key", .text = &p->from},
        {.name = "to", .kind = ARG_TEXT, .value = "KEY", .help = "stop before this key", .text = &s.to},
        {.name = "limit", .kind = ARG_U64, .value = "N", .help = "at most so many keys", .number = &s.limit},
        {.name = "keys-only", .kind = ARG_SWITCH, .help = "no values", .on = &p->keys_only},
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
    p->prefix = slice_str(in.operands == 1 ? argv[1] : "");
    p->keys_only = p->keys_only || s.count;
    code = scan_all(ctl, &s);
    pages_fini(p);
    return code;
}

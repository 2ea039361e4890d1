/* cmd_data.c - put, get, delete. */
#include "dkvctl/ctl.h"
#include "dkvctl/input.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_TEXT_BYTES_MAX (2 * VALUE_BYTES_MAX + 4096u) /* a value as hex, with blanks around */

static bool data_is_json(const struct ctl *ctl)
{
    return ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL;
}

/* ---- put ---------------------------------------------------------------------------------------------- */

struct put {
    bool hex;
    bool base64;
    struct buf text; /* the value as given */
    struct buf value;
};

/* A pipe or a file, as opposed to a terminal or /dev/null: what is read from those was not meant. */
static bool put_stdin_is_data(void)
{
    struct stat st;
    return fstat(STDIN_FILENO, &st) == 0 &&
           (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
}

static int put_read(struct ctl *ctl, struct put *p, const char *from)
{
    bool decoded = p->hex || p->base64;
    size_t max = decoded ? DATA_TEXT_BYTES_MAX : VALUE_BYTES_MAX;
    if (from == NULL && (ctl->batch || !put_stdin_is_data())) {
        return ctl_usage_error(ctl, "VALUE is missing");
    }
    if (from != NULL && strcmp(from, "-") == 0 && ctl->batch) {
        return ctl_usage_error(ctl, "standard input is taken by the commands");
    }
    dkv_err err = DKV_OK;
    if (from == NULL || strcmp(from, "-") == 0) {
        err = input_read_file("-", max, &p->text);
    } else if (from[0] == '@') {
        err = input_read_file(from + 1, max, &p->text);
    } else {
        buf_put_text(&p->text, from);
        err = buf_ok(&p->text) ? DKV_OK : DKV_NO_MEMORY;
    }
    return err == DKV_OK ? CTL_GO : err_exit_code(err);
}

/* The blanks and newlines at the end of hex and base64 are no part of it. */
static struct slice put_trimmed(struct slice s)
{
    while (s.len > 0 &&
           (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r' || s.data[s.len - 1] == ' ')) {
        s.len--;
    }
    return s;
}

static int put_decode(struct put *p)
{
    struct slice text = put_trimmed(buf_slice(&p->text));
    dkv_err err = DKV_OK;
    if (p->hex && text.len > 0) {
        err = text_parse_hex(text, &p->value);
    } else if (p->base64 && text.len > 0) {
        err = text_parse_base64(text, &p->value);
    } else if (!p->hex && !p->base64) {
        buf_put(&p->value, buf_slice(&p->text));
        err = buf_ok(&p->value) ? DKV_OK : DKV_NO_MEMORY;
    }
    if (err != DKV_OK) {
        out_error("put: the value is not %s", p->hex ? "hex" : "base64");
    }
    return err == DKV_OK ? CTL_GO : err_exit_code(err);
}

static int put_send(struct ctl *ctl, const char *key, struct slice value)
{
    struct request req = {.op = OP_PUT, .key = slice_str(key), .value = value};
    struct reply rep;
    if (session_call(ctl, &req, &rep) != DKV_OK) {
        return out_failed("put", &rep);
    }
    if (!data_is_json(ctl)) {
        out_printf("OK\n");
        return 0;
    }
    struct json *root = json_new_object();
    json_set(root, "status", json_new_bytes(slice_str("ok")));
    json_set(root, "id", json_new_number(rep.id));
    json_set(root, "version", json_new_number(rep.version));
    json_set(root, "shard", json_new_number(rep.shard));
    out_json(root);
    return 0;
}

int cmd_put(struct ctl *ctl, int argc, char **argv)
{
    struct put p = {0};
    const struct arg rows[] = {
        {.name = "hex", .kind = ARG_SWITCH, .help = "the value is given as hex", .on = &p.hex},
        {.name = "base64", .kind = ARG_SWITCH, .help = "the value is given as base64", .on = &p.base64},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands < 1 || in.operands > 2 || argv[1][0] == '\0') {
        return ctl_usage_error(ctl, in.operands > 2 ? "too many words (quote the value)" : "KEY is missing");
    }
    if (p.hex && p.base64) {
        return ctl_usage_error(ctl, "--hex and --base64 exclude each other");
    }
    code = put_read(ctl, &p, in.operands == 2 ? argv[2] : NULL);
    code = code == CTL_GO ? put_decode(&p) : code;
    code = code == CTL_GO ? put_send(ctl, argv[1], buf_slice(&p.value)) : code;
    buf_fini(&p.text);
    buf_fini(&p.value);
    return code;
}

/* ---- get ---------------------------------------------------------------------------------------------- */

struct get {
    bool raw;
    bool meta;
    bool several;
    struct json *items; /* with --output json and several keys */
    struct table table; /* with --output table */
};

/* What a terminal would not take as text. */
static bool get_is_binary(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if ((c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7f) {
            return true;
        }
    }
    return !text_is_utf8(s);
}

static struct json *get_json(const struct get *g, struct slice key, const struct reply *rep)
{
    struct json *item = json_new_object();
    json_set(item, "key", json_new_bytes(key));
    json_set(item, "value", json_new_bytes(rep->value));
    json_set(item, "id", json_new_number(rep->id));
    json_set(item, "version", json_new_number(rep->version));
    if (g->meta) {
        const char *level = rep->consistency == READ_STALE ? "stale" : "linearizable";
        json_set(item, "shard", json_new_number(rep->shard));
        json_set(item, "node", json_new_bytes(rep->node));
        json_set(item, "leader", rep->leader.len > 0 ? json_new_bytes(rep->leader) : json_new_null());
        json_set(item, "index", json_new_number(rep->index));
        json_set(item, "epoch", json_new_number(rep->epoch));
        json_set(item, "consistency", json_new_bytes(slice_str(level)));
    }
    return item;
}

static void get_print_meta(const struct reply *rep)
{
    struct buf names = {0};
    buf_put_text(&names, "node=");
    text_escape(rep->node, NODE_NAME_MAX, &names);
    buf_put_text(&names, " leader=");
    text_escape(rep->leader, NODE_NAME_MAX, &names);
    fprintf(stderr,
            "id=%" PRIu64 " version=%" PRIu64 " shard=%u %.*s index=%" PRIu64 " epoch=%" PRIu64
            " consistency=%s\n",
            rep->id, rep->version, (unsigned)rep->shard, (int)names.len, (const char *)names.data, rep->index,
            rep->epoch, rep->consistency == READ_STALE ? "stale" : "linearizable");
    buf_fini(&names);
}

static int get_print_text(const struct ctl *ctl, const struct get *g, struct slice key,
                          const struct reply *rep)
{
    bool exact = g->raw || ctl->output == OUTPUT_RAW;
    if (!exact && out_is_terminal() && get_is_binary(rep->value)) {
        out_error("get: the value is binary and would go to a terminal; use --raw or --output json");
        return 1;
    }
    if (g->several) {
        out_bytes(key);
        out_printf("\t");
    }
    out_bytes(rep->value);
    out_printf("%s", g->several || !exact ? "\n" : "");
    if (g->meta) {
        get_print_meta(rep);
    }
    return 0;
}

static int get_print(const struct ctl *ctl, struct get *g, struct slice key, const struct reply *rep)
{
    if (ctl->output == OUTPUT_TABLE) {
        table_put(&g->table, key);
        table_put(&g->table, rep->value);
        table_printf(&g->table, "%" PRIu64, rep->id);
        table_printf(&g->table, "%" PRIu64, rep->version);
        table_printf(&g->table, "%u", (unsigned)rep->shard);
        return 0;
    }
    if (!data_is_json(ctl)) {
        return get_print_text(ctl, g, key, rep);
    }
    struct json *item = get_json(g, key, rep);
    if (g->items != NULL) {
        json_add(g->items, item);
    } else {
        out_json(item);
    }
    return 0;
}

/* Among commands from stdin NOT_FOUND is the answer, else it is words. */
static int data_print_missing(const struct ctl *ctl, struct slice key, bool several)
{
    struct buf shown = {0};
    if (several) {
        buf_put_text(&shown, " ");
        text_escape(key, KEY_BYTES_MAX, &shown);
    }
    bool to_stdout = ctl->batch && !data_is_json(ctl);
    fprintf(to_stdout ? stdout : stderr, "NOT_FOUND%.*s\n", (int)shown.len,
            several ? (const char *)shown.data : "");
    buf_fini(&shown);
    return CTL_EXIT_MISSING;
}

static int get_one(struct ctl *ctl, struct get *g, struct slice key)
{
    struct request req = {.op = OP_GET, .key = key, .consistency = ctl->consistency};
    struct reply rep;
    dkv_err err = session_call(ctl, &req, &rep);
    if (err == DKV_NOT_FOUND) {
        return data_print_missing(ctl, key, g->several);
    }
    return err == DKV_OK ? get_print(ctl, g, key, &rep) : out_failed("get", &rep);
}

static int get_all(struct ctl *ctl, struct get *g, int n, char **keys)
{
    static const char *const headings[] = {"KEY", "VALUE", "ID", "VERSION", "SHARD"};
    int code = 0;
    table_init(&g->table, headings, 5);
    g->items = g->several && ctl->output == OUTPUT_JSON ? json_new_array() : NULL;
    for (int i = 0; i < n && (code == 0 || code == CTL_EXIT_MISSING); i++) {
        int one = get_one(ctl, g, slice_str(keys[i]));
        code = one == 0 ? code : one;
    }
    if (g->items != NULL) {
        out_json(g->items);
    }
    if (ctl->output == OUTPUT_TABLE && (code == 0 || code == CTL_EXIT_MISSING)) {
        table_print(ctl, &g->table);
    }
    table_fini(&g->table);
    return code;
}

static bool data_has_empty(int n, char **keys)
{
    for (int i = 0; i < n; i++) {
        if (keys[i][0] == '\0') {
            return true;
        }
    }
    return false;
}

int cmd_get(struct ctl *ctl, int argc, char **argv)
{
    struct get g = {0};
    const struct arg rows[] = {
        {.name = "raw",
         .kind = ARG_SWITCH,
         .help = "the exact bytes, no newline; to a terminal too",
         .on = &g.raw},
        {.name = "meta",
         .kind = ARG_SWITCH,
         .help = "also id, version, shard, node (text: on stderr)",
         .on = &g.meta},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands < 1 || data_has_empty(in.operands, argv + 1)) {
        return ctl_usage_error(ctl, "KEY is missing");
    }
    g.several = in.operands > 1;
    if (g.raw && g.several) {
        return ctl_usage_error(ctl, "--raw takes one key");
    }
    return get_all(ctl, &g, in.operands, argv + 1);
}

/* ---- delete ------------------------------------------------------------------------------------------- */

struct delete
{
    bool must_exist;
    uint64_t gone;
    bool missing;
};

static int delete_one(struct ctl *ctl, struct delete *d, struct slice key)
{
    struct request req = {.op = OP_DELETE, .key = key};
    struct reply rep;
    dkv_err err = session_call(ctl, &req, &rep);
    if (err == DKV_OK) {
        d->gone++;
        return 0;
    }
    if (err != DKV_NOT_FOUND) {
        return out_failed("delete", &rep);
    }
    d->missing = true;
    return 0;
}

static void delete_print(const struct ctl *ctl, const struct delete *d, int keys)
{
    if (data_is_json(ctl)) {
        struct json *root = json_new_object();
        json_set(root, "deleted", json_new_number(d->gone));
        out_json(root);
    } else if (ctl->batch && keys == 1) {
        out_printf("%s\n", d->gone == 1 ? "OK" : "NOT_FOUND"); /* a word for a word */
    } else {
        out_printf("%" PRIu64 "\n", d->gone);
    }
}

int cmd_delete(struct ctl *ctl, int argc, char **argv)
{
    struct delete d = {0};
    const struct arg rows[] = {
        {.name = "must-exist",
         .kind = ARG_SWITCH,
         .help = "exit 3 when a key was not there",
         .on = &d.must_exist},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands < 1 || data_has_empty(in.operands, argv + 1)) {
        return ctl_usage_error(ctl, "KEY is missing");
    }
    code = 0;
    for (int i = 1; i <= in.operands && code == 0; i++) {
        code = delete_one(ctl, &d, slice_str(argv[i]));
    }
    delete_print(ctl, &d, in.operands);
    if (code == 0 && d.must_exist && d.missing) {
        code = ctl->batch ? CTL_EXIT_MISSING : data_print_missing(ctl, (struct slice){0}, false);
    }
    return code;
}

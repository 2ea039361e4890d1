/* options.c - see options.h.
 *
 * In steps: flags and environment are read to learn of --config; then everything is read, file included; then
 * numbers are held against their ranges; then settings against each other. */
#include "dkvd/options.h"

#include "base/conf.h"
#include "base/mem.h"
#include "dkvd/conf_file.h"

#include <strings.h>
#include <unistd.h>

#define ROWS            23u
#define STRANGERS_MAX   20u
#define SHOWN_MAX       200u
#define MEMORY_MIN      (1u << 20)
#define CONNS_UPPER_MAX 1000000u

static void options_rows(struct settings *s, struct arg rows[ROWS])
{
    const struct arg table[ROWS] = {
        {"name", 0, ARG_TEXT, "NAME", NULL, "name of this node in --initial-cluster (default: host name)",
         .text = &s->name},
        {"data-dir", 0, ARG_TEXT, "DIR", "./data", "where this node keeps its journal; made if missing",
         .text = &s->data_dir},
        {"client", 0, ARG_TEXT, "HOST:PORT", "127.0.0.1:5000", "listen for clients here", .text = &s->client},
        {"peer", 0, ARG_TEXT, "HOST:PORT", "127.0.0.1:7000", "listen for the other nodes here",
         .text = &s->peer},
        {"advertise-client", 0, ARG_TEXT, "HOST:PORT", NULL, "what clients are told (default: --client)",
         .text = &s->advertise_client},
        {"initial-cluster", 0, ARG_TEXT, "N1=HOST:PORT,...", NULL,
         "all nodes and their peer addresses, the same text on every node (default: this node alone)",
         .text = &s->initial_cluster},
        {"cluster-token", 0, ARG_TEXT, "TEXT", "", "tells two clusters with the same addresses apart",
         .text = &s->token},
        {"shards", 0, ARG_U64, "N", "8", "number of shards, the same on every node", .number = &s->shards},
        {"replicas", 0, ARG_U64, "N", NULL,
         "replicas of a shard, odd (default: 3, or 1 with fewer than 3 nodes)", .number = &s->replicas},
        {"vnodes", 0, ARG_U64, "N", "128", "points of a shard on the hash ring", .number = &s->vnodes},
        {"election-timeout", 0, ARG_DURATION, "TIME", "1s", "a leader silent for so long is replaced",
         .number = &s->election_ms},
        {"heartbeat", 0, ARG_DURATION, "TIME", "100ms", "how often a leader shows that it lives",
         .number = &s->heartbeat_ms},
        {"max-conns", 0, ARG_U64, "N", "10000", "connections of clients (*)", .number = &s->max_conns},
        {"max-memory", 0, ARG_SIZE, "SIZE", "0",
         "over it puts are refused; 0: 80 % of the machine's memory (*)", .number = &s->max_memory},
        {"max-key", 0, ARG_SIZE, "SIZE", "4K", "bytes of a key that is put (*)", .number = &s->max_key},
        {"max-value", 0, ARG_SIZE, "SIZE", "1M", "bytes of a value that is put (*)", .number = &s->max_value},
        {"log-level", 0, ARG_TEXT, "LEVEL", "info", "error, warn, info or debug (*)", .text = &s->log_level},
        {"insecure", 0, ARG_SWITCH, NULL, NULL, "allow other addresses than loopback without authentication",
         .on = &s->insecure},
        {"config", 0, ARG_TEXT, "FILE", NULL, "read settings from here: key = value, named as the flags",
         .text = &s->config, .no_file = true},
        {"check-config", 0, ARG_SWITCH, NULL, NULL, "say what is wrong with the settings, and leave",
         .on = &s->check_config, .no_env = true, .no_file = true},
        {"print-config", 0, ARG_SWITCH, NULL, NULL, "print the settings as a file for --config, and leave",
         .on = &s->print_config, .no_env = true, .no_file = true},
        {"version", 0, ARG_SWITCH, NULL, NULL, "print the version", .on = &s->version, .no_env = true,
         .no_file = true},
        {"help", 'h', ARG_SWITCH, NULL, NULL, "print this text", .on = &s->help, .no_env = true,
         .no_file = true},
    };
    memcpy(rows, table, sizeof table);
}

/* What can change while the node runs; --help marks it with (*). */
static bool options_can_change(const char *name)
{
    return strncmp(name, "max-", 4) == 0 || strcmp(name, "log-level") == 0;
}

void options_help(struct buf *out)
{
    struct settings s = {0};
    struct arg rows[ROWS];
    struct arg_set set = {rows, ROWS, "DKVD_"};
    options_rows(&s, rows);
    buf_put_text(
        out, "usage: dkvd [flags]\n\nOne node of a dkv cluster. Each flag --foo-bar is also DKVD_FOO_BAR in "
             "the environment and foo-bar in\na settings file; the flag wins, then the environment.\n\n");
    args_help(&set, out);
    buf_put_text(out, "\n(*) SIGHUP reads these again.\n");
}

void options_strangers(struct buf *out)
{
    struct settings s = {0};
    struct arg rows[ROWS];
    struct arg_set set = {rows, ROWS, "DKVD_"};
    options_rows(&s, rows);
    args_put_strangers(&set, STRANGERS_MAX, out);
}

/* ---- refusing ----------------------------------------------------------------------------------------- */

/* What the checks look at, and where each value came from. */
struct check {
    struct options *o;
    struct settings *s;
    struct arg rows[ROWS];
    struct arg_origin origins[ROWS];
    struct arg_file file;
    struct arg_set set;
    struct arg_input in;
    struct buf *why;
};

static const struct arg *check_row(const struct check *c, const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(c->rows[i].name, name) == 0) {
            return &c->rows[i];
        }
    }
    ensure(false);
    return NULL;
}

static bool check_is_given(const struct check *c, const char *name)
{
    return c->origins[check_row(c, name) - c->rows].from != ARG_FROM_DEFAULT;
}

/* "--name: "VALUE": " or wherever the value came from; the caller says what is allowed. */
static dkv_err check_refuse(const struct check *c, const char *name, const char *allowed)
{
    const struct arg *row = check_row(c, name);
    struct buf value = {0};
    args_put_value(row, &value);
    args_put_origin(&c->set, row, &c->origins[row - c->rows], &c->file, c->why);
    buf_put_text(c->why, ": \"");
    text_escape(buf_slice(&value), SHOWN_MAX, c->why);
    buf_printf(c->why, "\": %s", allowed);
    buf_fini(&value);
    return DKV_CONFIG;
}

/* ---- each for itself ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint64_t min;
    uint64_t max;
} ranges[] = {
    {"shards", 1, SHARDS_MAX - 1},     {"vnodes", 1, VNODES_MAX},         {"heartbeat", 10, 10000},
    {"election-timeout", 30, 60000},   {"max-conns", 1, CONNS_UPPER_MAX}, {"max-key", 1, KEY_BYTES_MAX},
    {"max-value", 1, VALUE_BYTES_MAX},
};

static dkv_err check_range(const struct check *c, size_t i)
{
    const struct arg *row = check_row(c, ranges[i].name);
    uint64_t bound = ranges[i].min;
    const struct arg limit = {.kind = row->kind, .number = &bound};
    if (*row->number >= ranges[i].min && *row->number <= ranges[i].max) {
        return DKV_OK;
    }
    check_refuse(c, row->name, "allowed are ");
    args_put_value(&limit, c->why);
    buf_put_text(c->why, " to ");
    bound = ranges[i].max;
    args_put_value(&limit, c->why);
    return DKV_CONFIG;
}

static dkv_err check_ranges(const struct check *c)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        dkv_err err = check_range(c, i);
        if (err != DKV_OK) {
            return err;
        }
    }
    if (c->s->max_memory != 0 && c->s->max_memory < MEMORY_MIN) {
        return check_refuse(c, "max-memory",
                            "allowed are 1M and more, or 0 for 80 % of the machine's memory");
    }
    return DKV_OK;
}

/* A file could not hold anything else, so nothing else may come from elsewhere. */
static dkv_err check_texts(const struct check *c)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct arg *row = &c->rows[i];
        if (row->kind == ARG_TEXT && *row->text != NULL && !conf_is_text(slice_str(*row->text))) {
            return check_refuse(c, row->name, "allowed is UTF-8 without control characters");
        }
    }
    return c->s->data_dir[0] == '\0' ? check_refuse(c, "data-dir", "allowed is the name of a directory")
                                     : DKV_OK;
}

static dkv_err check_log_level(const struct check *c)
{
    if (log_parse_level(slice_str(c->s->log_level), &c->o->log_level) != DKV_OK) {
        return check_refuse(c, "log-level", "allowed are error, warn, info and debug");
    }
    return DKV_OK;
}

static dkv_err check_name(const struct check *c)
{
    struct options *o = c->o;
    if (c->s->name == NULL) {
        gethostname(o->host, sizeof o->host - 1);
        c->s->name = o->host;
    }
    if (!text_is_name(slice_str(c->s->name))) {
        return check_refuse(c, "name", "allowed are up to 63 letters, digits, '-', '_' and '.'");
    }
    memcpy(o->name, c->s->name, strlen(c->s->name) + 1);
    c->s->name = o->name;
    return DKV_OK;
}

static dkv_err check_address(const struct check *c, const char *name, struct address *out)
{
    const char *text = *check_row(c, name)->text;
    if (text_parse_address(slice_str(text), out) != DKV_OK) {
        return check_refuse(c, name, "allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535");
    }
    return DKV_OK;
}

/* ---- against each other ------------------------------------------------------------------------------- */

static dkv_err check_listener(const struct check *c, const char *name, struct address *out)
{
    dkv_err err = check_address(c, name, out);
    if (err == DKV_OK && !c->s->insecure && !text_is_loopback(out)) {
        err = check_refuse(c, name,
                           "there is no authentication, so only loopback is allowed (or --insecure, in a "
                           "network you trust)");
    }
    return err;
}

static dkv_err check_addresses(const struct check *c)
{
    struct options *o = c->o;
    struct address advertised;
    if (c->s->advertise_client == NULL) {
        c->s->advertise_client = c->s->client;
    }
    dkv_err err = check_listener(c, "client", &o->client);
    if (err == DKV_OK) {
        err = check_listener(c, "peer", &o->peer);
    }
    if (err == DKV_OK && o->client.port == o->peer.port && strcasecmp(o->client.host, o->peer.host) == 0) {
        err = check_refuse(c, check_is_given(c, "peer") ? "peer" : "client",
                           "--client and --peer are the same: allowed are two different ones");
    }
    if (err == DKV_OK) {
        err = check_address(c, "advertise-client", &advertised);
    }
    if (err == DKV_OK) {
        memcpy(o->advertise_client, c->s->advertise_client, strlen(c->s->advertise_client) + 1);
        c->s->advertise_client = o->advertise_client;
    }
    return err;
}

static dkv_err check_timeouts(const struct check *c)
{
    if (c->s->election_ms > 3 * c->s->heartbeat_ms) {
        return DKV_OK;
    }
    bool blame_heartbeat = check_is_given(c, "heartbeat") && !check_is_given(c, "election-timeout");
    check_refuse(c, blame_heartbeat ? "heartbeat" : "election-timeout", "");
    buf_printf(c->why,
               "allowed is an --election-timeout, here %llums, of more than three times --heartbeat, "
               "here %llums",
               (unsigned long long)c->s->election_ms, (unsigned long long)c->s->heartbeat_ms);
    return DKV_CONFIG;
}

static uint32_t count_nodes(const char *initial_cluster)
{
    uint32_t nodes = 1;
    for (const char *p = initial_cluster; *p != '\0'; p++) {
        nodes += *p == ',';
    }
    return nodes;
}

static dkv_err check_replicas(const struct check *c, uint32_t nodes)
{
    uint64_t replicas = c->s->replicas;
    if (replicas == 0 && !check_is_given(c, "replicas")) {
        c->s->replicas = nodes < 3 ? 1 : 3;
    } else if (replicas % 2 == 0 || replicas > REPLICAS_MAX || replicas > nodes) {
        check_refuse(c, "replicas", "");
        buf_printf(c->why, "allowed are odd numbers up to %u and up to the number of nodes, %u", REPLICAS_MAX,
                   nodes);
        return DKV_CONFIG;
    }
    return DKV_OK;
}

/* What is left to refuse is the text of --initial-cluster itself. */
static dkv_err check_plan(const struct check *c, const struct map_plan *plan)
{
    static const char prefix[] = "initial cluster: ";
    struct buf why = {0};
    dkv_err err = map_bootstrap(plan, &c->o->map, &why);
    if (err != DKV_OK) {
        const struct arg *row = check_row(c, "initial-cluster");
        size_t skip = slice_has_prefix(buf_slice(&why), slice_str(prefix)) ? sizeof prefix - 1 : 0;
        args_put_origin(&c->set, row, &c->origins[row - c->rows], &c->file, c->why);
        buf_put_text(c->why, ": ");
        buf_put(c->why, slice_of(why.data + skip, why.len - skip));
    }
    buf_fini(&why);
    return err;
}

static dkv_err check_map(const struct check *c)
{
    struct options *o = c->o;
    struct buf alone = {0};
    const char *initial = c->s->initial_cluster;
    if (initial == NULL) {
        buf_printf(&alone, "%s=%s", o->name, c->s->peer);
        buf_put_u8(&alone, 0);
        initial = (const char *)alone.data;
    }
    dkv_err err = check_replicas(c, count_nodes(initial));
    if (err == DKV_OK) {
        struct map_plan plan = {
            .initial_cluster = initial,
            .token = c->s->token,
            .shards = (uint32_t)c->s->shards,
            .replicas = (uint32_t)c->s->replicas,
            .vnodes = (uint32_t)c->s->vnodes,
        };
        err = check_plan(c, &plan);
    }
    buf_fini(&alone);
    const struct map_node *self = err == DKV_OK ? map_node_named(o->map, slice_str(o->name)) : NULL;
    if (err == DKV_OK && self == NULL) {
        return check_refuse(c, "name", "allowed are the names in --initial-cluster");
    }
    o->self = self == NULL ? 0 : self->id;
    return err;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

typedef dkv_err (*check_fn)(const struct check *c);

static dkv_err check_all(const struct check *c)
{
    static const check_fn checks[] = {check_texts,     check_ranges,   check_log_level, check_name,
                                      check_addresses, check_timeouts, check_map};
    dkv_err err = DKV_OK;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && err == DKV_OK; i++) {
        err = checks[i](c);
    }
    c->o->conns_given = check_is_given(c, "max-conns");
    return err;
}

/* Flags and environment alone: is there a file, or only a question? */
static dkv_err options_read_flags(struct check *c)
{
    dkv_err err = args_parse(&c->set, &c->in, c->why);
    if (err == DKV_OK && c->in.operands > 0) {
        text_escape(slice_str(c->in.argv[1]), SHOWN_MAX, c->why);
        buf_put_text(c->why, ": dkvd takes flags only; --help lists them all");
        err = DKV_CONFIG;
    }
    return err;
}

static dkv_err options_read_file(struct check *c)
{
    const char *path = c->s->config;
    if (path == NULL) {
        return DKV_OK;
    }
    if (path[0] == '\0') {
        return check_refuse(c, "config", "allowed is the name of a file");
    }
    dkv_err err = conf_file_read(path, &c->file, c->why);
    if (err != DKV_OK) {
        return err;
    }
    c->o->file = c->file.text;
    c->in.file = &c->file;
    *c->s = (struct settings){0};
    return args_parse(&c->set, &c->in, c->why);
}

dkv_err options_parse(int argc, char **argv, struct options *out, struct buf *why)
{
    struct check c = {.o = out, .s = &out->settings, .why = why};
    *out = (struct options){0};
    options_rows(c.s, c.rows);
    c.set = (struct arg_set){c.rows, ROWS, "DKVD_"};
    c.in = (struct arg_input){.argc = argc, .argv = argv, .origins = c.origins};
    dkv_err err = options_read_flags(&c);
    if (err != DKV_OK || c.s->help || c.s->version) {
        return err;
    }
    err = options_read_file(&c);
    return err == DKV_OK ? check_all(&c) : err;
}

void options_fini(struct options *o)
{
    map_free(o->map);
    mem_free(o->file);
    o->map = NULL;
    o->file = NULL;
}

/* ---- afterwards --------------------------------------------------------------------------------------- */

void options_print(const struct options *o, struct buf *out)
{
    struct settings s = o->settings;
    struct arg rows[ROWS];
    struct arg_set set = {rows, ROWS, "DKVD_"};
    options_rows(&s, rows);
    args_put_file(&set, out);
}

static bool options_row_differs(const struct arg *a, const struct arg *b)
{
    struct buf left = {0};
    struct buf right = {0};
    args_put_value(a, &left);
    args_put_value(b, &right);
    bool differs = !slice_eq(buf_slice(&left), buf_slice(&right));
    buf_fini(&left);
    buf_fini(&right);
    return differs;
}

/* The text of a file that was read again does not stay. */
static const char *options_level_text(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warn";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    }
    return "";
}

void options_adopt(struct options *o, const struct options *fresh, struct buf *changed, struct buf *kept)
{
    struct settings mine = o->settings;
    struct settings theirs = fresh->settings;
    struct arg mine_rows[ROWS];
    struct arg their_rows[ROWS];
    options_rows(&mine, mine_rows);
    options_rows(&theirs, their_rows);
    for (size_t i = 0; i < ROWS; i++) {
        const struct arg *row = &their_rows[i];
        if (row->no_file || !options_row_differs(&mine_rows[i], row)) {
            continue;
        }
        struct buf *list = options_can_change(row->name) ? changed : kept;
        const char *separator = list->len == 0 ? "" : list == kept ? "," : " ";
        buf_printf(list, "%s%s", separator, row->name);
        if (list == changed) {
            buf_put_u8(list, '=');
            args_put_value(row, list);
        }
    }
    o->log_level = fresh->log_level;
    o->conns_given = fresh->conns_given;
    o->settings.log_level = options_level_text(fresh->log_level);
    o->settings.max_conns = theirs.max_conns;
    o->settings.max_memory = theirs.max_memory;
    o->settings.max_key = theirs.max_key;
    o->settings.max_value = theirs.max_value;
}

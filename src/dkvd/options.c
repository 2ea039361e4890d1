#include "dkvd/options.h"

#include "base/args.h"

#include <unistd.h>

/* As written, before anything is checked against anything else. */
struct raw {
    bool help;
    bool version;
    bool insecure;
    const char *name;
    const char *data_dir;
    const char *client;
    const char *peer;
    const char *advertise_client;
    const char *initial_cluster;
    const char *token;
    const char *log_level;
    uint64_t shards;
    uint64_t replicas;
    uint64_t vnodes;
    uint64_t election_ms;
    uint64_t heartbeat_ms;
};

#define ROWS 16

static void raw_rows(struct raw *raw, struct arg rows[ROWS])
{
    const struct arg table[ROWS] = {
        {"name", 0, ARG_TEXT, "NAME", NULL, "name of this node in --initial-cluster (default: host name)",
         .text = &raw->name},
        {"data-dir", 0, ARG_TEXT, "DIR", "./data", "where this node keeps its journal; made if missing",
         .text = &raw->data_dir},
        {"client", 0, ARG_TEXT, "HOST:PORT", "127.0.0.1:5000", "listen for clients here",
         .text = &raw->client},
        {"peer", 0, ARG_TEXT, "HOST:PORT", "127.0.0.1:7000", "listen for the other nodes here",
         .text = &raw->peer},
        {"advertise-client", 0, ARG_TEXT, "HOST:PORT", NULL, "what clients are told (default: --client)",
         .text = &raw->advertise_client},
        {"initial-cluster", 0, ARG_TEXT, "N1=HOST:PORT,...", NULL,
         "all nodes and their peer addresses, the same text on every node (default: this node alone)",
         .text = &raw->initial_cluster},
        {"cluster-token", 0, ARG_TEXT, "TEXT", "", "tells two clusters with the same addresses apart",
         .text = &raw->token},
        {"shards", 0, ARG_U64, "N", "8", "number of shards, the same on every node", .number = &raw->shards},
        {"replicas", 0, ARG_U64, "N", NULL,
         "replicas of a shard, odd (default: 3, or 1 with fewer than 3 nodes)", .number = &raw->replicas},
        {"vnodes", 0, ARG_U64, "N", "128", "points of a shard on the hash ring", .number = &raw->vnodes},
        {"election-timeout", 0, ARG_DURATION, "TIME", "1s", "a leader silent for so long is replaced",
         .number = &raw->election_ms},
        {"heartbeat", 0, ARG_DURATION, "TIME", "100ms", "how often a leader shows that it lives",
         .number = &raw->heartbeat_ms},
        {"log-level", 0, ARG_TEXT, "LEVEL", "info", "error, warn, info or debug", .text = &raw->log_level},
        {"insecure", 0, ARG_SWITCH, NULL, NULL, "allow other addresses than loopback without authentication",
         .on = &raw->insecure},
        {"version", 0, ARG_SWITCH, NULL, NULL, "print the version", .on = &raw->version, .no_env = true},
        {"help", 'h', ARG_SWITCH, NULL, NULL, "print this text", .on = &raw->help, .no_env = true},
    };
    memcpy(rows, table, sizeof table);
}

void options_help(struct buf *out)
{
    struct raw raw = {0};
    struct arg rows[ROWS];
    struct arg_set set = {rows, ROWS, "DKVD_"};
    raw_rows(&raw, rows);
    buf_put_text(
        out,
        "usage: dkvd [flags]\n\nOne node of a dkv cluster. Each flag --foo-bar is also DKVD_FOO_BAR in the "
        "environment; the flag wins.\n\n");
    args_help(&set, out);
}

static dkv_err refuse(struct buf *why, const char *flag, const char *given, const char *allowed)
{
    buf_printf(why, "--%s: %s: %s", flag, given, allowed);
    return DKV_CONFIG;
}

static dkv_err options_address(const struct raw *raw, const char *flag, const char *text, struct address *out,
                               struct buf *why)
{
    if (text_parse_address(slice_str(text), out) != DKV_OK) {
        return refuse(why, flag, text, "allowed is host:port with a port from 1 to 65535");
    }
    if (!raw->insecure && !text_is_loopback(out)) {
        return refuse(why, flag, text,
                      "there is no authentication, so only loopback is allowed (or --insecure, in a network "
                      "you trust)");
    }
    return DKV_OK;
}

static dkv_err options_addresses(const struct raw *raw, struct options *o, struct buf *why)
{
    struct address advertised;
    const char *advertise = raw->advertise_client == NULL ? raw->client : raw->advertise_client;
    dkv_err err = options_address(raw, "client", raw->client, &o->client, why);
    if (err == DKV_OK) {
        err = options_address(raw, "peer", raw->peer, &o->peer, why);
    }
    if (err == DKV_OK && strcmp(raw->client, raw->peer) == 0) {
        err = refuse(why, "peer", raw->peer, "is the same as --client; two ports are needed");
    }
    if (err == DKV_OK && text_parse_address(slice_str(advertise), &advertised) != DKV_OK) {
        err = refuse(why, "advertise-client", advertise, "allowed is host:port with a port from 1 to 65535");
    }
    if (err == DKV_OK) {
        memcpy(o->advertise_client, advertise, strlen(advertise) + 1);
    }
    return err;
}

static dkv_err options_name(const struct raw *raw, struct options *o, struct buf *why)
{
    char host[256] = "";
    const char *name = raw->name;
    if (name == NULL) {
        gethostname(host, sizeof host - 1);
        name = host;
    }
    if (!text_is_name(slice_str(name))) {
        return refuse(why, "name", name, "allowed are up to 63 letters, digits, '-', '_' and '.'");
    }
    memcpy(o->name, name, strlen(name) + 1);
    return DKV_OK;
}

static dkv_err options_timeouts(const struct raw *raw, struct options *o, struct buf *why)
{
    if (raw->heartbeat_ms < 10 || raw->heartbeat_ms > 10000) {
        buf_printf(why, "--heartbeat: %llums: allowed are 10ms to 10s",
                   (unsigned long long)raw->heartbeat_ms);
        return DKV_CONFIG;
    }
    if (raw->election_ms <= 3 * raw->heartbeat_ms || raw->election_ms > 60000) {
        buf_printf(why,
                   "--election-timeout: %llums: allowed is more than three heartbeats (%llums) up to 60s",
                   (unsigned long long)raw->election_ms, (unsigned long long)(3 * raw->heartbeat_ms));
        return DKV_CONFIG;
    }
    o->election_ms = raw->election_ms;
    o->heartbeat_ms = raw->heartbeat_ms;
    return DKV_OK;
}

static uint32_t plan_number(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v; /* far over every limit: refused with it */
}

static uint32_t default_replicas(const char *initial_cluster)
{
    uint32_t nodes = 1;
    for (const char *p = initial_cluster; *p != '\0'; p++) {
        nodes += *p == ',';
    }
    return nodes < 3 ? 1 : 3;
}

static dkv_err options_map(const struct raw *raw, struct options *o, struct buf *why)
{
    struct buf alone = {0};
    struct map_plan plan = {
        .initial_cluster = raw->initial_cluster,
        .token = raw->token,
        .shards = plan_number(raw->shards),
        .vnodes = plan_number(raw->vnodes),
    };
    if (plan.initial_cluster == NULL) {
        buf_printf(&alone, "%s=%s", o->name, raw->peer);
        buf_put_u8(&alone, 0);
        plan.initial_cluster = (const char *)alone.data;
    }
    plan.replicas = raw->replicas == 0 ? default_replicas(plan.initial_cluster) : plan_number(raw->replicas);
    dkv_err err = map_bootstrap(&plan, &o->map, why);
    buf_fini(&alone);
    if (err != DKV_OK) {
        return err;
    }
    const struct map_node *self = map_node_named(o->map, slice_str(o->name));
    if (self == NULL) {
        return refuse(why, "name", o->name, "is not in --initial-cluster");
    }
    o->self = self->id;
    return DKV_OK;
}

dkv_err options_parse(int argc, char **argv, struct options *out, struct buf *why)
{
    struct raw raw = {0};
    struct arg rows[ROWS];
    struct arg_set set = {rows, ROWS, "DKVD_"};
    struct arg_input in = {.argc = argc, .argv = argv};
    *out = (struct options){0};
    raw_rows(&raw, rows);
    dkv_err err = args_parse(&set, &in, why);
    if (err != DKV_OK) {
        return err;
    }
    out->help = raw.help;
    out->version = raw.version;
    if (raw.help || raw.version) {
        return DKV_OK;
    }
    if (in.operands > 0) {
        buf_printf(why, "%s: dkvd takes flags only", argv[1]);
        return DKV_CONFIG;
    }
    if (log_parse_level(slice_str(raw.log_level), &out->log_level) != DKV_OK) {
        return refuse(why, "log-level", raw.log_level, "allowed are error, warn, info and debug");
    }
    out->data_dir = raw.data_dir;
    err = options_name(&raw, out, why);
    if (err == DKV_OK) {
        err = options_addresses(&raw, out, why);
    }
    if (err == DKV_OK) {
        err = options_timeouts(&raw, out, why);
    }
    return err == DKV_OK ? options_map(&raw, out, why) : err;
}

void options_fini(struct options *o)
{
    map_free(o->map);
    o->map = NULL;
}

/* cmd_status.c - status, health, member list: what the cluster says of itself. */
#include "base/mem.h"
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "dkvctl/shard_view.h"

#include <inttypes.h>
#include <time.h>

#define STATUS_WATCH_S 1

static struct json *status_name(struct slice name)
{
    return name.len > 0 ? json_new_bytes(name) : json_new_null();
}

/* ---- status ------------------------------------------------------------------------------------------- */

static struct json *status_shard_json(const struct shard_view *v)
{
    struct json *shard = json_new_object();
    struct json *replicas = json_new_array();
    json_set(shard, "id", json_new_number(v->id));
    json_set(shard, "leader", status_name(v->leader));
    json_set(shard, "term", json_new_number(v->term));
    json_set(shard, "commit", json_new_number(v->commit));
    json_set(shard, "applied", json_new_number(v->applied));
    json_set(shard, "last", json_new_number(v->last));
    json_set(shard, "lag", json_new_number(v->lag));
    json_set(shard, "keys", json_new_number(v->keys));
    json_set(shard, "bytes", json_new_number(v->bytes));
    for (size_t i = 0; i < v->replica_count; i++) {
        json_add(replicas, json_new_bytes(v->replicas[i]));
    }
    json_set(shard, "replicas", replicas);
    return shard;
}

static void status_print_json(const struct ctl *ctl, const struct status_view *s)
{
    struct shard_view v;
    struct json *root = json_new_object();
    struct json *shards = json_new_array();
    for (uint32_t i = 0; i < s->count; i++) {
        if (!status_view_at(s, i, &v)) {
            continue;
        }
        if (ctl->output == OUTPUT_JSONL) {
            out_json(status_shard_json(&v));
        } else {
            json_add(shards, status_shard_json(&v));
        }
    }
    json_set(root, "epoch", json_new_number(s->epoch));
    json_set(root, "node", json_new_bytes(s->node));
    json_set(root, "shards", shards);
    if (ctl->output == OUTPUT_JSON) {
        out_json(root);
    } else {
        json_free(root);
    }
}

static void status_row(struct table *t, const struct shard_view *v)
{
    struct buf replicas = {0};
    for (size_t i = 0; i < v->replica_count; i++) {
        buf_put_text(&replicas, i > 0 ? "," : "");
        buf_put(&replicas, v->replicas[i]);
    }
    table_printf(t, "%" PRIu64, v->id);
    table_put(t, v->leader.len > 0 ? v->leader : slice_str("-"));
    table_printf(t, "%" PRIu64, v->term);
    table_printf(t, "%" PRIu64, v->commit);
    table_printf(t, "%" PRIu64, v->applied);
    table_printf(t, "%" PRIu64, v->lag);
    table_printf(t, "%" PRIu64, v->keys);
    table_printf(t, "%" PRIu64, v->bytes);
    table_put(t, buf_slice(&replicas));
    buf_fini(&replicas);
}

static void status_print(const struct ctl *ctl, const struct status_view *s)
{
    static const char *const headings[] = {"SHARD", "LEADER", "TERM",  "COMMIT",  "APPLIED",
                                           "LAG",   "KEYS",   "BYTES", "REPLICAS"};
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        status_print_json(ctl, s);
        return;
    }
    struct table t;
    struct shard_view v;
    table_init(&t, headings, 9);
    for (uint32_t i = 0; i < s->count; i++) {
        if (status_view_at(s, i, &v)) {
            status_row(&t, &v);
        }
    }
    table_print(ctl, &t);
    table_fini(&t);
}

static int status_once(struct ctl *ctl, struct status_view *s)
{
    struct reply rep;
    session_renew(ctl);
    if (status_view_fetch(ctl, s, &rep) != DKV_OK) {
        return out_failed("status", &rep);
    }
    status_print(ctl, s);
    return 0;
}

/* Until Ctrl-C or until nobody reads; a cluster that is away for a while is told and asked again. */
static int status_watch(struct ctl *ctl, struct status_view *s)
{
    bool lines = ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL;
    do {
        out_printf("%s", !lines && out_is_terminal() ? "\033[H\033[2J" : "");
        status_once(ctl, s);
        out_printf("%s", !lines && !out_is_terminal() ? "\n" : "");
        if (!out_flush()) {
            return 0;
        }
    } while (nanosleep(&(struct timespec){.tv_sec = STATUS_WATCH_S}, NULL) == 0);
    return 0;
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    bool watch = false;
    const struct arg rows[] = {
        {.name = "watch", .kind = ARG_SWITCH, .help = "again every second", .on = &watch},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, 1, &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands > 0) {
        return ctl_usage_error(ctl, "too many words");
    }
    struct status_view s = {0};
    code = watch ? status_watch(ctl, &s) : status_once(ctl, &s);
    status_view_fini(&s);
    return code;
}

/* ---- member list -------------------------------------------------------------------------------------- */

struct member {
    uint64_t id;
    struct slice name;
    struct slice peer;
    struct slice client;
    bool up;
};

static bool member_read(const struct pack_value *v, struct member *m)
{
    *m = (struct member){0};
    return pack_get_u64(pack_find(v, "id"), &m->id) && pack_get_bytes(pack_find(v, "name"), &m->name) &&
           pack_get_bytes(pack_find(v, "peer"), &m->peer) &&
           pack_get_bytes(pack_find(v, "client"), &m->client) && pack_get_bool(pack_find(v, "up"), &m->up);
}

/* Ask; *list is the array of an answer parsed with doc. */
static dkv_err member_fetch(struct ctl *ctl, struct pack_doc *doc, const struct pack_value **list,
                            struct reply *rep)
{
    const struct pack_value *root = NULL;
    uint32_t n = 0;
    if (doc == NULL) {
        *rep = (struct reply){.err = DKV_NO_MEMORY};
    } else if (session_call(ctl, &(struct request){.op = OP_MEMBERS}, rep) == DKV_OK) {
        rep->err = pack_parse(doc, rep->value, &root);
        *list = pack_find(root, "members");
        if (rep->err == DKV_OK && !pack_get_array(*list, &n)) {
            rep->err = DKV_MALFORMED;
        }
    }
    return rep->err;
}

static struct json *member_json(const struct member *m)
{
    struct json *v = json_new_object();
    json_set(v, "id", json_new_number(m->id));
    json_set(v, "name", json_new_bytes(m->name));
    json_set(v, "peer", json_new_bytes(m->peer));
    json_set(v, "client", json_new_bytes(m->client));
    json_set(v, "up", json_new_bool(m->up));
    return v;
}

static void member_print_json(const struct ctl *ctl, const struct pack_value *list)
{
    struct member m;
    struct json *root = json_new_object();
    struct json *members = json_new_array();
    for (uint32_t i = 0; member_read(pack_at(list, i), &m); i++) {
        if (ctl->output == OUTPUT_JSONL) {
            out_json(member_json(&m));
        } else {
            json_add(members, member_json(&m));
        }
    }
    json_set(root, "members", members);
    if (ctl->output == OUTPUT_JSON) {
        out_json(root);
    } else {
        json_free(root);
    }
}

static void member_print(const struct ctl *ctl, const struct pack_value *list)
{
    static const char *const headings[] = {"NAME", "PEER", "CLIENT", "UP"};
    struct table t;
    struct member m;
    table_init(&t, headings, 4);
    for (uint32_t i = 0; member_read(pack_at(list, i), &m); i++) {
        table_put(&t, m.name);
        table_put(&t, m.peer);
        table_put(&t, m.client.len > 0 ? m.client : slice_str("-"));
        table_put(&t, slice_str(m.up ? "yes" : "no"));
    }
    table_print(ctl, &t);
    table_fini(&t);
}

int cmd_member_list(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse_operands(ctl, &in, 0, 0);
    if (code != CTL_GO) {
        return code;
    }
    struct reply rep;
    const struct pack_value *list = NULL;
    struct pack_doc *doc = pack_doc_new();
    code = 0;
    if (member_fetch(ctl, doc, &list, &rep) != DKV_OK) {
        code = out_failed("member list", &rep);
    } else if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        member_print_json(ctl, list);
    } else {
        member_print(ctl, list);
    }
    pack_doc_free(doc);
    return code;
}

/* ---- health ------------------------------------------------------------------------------------------- */

struct health {
    bool ok;
    struct buf reason; /* of the first thing that is wrong */
    struct buf node;   /* who was asked */
};

static void health_refuse(struct health *h, struct slice reason)
{
    if (h->ok) {
        buf_put(&h->reason, reason);
    }
    h->ok = false;
}

static void health_refuse_reply(struct health *h, const struct reply *rep)
{
    struct buf reason = {0};
    buf_printf(&reason, "%s%s", err_text(rep->err), rep->detail.len > 0 ? ": " : "");
    buf_put(&reason, rep->detail);
    health_refuse(h, buf_slice(&reason));
    buf_fini(&reason);
}

static void health_ask_node(struct ctl *ctl, struct health *h, struct pack_doc *doc)
{
    struct reply rep;
    const struct pack_value *root = NULL;
    struct slice reason = slice_str("the node says no more");
    struct slice node = {0};
    bool ok = false;
    if (session_call(ctl, &(struct request){.op = OP_HEALTH}, &rep) == DKV_OK) {
        rep.err = pack_parse(doc, rep.value, &root);
    }
    if (rep.err == DKV_OK && !pack_get_bool(pack_find(root, "ok"), &ok)) {
        rep.err = DKV_MALFORMED;
    }
    if (rep.err != DKV_OK) {
        health_refuse_reply(h, &rep);
        return;
    }
    buf_put(&h->node, pack_get_bytes(pack_find(root, "node"), &node) ? node : rep.node);
    if (!ok) {
        pack_get_bytes(pack_find(root, "reason"), &reason);
        health_refuse(h, reason);
    }
}

static void health_ask_members(struct ctl *ctl, struct health *h, struct pack_doc *doc)
{
    struct reply rep;
    struct member m;
    const struct pack_value *list = NULL;
    if (member_fetch(ctl, doc, &list, &rep) != DKV_OK) {
        health_refuse_reply(h, &rep);
        return;
    }
    for (uint32_t i = 0; member_read(pack_at(list, i), &m); i++) {
        if (!m.up) {
            struct buf reason = {0};
            buf_put_text(&reason, "node ");
            buf_put(&reason, m.name);
            buf_put_text(&reason, " is down");
            health_refuse(h, buf_slice(&reason));
            buf_fini(&reason);
        }
    }
}

static void health_ask_shards(struct ctl *ctl, struct health *h)
{
    struct reply rep;
    struct shard_view v;
    struct status_view s = {0};
    if (status_view_fetch(ctl, &s, &rep) != DKV_OK) {
        health_refuse_reply(h, &rep);
    }
    for (uint32_t i = 0; rep.err == DKV_OK && i < s.count; i++) {
        if (status_view_at(&s, i, &v) && v.leader.len == 0) {
            struct buf reason = {0};
            buf_printf(&reason, "shard %" PRIu64 " has no leader", v.id);
            health_refuse(h, buf_slice(&reason));
            buf_fini(&reason);
        }
    }
    status_view_fini(&s);
}

static void health_print(const struct ctl *ctl, const struct health *h)
{
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        struct json *root = json_new_object();
        json_set(root, "ok", json_new_bool(h->ok));
        json_set(root, "reason", json_new_bytes(buf_slice(&h->reason)));
        json_set(root, "node", status_name(buf_slice(&h->node)));
        out_json(root);
        return;
    }
    struct buf shown = {0};
    text_escape(buf_slice(&h->reason), 1000, &shown);
    out_printf("%s", h->ok ? "healthy\n" : "not healthy: ");
    out_bytes(buf_slice(&shown));
    out_printf("%s", h->ok ? "" : "\n");
    buf_fini(&shown);
}

int cmd_health(struct ctl *ctl, int argc, char **argv)
{
    bool cluster = false;
    const struct arg rows[] = {
        {.name = "cluster",
         .kind = ARG_SWITCH,
         .help = "every node up and every shard led, not the asked node alone",
         .on = &cluster},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, 1, &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands > 0) {
        return ctl_usage_error(ctl, "too many words");
    }
    struct pack_doc *doc = pack_doc_new();
    if (doc == NULL) {
        return out_no_memory();
    }
    struct health h = {.ok = true};
    health_ask_node(ctl, &h, doc);
    if (cluster && h.ok) {
        health_ask_members(ctl, &h, doc);
        health_ask_shards(ctl, &h);
    }
    health_print(ctl, &h);
    pack_doc_free(doc);
    buf_fini(&h.reason);
    buf_fini(&h.node);
    return h.ok ? 0 : CTL_EXIT_CHECK;
}

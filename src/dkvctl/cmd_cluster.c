/* cmd_cluster.c - cluster up, down, status, kill, pause, resume, logs: a cluster on this machine. */
#include "base/mem.h"
#include "dkvctl/ctl.h"
#include "dkvctl/input.h"
#include "dkvctl/local.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "dkvctl/shard_view.h"
#include "proto/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLUSTER_DIR       "./dkv-local"
#define CLUSTER_UP_MS     30000u
#define CLUSTER_DOWN_MS   10000u
#define CLUSTER_KILL_MS   5000u
#define CLUSTER_ASK_MS    500u
#define CLUSTER_FAIL_MS   1000u /* for the other nodes to fail as one did */
#define CLUSTER_POLL_MS   50u
#define CLUSTER_LOG_LINES 10
#define CLUSTER_LOG_BYTES 4096 /* of the end of a log, shown when a node dies */

static struct arg cluster_dir_row(const char **dir)
{
    return (struct arg){.name = "dir",
                        .kind = ARG_TEXT,
                        .value = "DIR",
                        .preset = CLUSTER_DIR,
                        .help = "where the cluster lives",
                        .text = dir};
}

static int cluster_refuse(const struct ctl *ctl, const char *dir, dkv_err err, const struct buf *why)
{
    struct buf shown = {0};
    text_escape(slice_str(dir), 200, &shown);
    out_error("%s: %.*s: %.*s", ctl->command->name, (int)shown.len,
              shown.len > 0 ? (const char *)shown.data : "", (int)why->len,
              why->len > 0 ? (const char *)why->data : "");
    buf_fini(&shown);
    return err == DKV_NOT_FOUND ? 1 : err_exit_code(err);
}

/* The common begin: flags, operands, settings. CTL_GO: l is loaded, to be finished by the caller. */
static int cluster_open(struct ctl *ctl, struct arg_input *in, int operands, struct local *l)
{
    const char *dir = NULL;
    const struct arg rows[] = {cluster_dir_row(&dir)};
    int code = ctl_parse(ctl, rows, 1, in);
    if (code == CTL_GO && in->operands != operands) {
        code = ctl_usage_error(ctl, in->operands < operands ? "NODE is missing" : "too many words");
    }
    if (code != CTL_GO) {
        return code;
    }
    struct buf why = {0};
    dkv_err err = local_load(dir, l, &why);
    code = err == DKV_OK ? CTL_GO : cluster_refuse(ctl, dir, err, &why);
    if (err != DKV_OK) {
        local_fini(l);
    }
    buf_fini(&why);
    return code;
}

/* ---- status ------------------------------------------------------------------------------------------- */

static const char *cluster_state_name(enum local_state state)
{
    static const char *const names[] = {[LOCAL_DOWN] = "down", [LOCAL_UP] = "up", [LOCAL_PAUSED] = "paused"};
    return names[state];
}

static struct json *cluster_node_json(const struct local *l, unsigned i)
{
    pid_t pid = 0;
    char text[32];
    enum local_state state = local_state(l, i, &pid);
    struct json *node = json_new_object();
    snprintf(text, sizeof text, "n%u", i);
    json_set(node, "name", json_new_bytes(slice_str(text)));
    json_set(node, "state", json_new_bytes(slice_str(cluster_state_name(state))));
    json_set(node, "pid", state == LOCAL_DOWN ? json_new_null() : json_new_number((uint64_t)pid));
    snprintf(text, sizeof text, "127.0.0.1:%" PRIu64, l->client_port + i - 1);
    json_set(node, "client", json_new_bytes(slice_str(text)));
    snprintf(text, sizeof text, "127.0.0.1:%" PRIu64, l->peer_port + i - 1);
    json_set(node, "peer", json_new_bytes(slice_str(text)));
    return node;
}

static void cluster_print_json(const struct ctl *ctl, const struct local *l)
{
    struct json *root = json_new_object();
    struct json *nodes = json_new_array();
    for (unsigned i = 1; i <= l->nodes; i++) {
        if (ctl->output == OUTPUT_JSONL) {
            out_json(cluster_node_json(l, i));
        } else {
            json_add(nodes, cluster_node_json(l, i));
        }
    }
    json_set(root, "dir", json_new_bytes(slice_str(l->dir)));
    json_set(root, "nodes", nodes);
    if (ctl->output == OUTPUT_JSON) {
        out_json(root);
    } else {
        json_free(root);
    }
}

static void cluster_print(const struct ctl *ctl, const struct local *l)
{
    static const char *const headings[] = {"NODE", "STATE", "PID", "CLIENT", "PEER", "LOG"};
    struct table t;
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        cluster_print_json(ctl, l);
        return;
    }
    table_init(&t, headings, 6);
    for (unsigned i = 1; i <= l->nodes; i++) {
        char log[PATH_MAX];
        pid_t pid = 0;
        enum local_state state = local_state(l, i, &pid);
        local_path(l, i, "log", log);
        table_printf(&t, "n%u", i);
        table_put(&t, slice_str(cluster_state_name(state)));
        table_printf(&t, state == LOCAL_DOWN ? "-" : "%d", (int)pid);
        table_printf(&t, "127.0.0.1:%" PRIu64, l->client_port + i - 1);
        table_printf(&t, "127.0.0.1:%" PRIu64, l->peer_port + i - 1);
        table_put(&t, slice_str(log));
    }
    table_print(ctl, &t);
    table_fini(&t);
}

int cmd_cluster_status(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct local l;
    int code = cluster_open(ctl, &in, 0, &l);
    if (code != CTL_GO) {
        return code;
    }
    cluster_print(ctl, &l);
    local_fini(&l);
    return 0;
}

/* ---- up ----------------------------------------------------------------------------------------------- */

struct up {
    struct ctl *ctl;
    const char *dir;
    struct local wanted; /* 0: not given */
    struct local l;
    bool is_new;                  /* its settings were written by this command */
    pid_t started[NODES_MAX + 1]; /* by this command; 0: not */
};

/* The settings of a new cluster: what was given, and the defaults. */
static void up_settle(struct up *u)
{
    struct local *w = &u->wanted;
    w->nodes = w->nodes != 0 ? w->nodes : 3;
    w->shards = w->shards != 0 ? w->shards : 8;
    w->replicas = w->replicas != 0 ? w->replicas : w->nodes < 3 ? 1 : 3;
    w->client_port = w->client_port != 0 ? w->client_port : 5000;
    w->peer_port = w->peer_port != 0 ? w->peer_port : 7000;
}

static bool up_differs(uint64_t wanted, uint64_t has)
{
    return wanted != 0 && wanted != has;
}

/* What was given is what the cluster has. */
static bool up_agrees(const struct up *u)
{
    const struct local *w = &u->wanted;
    const struct local *has = &u->l;
    bool flags = w->flag_count == 0 || w->flag_count == has->flag_count;
    for (size_t i = 0; flags && i < w->flag_count; i++) {
        flags = strcmp(w->flags[i], has->flags[i]) == 0;
    }
    return flags && !up_differs(w->nodes, has->nodes) && !up_differs(w->shards, has->shards) &&
           !up_differs(w->replicas, has->replicas) && !up_differs(w->client_port, has->client_port) &&
           !up_differs(w->peer_port, has->peer_port);
}

static int up_prepare(struct up *u)
{
    struct buf why = {0};
    int code = CTL_GO;
    dkv_err err = local_load(u->dir, &u->l, &why);
    if (err == DKV_OK && !up_agrees(u)) {
        buf_put_text(&why, "has a cluster with other settings; they cannot change (see cluster.conf there)");
        err = DKV_CONFIG;
    } else if (err == DKV_NOT_FOUND) {
        buf_reset(&why);
        up_settle(u);
        err = local_check(&u->wanted, &why);
        err = err == DKV_OK ? local_save(u->dir, &u->wanted, &why) : err;
        u->is_new = err == DKV_OK;
        u->l = u->wanted;
        u->wanted.flag_count = 0; /* they are the cluster's now */
    }
    if (err != DKV_OK) {
        code = cluster_refuse(u->ctl, u->dir, err, &why);
    }
    buf_fini(&why);
    return code;
}

static int up_start_all(struct up *u)
{
    struct buf why = {0};
    int code = CTL_GO;
    for (unsigned i = 1; i <= u->l.nodes && code == CTL_GO; i++) {
        pid_t pid = 0;
        enum local_state state = local_state(&u->l, i, &pid);
        if (state == LOCAL_PAUSED) {
            out_note(u->ctl, "n%u is paused; dkvctl cluster resume n%u lets it go on", i, i);
        } else if (state == LOCAL_DOWN && local_start(&u->l, i, &u->started[i], &why) != DKV_OK) {
            out_error("cluster up: n%u cannot start: %.*s", i, (int)why.len, (const char *)why.data);
            u->started[i] = 0;
            code = 1;
        }
    }
    buf_fini(&why);
    return code;
}

/* The end of a log: its last lines, on stderr. */
static void cluster_print_log_end(const struct local *l, unsigned i)
{
    char path[PATH_MAX];
    char text[CLUSTER_LOG_BYTES];
    local_path(l, i, "log", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    off_t from = size > CLUSTER_LOG_BYTES ? size - CLUSTER_LOG_BYTES : 0;
    ssize_t n = size < 0 ? -1 : pread(fd, text, sizeof text, from);
    if (fd >= 0) {
        close(fd);
    }
    ssize_t at = n > 0 ? n - 1 : 0; /* the last newline ends a line, it does not begin one */
    for (int lines = 0; at > 0 && lines < CLUSTER_LOG_LINES; at--) {
        lines += text[at - 1] == '\n';
        if (lines == CLUSTER_LOG_LINES) {
            break;
        }
    }
    if (n > 0) {
        fwrite(text + at, 1, (size_t)(n - at), stderr);
    }
}

/* True when a node that was started is gone again; it is said which and why. */
static bool up_lost_one(struct up *u)
{
    bool lost = false;
    for (unsigned i = 1; i <= u->l.nodes; i++) {
        int status = 0;
        if (u->started[i] == 0 || waitpid(u->started[i], &status, WNOHANG) != u->started[i]) {
            continue;
        }
        u->started[i] = 0;
        lost = true;
        if (WIFEXITED(status)) {
            out_error("cluster up: n%u exited with %d; the end of its log:", i, WEXITSTATUS(status));
        } else {
            out_error("cluster up: n%u was killed by signal %d; the end of its log:", i, WTERMSIG(status));
        }
        cluster_print_log_end(&u->l, i);
    }
    return lost;
}

/* Ask node i alone. */
static dkv_err up_ask(const struct local *l, unsigned i, enum op op, struct reply *rep, struct buf *keep)
{
    struct address endpoint = {.host = "127.0.0.1", .port = (uint16_t)(l->client_port + i - 1)};
    const struct client_config config = {
        .endpoints = &endpoint, .endpoint_count = 1, .timeout_ms = CLUSTER_ASK_MS};
    return client_call_wait(&config, &(struct request){.op = op}, rep, keep);
}

/* It serves, votes, and knows the leaders of its shards. */
static bool up_is_healthy(const struct local *l, unsigned i)
{
    struct reply rep;
    struct buf keep = {0};
    bool ok = false;
    const struct pack_value *root = NULL;
    struct pack_doc *doc = pack_doc_new();
    bool healthy = doc != NULL && up_ask(l, i, OP_HEALTH, &rep, &keep) == DKV_OK &&
                   pack_parse(doc, rep.value, &root) == DKV_OK && pack_get_bool(pack_find(root, "ok"), &ok) &&
                   ok;
    pack_doc_free(doc);
    buf_fini(&keep);
    return healthy;
}

/* Every shard has a leader, says node i. */
static bool up_is_led(const struct local *l, unsigned i)
{
    struct reply rep;
    struct buf keep = {0};
    struct shard_view v;
    struct status_view s = {0};
    bool led = up_ask(l, i, OP_STATUS, &rep, &keep) == DKV_OK && status_view_read(&s, &rep) == DKV_OK &&
               s.count == l->shards;
    for (uint32_t k = 0; led && k < s.count; k++) {
        led = status_view_at(&s, k, &v) && v.leader.len > 0;
    }
    status_view_fini(&s);
    buf_fini(&keep);
    return led;
}

/* Every node that is not paused is well, and every shard has a leader. */
static bool up_is_ready(const struct local *l)
{
    unsigned asked = 0;
    for (unsigned i = 1; i <= l->nodes; i++) {
        pid_t pid = 0;
        enum local_state state = local_state(l, i, &pid);
        if (state == LOCAL_DOWN || (state == LOCAL_UP && !up_is_healthy(l, i))) {
            return false;
        }
        asked = state == LOCAL_UP ? i : asked;
    }
    return asked > 0 && up_is_led(l, asked);
}

static int up_wait(struct up *u)
{
    uint64_t limit_ms = u->ctl->timeout_given_ms == UINT64_MAX ? CLUSTER_UP_MS : u->ctl->timeout_ms;
    uint64_t end_us = session_now_us() + limit_ms * 1000;
    for (;;) {
        if (up_lost_one(u)) {
            return 1;
        }
        if (up_is_ready(&u->l)) {
            return 0;
        }
        if (session_now_us() >= end_us) {
            out_error("cluster up: after %" PRIu64 " ms some shards have no leader; see the logs", limit_ms);
            return err_exit_code(DKV_UNAVAILABLE);
        }
        local_sleep_ms(CLUSTER_POLL_MS);
    }
}

/* Whether a node of this command still runs after the others had a moment to fail as the first did. */
static bool up_has_one(struct up *u)
{
    unsigned running = 0;
    for (unsigned waited = 0; waited <= CLUSTER_FAIL_MS; waited += CLUSTER_POLL_MS) {
        up_lost_one(u);
        running = 0;
        for (unsigned i = 1; i <= u->l.nodes; i++) {
            running += u->started[i] != 0;
        }
        if (running == 0) {
            return false;
        }
        local_sleep_ms(CLUSTER_POLL_MS);
    }
    return true;
}

/* Settings with which no node has ever come up bind nobody: the next try may come with others. */
static bool up_forget(struct up *u)
{
    if (!u->is_new || up_has_one(u)) {
        return false;
    }
    local_forget(&u->l);
    out_error("cluster up: no node came up; its settings are forgotten, try again with others");
    return true;
}

static int up_run(struct up *u)
{
    int code = up_prepare(u);
    if (code != CTL_GO) {
        return code;
    }
    code = up_start_all(u);
    code = code == CTL_GO ? up_wait(u) : code;
    if (code != 0 && up_forget(u)) {
        return code;
    }
    cluster_print(u->ctl, &u->l);
    bool usual = strcmp(u->dir, CLUSTER_DIR) == 0;
    out_note(u->ctl, "stop it with: dkvctl cluster down%s%s", usual ? "" : " --dir ", usual ? "" : u->dir);
    return code;
}

/* What stands behind "--" is for dkvd. */
static bool up_take_flags(struct up *u, int n, char **flags)
{
    for (int i = 0; i < n; i++) {
        bool bad = u->wanted.flag_count == LOCAL_FLAGS_MAX || strchr(flags[i], '\n') != NULL;
        char *copy = bad ? NULL : mem_text(slice_str(flags[i]));
        if (copy == NULL) {
            return false;
        }
        u->wanted.flags[u->wanted.flag_count++] = copy;
    }
    return true;
}

static int up_parse(struct up *u, struct arg_input *in)
{
    struct local *w = &u->wanted;
    const struct arg rows[] = {
        cluster_dir_row(&u->dir),
        {.name = "nodes",
         .letter = 'n',
         .kind = ARG_U64,
         .value = "N",
         .help = "number of nodes [3]",
         .number = &w->nodes},
        {.name = "shards",
         .kind = ARG_U64,
         .value = "N",
         .help = "number of shards [8]",
         .number = &w->shards},
        {.name = "replicas",
         .kind = ARG_U64,
         .value = "N",
         .help = "replicas of a shard [3, or 1 with fewer nodes]",
         .number = &w->replicas},
        {.name = "client-port",
         .kind = ARG_U64,
         .value = "PORT",
         .help = "of n1, the others follow [5000]",
         .number = &w->client_port},
        {.name = "peer-port",
         .kind = ARG_U64,
         .value = "PORT",
         .help = "of n1, the others follow [7000]",
         .number = &w->peer_port},
    };
    int code = ctl_parse(u->ctl, rows, sizeof rows / sizeof rows[0], in);
    if (code == CTL_GO && in->operands > 0 && in->argv[1][0] != '-') {
        return ctl_usage_error(u->ctl, "flags for dkvd begin with --");
    }
    if (code == CTL_GO && !up_take_flags(u, in->operands, in->argv + 1)) {
        return ctl_usage_error(u->ctl, "at most %d flags for dkvd, without newlines", LOCAL_FLAGS_MAX);
    }
    return code;
}

int cmd_cluster_up(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct up *u = mem_zalloc(1, sizeof *u);
    if (u == NULL) {
        return out_no_memory();
    }
    u->ctl = ctl;
    int code = up_parse(u, &in);
    code = code == CTL_GO ? up_run(u) : code;
    local_fini(&u->wanted);
    local_fini(&u->l);
    mem_free(u);
    return code;
}

/* ---- down --------------------------------------------------------------------------------------------- */

static int down_node(const struct ctl *ctl, const struct local *l, unsigned i)
{
    if (local_wait_down(l, i, CLUSTER_DOWN_MS)) {
        out_note(ctl, "n%u is down", i);
        return 0;
    }
    out_note(ctl, "n%u did not stop within %u s, killing it", i, CLUSTER_DOWN_MS / 1000);
    dkv_err err = local_signal(l, i, SIGKILL);
    if ((err == DKV_OK || err == DKV_NOT_FOUND) && local_wait_down(l, i, CLUSTER_KILL_MS)) {
        return 0;
    }
    out_error("cluster down: n%u cannot be stopped", i);
    return 1;
}

int cmd_cluster_down(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct local l;
    bool was_up[NODES_MAX + 1] = {false};
    int code = cluster_open(ctl, &in, 0, &l);
    if (code != CTL_GO) {
        return code;
    }
    code = 0;
    for (unsigned i = 1; i <= l.nodes; i++) {
        dkv_err err = local_signal(&l, i, SIGTERM);
        was_up[i] = err != DKV_NOT_FOUND;
        if (err == DKV_OK && local_signal(&l, i, SIGCONT) == DKV_IO) { /* a paused one has to hear of it */
            code = 1;
        }
    }
    for (unsigned i = 1; i <= l.nodes; i++) {
        code = was_up[i] && down_node(ctl, &l, i) != 0 ? 1 : code;
    }
    local_fini(&l);
    return code;
}

/* ---- kill, pause, resume ------------------------------------------------------------------------------ */

static int cluster_signal(struct ctl *ctl, int argc, char **argv, int number)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    struct local l;
    int code = cluster_open(ctl, &in, 1, &l);
    if (code != CTL_GO) {
        return code;
    }
    unsigned i = local_find(&l, argv[1]);
    dkv_err err = i == 0 ? DKV_CONFIG : local_signal(&l, i, number);
    code = err_exit_code(err);
    if (err == DKV_CONFIG) {
        out_error("%s: nodes are n1 to n%" PRIu64, ctl->command->name, l.nodes);
    } else if (err == DKV_NOT_FOUND) {
        out_error("%s: n%u is down", ctl->command->name, i);
        code = 1;
    } else if (err != DKV_OK) {
        out_error("%s: n%u cannot be signalled: %s", ctl->command->name, i, err_text(err));
    } else if (number == SIGKILL && !local_wait_down(&l, i, CLUSTER_KILL_MS)) {
        out_error("%s: n%u does not go away", ctl->command->name, i);
        code = 1;
    }
    local_fini(&l);
    return code;
}

int cmd_cluster_kill(struct ctl *ctl, int argc, char **argv)
{
    return cluster_signal(ctl, argc, argv, SIGKILL);
}

int cmd_cluster_pause(struct ctl *ctl, int argc, char **argv)
{
    return cluster_signal(ctl, argc, argv, SIGSTOP);
}

int cmd_cluster_resume(struct ctl *ctl, int argc, char **argv)
{
    return cluster_signal(ctl, argc, argv, SIGCONT);
}

/* ---- logs --------------------------------------------------------------------------------------------- */

static int logs_print(const char *path, bool follow)
{
    char text[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        out_error("cluster logs: %s", errno == ENOENT ? "there is no log yet" : strerror(errno));
        return 1;
    }
    ssize_t n = 0;
    do {
        n = read(fd, text, sizeof text);
        out_bytes(slice_of(text, n > 0 ? (size_t)n : 0));
        if (n == 0 && follow) {
            local_sleep_ms(CLUSTER_POLL_MS * 4);
        }
    } while ((n > 0 || (n == 0 && follow)) && out_flush());
    close(fd);
    return n < 0 ? 1 : 0;
}

int cmd_cluster_logs(struct ctl *ctl, int argc, char **argv)
{
    const char *dir = NULL;
    bool follow = false;
    const struct arg rows[] = {
        cluster_dir_row(&dir),
        {.name = "follow",
         .letter = 'f',
         .kind = ARG_SWITCH,
         .help = "go on with what is added",
         .on = &follow},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, 2, &in);
    if (code == CTL_GO && in.operands != 1) {
        code = ctl_usage_error(ctl, in.operands < 1 ? "NODE is missing" : "too many words");
    }
    if (code != CTL_GO) {
        return code;
    }
    struct buf why = {0};
    struct local l;
    char path[PATH_MAX];
    dkv_err err = local_load(dir, &l, &why);
    unsigned i = err == DKV_OK ? local_find(&l, argv[1]) : 0;
    if (err != DKV_OK) {
        code = cluster_refuse(ctl, dir, err, &why);
    } else if (i == 0) {
        out_error("cluster logs: nodes are n1 to n%" PRIu64, l.nodes);
        code = CTL_EXIT_USAGE;
    } else {
        local_path(&l, i, "log", path);
        code = logs_print(path, follow);
    }
    local_fini(&l);
    buf_fini(&why);
    return code;
}

/* ctl.c - the table of commands, the global flags, and how a command line or a line of stdin is run. */
#include "dkvctl/ctl.h"

#include "base/buf.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"
#include "dkvctl/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CTL_ENV      "DKVCTL_"
#define CTL_ROWS_MAX 32

const struct ctl_command ctl_commands[] = {
    {.help = "Data"},
    {"put", {"set"}, "KEY [VALUE|-|@FILE]", "store a value; without VALUE it is read from a pipe", cmd_put},
    {"get", {NULL}, "KEY...", "print values", cmd_get},
    {"delete", {"del", "rm"}, "KEY...", "delete keys and print how many there were", cmd_delete},
    {"scan", {NULL}, "[PREFIX]", "print keys and values in order, over all shards", cmd_scan},
    {"import", {NULL}, "[FILE|-]", "store many keys, a line of JSON or key<TAB>value each", cmd_import},
    {"export", {NULL}, "[PREFIX]", "print keys and values as lines of JSON, for import", cmd_export},
    {.help = "Cluster"},
    {"status", {NULL}, "", "shards: leader, term, log, size", cmd_status},
    {"health", {NULL}, "", "exit 0 when healthy, 9 when not", cmd_health},
    {"member list", {NULL}, "", "nodes and their addresses", cmd_member_list},
    {"ring show", {NULL}, "", "virtual nodes in order of position", cmd_ring_show},
    {"ring locate", {NULL}, "KEY", "the shard of a key and where it lives", cmd_ring_locate},
    {"ring stats", {NULL}, "", "share of each shard", cmd_ring_stats},
    {.help = "Local cluster"},
    {"cluster up",
     {NULL},
     "[-- DKVD-FLAGS]",
     "start a cluster on this machine, or what of it is down",
     cmd_cluster_up},
    {"cluster down", {NULL}, "", "stop its nodes", cmd_cluster_down},
    {"cluster status", {NULL}, "", "its nodes: up, down or paused", cmd_cluster_status},
    {"cluster kill", {NULL}, "NODE", "kill a node at once (SIGKILL)", cmd_cluster_kill},
    {"cluster pause", {NULL}, "NODE", "stop a node in its tracks (SIGSTOP)", cmd_cluster_pause},
    {"cluster resume", {NULL}, "NODE", "let a paused node go on (SIGCONT)", cmd_cluster_resume},
    {"cluster logs", {NULL}, "NODE", "print a node's log", cmd_cluster_logs},
    {.help = "Other"},
    {"bench", {NULL}, "", "measure throughput and latency", cmd_bench},
    {"version", {NULL}, "", "print the version", cmd_version},
    {"help", {NULL}, "[COMMAND]", "print help", cmd_help},
    {.name = NULL},
};

static bool ctl_is_end(const struct ctl_command *c)
{
    return c->name == NULL && c->help == NULL;
}

/* ---- flags -------------------------------------------------------------------------------------------- */

static size_t ctl_global_rows(struct ctl *ctl, struct arg *rows)
{
    const struct arg all[] = {
        {.name = "endpoints",
         .letter = 'e',
         .kind = ARG_TEXT,
         .value = "HOST:PORT,...",
         .preset = "127.0.0.1:5000",
         .help = "nodes to ask; the others are learned",
         .text = &ctl->endpoints_text},
        {.name = "output",
         .letter = 'o',
         .kind = ARG_TEXT,
         .value = "FORMAT",
         .preset = "simple",
         .help = "simple, json, jsonl, table or raw",
         .text = &ctl->output_text},
        {.name = "consistency",
         .letter = 'c',
         .kind = ARG_TEXT,
         .value = "LEVEL",
         .preset = "linearizable",
         .help = "of reads: linearizable or stale",
         .text = &ctl->consistency_text},
        {.name = "timeout",
         .letter = 't',
         .kind = ARG_DURATION,
         .value = "D",
         .help = "of the whole command with its retries [5s]",
         .number = &ctl->timeout_given_ms},
        {.name = "verbose",
         .letter = 'v',
         .kind = ARG_SWITCH,
         .help = "tell of retries",
         .on = &ctl->verbose},
        {.name = "quiet",
         .letter = 'q',
         .kind = ARG_SWITCH,
         .help = "only data and errors",
         .on = &ctl->quiet},
        {.name = "trace",
         .kind = ARG_SWITCH,
         .help = "endpoint, shard, hops and latency on stderr",
         .on = &ctl->trace},
        {.name = "no-color", .kind = ARG_SWITCH, .help = "no colors in tables", .on = &ctl->no_color},
        {.name = "keep-going",
         .kind = ARG_SWITCH,
         .help = "commands from stdin, lines of import: do not stop at a failure",
         .on = &ctl->keep_going},
        {.name = "version",
         .kind = ARG_SWITCH,
         .help = "print the version",
         .on = &ctl->version,
         .no_env = true},
        {.name = "help",
         .letter = 'h',
         .kind = ARG_SWITCH,
         .help = "print help",
         .on = &ctl->help,
         .no_env = true},
    };
    memcpy(rows, all, sizeof all);
    return sizeof all / sizeof all[0];
}

/* The same behind the command: flags only, as defaults and environment have been taken. */
static size_t ctl_later_rows(struct ctl *ctl, struct arg *rows)
{
    size_t n = ctl_global_rows(ctl, rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].preset = NULL;
        rows[i].no_env = true;
    }
    return n;
}

static int ctl_parse_rows(const struct arg *rows, size_t n, struct arg_input *in)
{
    struct buf why = {0};
    const struct arg_set set = {.rows = rows, .n = n, .env_prefix = CTL_ENV};
    dkv_err err = args_parse(&set, in, &why);
    if (err != DKV_OK) {
        out_error("%.*s", (int)why.len, why.len > 0 ? (const char *)why.data : "");
    }
    buf_fini(&why);
    return err == DKV_OK ? CTL_GO : err_exit_code(err);
}

/* One of names; -1: none. */
static int ctl_choose(const char *text, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static int ctl_refuse(const char *flag, const char *text, const char *allowed)
{
    struct buf shown = {0};
    text_escape(slice_str(text), 100, &shown);
    out_error("%s: \"%.*s\" is not %s", flag, (int)shown.len, shown.len > 0 ? (const char *)shown.data : "",
              allowed);
    buf_fini(&shown);
    return CTL_EXIT_USAGE;
}

static bool ctl_settle_endpoints(struct ctl *ctl)
{
    struct slice rest = slice_str(ctl->endpoints_text);
    ctl->endpoint_count = 0;
    bool more = true;
    while (more) {
        const uint8_t *comma = rest.len == 0 ? NULL : memchr(rest.data, ',', rest.len);
        struct slice one = slice_of(rest.data, comma != NULL ? (size_t)(comma - rest.data) : rest.len);
        if (ctl->endpoint_count == NODES_MAX ||
            text_parse_address(one, &ctl->endpoints[ctl->endpoint_count]) != DKV_OK) {
            return false;
        }
        ctl->endpoint_count++;
        more = comma != NULL;
        rest = more ? slice_of(comma + 1, rest.len - one.len - 1) : (struct slice){0};
    }
    return true;
}

/* Understand the global flags. */
static int ctl_settle(struct ctl *ctl)
{
    static const char *const outputs[] = {"simple", "json", "jsonl", "table", "raw"};
    static const char *const levels[] = {"linearizable", "stale"};
    int output = ctl_choose(ctl->output_text, outputs, 5);
    int level = ctl_choose(ctl->consistency_text, levels, 2);
    if (output < 0) {
        return ctl_refuse("--output", ctl->output_text, "simple, json, jsonl, table or raw");
    }
    if (level < 0) {
        return ctl_refuse("--consistency", ctl->consistency_text, "linearizable or stale");
    }
    ctl->timeout_ms = ctl->timeout_given_ms == UINT64_MAX ? CTL_TIMEOUT_MS : ctl->timeout_given_ms;
    if (ctl->timeout_ms < 1 || ctl->timeout_ms > TIMEOUT_MS_MAX) {
        out_error("--timeout has to be from 1ms to %us", TIMEOUT_MS_MAX / 1000);
        return CTL_EXIT_USAGE;
    }
    if (!ctl_settle_endpoints(ctl)) {
        return ctl_refuse("--endpoints", ctl->endpoints_text, "a list of host:port, with commas between");
    }
    ctl->output = (enum ctl_output)output;
    ctl->consistency = (enum consistency)level;
    return CTL_GO;
}

int ctl_parse_globals(struct ctl *ctl, struct arg_input *in)
{
    struct arg rows[CTL_ROWS_MAX];
    in->stop_at_operand = true;
    return ctl_parse_rows(rows, ctl_global_rows(ctl, rows), in);
}

static int ctl_print_command_help(struct ctl *ctl, const struct arg *rows, size_t n)
{
    const struct ctl_command *c = ctl->command;
    struct arg global[CTL_ROWS_MAX];
    struct buf text = {0};
    buf_printf(&text, "usage: dkvctl [flags] %s%s%s\n\n%s\n", c->name, c->operands[0] != '\0' ? " " : "",
               c->operands, c->help);
    for (size_t i = 0; i < 2 && c->also[i] != NULL; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "\nalso: " : ", ", c->also[i]);
    }
    buf_put_text(&text, c->also[0] != NULL ? "\n" : "");
    if (n > 0) {
        buf_put_text(&text, "\nflags\n");
        args_help(&(struct arg_set){.rows = rows, .n = n}, &text);
    }
    buf_put_text(&text, "\nglobal flags\n");
    args_help(&(struct arg_set){.rows = global, .n = ctl_global_rows(ctl, global)}, &text);
    out_bytes(buf_slice(&text));
    buf_fini(&text);
    return 0;
}

int ctl_parse(struct ctl *ctl, const struct arg *rows, size_t n, struct arg_input *in)
{
    struct arg all[CTL_ROWS_MAX];
    const char *endpoints = ctl->endpoints_text;
    size_t global = ctl_later_rows(ctl, all);
    ensure(global + n <= CTL_ROWS_MAX);
    if (n > 0) {
        memcpy(all + global, rows, n * sizeof rows[0]);
    }
    int code = ctl_parse_rows(all, global + n, in);
    if (code != CTL_GO) {
        return code;
    }
    if (ctl->help) {
        return ctl_print_command_help(ctl, rows, n);
    }
    if (ctl->batch && ctl->endpoints_text != endpoints) {
        return ctl_usage_error(ctl, "--endpoints cannot change within one run");
    }
    return ctl_settle(ctl);
}

int ctl_parse_operands(struct ctl *ctl, struct arg_input *in, int least, int most)
{
    int code = ctl_parse(ctl, NULL, 0, in);
    if (code == CTL_GO && (in->operands < least || in->operands > most)) {
        return ctl_usage_error(ctl, in->operands < least ? "something is missing" : "too many words");
    }
    return code;
}

int ctl_usage_error(struct ctl *ctl, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const struct ctl_command *c = ctl->command;
    out_error("%s: %s; usage: dkvctl %s %s", c->name, what, c->name, c->operands);
    return CTL_EXIT_USAGE;
}

/* ---- commands ----------------------------------------------------------------------------------------- */

void ctl_print_help(struct ctl *ctl, const char *group)
{
    struct buf text = {0};
    size_t len = group == NULL ? 0 : strlen(group);
    buf_put_text(&text, "usage: dkvctl [flags] COMMAND [args]\n");
    for (const struct ctl_command *c = ctl_commands; !ctl_is_end(c); c++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", c->name != NULL ? c->name : "",
                 c->operands != NULL ? c->operands : "");
        bool wanted = group == NULL ||
                      (c->name != NULL && strncasecmp(c->name, group, len) == 0 && c->name[len] == ' ');
        if (c->name == NULL && group == NULL) {
            buf_printf(&text, "\n%s\n", c->help);
        } else if (wanted) {
            buf_printf(&text, "  %-32s  %s\n", usage, c->help);
        }
    }
    if (group == NULL) {
        struct arg rows[CTL_ROWS_MAX];
        buf_put_text(&text, "\nFlags (also as DKVCTL_OUTPUT and so on in the environment)\n");
        args_help(&(struct arg_set){.rows = rows, .n = ctl_global_rows(ctl, rows)}, &text);
        buf_put_text(&text,
                     "\ndkvctl help COMMAND tells more. Without a command, a pipe gives one per line.\n");
    }
    out_bytes(buf_slice(&text));
    buf_fini(&text);
}

/* NULL: no such command. second is NULL for a name of one word. */
static const struct ctl_command *ctl_find(const char *first, const char *second)
{
    char name[64];
    int len = second == NULL ? snprintf(name, sizeof name, "%s", first)
                             : snprintf(name, sizeof name, "%s %s", first, second);
    for (const struct ctl_command *c = ctl_commands; len < (int)sizeof name && !ctl_is_end(c); c++) {
        bool also = (c->also[0] != NULL && strcasecmp(name, c->also[0]) == 0) ||
                    (c->also[1] != NULL && strcasecmp(name, c->also[1]) == 0);
        if (c->name != NULL && (also || strcasecmp(name, c->name) == 0)) {
            return c;
        }
    }
    return NULL;
}

/* Whether word is the first of names of two words. */
static bool ctl_is_group(const char *word)
{
    size_t len = strlen(word);
    for (const struct ctl_command *c = ctl_commands; !ctl_is_end(c); c++) {
        if (c->name != NULL && strncasecmp(c->name, word, len) == 0 && c->name[len] == ' ') {
            return true;
        }
    }
    return false;
}

static int ctl_refuse_command(const char *first, const char *second)
{
    struct buf name = {0};
    text_escape(slice_str(first), 40, &name);
    buf_put_text(&name, second != NULL ? " " : "");
    text_escape(slice_str(second != NULL ? second : ""), 40, &name);
    out_error("unknown command \"%.*s\"; dkvctl help lists them all", (int)name.len,
              name.len > 0 ? (const char *)name.data : "");
    buf_fini(&name);
    return CTL_EXIT_USAGE;
}

static int ctl_call(struct ctl *ctl, const struct ctl_command *c, int argc, char **argv)
{
    ctl->command = c;
    session_renew(ctl);
    return c->run(ctl, argc, argv);
}

/* argv[1] is the first of two words; global flags may stand before the second. */
static int ctl_run_in_group(struct ctl *ctl, int argc, char **argv)
{
    struct arg rows[CTL_ROWS_MAX];
    struct arg_input in = {.argc = argc - 1, .argv = argv + 1, .stop_at_operand = true};
    int code = ctl_parse_rows(rows, ctl_later_rows(ctl, rows), &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands == 0) {
        ctl_print_help(ctl, argv[1]);
        return ctl->help ? 0 : CTL_EXIT_USAGE;
    }
    const struct ctl_command *c = ctl_find(argv[1], argv[2]);
    return c == NULL ? ctl_refuse_command(argv[1], argv[2]) : ctl_call(ctl, c, in.operands, argv + 2);
}

int ctl_run(struct ctl *ctl, int argc, char **argv)
{
    ensure(argc > 1);
    const struct ctl_command *c = ctl_find(argv[1], NULL);
    if (c != NULL) {
        return ctl_call(ctl, c, argc - 1, argv + 1);
    }
    return ctl_is_group(argv[1]) ? ctl_run_in_group(ctl, argc, argv) : ctl_refuse_command(argv[1], NULL);
}

int cmd_help(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl->help ? CTL_GO : ctl_parse_operands(ctl, &in, 0, 2);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands == 0) {
        ctl_print_help(ctl, NULL);
        return 0;
    }
    ctl->help = true;
    return ctl_run(ctl, in.operands + 1, argv);
}

int cmd_version(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse_operands(ctl, &in, 0, 0);
    if (code != CTL_GO) {
        return code;
    }
    if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_JSONL) {
        struct json *root = json_new_object();
        json_set(root, "version", json_new_bytes(slice_str(DKV_VERSION)));
        out_json(root);
    } else {
        out_printf("dkvctl %s\n", DKV_VERSION);
    }
    return 0;
}

/* ---- commands from stdin ------------------------------------------------------------------------------ */

static bool ctl_is_exit(const struct words *w)
{
    return w->argc == 2 && (strcasecmp(w->argv[1], "exit") == 0 || strcasecmp(w->argv[1], "quit") == 0);
}

/* One line. Flags on it are its own. Sets *done at EXIT and QUIT. */
static int ctl_run_line(struct ctl *ctl, struct slice line, bool *done)
{
    struct words words;
    struct buf why = {0};
    int code = 0;
    dkv_err err = line.len > WORDS_LINE_MAX ? DKV_TOO_LARGE : words_split(line, &words, &why);
    if (err != DKV_OK) {
        out_error("%s%s%.*s", err_text(err), why.len > 0 ? ": " : "", (int)why.len,
                  why.len > 0 ? (const char *)why.data : "");
        code = err_exit_code(err);
    } else if (ctl_is_exit(&words)) {
        *done = true;
    } else if (words.argc > 1) {
        struct ctl own = *ctl;
        code = ctl_run(&own, words.argc, words.argv);
        ctl->session = own.session;
    }
    if (err != DKV_TOO_LARGE) {
        words_fini(&words);
    }
    buf_fini(&why);
    return code;
}

int ctl_run_batch(struct ctl *ctl)
{
    char *line = NULL;
    size_t room = 0;
    bool done = false;
    int first = 0;
    ctl->batch = true;
    for (unsigned long number = 1; !done; number++) {
        ssize_t len = getline(&line, &room, stdin);
        if (len < 0) {
            break;
        }
        int code = ctl_run_line(ctl, slice_of(line, (size_t)len), &done);
        bool failed = code != 0 && code != CTL_EXIT_MISSING; /* NOT_FOUND is an answer */
        if (failed) {
            out_error("line %lu failed%s", number, ctl->keep_going ? "" : ", stopped (--keep-going goes on)");
            first = first != 0 ? first : code;
        }
        done = done || (failed && !ctl->keep_going) || !out_flush();
    }
    free(line);
    return first;
}

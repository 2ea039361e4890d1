/* ctl.h - what every command of dkvctl shares: the global flags, the table of commands and how one is run.
 *
 * A command is a function that gets its own name as argv[0], parses its flags with ctl_parse() and returns
 * the exit code. Data goes to stdout, words go to stderr. */
#ifndef DKV_DKVCTL_CTL_H
#define DKV_DKVCTL_CTL_H

#include "base/args.h"
#include "base/text.h"
#include "proto/request.h"

#define CTL_GO             (-1) /* of ctl_parse: not an exit code, go on */
#define CTL_EXIT_USAGE     2
#define CTL_EXIT_MISSING   3
#define CTL_EXIT_CHECK     9
#define CTL_EXIT_INTERRUPT 130

enum ctl_output { OUTPUT_SIMPLE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_TABLE, OUTPUT_RAW };

#define CTL_TIMEOUT_MS 5000u

struct session;
struct ctl_command;

struct ctl {
    /* as given */
    const char *endpoints_text;
    const char *output_text;
    const char *consistency_text;
    uint64_t timeout_given_ms; /* UINT64_MAX: not given */
    bool verbose;
    bool quiet;
    bool trace;
    bool no_color;
    bool keep_going;
    bool help;
    bool version;

    /* as understood, by ctl_settle() */
    enum ctl_output output;
    enum consistency consistency;
    uint64_t timeout_ms;
    struct address endpoints[NODES_MAX];
    size_t endpoint_count;

    bool batch;                        /* commands come from stdin, so nothing else can */
    const struct ctl_command *command; /* the one being run */
    struct session *session;           /* opened by the first request */
};

typedef int (*ctl_run_fn)(struct ctl *ctl, int argc, char **argv);

struct ctl_command {
    const char *name;     /* one word or two: "get", "ring locate"; NULL: help is the heading of a group */
    const char *also[2];  /* other names; NULL: none */
    const char *operands; /* as usage shows them */
    const char *help;     /* one line */
    ctl_run_fn run;
};

/* Parse the flags of the running command: rows and the global ones, which may stand anywhere. Operands come
 * to stand from argv[1] on. Anything but CTL_GO ends the command with that exit code: --help was answered, or
 * what is wrong was said. */
int ctl_parse(struct ctl *ctl, const struct arg *rows, size_t n, struct arg_input *in);

/* As ctl_parse() for a command without flags of its own that takes least to most operands. */
int ctl_parse_operands(struct ctl *ctl, struct arg_input *in, int least, int most);

/* The global flags that stand before the command; in->stop_at_operand is set here. With the environment and
 * the defaults. */
int ctl_parse_globals(struct ctl *ctl, struct arg_input *in);

/* Say what is wrong with how the running command was called. Returns CTL_EXIT_USAGE. */
int ctl_usage_error(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The overview of all commands, or of those whose first word is group. */
void ctl_print_help(struct ctl *ctl, const char *group);

/* Run the command that argv[1] (and argv[2]) name. argv[0] is skipped. Returns its exit code. */
int ctl_run(struct ctl *ctl, int argc, char **argv);

/* Run the commands on stdin, one per line, up to the first failure. Returns its exit code. */
int ctl_run_batch(struct ctl *ctl);

/* The table, ended by a row without name and help. */
extern const struct ctl_command ctl_commands[];

/* The commands. */
int cmd_put(struct ctl *ctl, int argc, char **argv);
int cmd_get(struct ctl *ctl, int argc, char **argv);
int cmd_delete(struct ctl *ctl, int argc, char **argv);
int cmd_import(struct ctl *ctl, int argc, char **argv);
int cmd_export(struct ctl *ctl, int argc, char **argv);
int cmd_scan(struct ctl *ctl, int argc, char **argv);
int cmd_status(struct ctl *ctl, int argc, char **argv);
int cmd_health(struct ctl *ctl, int argc, char **argv);
int cmd_member_list(struct ctl *ctl, int argc, char **argv);
int cmd_ring_show(struct ctl *ctl, int argc, char **argv);
int cmd_ring_locate(struct ctl *ctl, int argc, char **argv);
int cmd_ring_stats(struct ctl *ctl, int argc, char **argv);
int cmd_bench(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_up(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_down(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_status(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_kill(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_pause(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_resume(struct ctl *ctl, int argc, char **argv);
int cmd_cluster_logs(struct ctl *ctl, int argc, char **argv);
int cmd_version(struct ctl *ctl, int argc, char **argv);
int cmd_help(struct ctl *ctl, int argc, char **argv);

#endif

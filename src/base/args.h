/* args.h - options of a program, from one table: flag over environment over default.
 *
 * --foo-bar V, --foo-bar=V and PREFIX_FOO_BAR=V are one option. A switch takes no value ("--insecure"; in the
 * environment 1, 0, true or false). "--" ends the flags; flags may stand among the operands. */
#ifndef DKV_BASE_ARGS_H
#define DKV_BASE_ARGS_H

#include "base/err.h"
#include "base/slice.h"

struct buf;

enum arg_kind { ARG_SWITCH, ARG_TEXT, ARG_U64, ARG_DURATION, ARG_SIZE };

/* One row. Exactly one of the out pointers is used, after kind. */
struct arg {
    const char *name; /* long flag without "--" */
    char letter;      /* short flag, or 0 */
    enum arg_kind kind;
    const char *value;  /* how help names the value, e.g. "HOST:PORT" */
    const char *preset; /* default as text; NULL: none, the out pointer stays as it was */
    const char *help;   /* one line */
    bool *on;           /* ARG_SWITCH */
    const char **text;  /* ARG_TEXT: borrowed from argv or the environment */
    uint64_t *number;   /* ARG_U64, ARG_DURATION (ms), ARG_SIZE (bytes) */
    bool no_env;        /* not readable from the environment */
};

struct arg_set {
    const struct arg *rows;
    size_t n;
    const char *env_prefix; /* "DKVD_"; NULL: no environment */
};

struct arg_input {
    int argc;             /* in: argv[0], the program or command, is skipped */
    char **argv;          /* in, reordered: the operands come to stand from argv[1] on */
    bool stop_at_operand; /* in: the first operand and all after it stay as they are (for subcommands) */
    int operands;         /* out: their number */
};

/* Fill the out pointers.
 * DKV_CONFIG: why says in one line what was wrong and what is allowed; an unknown flag names the nearest one.
 */
dkv_err args_parse(const struct arg_set *set, struct arg_input *in, struct buf *why) MUST_CHECK;

/* The rows as help text, two spaces in, defaults in brackets. */
void args_help(const struct arg_set *set, struct buf *out);

#endif

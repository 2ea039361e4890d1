/* args.h - options of a program, from one table: flag over environment over settings file over default.
 *
 * --foo-bar V, --foo-bar=V, PREFIX_FOO_BAR=V and "foo-bar = V" in a file (base/conf.h) are one option. A
 * switch takes no value ("--insecure"; in the environment and a file 1, 0, true or false). "--" ends the
 * flags; flags may stand among the operands. A bad value is refused wherever it stands, also where a stronger
 * one hides it.
 *
 * A refusal is one line that begins with where it is: "--foo-bar: ", "PREFIX_FOO_BAR: " or "FILE:LINE: ". */
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
    const char **text;  /* ARG_TEXT: borrowed from argv, the environment or the file's text */
    uint64_t *number;   /* ARG_U64, ARG_DURATION (ms), ARG_SIZE (bytes) */
    bool no_env;        /* not readable from the environment */
    bool no_file;       /* not readable from a file */
};

struct arg_set {
    const struct arg *rows;
    size_t n;
    const char *env_prefix; /* "DKVD_"; NULL: no environment */
};

/* Where the value of a row came from. */
enum arg_from { ARG_FROM_DEFAULT, ARG_FROM_FILE, ARG_FROM_ENV, ARG_FROM_FLAG };

struct arg_origin {
    enum arg_from from;
    unsigned line; /* ARG_FROM_FILE */
};

/* A settings file that was read. */
struct arg_file {
    const char *name; /* for messages */
    char *text;       /* values in it get a NUL behind them and are lent out: it outlives the out pointers */
    size_t len;
};

struct arg_input {
    int argc;              /* in: argv[0], the program or command, is skipped */
    char **argv;           /* in, reordered: the operands come to stand from argv[1] on */
    bool stop_at_operand;  /* in: the first operand and all after it stay as they are (for subcommands) */
    int operands;          /* out: their number */
    struct arg_file *file; /* in: NULL: none */
    struct arg_origin *origins; /* out: one for each row; NULL (with file NULL only): not wanted */
};

/* Fill the out pointers.
 * DKV_CONFIG: why says in one line what was wrong and what is allowed; an unknown flag names the nearest one.
 */
dkv_err args_parse(const struct arg_set *set, struct arg_input *in, struct buf *why) MUST_CHECK;

/* Where a value of row came from, as a refusal names it, without the last ": ". file may be NULL if there was
 * none. */
void args_put_origin(const struct arg_set *set, const struct arg *row, const struct arg_origin *origin,
                     const struct arg_file *file, struct buf *out);

/* Append the name of each variable of the environment that begins with the prefix but is none of the set's,
 * up to max of them, as one line each with what may have been meant. Never their values. */
void args_put_strangers(const struct arg_set *set, size_t max, struct buf *out);

/* The rows as help text, two spaces in, defaults in brackets. */
void args_help(const struct arg_set *set, struct buf *out);

/* The value of a row as a flag or a file would give it; nothing for a text that is NULL. */
void args_put_value(const struct arg *row, struct buf *out);

/* All rows that a file may have, as a file that gives the same values. A text that is NULL is left out. */
void args_put_file(const struct arg_set *set, struct buf *out);

#endif

/* args_internal.h - names of options, shared by args.c and args_text.c. */
#ifndef DKV_BASE_ARGS_INTERNAL_H
#define DKV_BASE_ARGS_INTERNAL_H

#include "base/args.h"

#define ARGS_NAME_MAX  48u /* of a flag, without "--" */
#define ARGS_SHOWN_MAX 64u /* bytes of a user's text that a message repeats */

/* NULL: no such row. */
const struct arg *args_find(const struct arg_set *set, struct slice name);

/* The row with the most similar name; NULL: nothing is near enough to be meant. */
const struct arg *args_nearest(const struct arg_set *set, struct slice name);

/* "DKVD_" and "data-dir" make "DKVD_DATA_DIR". */
void args_put_env_name(const struct arg_set *set, const struct arg *row, struct buf *out);

/* "FILE:LINE: " */
void args_put_place(const struct arg_file *file, unsigned line, struct buf *out);

/* What a value of that kind looks like. */
const char *args_allowed(enum arg_kind kind);

#endif

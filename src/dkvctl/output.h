/* output.h - data on stdout, words on stderr, in every format of --output.
 *
 * Text from the store is printed exactly as it is with simple and raw, and escaped in tables and messages, so
 * that a key cannot write to somebody's terminal. */
#ifndef DKV_DKVCTL_OUTPUT_H
#define DKV_DKVCTL_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/json.h"

#define TABLE_COLUMNS_MAX 12

struct ctl;
struct reply;

/* Data, to stdout; out_flush() and out_finish() tell whether it got there. */
void out_bytes(struct slice s);
void out_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One document and a newline; takes root. */
void out_json(struct json *root);

/* The same without the newline, for the parts of a document that is streamed. */
void out_json_part(struct json *root);

/* Hand over to the kernel what was printed. False: the reader is gone or the disk is full. */
bool out_flush(void);

/* At the end: code, or 1 when stdout could not be written (a reader that went away is no news). */
int out_finish(int code);

/* Whether stdout is one. */
bool out_is_terminal(void);

/* "dkvctl: ..." on stderr. */
void out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, unless --quiet. */
void out_note(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Say that what failed, with the reply's detail. Returns the exit code. */
int out_failed(const char *what, const struct reply *rep);

/* That memory ran out. Returns the exit code. */
int out_no_memory(void);

/* Rows of text under headings. Raw prints tabs and no headings. All zero is an empty table. */
struct table {
    struct buf cells; /* private: blobs, row by row, the headings first */
    size_t columns;
    size_t in_row;
};

/* Fill it cell by cell, row after row; then print it, with columns as wide as their widest cell. */
void table_init(struct table *t, const char *const *headings, size_t columns);
void table_put(struct table *t, struct slice cell);
void table_printf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct ctl *ctl, struct table *t);
void table_fini(struct table *t);

#endif

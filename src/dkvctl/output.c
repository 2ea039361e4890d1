/* output.c - printing. */
#include "dkvctl/output.h"

#include "base/reader.h"
#include "base/text.h"
#include "dkvctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_SHOWN_MAX 1000 /* bytes of a detail */

void out_bytes(struct slice s)
{
    if (s.len > 0) {
        fwrite(s.data, 1, s.len, stdout);
    }
}

void out_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

void out_json_part(struct json *root)
{
    struct buf text = {0};
    if (json_dump(root, &text) == DKV_OK) {
        out_bytes(buf_slice(&text));
    } else {
        out_no_memory();
    }
    buf_fini(&text);
}

void out_json(struct json *root)
{
    out_json_part(root);
    out_printf("\n");
}

bool out_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}

int out_finish(int code)
{
    errno = 0;
    if (out_flush()) {
        return code;
    }
    if (errno != EPIPE && errno != 0) {
        out_error("cannot write to standard output: %s", strerror(errno));
    }
    return code != 0 ? code : 1;
}

bool out_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

__attribute__((format(printf, 1, 0))) static void out_words(const char *format, va_list args)
{
    fputs("dkvctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void out_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out_words(format, args);
    va_end(args);
}

void out_note(const struct ctl *ctl, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!ctl->quiet) {
        out_words(format, args);
    }
    va_end(args);
}

int out_failed(const char *what, const struct reply *rep)
{
    struct buf detail = {0};
    text_escape(rep->detail, OUT_SHOWN_MAX, &detail);
    out_error("%s: %s%s%.*s", what, err_text(rep->err), detail.len > 0 ? ": " : "", (int)detail.len,
              detail.len > 0 ? (const char *)detail.data : "");
    buf_fini(&detail);
    return err_exit_code(rep->err);
}

int out_no_memory(void)
{
    out_error("%s", err_text(DKV_NO_MEMORY));
    return err_exit_code(DKV_NO_MEMORY);
}

void table_init(struct table *t, const char *const *headings, size_t columns)
{
    ensure(columns <= TABLE_COLUMNS_MAX);
    *t = (struct table){.columns = columns};
    for (size_t i = 0; i < columns; i++) {
        table_put(t, slice_str(headings[i]));
    }
}

void table_put(struct table *t, struct slice cell)
{
    buf_put_blob(&t->cells, cell);
    t->in_row = (t->in_row + 1) % t->columns;
}

void table_printf(struct table *t, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_put(t, slice_str(text));
}

/* A cell as it is shown. */
static void table_show(const struct ctl *ctl, struct slice cell, struct buf *out)
{
    buf_reset(out);
    if (ctl->output == OUTPUT_TABLE) {
        text_escape(cell, SIZE_MAX, out);
    } else {
        buf_put(out, cell);
    }
}

static void table_measure(const struct ctl *ctl, const struct table *t, size_t *widths)
{
    struct reader r = reader_of(buf_slice(&t->cells));
    struct buf shown = {0};
    for (size_t i = 0; r.in.len > 0; i = (i + 1) % t->columns) {
        table_show(ctl, reader_blob(&r, UINT32_MAX), &shown);
        widths[i] = shown.len > widths[i] ? shown.len : widths[i];
    }
    buf_fini(&shown);
}

static bool table_is_bold(const struct ctl *ctl)
{
    const char *no_color = getenv("NO_COLOR");
    bool refused = ctl->no_color || (no_color != NULL && no_color[0] != '\0');
    return ctl->output == OUTPUT_TABLE && !refused && out_is_terminal();
}

void table_print(const struct ctl *ctl, struct table *t)
{
    ensure(t->in_row == 0);
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    bool raw = ctl->output == OUTPUT_RAW;
    bool bold = table_is_bold(ctl);
    table_measure(ctl, t, widths);
    struct reader r = reader_of(buf_slice(&t->cells));
    struct buf shown = {0};
    for (size_t i = 0; r.in.len > 0; i++) {
        size_t column = i % t->columns;
        bool last = column + 1 == t->columns;
        table_show(ctl, reader_blob(&r, UINT32_MAX), &shown);
        if (raw && i < t->columns) {
            continue; /* no headings */
        }
        out_printf("%s", bold && i == 0 ? "\033[1m" : "");
        out_bytes(buf_slice(&shown));
        out_printf("%s", bold && i + 1 == t->columns ? "\033[0m" : "");
        if (last || raw) {
            out_printf("%s", last ? "\n" : "\t");
        } else {
            out_printf("%*s", (int)(widths[column] - shown.len + 2), "");
        }
    }
    buf_fini(&shown);
}

void table_fini(struct table *t)
{
    buf_fini(&t->cells);
}

/* cmd_export.c - export: all keys as lines of JSON in the canonical form, which import takes.
 *
 * Happy path:
 *   1. pages are fetched in the order of keys;
 *   2. each key and value becomes a line, which waits in a struct order until none below it can come;
 *   3. a file is written under another name and renamed when it is whole and on disk.
 *
 * What can go wrong: a page cannot be had, or a write fails; then the file that was there is as it was. */
#include "base/text.h"
#include "dkvctl/ctl.h"
#include "dkvctl/jsonl.h"
#include "dkvctl/order.h"
#include "dkvctl/output.h"
#include "dkvctl/pages.h"
#include "dkvctl/progress.h"
#include "dkvctl/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
    struct ctl *ctl;
    const char *path; /* "-": stdout */
    FILE *out;
    char fresh[PATH_MAX]; /* written, and then renamed to path; empty: out is written in place */
    struct pages pages;
    struct order order;
    struct progress progress;
    struct buf line;  /* of one key, kept for its memory */
    struct buf bound; /* the same */
    uint64_t keys;
    uint64_t bytes;
    uint64_t begun_us;
};

/* ---- the file ----------------------------------------------------------------------------------------- */

static int export_refuse_file(const struct export *x, const char *what)
{
    int number = errno;
    struct buf shown = {0};
    text_escape(slice_str(strcmp(x->path, "-") == 0 ? "standard output" : x->path), 200, &shown);
    if (number != EPIPE) { /* a reader that went away is no news */
        out_error("export: cannot %s %.*s: %s", what, (int)shown.len, (const char *)shown.data,
                  strerror(number));
    }
    buf_fini(&shown);
    return 1;
}

/* A file that is there or can be made is replaced; a device, pipe or link is written in place. */
static int export_open(struct export *x)
{
    struct stat st;
    if (strcmp(x->path, "-") == 0) {
        x->out = stdout;
        return 0;
    }
    bool there = lstat(x->path, &st) == 0;
    const char *path = x->path;
    if (!there || S_ISREG(st.st_mode)) {
        int len = snprintf(x->fresh, sizeof x->fresh, "%s.%ld.part", x->path, (long)getpid());
        errno = ENAMETOOLONG;
        if (len >= (int)sizeof x->fresh) {
            x->fresh[0] = '\0';
            return export_refuse_file(x, "write");
        }
        path = x->fresh;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, there ? st.st_mode & 0777 : 0666);
    x->out = fd < 0 ? NULL : fdopen(fd, "w");
    if (x->out == NULL) {
        x->fresh[0] = '\0';
        return export_refuse_file(x, "write");
    }
    return 0;
}

static int export_finish_file(struct export *x)
{
    bool whole = fflush(x->out) == 0 && !ferror(x->out);
    if (x->fresh[0] != '\0') {
        whole = whole && fsync(fileno(x->out)) == 0 && rename(x->fresh, x->path) == 0;
        x->fresh[0] = whole ? '\0' : x->fresh[0];
    }
    return whole ? 0 : export_refuse_file(x, "write");
}

static void export_close(struct export *x)
{
    if (x->out != NULL && x->out != stdout) {
        (void)fclose(x->out); /* what it held is on disk, or told as lost */
    }
    if (x->fresh[0] != '\0') {
        unlink(x->fresh);
    }
}

/* ---- lines -------------------------------------------------------------------------------------------- */

static bool export_write(void *ctx, struct slice line)
{
    struct export *x = ctx;
    x->bytes += line.len;
    return fwrite(line.data, 1, line.len, x->out) == line.len;
}

static int export_settle(const struct export *x, dkv_err err)
{
    if (err == DKV_OK) {
        return 0;
    }
    if (err == DKV_CANCELED) {
        return export_refuse_file(x, "write");
    }
    if (err == DKV_IO) {
        out_error("export: a temporary file: %s", strerror(errno));
        return 1;
    }
    return out_no_memory();
}

/* Let go what is below this key, and hold its line. */
static dkv_err export_take(struct export *x, const struct page_item *item)
{
    buf_reset(&x->line);
    buf_reset(&x->bound);
    jsonl_put(item->key, item->value, &x->line);
    order_put_bound(item->key, &x->bound);
    if (!buf_ok(&x->line) || !buf_ok(&x->bound)) {
        return DKV_NO_MEMORY;
    }
    x->keys++;
    dkv_err err = order_take(&x->order, buf_slice(&x->bound), export_write, x);
    return err == DKV_OK ? order_put(&x->order, buf_slice(&x->line)) : err;
}

static int export_one_page(struct export *x)
{
    int code = pages_fetch(x->ctl, &x->pages, 0, "export");
    for (uint32_t i = 0; code == 0 && i < x->pages.count; i++) {
        struct page_item item;
        code =
            pages_at(&x->pages, i, &item) ? export_settle(x, export_take(x, &item)) : pages_refuse("export");
    }
    if (code == 0 && fflush(x->out) != 0) {
        code = export_refuse_file(x, "write");
    }
    return code;
}

static int export_all(struct export *x)
{
    int code = 0;
    while (code == 0 && !x->pages.end) {
        code = export_one_page(x);
        progress_show(&x->progress, x->keys, x->keys, session_now_us());
    }
    if (code == 0) {
        code = export_settle(x, order_take(&x->order, (struct slice){0}, export_write, x));
    }
    return code == 0 ? export_finish_file(x) : code;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static void export_print(const struct export *x)
{
    uint64_t us = session_now_us() - x->begun_us;
    out_note(x->ctl,
             "export: %" PRIu64 " keys, %" PRIu64 " bytes in %" PRIu64 ".%02" PRIu64 " s, %" PRIu64 "/s",
             x->keys, x->bytes, us / 1000000, us % 1000000 / 10000, us == 0 ? 0 : x->keys * 1000000u / us);
}

static int export_run(struct export *x)
{
    x->begun_us = session_now_us();
    int code = export_open(x);
    if (code != 0) {
        return code;
    }
    if (x->out != stdout || !out_is_terminal()) {
        progress_begin(&x->progress, x->ctl, "keys", 0, x->begun_us);
        if (x->progress.on && x->pages.prefix.len == 0) {
            x->progress.total = pages_count_all(x->ctl);
        }
    }
    code = export_all(x);
    progress_wipe(&x->progress);
    if (code == 0) {
        export_print(x);
    } else {
        out_error("export: stopped after %" PRIu64 " keys; %s", x->keys,
                  x->fresh[0] != '\0' ? "the file is as it was" : "what was written is not whole");
    }
    return code;
}

int cmd_export(struct ctl *ctl, int argc, char **argv)
{
    struct export x = {.ctl = ctl, .path = "-", .order.bytes_max = ORDER_BYTES_MAX};
    const struct arg rows[] = {
        {.name = "output-file",
         .kind = ARG_TEXT,
         .value = "FILE|-",
         .help = "replaced when the export is whole [-]",
         .text = &x.path},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, 1, &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands > 1) {
        return ctl_usage_error(ctl, "too many words");
    }
    x.pages.prefix = slice_str(in.operands == 1 ? argv[1] : "");
    code = export_run(&x);
    export_close(&x);
    pages_fini(&x.pages);
    order_fini(&x.order);
    buf_fini(&x.line);
    buf_fini(&x.bound);
    return code;
}

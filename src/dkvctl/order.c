/* order.c - a heap in memory, runs on disk. */
#include "dkvctl/order.h"

#include "base/mem.h"
#include "dkvctl/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- which lines can still come ----------------------------------------------------------------------- */

/* Keys from key on share its first i bytes and then go on above it. Above most bytes only greater escapes are
 * found; above a control character, which is escaped, there is the blank, and above a quote there is '#'. */
void order_put_bound(struct slice key, struct buf *out)
{
    size_t i = 0;
    while (i < key.len && key.data[i] >= ' ' && key.data[i] != '"') {
        i++;
    }
    buf_put_text(out, "{\"key\":\"");
    jsonl_put_escaped(slice_of(key.data, i), out);
    buf_put_u8(out, i < key.len && key.data[i] == '"' ? '#' : ' ');
}

/* ---- the heap ----------------------------------------------------------------------------------------- */

static struct slice order_slice(const struct order_line *line)
{
    return slice_of(line->text, line->len);
}

static bool order_is_less(const struct order *o, size_t a, size_t b)
{
    return slice_cmp(order_slice(&o->held[a]), order_slice(&o->held[b])) < 0;
}

static void order_swap(struct order *o, size_t a, size_t b)
{
    struct order_line line = o->held[a];
    o->held[a] = o->held[b];
    o->held[b] = line;
}

static void order_sift_up(struct order *o, size_t i)
{
    for (; i > 0 && order_is_less(o, i, (i - 1) / 2); i = (i - 1) / 2) {
        order_swap(o, i, (i - 1) / 2);
    }
}

static void order_sift_down(struct order *o)
{
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < o->count; child++) {
            least = order_is_less(o, child, least) ? child : least;
        }
        if (least == i) {
            return;
        }
        order_swap(o, i, least);
        i = least;
    }
}

static void order_drop_top(struct order *o)
{
    o->bytes -= o->held[0].len + sizeof o->held[0];
    mem_free(o->held[0].text);
    o->held[0] = o->held[--o->count];
    order_sift_down(o);
}

/* ---- the runs ----------------------------------------------------------------------------------------- */

/* A file that has no name any more. */
static FILE *order_open_file(void)
{
    char path[PATH_MAX];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/dkvctl-XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    unlink(path);
    FILE *file = fdopen(fd, "w+");
    if (file == NULL) {
        close(fd);
    }
    return file;
}

static void order_close_run(struct order_run *run)
{
    if (run->file != NULL) {
        (void)fclose(run->file); /* what was in it is out, or told as lost */
    }
    free(run->text);
    *run = (struct order_run){0};
}

/* Have the run's next line at hand. */
static dkv_err order_advance(struct order_run *run)
{
    errno = 0;
    ssize_t n = getline(&run->text, &run->room, run->file);
    run->len = n > 0 ? (size_t)n : 0;
    return n < 0 && !feof(run->file) ? DKV_IO : DKV_OK;
}

static bool order_write(void *file, struct slice line)
{
    return fwrite(line.data, 1, line.len, file) == line.len;
}

/* Everything held, on disk too, becomes one run when there are many, else what is in memory becomes one more.
 */
static dkv_err order_spill(struct order *o)
{
    struct order_run run = {.file = order_open_file()};
    size_t kept = o->run_count < ORDER_RUNS_MAX ? o->run_count : 0;
    struct order part = *o; /* what goes into the new run */
    part.run_count = kept == 0 ? o->run_count : 0;
    dkv_err err = run.file == NULL ? DKV_IO : order_take(&part, (struct slice){0}, order_write, run.file);
    o->count = part.count;
    o->bytes = part.bytes;
    if (err == DKV_OK && fflush(run.file) == 0 && fseek(run.file, 0, SEEK_SET) == 0) {
        err = order_advance(&run);
    } else {
        err = DKV_IO;
    }
    for (size_t i = kept; i < o->run_count; i++) {
        order_close_run(&part.runs[i]);
    }
    if (err != DKV_OK) {
        order_close_run(&run);
        o->run_count = kept;
        return err;
    }
    o->runs[kept] = run;
    o->run_count = kept + 1;
    return DKV_OK;
}

/* ---- in and out --------------------------------------------------------------------------------------- */

static bool order_grow(struct order *o)
{
    size_t room = o->room == 0 ? 64 : 2 * o->room;
    struct order_line *held = o->count < o->room ? o->held : mem_realloc(o->held, room * sizeof *held);
    if (held == NULL) {
        return false;
    }
    o->room = o->count < o->room ? o->room : room;
    o->held = held;
    return true;
}

dkv_err order_put(struct order *o, struct slice line)
{
    char *text = order_grow(o) ? mem_alloc(line.len) : NULL;
    if (text == NULL) {
        return DKV_NO_MEMORY;
    }
    memcpy(text, line.data, line.len);
    o->held[o->count] = (struct order_line){.text = text, .len = line.len};
    o->bytes += line.len + sizeof o->held[0];
    order_sift_up(o, o->count++);
    return o->bytes > o->bytes_max ? order_spill(o) : DKV_OK;
}

/* The run whose next line is below *least, which it becomes; NULL: the heap's top is the least. */
static struct order_run *order_find_run(struct order *o, struct slice *least)
{
    struct order_run *found = NULL;
    for (size_t i = 0; i < o->run_count; i++) {
        struct order_run *run = &o->runs[i];
        struct slice line = slice_of(run->text, run->len);
        if (line.len > 0 && (least->len == 0 || slice_cmp(line, *least) < 0)) {
            *least = line;
            found = run;
        }
    }
    return found;
}

dkv_err order_take(struct order *o, struct slice bound, order_out_fn out, void *ctx)
{
    for (;;) {
        struct slice least = o->count > 0 ? order_slice(&o->held[0]) : (struct slice){0};
        struct order_run *run = order_find_run(o, &least);
        if (least.len == 0 || (bound.len > 0 && slice_cmp(least, bound) >= 0)) {
            return DKV_OK;
        }
        if (!out(ctx, least)) {
            return DKV_CANCELED;
        }
        if (run == NULL) {
            order_drop_top(o);
        } else if (order_advance(run) != DKV_OK) {
            return DKV_IO;
        }
    }
}

void order_fini(struct order *o)
{
    for (size_t i = 0; i < o->count; i++) {
        mem_free(o->held[i].text);
    }
    for (size_t i = 0; i < o->run_count; i++) {
        order_close_run(&o->runs[i]);
    }
    mem_free(o->held);
    *o = (struct order){.bytes_max = o->bytes_max};
}

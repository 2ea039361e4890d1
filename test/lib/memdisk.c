/* memdisk.c - a directory of files in memory behind the file seam. */
#include "lib/memdisk.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/rng.h"

#define MEMDISK_NAME_MAX 255u

struct memdisk {
    struct disk disk;
    struct link files;   /* struct memdisk_file */
    struct link pending; /* struct memdisk_op, oldest first */
    size_t pending_n;
    size_t open_n; /* handles */
    bool fails;    /* a write is to fail, */
    unsigned fail_after;
    dkv_err fail_err;
    dkv_err read_err;
};

struct memdisk_file {
    struct link link;
    char name[MEMDISK_NAME_MAX + 1];
    struct buf visible;
    struct buf durable; /* as long as visible */
    bool settled;       /* its making is durable */
    bool gone;          /* removed; freed with the last handle */
    size_t handles;
};

struct memdisk_handle {
    struct disk_file file;
    struct memdisk *disk;
    struct memdisk_file *of;
    size_t writing;
};

/* A pending write (handle or, in a clone, of) or make. */
struct memdisk_op {
    struct link link;
    struct disk_write *write;      /* NULL: a make, or a clone's */
    struct disk_make *make;        /* NULL: a write, or a clone's */
    struct memdisk_handle *handle; /* of a write, NULL in a clone */
    char name[MEMDISK_NAME_MAX + 1];
    bool makes;
    uint64_t offset;
    uint64_t bytes;  /* to make */
    struct buf data; /* to write: a copy, for the owner must not change his */
};

static const struct disk_ops memdisk_ops;

static struct memdisk_file *memdisk_find(const struct memdisk *d, const char *name)
{
    for (struct link *l = d->files.next; l != &d->files; l = l->next) {
        struct memdisk_file *f = CONTAINER(l, struct memdisk_file, link);
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static void memdisk_set_name(char *into, const char *name)
{
    size_t len = strlen(name);
    ensure(len <= MEMDISK_NAME_MAX);
    memcpy(into, name, len + 1);
}

/* Memory is not what these tests are short of. */
static void memdisk_append(struct buf *b, struct slice s)
{
    if (s.len > 0) {
        buf_put(b, s);
    }
    ensure(buf_ok(b));
}

static void memdisk_append_zeroes(struct buf *b, size_t n)
{
    uint8_t *at = n == 0 ? NULL : buf_extend(b, n);
    ensure(n == 0 || at != NULL);
    if (n > 0) {
        memset(at, 0, n);
    }
}

static void memdisk_resize(struct memdisk_file *f, size_t bytes)
{
    if (bytes <= f->visible.len) {
        f->visible.len = bytes;
        f->durable.len = bytes;
        return;
    }
    memdisk_append_zeroes(&f->durable, bytes - f->durable.len);
    memdisk_append_zeroes(&f->visible, bytes - f->visible.len);
}

static struct memdisk_file *memdisk_add(struct memdisk *d, const char *name)
{
    struct memdisk_file *f = mem_zalloc(1, sizeof *f);
    ensure(f != NULL);
    memdisk_set_name(f->name, name);
    list_push(&d->files, &f->link);
    return f;
}

static void memdisk_free_file(struct memdisk_file *f)
{
    buf_fini(&f->visible);
    buf_fini(&f->durable);
    mem_free(f);
}

static void memdisk_unlink(struct memdisk_file *f)
{
    list_remove(&f->link);
    f->gone = true;
    if (f->handles == 0) {
        memdisk_free_file(f);
    }
}

static void memdisk_free_op(struct memdisk_op *op)
{
    buf_fini(&op->data);
    mem_free(op);
}

/* Take the oldest pending operation; NULL: none. */
static struct memdisk_op *memdisk_next(struct memdisk *d)
{
    struct link *l = list_pop(&d->pending);
    if (l == NULL) {
        return NULL;
    }
    struct memdisk_op *op = CONTAINER(l, struct memdisk_op, link);
    d->pending_n--;
    if (op->handle != NULL) {
        op->handle->writing--;
    }
    return op;
}

struct memdisk *memdisk_new(void)
{
    struct memdisk *d = mem_zalloc(1, sizeof *d);
    if (d != NULL) {
        d->disk.ops = &memdisk_ops;
        list_init(&d->files);
        list_init(&d->pending);
    }
    return d;
}

void memdisk_free(struct memdisk *d)
{
    if (d == NULL) {
        return;
    }
    ensure(d->open_n == 0);
    for (struct memdisk_op *op = memdisk_next(d); op != NULL; op = memdisk_next(d)) {
        memdisk_free_op(op);
    }
    while (!list_empty(&d->files)) {
        memdisk_unlink(CONTAINER(d->files.next, struct memdisk_file, link));
    }
    mem_free(d);
}

struct disk *memdisk_disk(struct memdisk *d)
{
    return &d->disk;
}

struct memdisk *memdisk_clone(const struct memdisk *d)
{
    struct memdisk *copy = memdisk_new();
    if (copy == NULL) {
        return NULL;
    }
    for (struct link *l = d->files.next; l != &d->files; l = l->next) {
        const struct memdisk_file *f = CONTAINER(l, struct memdisk_file, link);
        struct memdisk_file *twin = memdisk_add(copy, f->name);
        twin->settled = f->settled;
        memdisk_append(&twin->visible, buf_slice(&f->visible));
        memdisk_append(&twin->durable, buf_slice(&f->durable));
    }
    for (struct link *l = d->pending.next; l != &d->pending; l = l->next) {
        const struct memdisk_op *op = CONTAINER(l, struct memdisk_op, link);
        struct memdisk_op *twin = mem_zalloc(1, sizeof *twin);
        ensure(twin != NULL);
        *twin = (struct memdisk_op){.makes = op->makes, .offset = op->offset, .bytes = op->bytes};
        memdisk_set_name(twin->name, op->name);
        memdisk_append(&twin->data, buf_slice(&op->data));
        list_push(&copy->pending, &twin->link);
        copy->pending_n++;
    }
    return copy;
}

/* The seam, blocking part. */

static dkv_err memdisk_list(struct disk *disk, struct buf *names)
{
    struct memdisk *d = CONTAINER(disk, struct memdisk, disk);
    for (struct link *l = d->files.next; l != &d->files; l = l->next) {
        buf_put_text(names, CONTAINER(l, struct memdisk_file, link)->name);
        buf_put_u8(names, '\0');
    }
    return buf_ok(names) ? DKV_OK : DKV_NO_MEMORY;
}

static dkv_err memdisk_open(struct disk *disk, const char *name, struct disk_file **out)
{
    struct memdisk *d = CONTAINER(disk, struct memdisk, disk);
    struct memdisk_file *f = memdisk_find(d, name);
    if (f == NULL) {
        return DKV_NOT_FOUND;
    }
    struct memdisk_handle *h = mem_zalloc(1, sizeof *h);
    if (h == NULL) {
        return DKV_NO_MEMORY;
    }
    h->file.ops = &memdisk_ops;
    h->disk = d;
    h->of = f;
    f->handles++;
    d->open_n++;
    *out = &h->file;
    return DKV_OK;
}

static dkv_err memdisk_size(struct disk_file *file, uint64_t *bytes)
{
    *bytes = CONTAINER(file, struct memdisk_handle, file)->of->visible.len;
    return DKV_OK;
}

static dkv_err memdisk_read(struct disk_file *file, uint64_t offset, void *into, size_t len, size_t *got)
{
    const struct memdisk_handle *h = CONTAINER(file, struct memdisk_handle, file);
    if (h->disk->read_err != DKV_OK) {
        return h->disk->read_err;
    }
    const struct buf *b = &h->of->visible;
    size_t left = offset < b->len ? b->len - (size_t)offset : 0;
    *got = len < left ? len : left;
    if (*got > 0) {
        memcpy(into, b->data + offset, *got);
    }
    return DKV_OK;
}

static dkv_err memdisk_remove(struct disk *disk, const char *name)
{
    struct memdisk_file *f = memdisk_find(CONTAINER(disk, struct memdisk, disk), name);
    if (f == NULL) {
        return DKV_NOT_FOUND;
    }
    memdisk_unlink(f);
    return DKV_OK;
}

static void memdisk_close(struct disk_file *file)
{
    struct memdisk_handle *h = CONTAINER(file, struct memdisk_handle, file);
    ensure(h->writing == 0);
    h->disk->open_n--;
    h->of->handles--;
    if (h->of->gone && h->of->handles == 0) {
        memdisk_free_file(h->of);
    }
    mem_free(h);
}

/* The seam, asynchronous part. */

static struct memdisk_op *memdisk_queue(struct memdisk *d, const char *name)
{
    struct memdisk_op *op = mem_zalloc(1, sizeof *op);
    ensure(op != NULL);
    memdisk_set_name(op->name, name);
    list_push(&d->pending, &op->link);
    d->pending_n++;
    return op;
}

static void memdisk_write(struct disk_file *file, struct disk_write *req)
{
    struct memdisk_handle *h = CONTAINER(file, struct memdisk_handle, file);
    ensure(h->writing == 0); /* one at a time, says the seam */
    h->writing++;
    struct memdisk_op *op = memdisk_queue(h->disk, h->of->name);
    op->write = req;
    op->handle = h;
    op->offset = req->offset;
    memdisk_append(&op->data, req->data);
}

static void memdisk_make(struct disk *disk, struct disk_make *req)
{
    struct memdisk *d = CONTAINER(disk, struct memdisk, disk);
    ensure(memdisk_find(d, req->name) == NULL);
    struct memdisk_op *op = memdisk_queue(d, req->name);
    op->make = req;
    op->makes = true;
    op->bytes = req->bytes;
}

static const struct disk_ops memdisk_ops = {
    .list = memdisk_list,
    .open = memdisk_open,
    .size = memdisk_size,
    .read = memdisk_read,
    .write = memdisk_write,
    .make = memdisk_make,
    .remove = memdisk_remove,
    .close = memdisk_close,
};

/* What becomes of operations. */

size_t memdisk_pending(const struct memdisk *d)
{
    return d->pending_n;
}

static void memdisk_copy(struct buf *to, uint64_t offset, struct slice data)
{
    if (data.len > 0) {
        ensure(to->data != NULL);
        memcpy(to->data + offset, data.data, data.len);
    }
}

/* Carry out a whole operation; durable or only visible. */
static void memdisk_carry_out(struct memdisk *d, const struct memdisk_op *op, bool durable)
{
    if (op->makes) {
        struct memdisk_file *f = memdisk_add(d, op->name);
        memdisk_resize(f, (size_t)op->bytes);
        f->settled = durable;
        return;
    }
    struct memdisk_file *f = op->handle != NULL ? op->handle->of : memdisk_find(d, op->name);
    ensure(f != NULL);
    size_t end = (size_t)op->offset + op->data.len;
    if (end > f->visible.len) {
        memdisk_resize(f, end);
    }
    memdisk_copy(&f->visible, op->offset, buf_slice(&op->data));
    if (durable) {
        memdisk_copy(&f->durable, op->offset, buf_slice(&op->data));
    }
}

bool memdisk_step(struct memdisk *d)
{
    struct memdisk_op *op = memdisk_next(d);
    if (op == NULL) {
        return false;
    }
    struct disk_write *write = op->write;
    struct disk_make *make = op->make;
    ensure(write == NULL || slice_eq(write->data, buf_slice(&op->data))); /* unchanged, says the seam */
    bool fails = d->fails && d->fail_after == 0;
    d->fails = d->fails && !fails;
    d->fail_after -= d->fails;
    memdisk_carry_out(d, op, !fails);
    memdisk_free_op(op);
    dkv_err err = fails ? d->fail_err : DKV_OK;
    if (write != NULL) {
        write->cb(write, err);
    } else if (make != NULL) {
        make->cb(make, err);
    }
    return true;
}

enum memdisk_fate { FATE_KEPT, FATE_LOST, FATE_PREFIX, FATE_SECTORS };
#define MEMDISK_FATES 4u

/* The last byte's end of the sector that holds at. */
static size_t memdisk_sector_end(size_t at)
{
    return (at / MEMDISK_SECTOR + 1) * MEMDISK_SECTOR;
}

/* Make to like from, which is as long, where they differ: as fate has it. */
static void memdisk_copy_torn(struct buf *to, const struct buf *from, struct rng *rng)
{
    enum memdisk_fate fate = (enum memdisk_fate)rng_below(rng, MEMDISK_FATES);
    size_t end = to->len;
    while (end > 0 && to->data[end - 1] == from->data[end - 1]) {
        end--;
    }
    size_t at = 0;
    while (at < end && to->data[at] == from->data[at]) {
        at++;
    }
    size_t stop = at + (size_t)rng_below(rng, end - at + 1);
    while (at < end) {
        size_t next = memdisk_sector_end(at) < end ? memdisk_sector_end(at) : end;
        bool kept = fate == FATE_KEPT || (fate == FATE_PREFIX && next <= stop) ||
                    (fate == FATE_SECTORS && rng_below(rng, 2) == 0);
        if (kept) {
            memcpy(to->data + at, from->data + at, next - at);
        }
        at = next;
    }
}

/* A pending operation that nobody will hear of. */
static void memdisk_tear(struct memdisk *d, const struct memdisk_op *op, struct rng *rng)
{
    if (op->makes) {
        enum memdisk_fate fate = (enum memdisk_fate)rng_below(rng, MEMDISK_FATES);
        if (fate == FATE_LOST) {
            return;
        }
        memdisk_carry_out(d, op, false);
        if (fate != FATE_KEPT) {
            memdisk_resize(memdisk_find(d, op->name), (size_t)rng_below(rng, op->bytes + 1));
        }
        return;
    }
    struct memdisk_file *f = op->handle != NULL ? op->handle->of : memdisk_find(d, op->name);
    ensure(f != NULL);
    ensure(op->offset + op->data.len <= f->visible.len); /* so are segments: written through before */
    struct buf whole = {0};
    memdisk_append(&whole, buf_slice(&f->visible));
    memdisk_copy(&whole, op->offset, buf_slice(&op->data));
    memdisk_copy_torn(&f->visible, &whole, rng);
    buf_fini(&whole);
}

void memdisk_kill(struct memdisk *d, uint64_t seed)
{
    struct rng rng = {seed};
    for (struct memdisk_op *op = memdisk_next(d); op != NULL; op = memdisk_next(d)) {
        memdisk_tear(d, op, &rng);
        memdisk_free_op(op);
    }
}

void memdisk_crash(struct memdisk *d, uint64_t seed)
{
    memdisk_kill(d, seed);
    struct rng rng = {seed ^ 0xD15C}; /* not the fates of memdisk_kill() once more */
    struct link *next = NULL;
    for (struct link *l = d->files.next; l != &d->files; l = next) {
        struct memdisk_file *f = CONTAINER(l, struct memdisk_file, link);
        next = l->next;
        if (!f->settled) {
            uint64_t fate = rng_below(&rng, 3);
            if (fate == 0) {
                memdisk_unlink(f);
                continue;
            }
            memdisk_resize(f, fate == 1 ? (size_t)rng_below(&rng, f->visible.len + 1) : f->visible.len);
            f->settled = true;
        }
        memdisk_copy_torn(&f->durable, &f->visible, &rng);
        memdisk_copy(&f->visible, 0, buf_slice(&f->durable));
    }
}

/* Faults. */

void memdisk_fail_write(struct memdisk *d, unsigned n, dkv_err err)
{
    d->fails = true;
    d->fail_after = n;
    d->fail_err = err;
}

void memdisk_fail_reads(struct memdisk *d, dkv_err err)
{
    d->read_err = err;
}

static struct memdisk_file *memdisk_must_find(const struct memdisk *d, const char *name)
{
    struct memdisk_file *f = memdisk_find(d, name);
    ensure(f != NULL);
    return f;
}

void memdisk_flip(struct memdisk *d, const char *name, uint64_t bit)
{
    struct memdisk_file *f = memdisk_must_find(d, name);
    ensure(bit / 8 < f->visible.len);
    f->visible.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    f->durable.data[bit / 8] = f->visible.data[bit / 8];
}

void memdisk_truncate(struct memdisk *d, const char *name, size_t bytes)
{
    memdisk_resize(memdisk_must_find(d, name), bytes);
}

void memdisk_zero(struct memdisk *d, const char *name, size_t from, size_t to)
{
    struct memdisk_file *f = memdisk_must_find(d, name);
    ensure(from <= to);
    ensure(to <= f->visible.len);
    memset(f->visible.data + from, 0, to - from);
    memset(f->durable.data + from, 0, to - from);
}

void memdisk_rename(struct memdisk *d, const char *name, const char *to)
{
    ensure(memdisk_find(d, to) == NULL);
    memdisk_set_name(memdisk_must_find(d, name)->name, to);
}

void memdisk_drop(struct memdisk *d, const char *name)
{
    memdisk_unlink(memdisk_must_find(d, name));
}

void memdisk_put(struct memdisk *d, const char *name, struct slice content)
{
    struct memdisk_file *f = memdisk_find(d, name);
    if (f == NULL) {
        f = memdisk_add(d, name);
    }
    f->settled = true;
    memdisk_resize(f, content.len);
    memdisk_copy(&f->visible, 0, content);
    memdisk_copy(&f->durable, 0, content);
}

struct slice memdisk_get(const struct memdisk *d, const char *name)
{
    const struct memdisk_file *f = memdisk_find(d, name);
    if (f == NULL) {
        return (struct slice){0};
    }
    return f->visible.len == 0 ? slice_str("") : buf_slice(&f->visible);
}

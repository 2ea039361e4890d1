/* disk.h - the file seam: what wal asks of a directory of files.
 *
 * net/disk.c keeps it with system calls on the thread pool, the simulator with memory that forgets what was
 * not synced. Opening, reading and listing block and are for start-up; writing never blocks the loop.
 *
 * Contract of the asynchronous calls: the callback fires exactly once, from the loop, after the call has
 * returned. A failed write or sync is final: the owner ends the process (never a retry after fsync). */
#ifndef DKV_BASE_DISK_H
#define DKV_BASE_DISK_H

#include "base/err.h"
#include "base/slice.h"

struct disk;
struct disk_file;
struct disk_write;
struct disk_make;
struct buf;

typedef void (*disk_write_cb)(struct disk_write *req, dkv_err err);
typedef void (*disk_make_cb)(struct disk_make *req, dkv_err err);

/* Write data at offset and make it durable. */
struct disk_write {
    uint64_t offset;   /* in: bytes from the file's begin */
    struct slice data; /* in: kept alive and unchanged by the caller until cb */
    disk_write_cb cb;  /* in */
    void *backend;     /* private to the implementation */
};

/* Make a file of zeroes, written through once, and make it and its name durable. */
struct disk_make {
    const char *name; /* in: kept alive by the caller until cb */
    uint64_t bytes;   /* in */
    disk_make_cb cb;  /* in */
    void *backend;    /* private to the implementation */
};

struct disk_ops {
    /* The names in the directory, each followed by a NUL, unordered. Blocks. */
    dkv_err (*list)(struct disk *disk, struct buf *names);
    /* Open an existing file for reading and writing. DKV_NOT_FOUND: there is none. Blocks. */
    dkv_err (*open)(struct disk *disk, const char *name, struct disk_file **out);
    /* Length in bytes. Blocks. */
    dkv_err (*size)(struct disk_file *file, uint64_t *bytes);
    /* Read up to len bytes at offset; *got is short only at the end of the file. Blocks. */
    dkv_err (*read)(struct disk_file *file, uint64_t offset, void *into, size_t len, size_t *got);
    /* At most one write per file is pending at a time. */
    void (*write)(struct disk_file *file, struct disk_write *req);
    /* The name must not exist yet. */
    void (*make)(struct disk *disk, struct disk_make *req);
    /* Remove a file and make that durable. Blocks. */
    dkv_err (*remove)(struct disk *disk, const char *name);
    /* No write may be pending. */
    void (*close)(struct disk_file *file);
};

/* Implementations embed these as their first member. */
struct disk {
    const struct disk_ops *ops;
};

struct disk_file {
    const struct disk_ops *ops;
};

#endif

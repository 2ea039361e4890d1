/* disk.c - base/disk.h over a directory, with system calls on libuv's thread pool.
 *
 * Names are opened relative to one descriptor of the directory, so that nobody can move it away underneath,
 * and symbolic links are not followed. A write is one job: the bytes, then fdatasync(). Files are made one
 * after the other, which is all a journal asks for and leaves the pool to the writes.
 *
 * What can go wrong: any failed write or sync is reported once and not tried again: after a failed fsync the
 * kernel may have dropped the pages and would call a second one a success. A file that could not be made
 * whole is removed again. */
#include "net/net_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_ZEROES (1u << 20) /* written at a time when a file is made */

struct net_disk {
    struct disk disk; /* first */
    struct net *net;
    int dir;
    uint8_t *zeroes;

    /* making: one at a time, the others wait in order, linked by their backend field */
    uv_work_t work;
    struct disk_make *making;
    struct disk_make *waiting;
    int make_errno; /* set by the pool */
};

struct net_file {
    struct disk_file file; /* first */
    struct net *net;
    int fd;
    uv_work_t work;
    struct disk_write *writing; /* NULL: none pending */
    int write_errno;            /* set by the pool */
    char name[];
};

static struct net_disk *disk_of(struct disk *disk)
{
    return CONTAINER(disk, struct net_disk, disk);
}

static struct net_file *disk_file_of(struct disk_file *file)
{
    return CONTAINER(file, struct net_file, file);
}

static dkv_err disk_error(const char *what, const char *name, int number)
{
    log_error("event=disk_failed call=%s file=%s reason=\"%s\"", what, name, strerror(number));
    dkv_err err = err_from_errno(number);
    return err == DKV_LOCKED ? DKV_IO : err; /* EACCES of a file is no lock */
}

static dkv_err disk_list(struct disk *disk, struct buf *names)
{
    int fd = openat(disk_of(disk)->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return disk_error("list", ".", number);
    }
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            buf_put(names, slice_of(entry->d_name, strlen(entry->d_name) + 1));
        }
    }
    int number = errno;
    closedir(dir);
    if (number != 0) {
        return disk_error("list", ".", number);
    }
    return buf_ok(names) ? DKV_OK : DKV_NO_MEMORY;
}

static dkv_err disk_open_regular(int dir, const char *name, int *out)
{
    /* O_NONBLOCK: a pipe put in the file's place must not hang the start. */
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? DKV_NOT_FOUND : disk_error("open", name, errno);
    }
    struct stat st;
    int number = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (number != 0) {
        close(fd);
        return disk_error("open", name, number);
    }
    *out = fd;
    return DKV_OK;
}

static const struct disk_ops disk_ops;

static dkv_err disk_open(struct disk *disk, const char *name, struct disk_file **out)
{
    size_t name_bytes = strlen(name) + 1;
    struct net_file *f = mem_zalloc(1, sizeof *f + name_bytes);
    if (f == NULL) {
        return DKV_NO_MEMORY;
    }
    dkv_err err = disk_open_regular(disk_of(disk)->dir, name, &f->fd);
    if (err != DKV_OK) {
        mem_free(f);
        return err;
    }
    f->file.ops = &disk_ops;
    f->net = disk_of(disk)->net;
    f->work.data = f;
    memcpy(f->name, name, name_bytes);
    *out = &f->file;
    return DKV_OK;
}

static dkv_err disk_size(struct disk_file *file, uint64_t *bytes)
{
    struct net_file *f = disk_file_of(file);
    struct stat st;
    if (fstat(f->fd, &st) < 0) {
        return disk_error("size", f->name, errno);
    }
    *bytes = (uint64_t)st.st_size;
    return DKV_OK;
}

static dkv_err disk_read(struct disk_file *file, uint64_t offset, void *into, size_t len, size_t *got)
{
    struct net_file *f = disk_file_of(file);
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(f->fd, (uint8_t *)into + *got, len - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return disk_error("read", f->name, errno);
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return DKV_OK;
}

/* All of data, or the errno. In the pool. */
static int disk_pwrite_all(int fd, struct slice data, uint64_t offset)
{
    size_t done = 0;
    while (done < data.len) {
        ssize_t n = pwrite(fd, data.data + done, data.len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

static void disk_on_write_work(uv_work_t *work)
{
    struct net_file *f = work->data;
    f->write_errno = disk_pwrite_all(f->fd, f->writing->data, f->writing->offset);
    if (f->write_errno == 0 && fdatasync(f->fd) < 0) {
        f->write_errno = errno;
    }
}

static void disk_on_write_done(uv_work_t *work, int status)
{
    (void)status; /* never canceled */
    struct net_file *f = work->data;
    struct disk_write *req = f->writing;
    dkv_err err = f->write_errno == 0 ? DKV_OK : disk_error("write", f->name, f->write_errno);
    f->writing = NULL;
    req->cb(req, err);
}

static void disk_write(struct disk_file *file, struct disk_write *req)
{
    struct net_file *f = disk_file_of(file);
    ensure(f->writing == NULL);
    f->writing = req;
    int rc = uv_queue_work(&f->net->loop, &f->work, disk_on_write_work, disk_on_write_done);
    ensure(rc == 0);
}

/* Synced piece by piece: one sync of the whole file would make the writes of others to this disk wait behind
 * it, for 180 to 270 ms at 32 MiB. */
static int disk_fill(const struct net_disk *d, int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += DISK_ZEROES) {
        size_t n = bytes - at < DISK_ZEROES ? (size_t)(bytes - at) : DISK_ZEROES;
        int number = disk_pwrite_all(fd, slice_of(d->zeroes, n), at);
        if (number != 0) {
            return number;
        }
        if (fdatasync(fd) < 0) {
            return errno;
        }
    }
    return 0;
}

static int disk_make_file(const struct net_disk *d, const struct disk_make *req)
{
    int fd = openat(d->dir, req->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno;
    }
    int number = disk_fill(d, fd, req->bytes);
    close(fd);
    if (number == 0 && fsync(d->dir) < 0) {
        number = errno;
    }
    if (number != 0) {
        (void)unlinkat(d->dir, req->name, 0);
    }
    return number;
}

static void disk_on_make_work(uv_work_t *work)
{
    struct net_disk *d = work->data;
    d->make_errno = disk_make_file(d, d->making);
}

static void disk_on_make_done(uv_work_t *work, int status);

static void disk_make_next(struct net_disk *d)
{
    d->making = d->waiting;
    if (d->making != NULL) {
        d->waiting = d->making->backend;
        int rc = uv_queue_work(&d->net->loop, &d->work, disk_on_make_work, disk_on_make_done);
        ensure(rc == 0);
    }
}

static void disk_on_make_done(uv_work_t *work, int status)
{
    (void)status; /* never canceled */
    struct net_disk *d = work->data;
    struct disk_make *req = d->making;
    dkv_err err = d->make_errno == 0 ? DKV_OK : disk_error("make", req->name, d->make_errno);
    disk_make_next(d);
    req->cb(req, err); /* last: the callee may close the disk when nothing is pending */
}

static void disk_make(struct disk *disk, struct disk_make *req)
{
    struct net_disk *d = disk_of(disk);
    struct disk_make **end = &d->waiting;
    while (*end != NULL) { /* linear; a journal has one or two waiting */
        end = (struct disk_make **)&(*end)->backend;
    }
    req->backend = NULL;
    *end = req;
    if (d->making == NULL) {
        disk_make_next(d);
    }
}

static dkv_err disk_remove(struct disk *disk, const char *name)
{
    struct net_disk *d = disk_of(disk);
    if (unlinkat(d->dir, name, 0) < 0) {
        return errno == ENOENT ? DKV_NOT_FOUND : disk_error("remove", name, errno);
    }
    return fsync(d->dir) < 0 ? disk_error("remove", name, errno) : DKV_OK;
}

static void disk_close_file(struct disk_file *file)
{
    struct net_file *f = disk_file_of(file);
    ensure(f->writing == NULL);
    close(f->fd);
    mem_free(f);
}

static const struct disk_ops disk_ops = {
    .list = disk_list,
    .open = disk_open,
    .size = disk_size,
    .read = disk_read,
    .write = disk_write,
    .make = disk_make,
    .remove = disk_remove,
    .close = disk_close_file,
};

/* The directory, made if missing, with its name durable. Below 0: errno and why say what failed. */
static int disk_open_dir(const char *path, struct buf *why)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        buf_printf(why, "cannot make the directory %s: %s", path, strerror(errno));
        return -1;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        buf_printf(why, "cannot open the directory %s: %s", path, strerror(errno));
        return -1;
    }
    int parent = made ? openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool durable = !made || (parent >= 0 && fsync(parent) == 0);
    if (!durable) {
        buf_printf(why, "cannot make the name of %s durable: %s", path, strerror(errno));
    }
    if (parent >= 0) {
        close(parent);
    }
    if (!durable) {
        close(dir);
        return -1;
    }
    return dir;
}

dkv_err net_disk_open(struct net *n, const char *path, struct disk **out, struct buf *why)
{
    struct net_disk *d = mem_zalloc(1, sizeof *d);
    if (d == NULL) {
        return DKV_NO_MEMORY;
    }
    d->disk.ops = &disk_ops;
    d->net = n;
    d->work.data = d;
    d->zeroes = mem_zalloc(1, DISK_ZEROES);
    d->dir = d->zeroes == NULL ? -1 : disk_open_dir(path, why);
    if (d->dir < 0) {
        dkv_err err = d->zeroes == NULL ? DKV_NO_MEMORY : DKV_IO;
        mem_free(d->zeroes);
        mem_free(d);
        return err;
    }
    *out = &d->disk;
    return DKV_OK;
}

void net_disk_close(struct disk *disk)
{
    struct net_disk *d = disk_of(disk);
    ensure(d->making == NULL);
    close(d->dir);
    mem_free(d->zeroes);
    mem_free(d);
}

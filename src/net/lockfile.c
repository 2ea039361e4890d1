/* lockfile.c - a POSIX record lock, and /proc to check who signed the file. */
#include "net/lockfile.h"

#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCKFILE_STAT_FIELD 22 /* start time, of /proc/PID/stat */

static dkv_err lockfile_error(const char *path, int number)
{
    log_error("event=lockfile_failed file=%s reason=\"%s\"", path, strerror(number));
    dkv_err err = err_from_errno(number);
    return err == DKV_LOCKED ? DKV_IO : err; /* EACCES of open() is no lock */
}

/* The begin of a file as a string; "" when it cannot be read. */
static void lockfile_read(int fd, char *into, size_t n)
{
    ssize_t got = fd < 0 ? -1 : pread(fd, into, n - 1, 0);
    into[got < 0 ? 0 : got] = '\0';
}

/* When the process began, in ticks since boot; 0: it is not there. */
static uint64_t lockfile_start_time(pid_t pid)
{
    char path[64];
    char stat[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    lockfile_read(fd, stat, sizeof stat);
    if (fd >= 0) {
        close(fd);
    }
    /* The second field is the program's name in parentheses and may hold anything, so count from its end. */
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < LOCKFILE_STAT_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    uint64_t ticks = 0;
    if (at == NULL || text_parse_u64(slice_of(at + 1, strcspn(at + 1, " \n")), &ticks) != DKV_OK) {
        return 0;
    }
    return ticks;
}

static dkv_err lockfile_lock(int fd, const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &whole) == 0) {
        return DKV_OK;
    }
    return errno == EACCES || errno == EAGAIN ? DKV_LOCKED : lockfile_error(path, errno);
}

static dkv_err lockfile_sign(int fd, const char *path)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%d %" PRIu64 "\n", (int)getpid(), lockfile_start_time(getpid()));
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        return lockfile_error(path, errno);
    }
    return DKV_OK;
}

dkv_err lockfile_take(struct lockfile *l, const char *path)
{
    *l = (struct lockfile){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)};
    if (l->fd < 0) {
        return lockfile_error(path, errno);
    }
    dkv_err err = lockfile_lock(l->fd, path);
    if (err == DKV_OK) {
        err = lockfile_sign(l->fd, path);
    }
    if (err != DKV_OK) {
        lockfile_drop(l);
    }
    return err;
}

void lockfile_drop(struct lockfile *l)
{
    if (l->fd >= 0) {
        close(l->fd); /* the file stays: removing it would let two processes lock two files of one name */
        l->fd = -1;
    }
}

/* Does the file name this process, begun when /proc says it was? Else the holder has not signed yet, or lives
 * in another process-id namespace. */
static bool lockfile_is_signed_by(int fd, pid_t pid)
{
    char text[64];
    char want[64];
    uint64_t start = lockfile_start_time(pid);
    snprintf(want, sizeof want, "%d %" PRIu64 "\n", (int)pid, start);
    lockfile_read(fd, text, sizeof text);
    return start != 0 && strcmp(text, want) == 0;
}

dkv_err lockfile_holder(const char *path, pid_t *pid)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? DKV_NOT_FOUND : lockfile_error(path, errno);
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    dkv_err err = fcntl(fd, F_GETLK, &whole) < 0 ? lockfile_error(path, errno) : DKV_OK;
    if (err == DKV_OK && whole.l_type == F_UNLCK) {
        err = DKV_NOT_FOUND;
    } else if (err == DKV_OK && !lockfile_is_signed_by(fd, whole.l_pid)) {
        err = DKV_LOCKED;
    }
    if (err == DKV_OK) {
        *pid = whole.l_pid;
    }
    close(fd);
    return err;
}

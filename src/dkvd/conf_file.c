/* conf_file.c - open, look at what it is, read up to the bound. */
#include "dkvd/conf_file.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SHOWN_MAX 1024u

static dkv_err conf_file_refuse(const char *path, struct buf *why, const char *what)
{
    text_escape(slice_str(path), PATH_SHOWN_MAX, why);
    buf_printf(why, ": %s", what);
    return DKV_CONFIG;
}

static dkv_err conf_file_check(int fd, const char *path, struct buf *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return conf_file_refuse(path, why, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return conf_file_refuse(path, why,
                                S_ISDIR(st.st_mode) ? "is a directory: allowed is a regular file"
                                                    : "is no regular file: nothing else is allowed");
    }
    if (st.st_size > CONF_FILE_BYTES_MAX) {
        conf_file_refuse(path, why, "");
        buf_printf(why, "has %lld bytes: allowed are up to %u", (long long)st.st_size, CONF_FILE_BYTES_MAX);
        return DKV_CONFIG;
    }
    return DKV_OK;
}

/* The size may have changed since it was looked at: what counts is what can be read. */
static dkv_err conf_file_fill(int fd, const char *path, struct arg_file *out, struct buf *why)
{
    const size_t max = CONF_FILE_BYTES_MAX + 1;
    out->text = mem_alloc(max);
    if (out->text == NULL) {
        return DKV_NO_MEMORY;
    }
    ssize_t n = 1;
    while (n > 0 && out->len < max) {
        n = read(fd, out->text + out->len, max - out->len);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            return conf_file_refuse(path, why, strerror(errno));
        } else {
            out->len += (size_t)n;
        }
    }
    return out->len < max ? DKV_OK : conf_file_refuse(path, why, "grows while it is read");
}

dkv_err conf_file_read(const char *path, struct arg_file *out, struct buf *why)
{
    *out = (struct arg_file){.name = path};
    int fd =
        open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a FIFO without a writer does not block */
    if (fd < 0) {
        conf_file_refuse(path, why, "cannot be read: ");
        buf_put_text(why, strerror(errno));
        return DKV_CONFIG;
    }
    dkv_err err = conf_file_check(fd, path, why);
    if (err == DKV_OK) {
        err = conf_file_fill(fd, path, out, why);
    }
    if (err != DKV_OK) {
        mem_free(out->text);
        out->text = NULL;
    }
    close(fd);
    return err;
}

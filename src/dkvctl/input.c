/* input.c - bounded reading. */
#include "dkvctl/input.h"

#include "base/text.h"
#include "dkvctl/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define INPUT_CHUNK 65536u

/* read(2) until it is not interrupted. */
static ssize_t input_read(int fd, void *into, size_t len)
{
    ssize_t n;
    do {
        n = read(fd, into, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

dkv_err input_read_all(int fd, size_t max, struct buf *out)
{
    while (out->len <= max) {
        uint8_t *at = buf_extend(out, INPUT_CHUNK);
        if (at == NULL) {
            return DKV_NO_MEMORY;
        }
        ssize_t n = input_read(fd, at, INPUT_CHUNK);
        out->len -= INPUT_CHUNK - (n > 0 ? (size_t)n : 0);
        if (n < 0) {
            return DKV_IO;
        }
        if (n == 0) {
            return DKV_OK;
        }
    }
    return DKV_TOO_LARGE;
}

dkv_err input_read_file(const char *path, size_t max, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    dkv_err err = fd < 0 ? DKV_IO : input_read_all(fd, max, out);
    struct buf shown = {0};
    text_escape(slice_str(is_stdin ? "standard input" : path), 200, &shown);
    if (err == DKV_IO) {
        out_error("%.*s: %s", (int)shown.len, (const char *)shown.data, strerror(errno));
    } else if (err == DKV_TOO_LARGE) {
        out_error("%.*s: more than %zu bytes", (int)shown.len, (const char *)shown.data, max);
    } else if (err != DKV_OK) {
        out_no_memory();
    }
    buf_fini(&shown);
    if (fd >= 0 && !is_stdin) {
        close(fd);
    }
    return err;
}

void input_fill(struct input *in)
{
    buf_consume(&in->data, in->at);
    in->searched -= in->at;
    in->at = 0;
    uint8_t *at = buf_extend(&in->data, INPUT_CHUNK);
    ssize_t n = at == NULL ? -1 : input_read(in->fd, at, INPUT_CHUNK);
    if (n < 0) {
        in->failed = true;
        in->error = at == NULL ? ENOMEM : errno;
    }
    in->eof = n <= 0;
    if (at != NULL) {
        in->data.len -= INPUT_CHUNK - (n > 0 ? (size_t)n : 0);
    }
}

static void input_take(struct input *in, size_t end)
{
    in->taken += end - in->at;
    in->at = end;
    in->searched = end;
}

dkv_err input_next_line(struct input *in, size_t max, struct slice *line)
{
    size_t left = in->data.len - in->searched;
    const uint8_t *newline = left == 0 ? NULL : memchr(in->data.data + in->searched, '\n', left);
    size_t end = newline != NULL ? (size_t)(newline - in->data.data) : in->data.len;
    in->searched = end;
    if (end - in->at > max) {
        return DKV_TOO_LARGE;
    }
    if (newline == NULL && (!in->eof || end == in->at)) {
        return in->eof ? DKV_NOT_FOUND : DKV_MORE;
    }
    *line = slice_of(in->data.data + in->at, end - in->at);
    input_take(in, newline != NULL ? end + 1 : end);
    return DKV_OK;
}

dkv_err input_skip_line(struct input *in)
{
    size_t left = in->data.len - in->searched;
    const uint8_t *newline = left == 0 ? NULL : memchr(in->data.data + in->searched, '\n', left);
    input_take(in, newline != NULL ? (size_t)(newline - in->data.data) + 1 : in->data.len);
    if (newline != NULL) {
        return DKV_OK;
    }
    return in->eof ? DKV_NOT_FOUND : DKV_MORE;
}

void input_fini(struct input *in)
{
    buf_fini(&in->data);
}

/* input.h - reading files and stdin, with a bound. */
#ifndef DKV_DKVCTL_INPUT_H
#define DKV_DKVCTL_INPUT_H

#include "base/buf.h"
#include "base/err.h"

/* All of fd, from where it stands. DKV_TOO_LARGE: it is longer than max. DKV_IO: errno says why. */
dkv_err input_read_all(int fd, size_t max, struct buf *out) MUST_CHECK;

/* All of the file; "-" is stdin. Says what went wrong on stderr. */
dkv_err input_read_file(const char *path, size_t max, struct buf *out) MUST_CHECK;

/* Lines of a descriptor, for reading beside a running loop. All zero but fd is a fresh one. */
struct input {
    int fd;
    bool eof;
    bool failed; /* errno of the read is in error */
    int error;
    uint64_t taken;  /* out: bytes of the lines so far */
    struct buf data; /* private */
    size_t at;       /* private: where the next line begins */
    size_t searched; /* private: no newline between at and here */
};

/* The next whole line without its newline, valid until the next call; the last one may lack the newline.
 * DKV_MORE: read on with input_fill(). DKV_NOT_FOUND: there is none any more. DKV_TOO_LARGE: it is longer
 * than max. */
dkv_err input_next_line(struct input *in, size_t max, struct slice *line) MUST_CHECK;

/* Drop the next line, however long. DKV_MORE: as above, and call it again. DKV_NOT_FOUND: it was the last. */
dkv_err input_skip_line(struct input *in) MUST_CHECK;

/* One read(2). */
void input_fill(struct input *in);
void input_fini(struct input *in);

#endif

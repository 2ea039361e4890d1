/* stream.h - the stream seam: an ordered, reliable, two-way flow of bytes that can break.
 *
 * net/tcp.c keeps it with sockets, tests and the simulator with memory. Whoever receives a stream sets owner
 * and events before returning to the loop; until then no event fires. */
#ifndef DKV_BASE_STREAM_H
#define DKV_BASE_STREAM_H

#include "base/buf.h"
#include "base/err.h"

struct stream;

struct stream_events {
    /* Bytes have come; valid during the call only. */
    void (*on_data)(struct stream *s, struct slice bytes);
    /* What was written has left (unsent is 0 again). May be NULL. */
    void (*on_drain)(struct stream *s);
    /* The stream is gone, for whatever reason, and is freed after this call: the last event, always fired
     * exactly once, never from inside a call of the owner. DKV_OK: the other end closed in order. */
    void (*on_close)(struct stream *s, dkv_err err);
};

struct stream_ops {
    /* Send all of data; takes its memory and leaves it empty. Written in order, as soon as possible. */
    void (*write)(struct stream *s, struct buf *data);
    /* Stop or resume on_data (backpressure). Streams start reading. */
    void (*pause)(struct stream *s, bool paused);
    /* Close; with linger what was written is still sent. on_close follows. Twice is fine. */
    void (*close)(struct stream *s, bool linger);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events; /* set by the owner */
    void *owner;                        /* set by the owner */
    size_t unsent; /* bytes written and not yet taken by the kernel; kept by the backend */
    char peer[64]; /* the other end's address, for logs */
};

#endif

/* frame.h - the envelope of everything between two nodes.
 *
 *   [4 length][1 version][1 kind][2 flags][8 id][body][4 crc32c of all before], see PROTOCOL.md
 *
 * Pure bytes; the simulator passes these same frames. A frame from the net is refused, never asserted. */
#ifndef DKV_PEER_FRAME_H
#define DKV_PEER_FRAME_H

#include "base/buf.h"
#include "base/err.h"

enum frame_kind {
    FRAME_HELLO = 1,       /* first frame of a connection: who calls */
    FRAME_WELCOME = 2,     /* answer: come in */
    FRAME_REFUSE = 3,      /* answer: no, and why; then the connection closes */
    FRAME_RAFT = 4,        /* body: one message of repl/message.h */
    FRAME_READ_ROUND = 5,  /* leader: are these groups still mine? */
    FRAME_READ_ANSWER = 6, /* voter: yes or no for each */
    FRAME_REQUEST = 7,     /* body: a forwarded request of proto/native.h */
    FRAME_REPLY = 8,       /* body: its reply; id as in the request */
};

struct frame {
    enum frame_kind kind;
    uint64_t id;       /* pairs an answer with its question; else 0 */
    struct slice body; /* decoding: points into the input */
};

/* Header, body and checksum. */
void frame_encode(const struct frame *f, struct buf *out);

/* Take one frame from the front of in: *used bytes of it. DKV_MORE: not whole yet. DKV_TOO_LARGE: a length
 * over FRAME_BYTES_MAX, told from the first four bytes. DKV_UNSUPPORTED: another version. DKV_MALFORMED: too
 * short, bad checksum, unknown kind. After any but DKV_OK and DKV_MORE the connection is lost. */
dkv_err frame_decode(struct slice in, size_t *used, struct frame *out) MUST_CHECK;

#endif

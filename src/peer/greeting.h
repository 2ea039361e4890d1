/* greeting.h - the bodies of HELLO, WELCOME and REFUSE, see PROTOCOL.md.
 *
 * Decoders return DKV_MALFORMED for anything that does not fit exactly: bytes missing or left over, a name
 * that is none, text with control bytes. Texts are copied, so nothing points into the input but a refusal's
 * detail. */
#ifndef DKV_PEER_GREETING_H
#define DKV_PEER_GREETING_H

#include "base/buf.h"
#include "peer/peers.h"

#define GREETING_DETAIL_MAX 512u /* bytes of a refusal's sentence; longer ones are cut */

/* No greeting's frame is longer: so much is kept of a connection that has not been welcomed. */
#define GREETING_FRAME_MAX 2048u

struct hello {
    uint32_t to; /* the node the caller means to call */
    struct peer_identity who;
};

struct welcome {
    struct peer_identity who;
    bool knew; /* the answerer knew the caller's incarnation before */
};

struct refuse {
    struct peer_identity who;
    dkv_err err; /* never DKV_OK; may be a number this build does not know */
    struct slice detail;
};

/* The bodies of the three frames. */
void hello_encode(const struct hello *h, struct buf *out);
void welcome_encode(const struct welcome *w, struct buf *out);
void refuse_encode(const struct refuse *r, struct buf *out); /* what is not printable in detail becomes '?' */

/* Slices point into body. DKV_MALFORMED: does not fit, or a name or id that no node can have. */
dkv_err hello_decode(struct slice body, struct hello *out) MUST_CHECK;
dkv_err welcome_decode(struct slice body, struct welcome *out) MUST_CHECK;
dkv_err refuse_decode(struct slice body, struct refuse *out) MUST_CHECK;

#endif

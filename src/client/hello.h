/* hello.h - the body of a HELLO answer: who the node is and where its cluster is reached. */
#ifndef DKV_CLIENT_HELLO_H
#define DKV_CLIENT_HELLO_H

#include "base/err.h"
#include "base/text.h"
#include "proto/pack.h"

struct hello {
    uint64_t cluster;
    struct slice node;    /* these two point into the body */
    struct slice version; /* of the server */
    size_t endpoint_count;
    struct address endpoints[NODES_MAX];
};

/* Endpoints that are no addresses, and those past NODES_MAX, are left out. DKV_MALFORMED, DKV_NO_MEMORY. */
dkv_err hello_decode(struct pack_doc *doc, struct slice body, struct hello *out) MUST_CHECK;

#endif

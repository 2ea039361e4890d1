/* request.h - what a client asks of the store and what it hears back, whatever the protocol.
 *
 * Every door (native, later HTTP and RESP) turns bytes into a struct request and a struct reply into bytes;
 * the router and the shards know only these. The same two travel between nodes when a request is forwarded.
 */
#ifndef DKV_PROTO_REQUEST_H
#define DKV_PROTO_REQUEST_H

#include "base/err.h"
#include "base/slice.h"

enum op {
    OP_HELLO = 1, /* who are you: cluster, node, endpoints */
    OP_GET = 2,
    OP_PUT = 3,
    OP_DELETE = 4,
    OP_SCAN = 5,   /* one page of one shard, or of all shards when shard is 0 */
    OP_STATUS = 6, /* every shard as this node sees it, or gathered from the leaders */
    OP_MEMBERS = 7,
    OP_RING = 8, /* the cluster map, encoded as topo/map.h says */
    OP_HEALTH = 9,
    OP_READ_INDEX = 10, /* between nodes: a leader's commit index, confirmed by a quorum */
};
#define OPS_END 11

enum consistency { READ_LINEARIZABLE = 0, READ_STALE = 1 };

/* Identity of a write, for exactly-once (kept in the log entry from the first day). Zero client: none. */
struct write_id {
    uint8_t client[16];
    uint64_t sequence;
    uint64_t lowest_unanswered;
    uint64_t not_after; /* log time, ms; 0: no bound */
};

struct request {
    enum op op;
    struct slice key;             /* GET PUT DELETE: the key; SCAN: the prefix */
    struct slice value;           /* PUT */
    enum consistency consistency; /* GET SCAN */
    uint32_t timeout_ms;          /* how long the answer may take; 0: the server's default */
    uint32_t shard;               /* SCAN READ_INDEX: which; 0 with SCAN: all */
    struct slice from;            /* SCAN: first key to return; empty: the first of the prefix */
    uint32_t limit;               /* SCAN: keys in the page, 1 to SCAN_KEYS_MAX; 0: the maximum */
    uint32_t limit_bytes;         /* SCAN: bytes in the page, at least one key; 0: SCAN_BYTES_MAX */
    bool keys_only;               /* SCAN */
    bool forwarded;               /* came from another node: never forward it again */
    struct write_id id;           /* PUT DELETE */
};

/* How a reply to a read came about, and where any reply was made. */
struct reply {
    dkv_err err;
    struct slice detail; /* one sentence for a person; empty: err says it all */
    struct slice value;  /* GET: the value; SCAN STATUS MEMBERS RING HELLO HEALTH: a body, see below */
    uint64_t id;         /* GET: of the key; PUT DELETE: of this change (its log index) */
    uint64_t version;    /* GET PUT: of the key, 1 at creation */
    uint32_t shard;
    uint64_t index;               /* applied index the answer reflects */
    uint64_t epoch;               /* of the map it was routed by */
    struct slice node;            /* name of the node that answered */
    struct slice leader;          /* name of the shard's leader as far as that node knows; empty: unknown */
    enum consistency consistency; /* the one really given */
    bool forwarded;               /* another node than the one asked answered */
};

/* Bodies are msgpack, written and read with proto/pack.h; their fields are drawn in PROTOCOL.md:
 *   SCAN     {"items": [[key, value, id, version]...], "next": bin}     no "next": the end. keys_only: [key]
 *   STATUS   {"epoch": n, "shards": [{...}]}
 *   MEMBERS  {"members": [{...}]}
 *   HELLO    {"cluster": n, "node": str, "version": str, "endpoints": [str...]}
 *   HEALTH   {"ok": bool, "reason": str}
 *   RING     the encoded map */

/* "get", "put", ...; NULL: no such operation. */
const char *op_name(enum op op);

/* The operation with that name; 0: none. */
enum op op_find(struct slice name);

/* True for operations that change data. */
bool op_is_write(enum op op);

#endif

/* limits.h - every bound in one place, tied to its neighbours.
 *
 * A bound that a flag can change names the flag; the figure here is its default. */
#ifndef DKV_BASE_LIMITS_H
#define DKV_BASE_LIMITS_H

/* data */
#define KEY_BYTES_MAX   4096u      /* --max-key */
#define VALUE_BYTES_MAX (1u << 20) /* --max-value */

/* cluster */
#define NODES_MAX     64u
#define NODE_NAME_MAX 63u
#define ADDRESS_MAX   255u /* host:port */
#define SHARDS_MAX    4096u
#define REPLICAS_MAX  7u
#define VNODES_MAX    1024u
#define META_GROUP    0u /* group 0 holds the map; shards are 1..n */

/* one request */
#define PACK_DEPTH_MAX    16u
#define PACK_ITEMS_MAX    131072u      /* items of one msgpack message: a status of all shards fits */
#define SCAN_KEYS_MAX     1000u        /* of one page */
#define SCAN_BYTES_MAX    (512u << 10) /* of one page, at least one item */
#define REQUEST_BYTES_MAX (VALUE_BYTES_MAX + 2 * KEY_BYTES_MAX + 65536u)
#define REPLY_BYTES_MAX   (SCAN_BYTES_MAX + VALUE_BYTES_MAX + 2 * KEY_BYTES_MAX + 65536u)
#define TIMEOUT_MS_MAX    600000u

/* connections of clients */
#define CONNS_MAX             10000u     /* --max-conns */
#define CONN_INFLIGHT_MAX     1024u      /* requests; then reading stops */
#define CONN_INFLIGHT_BYTES   (8u << 20) /* of requests in flight; then reading stops */
#define CONN_OUTPUT_BYTES_MAX (8u << 20) /* unread replies; then reading stops */
#define CONN_FIRST_BYTE_MS    10000u     /* a silent connection is closed after */
#define CONN_MESSAGE_MS       30000u /* a message begun is whole after, and 1 ms more for each byte of it */
#define CONN_WRITE_STALL_MS   60000u /* a client that does not read is closed after */

/* settings file */
#define CONF_FILE_BYTES_MAX (1u << 20)
#define CONF_LINE_BYTES_MAX (32u << 10) /* an --initial-cluster of NODES_MAX nodes fits */

/* between nodes */
#define FRAME_BYTES_MAX       (2u << 20)
#define APPEND_BYTES_MAX      (1u << 20) /* entries of one AppendEntries, at least one entry */
#define APPEND_ENTRIES_MAX    4096u
#define LINK_QUEUE_BYTES_MAX  (64u << 20) /* unsent bulk of one link; over it appends are dropped */
#define LINK_URGENT_BYTES_MAX (4u << 20)
#define HANDSHAKE_MS          5000u
#define LINK_RETRY_MS         100u

/* one group */
#define GROUP_INFLIGHT_ENTRIES 8192u /* proposed and not yet committed */
#define GROUP_INFLIGHT_BYTES   (16u << 20)
#define NODE_PENDING_MAX       65536u /* requests waiting at a node, all kinds */

/* journal */
#define SEGMENT_BYTES   (32u << 20)
#define BATCH_BYTES_MAX (16u << 20)
#define JOURNAL_IDLE_MS 10u

_Static_assert(KEY_BYTES_MAX + VALUE_BYTES_MAX + 65536u <= FRAME_BYTES_MAX,
               "a legal put does not fit a frame");
_Static_assert(1024u + NODES_MAX * (NODE_NAME_MAX + ADDRESS_MAX + 2) <= CONF_LINE_BYTES_MAX,
               "a legal --initial-cluster does not fit a line of a settings file");
_Static_assert(SCAN_BYTES_MAX + KEY_BYTES_MAX + VALUE_BYTES_MAX + 65536u <= FRAME_BYTES_MAX,
               "a page does not fit a frame");
_Static_assert(APPEND_BYTES_MAX + 65536u <= FRAME_BYTES_MAX, "an AppendEntries does not fit a frame");
_Static_assert(BATCH_BYTES_MAX < SEGMENT_BYTES, "a batch does not fit a segment");
_Static_assert(FRAME_BYTES_MAX < BATCH_BYTES_MAX, "a frame's entries do not fit a batch");

#endif

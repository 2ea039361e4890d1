/* native.h - the native client protocol: MessagePack-RPC, pipelined, no length prefix (PROTOCOL.md).
 *
 *   request   [0, id, method, {params}]        response   [1, id, error, result]
 *
 * error is nil or {"code": number, "text": str, "detail": str}; result is nil or a map, and stands beside an
 * error too, because shard, node, leader and epoch are worth most then. A field that is zero or empty is not
 * sent. Unknown fields are ignored, doubled ones refused. The same encoding travels inside peer frames when a
 * node forwards a request. */
#ifndef DKV_PROTO_NATIVE_H
#define DKV_PROTO_NATIVE_H

#include "base/buf.h"
#include "proto/pack.h"
#include "proto/request.h"

/* Append one request message: the fields its operation has, the others are not sent. */
void native_put_request(struct buf *out, uint32_t id, const struct request *req);

/* Append one response message. */
void native_put_reply(struct buf *out, uint32_t id, const struct reply *rep);

/* Read one complete message that pack_scan() delimited. Slices in *req point into in.
 * DKV_MALFORMED: no request at all, the connection is lost. DKV_UNSUPPORTED: unknown method. DKV_BAD_REQUEST:
 * a field missing, doubled, of the wrong type or out of range. DKV_TOO_LARGE: key or value over its limit. In
 * the last three *id is set and the connection may go on; why, if not NULL, gets one sentence. */
dkv_err native_parse_request(struct pack_doc *doc, struct slice in, uint32_t *id, struct request *req,
                             struct buf *why) MUST_CHECK;

/* Read one complete response; slices in *rep point into in. DKV_MALFORMED: it is none. */
dkv_err native_parse_reply(struct pack_doc *doc, struct slice in, uint32_t *id, struct reply *rep) MUST_CHECK;

#endif

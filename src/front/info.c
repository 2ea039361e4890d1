/* info.c - HELLO, MEMBERS, RING and HEALTH, answered from what this node knows. */
#include "front/info.h"

#include "base/buf.h"
#include "proto/pack.h"

static void info_reply(struct router_call *call, struct buf *body)
{
    struct reply reply = {.err = buf_ok(body) ? DKV_OK : DKV_NO_MEMORY, .value = buf_slice(body)};
    router_answer(call, &reply);
    buf_fini(body);
}

void info_hello(struct router_call *call, const char *version)
{
    struct node *n = router_node(call->router);
    const struct map *map = node_map(n);
    struct buf body = {0};
    uint32_t known = 0;
    for (uint32_t id = 1; id <= map->node_count; id++) {
        known += node_client(n, id)[0] != '\0';
    }
    pack_put_map(&body, 4);
    pack_put_str(&body, "cluster");
    pack_put_u64(&body, map->cluster);
    pack_put_str(&body, "node");
    pack_put_str(&body, node_name(n));
    pack_put_str(&body, "version");
    pack_put_str(&body, version);
    pack_put_str(&body, "endpoints");
    pack_put_array(&body, known);
    for (uint32_t id = 1; id <= map->node_count; id++) {
        if (node_client(n, id)[0] != '\0') {
            pack_put_str(&body, node_client(n, id));
        }
    }
    info_reply(call, &body);
}

static void info_member(struct buf *body, struct node *n, const struct map_node *node)
{
    struct buf address = {0};
    text_format_address(&node->peer, &address);
    pack_put_map(body, 5);
    pack_put_str(body, "id");
    pack_put_u64(body, node->id);
    pack_put_str(body, "name");
    pack_put_str(body, node->name);
    pack_put_str(body, "peer");
    pack_put_text(body, buf_slice(&address));
    pack_put_str(body, "client");
    pack_put_str(body, node_client(n, node->id));
    pack_put_str(body, "up");
    pack_put_bool(body, node->id == node_self(n) || peers_up(node_peers(n), node->id));
    buf_fini(&address);
}

void info_members(struct router_call *call)
{
    struct node *n = router_node(call->router);
    const struct map *map = node_map(n);
    struct buf body = {0};
    pack_put_map(&body, 1);
    pack_put_str(&body, "members");
    pack_put_array(&body, map->node_count);
    for (uint32_t id = 1; id <= map->node_count; id++) {
        info_member(&body, n, map_node(map, id));
    }
    info_reply(call, &body);
}

/* The map as the replicated log has it where there is a replica of the meta group, else as this node knows
 * it. */
void info_ring(struct router_call *call)
{
    struct node *n = router_node(call->router);
    struct replica *replica = node_replica(n, META_GROUP);
    struct buf body = {0};
    if (replica != NULL) {
        buf_put(&body, meta_map(replica_meta(replica)));
    } else {
        map_encode(node_map(n), &body);
    }
    info_reply(call, &body);
}

/* Why this node is not well; empty: it is. */
static void info_complaint(struct node *n, struct buf *reason)
{
    const struct map *map = node_map(n);
    uint32_t up = 1;
    for (uint32_t id = 1; id <= map->node_count; id++) {
        up += id != node_self(n) && peers_up(node_peers(n), id);
    }
    if (!node_is_voting(n)) {
        buf_put_text(reason, "waiting for the other nodes before it may vote");
        return;
    }
    if (up <= map->node_count / 2) {
        buf_printf(reason, "only %u of %u nodes can be reached", up, map->node_count);
        return;
    }
    for (uint32_t shard = 0; shard < map->shard_count; shard++) {
        if (node_replica(n, shard) != NULL && node_leader(n, shard) == 0) {
            buf_printf(reason, "shard %u has no leader", shard);
            return;
        }
    }
}

void info_health(struct router_call *call)
{
    struct node *n = router_node(call->router);
    struct buf body = {0};
    struct buf reason = {0};
    info_complaint(n, &reason);
    pack_put_map(&body, 3);
    pack_put_str(&body, "ok");
    pack_put_bool(&body, reason.len == 0);
    pack_put_str(&body, "reason");
    pack_put_text(&body, buf_slice(&reason));
    pack_put_str(&body, "node");
    pack_put_str(&body, node_name(n));
    buf_fini(&reason);
    info_reply(call, &body);
}

/* node.c - see node.h. Start-up and joining are in node_start.c, read rounds in rounds.c. */
#include "shard/node_internal.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/native.h"
#include "shard/rounds.h"

struct seat *node_seat(const struct node *n, uint32_t shard)
{
    for (uint32_t i = 0; i < n->seat_count; i++) { /* linear: as many as this node has replicas */
        if (n->seats[i].shard == shard) {
            return &n->seats[i];
        }
    }
    return NULL;
}

/* ---- frames ------------------------------------------------------------------------------------------- */

/* Hand a Raft message to its replica, if the sender's replica really is on that node. */
static void node_on_raft(struct node *n, uint32_t from, struct slice body)
{
    uint32_t group = 0;
    uint64_t sender = 0;
    uint64_t receiver = 0;
    struct message m;
    if (message_peek(body, &group, &sender, &receiver) != DKV_OK) {
        log_warn("event=bad_input iface=peer kind=raft node=%u", from);
        return;
    }
    const struct seat *seat = node_seat(n, group);
    const struct map_shard *shard = map_shard(n->config.map, group);
    const struct map_replica *replica = shard == NULL ? NULL : map_replica(shard, sender);
    if (seat == NULL || seat->replica == NULL || replica == NULL || replica->node != from ||
        receiver != replica_self(seat->replica)) {
        log_debug("event=message_dropped group=%u from=%llu", group, (unsigned long long)sender);
        return;
    }
    if (message_decode(body, &m, n->entries, APPEND_ENTRIES_MAX) != DKV_OK) {
        log_warn("event=bad_input iface=peer kind=raft node=%u group=%u", from, group);
        return;
    }
    replica_receive(seat->replica, n->config.now_ms(n->config.ctx), &m);
}

void node_on_frame(void *ctx, uint32_t from, const struct frame *f)
{
    struct node *n = ctx;
    if (n->state != NODE_VOTING || !join_hears(&n->join, from)) {
        return;
    }
    switch (f->kind) {
    case FRAME_RAFT:
        node_on_raft(n, from, f->body);
        break;
    case FRAME_READ_ROUND:
        rounds_asked(n, from, f->id, f->body);
        break;
    case FRAME_READ_ANSWER:
        rounds_answered(n, from, f->id, f->body);
        break;
    case FRAME_REQUEST:
        n->config.on_request(n->config.ctx, from, f->id, f->body);
        break;
    case FRAME_REPLY:
        forwards_reply(n->forwards, from, f->id, f->body);
        break;
    case FRAME_HELLO:
    case FRAME_WELCOME:
    case FRAME_REFUSE:
        break; /* peers keeps these to itself */
    }
}

void node_on_send(void *ctx, struct replica *r, uint64_t to, struct slice body, bool urgent)
{
    struct node *n = ctx;
    const struct map_replica *replica = map_replica(map_shard(n->config.map, replica_shard(r)), to);
    ensure(replica != NULL);
    struct frame f = {.kind = FRAME_RAFT, .body = body};
    peers_send(n->peers, replica->node, &f, urgent); /* a lost message is Raft's daily bread */
}

void node_on_link(void *ctx, uint32_t node, bool up)
{
    struct node *n = ctx;
    join_link(&n->join, node, up);
    log_info("event=link node=%s up=%d", map_node(n->config.map, node)->name, up);
    if (!up) {
        forwards_link_down(n->forwards, node);
    }
    n->config.on_change(n->config.ctx);
}

void node_on_role(void *ctx, struct replica *r)
{
    struct node *n = ctx;
    (void)r;
    n->config.on_change(n->config.ctx);
}

dkv_err node_forward(struct node *n, struct forward *f)
{
    if (f->node == n->config.self || f->node == 0 || n->state == NODE_CLOSING) {
        return DKV_UNAVAILABLE;
    }
    dkv_err err = forward_send(n->forwards, f, n->config.now_ms(n->config.ctx));
    if (err == DKV_OK) {
        n->sweep_ms = n->sweep_ms == UINT64_MAX ? 0 : n->sweep_ms;
    }
    return err;
}

void node_answer(struct node *n, uint32_t to, uint64_t id, const struct reply *reply)
{
    buf_reset(&n->body);
    native_put_reply(&n->body, 0, reply);
    if (buf_ok(&n->body)) {
        struct frame f = {.kind = FRAME_REPLY, .id = id, .body = buf_slice(&n->body)};
        peers_send(n->peers, to, &f, false); /* lost with the link: the asker's deadline answers */
    }
}

/* ---- turns -------------------------------------------------------------------------------------------- */

static void node_tick_replicas(struct node *n, uint64_t now_ms)
{
    uint64_t earliest = UINT64_MAX;
    uint64_t memory = 0;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct replica *r = n->seats[i].replica;
        if (r == NULL) {
            continue;
        }
        if (now_ms >= replica_deadline(r)) {
            replica_tick(r, now_ms);
        }
        replica_turn(r, now_ms);
        uint64_t deadline = replica_deadline(r);
        earliest = deadline < earliest ? deadline : earliest;
        memory += replica_memory(r);
    }
    n->deadline_ms = earliest;
    n->memory = memory;
}

/* Look at what waits every SWEEP_MS while anything does. */
static void node_sweep(struct node *n, uint64_t now_ms)
{
    bool due = now_ms >= n->sweep_ms;
    bool waiting = false;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct replica *r = n->seats[i].replica;
        if (r != NULL && replica_is_waiting(r)) {
            if (due) {
                replica_sweep(r, now_ms);
            }
            waiting = true;
        }
    }
    if (forwards_is_waiting(n->forwards)) {
        if (due) {
            forwards_sweep(n->forwards, now_ms);
        }
        waiting = true;
    }
    if (!waiting) {
        n->sweep_ms = UINT64_MAX;
    } else if (due || n->sweep_ms == UINT64_MAX) {
        n->sweep_ms = now_ms + SWEEP_MS;
    }
}

void node_turn(struct node *n)
{
    uint64_t now_ms = n->config.now_ms(n->config.ctx);
    if (n->state == NODE_VOTING) {
        node_tick_replicas(n, now_ms);
        rounds_turn(n, now_ms);
        node_sweep(n, now_ms);
    }
    if (n->state != NODE_OPEN && n->state != NODE_CLOSING) {
        journal_turn(n->journal, now_ms); /* the disk starts first: it takes longer than the wire */
        if (now_ms >= peers_deadline(n->peers)) {
            peers_tick(n->peers, now_ms);
        }
        peers_flush(n->peers);
    }
}

uint64_t node_deadline(const struct node *n)
{
    if (n->state == NODE_OPEN || n->state == NODE_CLOSING) {
        return UINT64_MAX;
    }
    uint64_t at = deadline_earlier(journal_deadline(n->journal), peers_deadline(n->peers));
    return deadline_earlier(at, deadline_earlier(n->deadline_ms, n->sweep_ms));
}

bool node_hand_over(struct node *n)
{
    bool none = true;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct replica *r = n->seats[i].replica;
        if (r == NULL || replica_status(r)->role != ROLE_LEADER) {
            continue;
        }
        none = none && map_shard(n->config.map, n->seats[i].shard)->replica_count == 1;
        if (!replica_status(r)->transferring) {
            replica_hand_over(r, n->config.now_ms(n->config.ctx));
        }
    }
    return none;
}

/* ---- for the doors ------------------------------------------------------------------------------------ */

const struct map *node_map(const struct node *n)
{
    return n->config.map;
}

const struct ring *node_ring(const struct node *n)
{
    return n->ring;
}

uint32_t node_self(const struct node *n)
{
    return n->config.self;
}

const char *node_name(const struct node *n)
{
    return n->identity.name;
}

const char *node_client(const struct node *n, uint32_t id)
{
    const struct peer_identity *who = id == n->config.self ? &n->identity : peers_identity(n->peers, id);
    return who == NULL ? "" : who->client;
}

bool node_is_voting(const struct node *n)
{
    return n->state == NODE_VOTING;
}

struct replica *node_replica(struct node *n, uint32_t shard)
{
    const struct seat *seat = node_seat(n, shard);
    return seat == NULL ? NULL : seat->replica;
}

struct peers *node_peers(struct node *n)
{
    return n->peers;
}

uint64_t node_memory(const struct node *n)
{
    return n->memory;
}

uint32_t node_leader(const struct node *n, uint32_t shard)
{
    const struct seat *seat = node_seat(n, shard);
    if (seat == NULL || seat->replica == NULL) {
        return shard < n->config.map->shard_count ? n->hints[shard] : 0;
    }
    const struct map_replica *leader =
        map_replica(map_shard(n->config.map, shard), replica_status(seat->replica)->leader);
    return leader == NULL ? 0 : leader->node;
}

void node_hint(struct node *n, uint32_t shard, uint32_t leader)
{
    if (shard < n->config.map->shard_count) {
        n->hints[shard] = leader;
    }
}

/* rounds.c - asking for all groups at once, and judging the answers. */
#include "shard/rounds.h"

#include "base/log.h"
#include "base/reader.h"
#include "shard/node_internal.h"

/* A question is an array of these; PROTOCOL.md draws it. */
struct question {
    uint32_t group;
    uint64_t term;
    uint64_t leader; /* replica that asks */
    uint64_t voter;  /* replica that is asked */
};

#define QUESTION_BYTES 28u
#define ANSWER_BYTES   13u

static void question_put(struct buf *out, const struct question *q)
{
    buf_put_u32(out, q->group);
    buf_put_u64(out, q->term);
    buf_put_u64(out, q->leader);
    buf_put_u64(out, q->voter);
}

static bool rounds_due(const struct node *n, const struct seat *seat, uint64_t now_ms)
{
    if (seat->replica == NULL) {
        return false;
    }
    bool stale = replica_round(seat->replica) != 0 && now_ms - seat->round_at_ms >= n->config.heartbeat_ms &&
                 replica_status(seat->replica)->ready;
    return stale || replica_wants_round(seat->replica);
}

/* The question about one group, if a voter of it is on that node. */
static void rounds_put(struct node *n, const struct seat *seat, uint32_t node)
{
    const struct map_replica *voter = map_replica_on(map_shard(n->config.map, seat->shard), node);
    if (voter == NULL) {
        return;
    }
    struct question q = {
        .group = seat->shard,
        .term = replica_status(seat->replica)->term,
        .leader = replica_self(seat->replica),
        .voter = voter->id,
    };
    question_put(&n->body, &q);
}

static void rounds_ask_node(struct node *n, uint32_t node, uint64_t round)
{
    buf_reset(&n->body);
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct seat *seat = &n->seats[i];
        if (seat->replica != NULL && replica_round(seat->replica) == round) {
            rounds_put(n, seat, node);
        }
    }
    if (n->body.len > 0 && buf_ok(&n->body)) {
        struct frame f = {.kind = FRAME_READ_ROUND, .id = round, .body = buf_slice(&n->body)};
        peers_send(n->peers, node, &f, true);
    }
}

static void rounds_ask_leaders(struct node *n, uint64_t round, uint64_t now_ms)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct seat *seat = &n->seats[i];
        if (rounds_due(n, seat, now_ms)) {
            seat->round_at_ms = now_ms;
            replica_round_begin(seat->replica, round);
            begun += replica_round(seat->replica) == round;
        }
    }
    for (uint32_t node = 1; begun > 0 && node <= n->config.map->node_count; node++) {
        if (node != n->config.self) {
            rounds_ask_node(n, node, round);
        }
    }
}

static void rounds_on_index(struct forward *f, const struct reply *reply)
{
    struct seat *seat = CONTAINER(f, struct seat, ask);
    if (reply->err != DKV_OK) {
        seat->ask_not_before = seat->node->config.now_ms(seat->node->config.ctx) + SWEEP_MS;
    }
    replica_index_answer(seat->replica, reply->err, reply->index);
}

/* A follower asks its leader; the leader answers by a round of its own. */
static void rounds_ask_index(struct node *n, struct seat *seat, uint64_t now_ms)
{
    uint32_t leader = node_leader(n, seat->shard);
    if (leader == 0 || now_ms < seat->ask_not_before) {
        return;
    }
    seat->ask = (struct forward){
        .node = leader,
        .request = {.op = OP_READ_INDEX, .shard = seat->shard},
        .deadline_ms = now_ms + n->config.election_ms,
        .cb = rounds_on_index,
    };
    if (node_forward(n, &seat->ask) == DKV_OK) {
        replica_index_asked(seat->replica);
    } else {
        seat->ask_not_before = now_ms + SWEEP_MS;
    }
}

void rounds_turn(struct node *n, uint64_t now_ms)
{
    bool due = false;
    for (uint32_t i = 0; i < n->seat_count; i++) {
        struct seat *seat = &n->seats[i];
        due = due || rounds_due(n, seat, now_ms);
        if (seat->replica != NULL && replica_wants_index(seat->replica)) {
            rounds_ask_index(n, seat, now_ms);
        }
    }
    if (due) {
        rounds_ask_leaders(n, ++n->round, now_ms);
    }
}

static bool rounds_confirms(const struct node *n, const struct question *q, uint32_t from)
{
    const struct seat *seat = node_seat(n, q->group);
    if (seat == NULL || seat->replica == NULL || replica_self(seat->replica) != q->voter) {
        return false;
    }
    const struct map_replica *leader = map_replica(map_shard(n->config.map, q->group), q->leader);
    return leader != NULL && leader->node == from &&
           group_confirms(replica_group(seat->replica), q->term, q->leader);
}

void rounds_asked(struct node *n, uint32_t from, uint64_t round, struct slice body)
{
    if (body.len % QUESTION_BYTES != 0) {
        log_warn("event=bad_input iface=peer kind=read_round node=%u", from);
        return;
    }
    struct reader r = reader_of(body);
    buf_reset(&n->body);
    while (r.in.len > 0) {
        struct question q = {.group = reader_u32(&r)};
        q.term = reader_u64(&r);
        q.leader = reader_u64(&r);
        q.voter = reader_u64(&r);
        buf_put_u32(&n->body, q.group);
        buf_put_u64(&n->body, q.voter);
        buf_put_u8(&n->body, rounds_confirms(n, &q, from));
    }
    if (buf_ok(&n->body)) {
        struct frame f = {.kind = FRAME_READ_ANSWER, .id = round, .body = buf_slice(&n->body)};
        peers_send(n->peers, from, &f, true);
    }
}

void rounds_answered(struct node *n, uint32_t from, uint64_t round, struct slice body)
{
    if (body.len % ANSWER_BYTES != 0) {
        log_warn("event=bad_input iface=peer kind=read_answer node=%u", from);
        return;
    }
    struct reader r = reader_of(body);
    while (r.in.len > 0) {
        uint32_t group = reader_u32(&r);
        uint64_t voter = reader_u64(&r);
        bool yes = reader_u8(&r) == 1;
        const struct seat *seat = node_seat(n, group);
        const struct map_shard *shard = map_shard(n->config.map, group);
        const struct map_replica *replica = shard == NULL ? NULL : map_replica(shard, voter);
        if (seat != NULL && seat->replica != NULL && replica != NULL && replica->node == from) {
            replica_round_answer(seat->replica, round, voter, yes);
        }
    }
}

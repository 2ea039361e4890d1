/* forward.c - a table of slots, one per awaited answer. */
#include "shard/forward.h"

#include "base/limits.h"
#include "base/mem.h"
#include "peer/peers.h"
#include "proto/native.h"

struct slot {
    struct forward *forward; /* NULL: free */
    uint32_t generation;     /* tells an id from an earlier use of the slot */
    uint32_t next_free;
};

struct forwards {
    struct peers *peers;
    struct pack_doc *doc;
    struct slot *slots;
    uint32_t slot_count;
    uint32_t free_head; /* slot_count: none */
    uint32_t waiting;
    struct buf body;
};

struct forwards *forwards_new(struct peers *peers)
{
    struct forwards *fs = mem_zalloc(1, sizeof *fs);
    if (fs == NULL) {
        return NULL;
    }
    fs->peers = peers;
    fs->doc = pack_doc_new();
    if (fs->doc == NULL) {
        forwards_free(fs);
        return NULL;
    }
    return fs;
}

static void forwards_finish(struct forwards *fs, uint32_t slot, const struct reply *reply)
{
    struct forward *f = fs->slots[slot].forward;
    fs->slots[slot].forward = NULL;
    fs->slots[slot].generation++;
    fs->slots[slot].next_free = fs->free_head;
    fs->free_head = slot;
    fs->waiting--;
    f->cb(f, reply);
}

/* The answer will not come any more. */
static void forwards_lose(struct forwards *fs, uint32_t slot, const char *why)
{
    bool write = op_is_write(fs->slots[slot].forward->request.op);
    struct reply lost = {.err = write ? DKV_UNKNOWN : DKV_UNAVAILABLE, .detail = slice_str(why)};
    forwards_finish(fs, slot, &lost);
}

void forwards_free(struct forwards *fs)
{
    if (fs == NULL) {
        return;
    }
    for (uint32_t i = 0; i < fs->slot_count; i++) {
        if (fs->slots[i].forward != NULL) {
            forwards_lose(fs, i, "the node is closing");
        }
    }
    pack_doc_free(fs->doc);
    buf_fini(&fs->body);
    mem_free(fs->slots);
    mem_free(fs);
}

static dkv_err forwards_grow(struct forwards *fs)
{
    if (fs->slot_count >= NODE_PENDING_MAX) {
        return DKV_LIMIT;
    }
    uint32_t count = fs->slot_count == 0 ? 64 : fs->slot_count * 2;
    struct slot *slots = mem_realloc(fs->slots, count * sizeof *slots);
    if (slots == NULL) {
        return DKV_NO_MEMORY;
    }
    for (uint32_t i = fs->slot_count; i < count; i++) {
        slots[i] = (struct slot){.generation = 1, .next_free = i + 1};
    }
    fs->slots = slots;
    fs->free_head = fs->slot_count;
    fs->slot_count = count;
    return DKV_OK;
}

static uint64_t slot_id(const struct forwards *fs, uint32_t slot)
{
    return (uint64_t)fs->slots[slot].generation << 32 | slot;
}

/* What the other node may take: a little less than is left, so that its "not applied" still arrives. */
static uint32_t forward_timeout(uint64_t left_ms)
{
    uint64_t margin = left_ms / 8 < 100 ? left_ms / 8 : 100;
    return left_ms - margin < 1 ? 1 : (uint32_t)(left_ms - margin);
}

dkv_err forward_send(struct forwards *fs, struct forward *f, uint64_t now_ms)
{
    if (fs->free_head == fs->slot_count) {
        dkv_err err = forwards_grow(fs);
        if (err != DKV_OK) {
            return err;
        }
    }
    uint32_t slot = fs->free_head;
    struct request request = f->request;
    request.forwarded = true;
    request.timeout_ms = forward_timeout(f->deadline_ms > now_ms ? f->deadline_ms - now_ms : 0);
    buf_reset(&fs->body);
    native_put_request(&fs->body, slot, &request);
    if (!buf_ok(&fs->body)) {
        return DKV_NO_MEMORY;
    }
    struct frame frame = {.kind = FRAME_REQUEST, .id = slot_id(fs, slot), .body = buf_slice(&fs->body)};
    if (!peers_send(fs->peers, f->node, &frame, false)) {
        return DKV_UNAVAILABLE;
    }
    fs->free_head = fs->slots[slot].next_free;
    fs->slots[slot].forward = f;
    fs->waiting++;
    f->slot = slot;
    return DKV_OK;
}

void forwards_reply(struct forwards *fs, uint32_t node, uint64_t id, struct slice body)
{
    uint32_t slot = (uint32_t)id;
    if (slot >= fs->slot_count || fs->slots[slot].forward == NULL || slot_id(fs, slot) != id ||
        fs->slots[slot].forward->node != node) {
        return;
    }
    uint32_t ignored;
    struct reply reply;
    if (native_parse_reply(fs->doc, body, &ignored, &reply) != DKV_OK) {
        forwards_lose(fs, slot, "the other node's answer made no sense");
        return;
    }
    reply.forwarded = true;
    forwards_finish(fs, slot, &reply);
}

void forwards_link_down(struct forwards *fs, uint32_t node)
{
    for (uint32_t i = 0; i < fs->slot_count; i++) {
        if (fs->slots[i].forward != NULL && fs->slots[i].forward->node == node) {
            forwards_lose(fs, i, "the connection to the shard's leader broke");
        }
    }
}

void forwards_sweep(struct forwards *fs, uint64_t now_ms)
{
    for (uint32_t i = 0; fs->waiting > 0 && i < fs->slot_count; i++) {
        if (fs->slots[i].forward != NULL && now_ms >= fs->slots[i].forward->deadline_ms) {
            forwards_lose(fs, i, "the other node did not answer in time");
        }
    }
}

bool forwards_is_waiting(const struct forwards *fs)
{
    return fs->waiting > 0;
}

/* peer.c - fuzz target: what comes over the peer port, from the stream to the commands in the entries.
 *
 * Input: [1 even: checksums are made right before the stream is read][1 seed of the splits][stream of frames]
 *
 * Every format on this way has one form for each meaning, so what was understood is written again and must
 * give the very same bytes. */
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/rng.h"
#include "fuzz/fuzz.h"
#include "peer/frame.h"
#include "peer/greeting.h"
#include "proto/command.h"
#include "proto/native.h"
#include "repl/members.h"
#include "repl/message.h"
#include "topo/map.h"

#define FRAME_AROUND 20u /* bytes of a frame that are not body */

static struct pack_doc *doc;
static struct entry entries[APPEND_ENTRIES_MAX];

/* The fuzzer cannot guess a checksum: give each frame whose length fits its own. */
static void peer_sign(uint8_t *at, size_t left)
{
    while (left >= FRAME_AROUND) {
        struct reader r = reader_of(slice_of(at, left));
        uint64_t whole = 4 + (uint64_t)reader_u32(&r);
        if (whole < FRAME_AROUND || whole > left) {
            return;
        }
        uint32_t crc = crc32c(slice_of(at, (size_t)whole - 4));
        for (size_t i = 0; i < 4; i++) {
            at[whole - 4 + i] = (uint8_t)(crc >> (8 * i));
        }
        at += whole;
        left -= (size_t)whole;
    }
}

/* Compare and forget what was written. */
static void peer_is_same(struct buf *written, struct slice read)
{
    ensure(buf_ok(written));
    ensure(slice_eq(buf_slice(written), read));
    buf_fini(written);
}

static void peer_try_map(struct slice body)
{
    struct map *map = NULL;
    struct buf out = {0};
    if (map_decode(body, &map) == DKV_OK) {
        map_encode(map, &out);
        peer_is_same(&out, body);
        map_free(map);
    }
}

static void peer_try_command(struct slice body)
{
    struct command c;
    struct buf out = {0};
    if (command_decode(body, &c) == DKV_OK) {
        command_encode(&c, &out);
        peer_is_same(&out, body);
        if (c.op == COMMAND_MAP) {
            peer_try_map(c.value);
        }
    }
}

static void peer_try_members(struct slice body)
{
    struct members m;
    struct buf out = {0};
    if (members_decode(body, &m) == DKV_OK) {
        ensure(members_are_valid(&m));
        members_encode(&m, &out);
        peer_is_same(&out, body);
    }
}

static void peer_try_message(struct slice body)
{
    struct message m;
    struct buf out = {0};
    uint32_t group = 0;
    uint64_t from = 0;
    uint64_t to = 0;
    dkv_err peeked = message_peek(body, &group, &from, &to);
    if (message_decode(body, &m, entries, APPEND_ENTRIES_MAX) != DKV_OK) {
        return;
    }
    ensure(peeked == DKV_OK && m.group == group && m.from == from && m.to == to);
    message_encode(&m, &out);
    peer_is_same(&out, body);
    if (m.kind != MESSAGE_APPEND) {
        return;
    }
    (void)message_append_is_sound(&m);
    for (uint32_t i = 0; i < m.append.n; i++) {
        const struct entry *e = &m.append.entries[i];
        ensure(fuzz_is_within(e->data, body));
        if (e->type == ENTRY_COMMAND) {
            peer_try_command(e->data);
        } else if (e->type == ENTRY_CHANGE) {
            peer_try_members(e->data);
        }
    }
}

static void peer_try_hello(struct slice body)
{
    struct hello hello;
    struct buf out = {0};
    if (hello_decode(body, &hello) == DKV_OK) {
        hello_encode(&hello, &out);
        peer_is_same(&out, body);
    }
}

static void peer_try_welcome(struct slice body)
{
    struct welcome welcome;
    struct buf out = {0};
    if (welcome_decode(body, &welcome) == DKV_OK) {
        welcome_encode(&welcome, &out);
        peer_is_same(&out, body);
    }
}

static void peer_try_refuse(struct slice body)
{
    struct refuse refuse;
    struct buf out = {0};
    if (refuse_decode(body, &refuse) == DKV_OK) {
        ensure(fuzz_is_printable(refuse.detail));
        refuse_encode(&refuse, &out);
        peer_is_same(&out, body);
    }
}

static void peer_try_client(enum frame_kind kind, struct slice body)
{
    struct request req;
    struct reply rep;
    uint32_t id = 0;
    if (kind == FRAME_REQUEST) {
        (void)!native_parse_request(doc, body, &id, &req, NULL);
    } else if (native_parse_reply(doc, body, &id, &rep) == DKV_OK) {
        peer_try_map(rep.value); /* the answer to "ring" */
    }
}

static void peer_try_body(enum frame_kind kind, struct slice body)
{
    switch (kind) {
    case FRAME_HELLO:
        peer_try_hello(body);
        break;
    case FRAME_WELCOME:
        peer_try_welcome(body);
        break;
    case FRAME_REFUSE:
        peer_try_refuse(body);
        break;
    case FRAME_RAFT:
        peer_try_message(body);
        break;
    case FRAME_READ_ROUND:
    case FRAME_READ_ANSWER:
        break; /* arrays of numbers of fixed length, of which every value is allowed */
    case FRAME_REQUEST:
    case FRAME_REPLY:
        peer_try_client(kind, body);
        break;
    }
}

/* What frame_decode() says of in when it grows by a few bytes at a time. */
static dkv_err peer_decode_pieces(struct rng *rng, struct slice in, size_t *used)
{
    struct frame f;
    dkv_err err = DKV_MORE;
    for (size_t fed = 0; err == DKV_MORE && fed < in.len;) {
        fed += 1 + rng_below(rng, 1 + rng_below(rng, 64));
        fed = fed < in.len ? fed : in.len;
        uint8_t *piece = fuzz_copy(slice_of(in.data, fed));
        err = frame_decode(slice_of(piece, fed), used, &f);
        mem_free(piece);
    }
    return err;
}

/* One frame; returns how many bytes it had, 0: there is none. */
static size_t peer_try_frame(struct rng *rng, struct slice in)
{
    struct frame f;
    size_t used = 0;
    size_t pieces_used = 0;
    struct buf out = {0};
    dkv_err err = frame_decode(in, &used, &f);
    ensure(peer_decode_pieces(rng, in, &pieces_used) == err);
    ensure(pieces_used == used);
    if (err != DKV_OK) {
        return 0;
    }
    ensure(fuzz_is_within(f.body, in));
    frame_encode(&f, &out);
    peer_is_same(&out, slice_of(in.data, used));
    uint8_t *body = fuzz_copy(f.body);
    peer_try_body(f.kind, slice_of(body, f.body.len));
    mem_free(body);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (doc == NULL) {
        doc = pack_doc_new();
        ensure(doc != NULL);
    }
    struct reader r = reader_of(slice_of(data, size));
    bool sign = reader_u8(&r) % 2 == 0;
    struct rng rng = {.state = reader_u8(&r)};
    uint8_t *stream = fuzz_copy(r.in);
    size_t len = r.in.len;
    if (sign) {
        peer_sign(stream, len);
    }
    size_t used = 1;
    for (size_t at = 0; at < len && used > 0; at += used) {
        used = peer_try_frame(&rng, slice_of(stream + at, len - at));
    }
    mem_free(stream);
    return 0;
}

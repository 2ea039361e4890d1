/* seeds.c - writes what the fuzzers begin with: good messages, frames, segments and files, made by our own
 * encoders, and the well-known bad ones.
 *
 * seeds FOLDER puts them into the folders native, peer, journal and config of FOLDER, which exist. */
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "lib/memdisk.h"
#include "peer/frame.h"
#include "peer/greeting.h"
#include "proto/command.h"
#include "proto/native.h"
#include "repl/members.h"
#include "repl/message.h"
#include "topo/map.h"
#include "wal/journal.h"
#include "wal/segment.h"

#include <stdio.h>
#include <stdlib.h>

static const char *root;
static unsigned serial;

static void store(const char *target, struct slice bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/seed-%03u", root, target, serial++);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes.data, 1, bytes.len, file) != bytes.len || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

/* ---- client protocol -------------------------------------------------------------------------------------
 */

static void store_native(const void *bytes, size_t len)
{
    struct buf b = {0};
    buf_put_u16(&b, 0); /* splits, bound */
    buf_put(&b, slice_of(bytes, len));
    store("native", buf_slice(&b));
    buf_fini(&b);
}

static const struct request requests[] = {
    {.op = OP_HELLO},
    {.op = OP_GET, .key = {(const uint8_t *)"key", 3}, .consistency = READ_STALE, .timeout_ms = 1500},
    {.op = OP_PUT,
     .key = {(const uint8_t *)"\0\n\xff", 3},
     .value = {(const uint8_t *)"value", 5},
     .id = {.client = "0123456789abcde", .sequence = 7, .lowest_unanswered = 5, .not_after = 99999}},
    {.op = OP_DELETE, .key = {(const uint8_t *)"{tag}key", 8}, .forwarded = true},
    {.op = OP_SCAN,
     .key = {(const uint8_t *)"pre", 3},
     .from = {(const uint8_t *)"prefix", 6},
     .limit = 1000,
     .limit_bytes = 4096,
     .shard = 4096,
     .keys_only = true},
    {.op = OP_STATUS},
    {.op = OP_MEMBERS},
    {.op = OP_RING},
    {.op = OP_HEALTH},
    {.op = OP_READ_INDEX, .shard = 3},
};

static const struct reply replies[] = {
    {.err = DKV_OK},
    {.value = {(const uint8_t *)"value", 5},
     .id = 12,
     .version = 3,
     .shard = 4,
     .index = 1ull << 40,
     .epoch = 1,
     .node = {(const uint8_t *)"n1", 2},
     .leader = {(const uint8_t *)"n2", 2},
     .consistency = READ_STALE,
     .forwarded = true},
    {.err = DKV_UNAVAILABLE, .detail = {(const uint8_t *)"no leader", 9}, .shard = 4},
};

static void seed_native_words(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"*1\r\n$4\r\nPING\r\n", 14},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"\x94\x00\x01\xa3zap\x80", 8},
        {"\x94\x00\x01\xa3get\x81\xa3key\xc4\x00", 14},
        {"\x94\x00\x01\xa3get\x82\xa3key\xa1k\xa3key\xa1k", 20},
        {"\xdd\xff\xff\xff\xff", 5},
        {"\x94\x00\x01\xdb\xff\xff\xff\xff", 8},
        {"\x94\x00\x01\xa3put\xdf\x10\x00\x00\x00", 12},
        {"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 18},
        {"\xc1", 1},
        {"\xd6\xff\x00\x00\x00\x00", 6},
        {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9},
        {"\x94\x00\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xa3get\x80", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_native(cases[i].bytes, cases[i].len);
    }
}

static void seed_native(void)
{
    struct buf all = {0};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct buf b = {0};
        native_put_request(&b, (uint32_t)i << 10, &requests[i]);
        store_native(b.data, b.len);
        buf_put(&all, buf_slice(&b));
        buf_fini(&b);
    }
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct buf b = {0};
        native_put_reply(&b, (uint32_t)i, &replies[i]);
        store_native(b.data, b.len);
        buf_fini(&b);
    }
    store_native(all.data, all.len);
    buf_fini(&all);
    seed_native_words();
}

/* ---- peer port -------------------------------------------------------------------------------------------
 */

static const struct peer_identity somebody = {
    .cluster = 0xC0FFEE,
    .node = 1,
    .name = "n1",
    .incarnation = "incarnation 123",
    .boot = 5,
    .epoch = 1,
    .voting = true,
    .client = "127.0.0.1:5000",
};

static void store_frame(enum frame_kind kind, struct buf *body)
{
    struct buf b = {0};
    buf_put_u16(&b, 0); /* checksums, splits */
    frame_encode(&(struct frame){.kind = kind, .id = 9, .body = buf_slice(body)}, &b);
    store("peer", buf_slice(&b));
    buf_fini(&b);
    buf_reset(body);
}

static void put_map(struct buf *out)
{
    struct map_plan plan = {
        .initial_cluster = "n1=127.0.0.1:7000,n2=[::1]:7001,n3=host:7002",
        .token = "seed",
        .shards = 2,
        .replicas = 3,
        .vnodes = 16,
    };
    struct map *map = NULL;
    struct buf why = {0};
    ensure(map_bootstrap(&plan, &map, &why) == DKV_OK);
    map_encode(map, out);
    map_free(map);
    buf_fini(&why);
}

static void seed_greetings(struct buf *body)
{
    hello_encode(&(struct hello){.to = 2, .who = somebody}, body);
    store_frame(FRAME_HELLO, body);
    welcome_encode(&(struct welcome){.who = somebody, .knew = true}, body);
    store_frame(FRAME_WELCOME, body);
    refuse_encode(&(struct refuse){.who = somebody, .err = DKV_REFUSED, .detail = slice_str("not you")},
                  body);
    store_frame(FRAME_REFUSE, body);
}

static void seed_append(struct buf *body)
{
    struct buf data[4] = {{0}};
    struct buf map = {0};
    put_map(&map);
    struct members members = {.n = 3, .at = {{1, MEMBER_VOTER}, {2, MEMBER_STANDBY}, {3, MEMBER_SPARE}}};
    command_encode(&(struct command){.op = COMMAND_PUT,
                                     .log_time = 4,
                                     .id = requests[2].id,
                                     .key = slice_str("key"),
                                     .value = slice_str("value")},
                   &data[0]);
    command_encode(&(struct command){.op = COMMAND_DELETE, .key = slice_str("key")}, &data[1]);
    command_encode(&(struct command){.op = COMMAND_MAP, .value = buf_slice(&map)}, &data[2]);
    members_encode(&members, &data[3]);
    struct entry entries[5] = {{.term = 3, .type = ENTRY_BARRIER}};
    for (size_t i = 0; i < 4; i++) {
        enum entry_type type = i == 3 ? ENTRY_CHANGE : ENTRY_COMMAND;
        entries[i + 1] = (struct entry){.term = 3 + i, .type = type, .data = buf_slice(&data[i])};
    }
    struct message m = {.kind = MESSAGE_APPEND, .group = 1, .from = 2, .to = 3, .term = 9};
    m.append.prev_index = 5;
    m.append.prev_term = 2;
    m.append.commit = 5;
    m.append.entries = entries;
    for (m.append.n = 0; m.append.n <= 5; m.append.n++) {
        message_encode(&m, body);
        store_frame(FRAME_RAFT, body);
    }
    for (size_t i = 0; i < 4; i++) {
        buf_fini(&data[i]);
    }
    buf_fini(&map);
}

static void seed_messages(struct buf *body)
{
    for (int kind = MESSAGE_APPEND_RESULT; kind <= MESSAGE_TIMEOUT_NOW; kind++) {
        struct message m = {.kind = (enum message_kind)kind, .group = 1, .from = 2, .to = 3, .term = 9};
        if (m.kind == MESSAGE_VOTE) {
            m.vote.candidate = 2;
        }
        message_encode(&m, body);
        store_frame(FRAME_RAFT, body);
    }
}

static void seed_peer(void)
{
    struct buf body = {0};
    struct buf map = {0};
    seed_greetings(&body);
    seed_append(&body);
    seed_messages(&body);
    for (size_t i = 0; i < 28; i++) {
        buf_put_u8(&body, (uint8_t)i);
    }
    store_frame(FRAME_READ_ROUND, &body);
    store_frame(FRAME_READ_ANSWER, &body);
    native_put_request(&body, 1, &requests[2]);
    store_frame(FRAME_REQUEST, &body);
    put_map(&map);
    native_put_reply(&body, 1, &(struct reply){.value = buf_slice(&map)});
    store_frame(FRAME_REPLY, &body);
    buf_fini(&body);
    buf_fini(&map);
}

/* ---- journal ---------------------------------------------------------------------------------------------
 */

static void on_durable(void *ctx, uint64_t batch)
{
    (void)ctx;
    (void)batch;
}

static void on_end(void *ctx, dkv_err err)
{
    (void)ctx;
    ensure(err == DKV_OK);
}

static struct journal *open_journal(struct memdisk *disk)
{
    struct journal_config config = {
        .disk = memdisk_disk(disk),
        .cluster = 0xC0FFEE,
        .node = 7,
        .incarnation = "an incarnation",
        .segment_bytes = SEGMENT_BYTES_LEAST,
        .on_durable = on_durable,
        .on_failure = on_end,
    };
    struct journal_replay replay = {0}; /* nothing to replay */
    struct journal *j = NULL;
    struct buf why = {0};
    ensure(journal_open(&config, &replay, &j, &why) == DKV_OK);
    buf_fini(&why);
    return j;
}

static void drain(struct memdisk *disk)
{
    while (memdisk_step(disk)) {
    }
}

/* One turn with a record of each kind. */
static void turn(struct memdisk *disk, struct journal *j, uint64_t index, size_t len)
{
    uint8_t data[2048] = {'d', 'a', 't', 'a'};
    struct entry entries[2] = {
        {.term = 2, .type = ENTRY_COMMAND, .data = slice_of(data, len)},
        {.term = 2, .type = ENTRY_BARRIER},
    };
    journal_put_vote(j, 1, index, 2);
    journal_put_entries(j, 1, index, entries, 2);
    journal_put_truncate(j, 1, index + 1);
    journal_put_note(j, 3, slice_str("a note"));
    journal_set_commit(j, 1, index);
    journal_turn(j, index);
    drain(disk);
}

/* As the target's raw form draws it. */
static void store_segments(struct memdisk *disk, unsigned options)
{
    struct buf b = {0};
    char name[SEGMENT_NAME_BYTES];
    buf_put_u8(&b, (uint8_t)options);
    for (uint64_t i = 1;; i++) {
        segment_name(i, name);
        struct slice image = memdisk_get(disk, name);
        if (image.data == NULL) {
            break;
        }
        size_t used = segment_used(image);
        buf_put_u16(&b, (uint16_t)used);
        buf_put_u16(&b, (uint16_t)(image.len / 8));
        buf_put(&b, slice_of(image.data, used));
    }
    store("journal", buf_slice(&b));
    buf_fini(&b);
}

/* A journal of that many turns, as it is on disk afterwards and after a crash in the midst of the next one.
 */
static void seed_segments(uint64_t turns, size_t len)
{
    struct memdisk *disk = memdisk_new();
    ensure(disk != NULL);
    struct journal *j = open_journal(disk);
    journal_start(j, on_end);
    drain(disk);
    for (uint64_t i = 1; i <= turns; i++) {
        turn(disk, j, i, len);
    }
    store_segments(disk, 1);
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct memdisk *copy = memdisk_clone(disk);
        ensure(copy != NULL);
        memdisk_crash(copy, seed);
        store_segments(copy, 3);
        memdisk_free(copy);
    }
    journal_close(j, on_end, NULL);
    drain(disk);
    store_segments(disk, 1);
    memdisk_free(disk);
}

static void seed_journal(void)
{
    /* Built: a batch with a vote, a seal, another batch with a commit mark, a flipped bit. */
    static const char built[] = "\0\0\0\3\2\0\0\0\1\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                "\1\0\0\2\5\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\4\7\3";
    for (size_t len = 10; len < sizeof built; len += 7) {
        store("journal", slice_of(built, len));
    }
    seed_segments(0, 0);
    seed_segments(1, 0);
    seed_segments(2, 8);
    seed_segments(6, 300);
    seed_segments(5, 1500);
}

/* ---- settings --------------------------------------------------------------------------------------------
 */

static void seed_config(void)
{
    static const char *const files[] = {
        "",
        "# nothing\n\n",
        "name = n1\nclient = 127.0.0.1:5000\npeer = [::1]:7000\n",
        "initial-cluster = n1=127.0.0.1:7000,n2=host.example:7000\nelection-timeout = 1s\nheartbeat=100ms\n",
        "cluster-token = \" with blanks \"\nmax-value = 64K\nshards = 8\n",
        "log-level = debug\nlog-level = info\n",
        "name = n1\r\n",
        "\xEF\xBB\xBFname = n1\n",
        "name = n1",
        "= n1\n",
        "name\n",
        "name = \x01\n",
        "name = \xc0\xaf\n",
        "max-key = 1e3\nmax-key = -1\nmax-key = 18446744073709551616\n",
        "hex = 00ff0a\nbase64 = AAECAw==\n",
        "client = [fe80::1%eth0]:5000\nclient = host:65536\nclient = :0\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        store("config", slice_str(files[i]));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds FOLDER\n");
        return EXIT_FAILURE;
    }
    root = argv[1];
    log_set_level(LOG_ERROR);
    seed_native();
    seed_peer();
    seed_journal();
    seed_config();
    return EXIT_SUCCESS;
}

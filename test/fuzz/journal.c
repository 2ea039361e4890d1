/* journal.c - fuzz target: reading a journal back from a directory of damaged segments.
 *
 * Input: [1 options][plan]
 *   options   bit 0: the plan is raw segments; else it is a journal to be built and then damaged
 *             bit 1: the power goes while the journal starts; bits 2 to 7: the seed of that
 *   raw       segments, each [2 length][2 length of the file / 8][content]; zeroes fill it up
 *   built     steps, see enum step: batches get right checksums, so the fuzzer works on what lies behind them
 *
 * A start is either refused in words, or what was read is all there is: no more bytes of records than of
 * files, the journal takes a record more, and a second start reads exactly the same and that record. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"
#include "fuzz/fuzz.h"
#include "lib/memdisk.h"
#include "wal/batch.h"
#include "wal/journal.h"
#include "wal/record.h"
#include "wal/segment.h"

#define SEGMENTS_MOST 6u
#define IMAGE_BYTES   SEGMENT_BYTES_LEAST

enum option { OPTION_RAW = 1, OPTION_CRASH = 2 };

/* One byte each, modulo STEPS, then what it needs. */
enum step {
    STEP_BATCH,  /* [1 claim: how far behind the last batch][1 n][8 n bytes: records] */
    STEP_SEAL,   /* a seal, and the next segment */
    STEP_NEXT,   /* the next segment, as if the seal were lost */
    STEP_SPARE,  /* the next segment gets no header */
    STEP_FLIP,   /* [2 which bit of the segment] */
    STEP_SKIP,   /* [1 n]: 8 n bytes of zeroes */
    STEP_NUMBER, /* [1 n]: the next batch is numbered n later */
    STEP_COPY,   /* [1 n]: 8 n bytes as they are */
    STEP_HEAD,   /* [1 which field][1 by how much]: the next header is another */
    STEPS
};

static const struct segment_owner owner = {.cluster = 0xC0FFEE, .node = 7, .incarnation = "an incarnation"};

/* The files being made. */
struct plan {
    struct memdisk *disk;
    struct buf image;
    uint64_t generation;
    uint64_t number; /* of the next batch */
    size_t bytes;    /* of all files */
    unsigned odd;    /* field of the next header that is not as it should be, */
    unsigned odd_by; /* and by how much */
};

/* What a replay gave: a chained hash for each record. */
struct seen {
    struct buf digests;
    size_t bytes;
};

/* ---- making the files ------------------------------------------------------------------------------------
 */

static void plan_store(struct plan *p)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(p->generation, name);
    memdisk_put(p->disk, name, buf_slice(&p->image));
    p->bytes += p->image.len;
    p->generation++;
    buf_reset(&p->image);
}

static void plan_fill(struct plan *p, size_t len)
{
    size_t n = len > p->image.len ? len - p->image.len : 0;
    uint8_t *at = n == 0 ? NULL : buf_extend(&p->image, n);
    if (at != NULL) {
        memset(at, 0, n);
    }
}

static void plan_raw(struct plan *p, struct reader *r)
{
    while (r->in.len > 0 && p->generation <= SEGMENTS_MOST) {
        size_t len = reader_u16(r);
        size_t file_len = 8u * (reader_u16(r) % (2 * IMAGE_BYTES / 8));
        buf_put(&p->image, reader_bytes(r, len < r->in.len ? len : r->in.len));
        plan_fill(p, file_len);
        plan_store(p);
    }
}

static void plan_head(struct plan *p)
{
    struct segment_header h = {
        .version = SEGMENT_VERSION + (p->odd == 1 ? p->odd_by : 0),
        .owner = owner,
        .generation = p->generation + (p->odd == 2 ? p->odd_by : 0),
        .bytes = IMAGE_BYTES - (p->odd == 3 ? 8 * p->odd_by : 0),
        .floor = 1 + (p->odd == 4 ? p->odd_by : 0),
    };
    h.owner.cluster += p->odd == 5 ? p->odd_by : 0;
    h.owner.node += p->odd == 6 ? p->odd_by : 0;
    h.owner.incarnation[0] ^= (uint8_t)(p->odd == 7 ? p->odd_by : 0);
    p->odd = 0;
    segment_encode(&h, &p->image);
}

/* The segment ends; what is too long for it is cut off. */
static void plan_next(struct plan *p)
{
    plan_fill(p, IMAGE_BYTES);
    p->image.len = IMAGE_BYTES;
    plan_store(p);
    plan_head(p);
}

static void plan_put(struct plan *p, uint32_t flags, uint64_t behind, struct slice body)
{
    struct buf b = {0};
    struct batch_header h = {.flags = flags, .generation = p->generation, .number = p->number};
    h.synced_through = p->number - 1 - behind % p->number;
    batch_begin(&b);
    buf_put(&b, body);
    while (b.len % 8 != 0) {
        buf_put_u8(&b, 0);
    }
    batch_finish(&b, &h, segment_seed(&owner));
    buf_put(&p->image, buf_slice(&b));
    buf_fini(&b);
}

/* At most 8 n bytes of what is left. */
static struct slice plan_take(struct reader *r)
{
    size_t n = 8u * reader_u8(r);
    return reader_bytes(r, n < r->in.len ? n : r->in.len);
}

static void plan_batch(struct plan *p, struct reader *r)
{
    uint64_t behind = reader_u8(r);
    plan_put(p, 0, behind, plan_take(r));
    p->number++;
}

static void plan_flip(struct plan *p, size_t bit)
{
    if (bit / 8 < p->image.len) {
        p->image.data[bit / 8] ^= (uint8_t)BIT(bit % 8);
    }
}

static void plan_step(struct plan *p, enum step step, struct reader *r)
{
    switch (step) {
    case STEP_BATCH:
        plan_batch(p, r);
        break;
    case STEP_SEAL:
        plan_put(p, BATCH_SEAL, 0, (struct slice){0});
        plan_next(p);
        break;
    case STEP_NEXT:
        plan_next(p);
        break;
    case STEP_SPARE:
        plan_next(p);
        buf_reset(&p->image);
        break;
    case STEP_FLIP:
        plan_flip(p, reader_u16(r));
        break;
    case STEP_SKIP:
        plan_fill(p, p->image.len + 8u * reader_u8(r));
        break;
    case STEP_NUMBER:
        p->number += reader_u8(r);
        break;
    case STEP_COPY:
        buf_put(&p->image, plan_take(r));
        break;
    case STEP_HEAD:
        p->odd = reader_u8(r) % 8;
        p->odd_by = reader_u8(r);
        break;
    case STEPS:
        break;
    }
}

static void plan_build(struct plan *p, struct reader *r)
{
    p->number = 1;
    plan_head(p);
    while (r->in.len > 0 && p->generation <= SEGMENTS_MOST && p->image.len < 4 * IMAGE_BYTES) {
        plan_step(p, (enum step)(reader_u8(r) % STEPS), r);
    }
    plan_fill(p, IMAGE_BYTES);
    p->image.len = IMAGE_BYTES;
    plan_store(p);
}

/* ---- reading them ----------------------------------------------------------------------------------------
 */

static dkv_err seen_add(struct seen *s, const uint64_t numbers[4], struct slice data)
{
    uint64_t chain[6] = {0};
    if (s->digests.len > 0) {
        memcpy(chain, s->digests.data + s->digests.len - sizeof chain[0], sizeof chain[0]);
    }
    memcpy(chain + 1, numbers, 4 * sizeof chain[0]);
    chain[5] = hash64(data); /* reads every byte */
    buf_put_u64(&s->digests, hash64(slice_of(chain, sizeof chain)));
    s->bytes += data.len + 8;
    return DKV_OK;
}

static dkv_err seen_vote(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    return seen_add(ctx, (const uint64_t[4]){1, group, term, vote}, (struct slice){0});
}

static dkv_err seen_entry(void *ctx, uint32_t group, uint64_t index, const struct entry *e)
{
    return seen_add(ctx, (const uint64_t[4]){2 + (uint64_t)e->type, group, index, e->term}, e->data);
}

static dkv_err seen_truncate(void *ctx, uint32_t group, uint64_t from)
{
    return seen_add(ctx, (const uint64_t[4]){10, group, from, 0}, (struct slice){0});
}

/* Not compared: a start says again what it knows to be committed. */
static dkv_err seen_commit(void *ctx, uint32_t group, uint64_t index)
{
    (void)group;
    (void)index;
    ((struct seen *)ctx)->bytes += 8;
    return DKV_OK;
}

static dkv_err seen_note(void *ctx, uint32_t key, struct slice value)
{
    return seen_add(ctx, (const uint64_t[4]){11, key, 0, 0}, value);
}

static void run_on_durable(void *ctx, uint64_t batch)
{
    (void)ctx;
    (void)batch;
}

static void run_on_failure(void *ctx, dkv_err err)
{
    (void)ctx;
    ensure(err == DKV_OK); /* nothing fails on this disk */
}

static void run_on_start(void *ctx, dkv_err err)
{
    (void)ctx;
    ensure(err == DKV_OK);
}

/* NULL: refused, and why is said. */
static struct journal *run_open(struct memdisk *disk, struct seen *seen)
{
    struct journal_config config = {
        .disk = memdisk_disk(disk),
        .cluster = owner.cluster,
        .node = owner.node,
        .incarnation = "a new one",
        .segment_bytes = SEGMENT_BYTES_LEAST,
        .on_durable = run_on_durable,
        .on_failure = run_on_failure,
    };
    struct journal_replay replay = {
        .ctx = seen,
        .vote = seen_vote,
        .entry = seen_entry,
        .truncate = seen_truncate,
        .commit = seen_commit,
        .note = seen_note,
    };
    struct journal *j = NULL;
    struct buf why = {0};
    dkv_err err = journal_open(&config, &replay, &j, &why);
    ensure((err == DKV_OK) == (j != NULL));
    ensure((err == DKV_OK) == (why.len == 0));
    ensure(err == DKV_OK || err == DKV_CORRUPT || err == DKV_LOCKED || err == DKV_UNSUPPORTED);
    ensure(fuzz_is_printable(buf_slice(&why)));
    buf_fini(&why);
    return j;
}

static void run_drain(struct memdisk *disk)
{
    while (memdisk_step(disk)) {
    }
}

/* Start, write one record, close. */
static void run_on(struct memdisk *disk, struct journal *j, struct seen *seen)
{
    journal_start(j, run_on_start);
    run_drain(disk);
    uint64_t batch = journal_put_vote(j, 1, 2, 3);
    journal_turn(j, 1);
    run_drain(disk);
    ensure(journal_durable(j) >= batch);
    seen_vote(seen, 1, 2, 3);
    journal_close(j, NULL, NULL);
    run_drain(disk);
}

static void run(struct plan *p, unsigned options)
{
    struct seen first = {0};
    struct seen second = {0};
    struct journal *j = run_open(p->disk, &first);
    if (j != NULL) {
        ensure(first.bytes <= p->bytes);
        if ((options & OPTION_CRASH) != 0) {
            journal_start(j, run_on_start);
            memdisk_crash(p->disk, options >> 2);
            journal_abandon(j);
        } else {
            run_on(p->disk, j, &first);
        }
        j = run_open(p->disk, &second);
        ensure(j != NULL);
        ensure(slice_eq(buf_slice(&first.digests), buf_slice(&second.digests)));
        journal_abandon(j);
    }
    buf_fini(&first.digests);
    buf_fini(&second.digests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_set_level(LOG_ERROR); /* tails are cut all the time here */
    struct reader r = reader_of(slice_of(data, size));
    struct plan p = {.disk = memdisk_new(), .generation = 1};
    ensure(p.disk != NULL);
    unsigned options = reader_u8(&r);
    if ((options & OPTION_RAW) != 0) {
        plan_raw(&p, &r);
    } else {
        plan_build(&p, &r);
    }
    buf_fini(&p.image);
    run(&p, options);
    memdisk_free(p.disk);
    return 0;
}

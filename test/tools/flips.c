/* flips.c - flips bits of a real data directory and looks whether the journal notices.
 *
 *   flips check FOLDER N SEED   flip bits one after the other, each put right again, and open the journal
 *                               each time, until N were refused: so must be every one in what is durable,
 *                               and no other
 *   flips one FOLDER SEED       flip one bit of what is durable and leave it so
 *   flips end FOLDER            tell in which segment and where what is durable ends, and where all ends
 *
 * FOLDER holds the segments of a dkvd that is not running. What is durable: each batch up to the highest
 * synced_through that any batch or seal tells, the seals, and the headers of the segments. Exit 0: all is as
 * it must be. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "net/net.h"
#include "wal/batch.h"
#include "wal/journal.h"
#include "wal/segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS_MOST 64u

/* A piece of a segment that is read as a whole: its header, a batch or a seal. */
struct piece {
    uint64_t segment;
    uint64_t at;
    uint64_t length;
    uint64_t number; /* durable when this batch is; 0: always */
};

struct flips {
    const char *folder;
    struct net *net;
    struct disk *disk;
    struct segment_owner owner;
    uint64_t segments;
    uint64_t bytes;    /* of a segment */
    struct buf pieces; /* struct piece */
    uint64_t vouched;
    uint64_t digest; /* of the records that the last replay gave */
    uint64_t whole;  /* the same, undamaged */
    uint64_t number; /* of the last batch, undamaged */
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "flips: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void must(dkv_err err, const char *what)
{
    if (err != DKV_OK) {
        fail(what, err_text(err));
    }
}

/* ---- the files, read without the code under test's reader -------------------------------------------------
 */

static void flips_add(struct flips *f, const struct piece *p)
{
    buf_put(&f->pieces, slice_of(p, sizeof *p));
    if (!buf_ok(&f->pieces)) {
        fail("pieces", "no memory");
    }
}

static struct piece flips_piece(const struct flips *f, size_t i)
{
    struct piece p;
    memcpy(&p, f->pieces.data + i * sizeof p, sizeof p);
    return p;
}

static size_t flips_piece_count(const struct flips *f)
{
    return f->pieces.len / sizeof(struct piece);
}

static void flips_walk(struct flips *f, struct slice image, uint64_t generation)
{
    uint64_t at = SEGMENT_HEAD_BYTES;
    uint32_t seed = segment_seed(&f->owner);
    struct batch_header h;
    flips_add(f, &(struct piece){.segment = generation, .length = SEGMENT_HEAD_BYTES});
    while (batch_decode(slice_of(image.data + at, image.len - at), seed, generation, &h)) {
        bool seal = (h.flags & BATCH_SEAL) != 0;
        struct piece p = {.segment = generation, .at = at, .length = h.length, .number = seal ? 0 : h.number};
        flips_add(f, &p);
        f->vouched = h.synced_through > f->vouched ? h.synced_through : f->vouched;
        at += h.length;
    }
}

/* False: there is no such segment. */
static bool flips_load(struct flips *f, uint64_t generation, struct buf *image)
{
    char name[SEGMENT_NAME_BYTES];
    struct disk_file *file = NULL;
    uint64_t bytes = 0;
    size_t got = 0;
    segment_name(generation, name);
    if (f->disk->ops->open(f->disk, name, &file) != DKV_OK) {
        return false;
    }
    must(file->ops->size(file, &bytes), name);
    buf_reset(image);
    uint8_t *into = buf_extend(image, (size_t)bytes);
    if (into == NULL) {
        fail(name, "no memory");
    }
    must(file->ops->read(file, 0, into, (size_t)bytes, &got), name);
    file->ops->close(file);
    return got == bytes;
}

static void flips_survey(struct flips *f)
{
    struct buf image = {0};
    for (uint64_t generation = 1; generation <= SEGMENTS_MOST && flips_load(f, generation, &image);
         generation++) {
        struct segment_header h;
        if (!segment_decode(buf_slice(&image), &h)) {
            fail("header", "damaged from the begin");
        }
        f->owner = h.owner;
        if (!batch_decode(slice_of(image.data + SEGMENT_HEAD_BYTES, image.len - SEGMENT_HEAD_BYTES),
                          segment_seed(&h.owner), generation, &(struct batch_header){0})) {
            break; /* the spare one, of which nothing is read */
        }
        f->bytes = h.bytes;
        f->segments = generation;
        flips_walk(f, buf_slice(&image), generation);
    }
    buf_fini(&image);
    if (f->vouched == 0) {
        fail(f->folder, "nothing in it is called durable");
    }
}

static void flips_flip(const struct flips *f, uint64_t segment, uint64_t bit)
{
    char name[SEGMENT_NAME_BYTES];
    char path[4096];
    uint8_t byte = 0;
    segment_name(segment, name);
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool ok = fd >= 0 && pread(fd, &byte, 1, (off_t)(bit / 8)) == 1;
    byte ^= (uint8_t)(ok ? BIT(bit % 8) : 0);
    if (!ok || pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1) {
        fail(path, "cannot be changed");
    }
    close(fd);
}

/* ---- the journal's own reading ---------------------------------------------------------------------------
 */

static dkv_err flips_see(struct flips *f, const uint64_t numbers[4], struct slice data)
{
    uint64_t chain[6] = {f->digest, numbers[0], numbers[1], numbers[2], numbers[3], hash64(data)};
    f->digest = hash64(slice_of(chain, sizeof chain));
    return DKV_OK;
}

static dkv_err on_vote(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    return flips_see(ctx, (const uint64_t[4]){1, group, term, vote}, (struct slice){0});
}

static dkv_err on_entry(void *ctx, uint32_t group, uint64_t index, const struct entry *e)
{
    return flips_see(ctx, (const uint64_t[4]){2 + (uint64_t)e->type, group, index, e->term}, e->data);
}

static dkv_err on_truncate(void *ctx, uint32_t group, uint64_t from)
{
    return flips_see(ctx, (const uint64_t[4]){10, group, from, 0}, (struct slice){0});
}

static dkv_err on_commit(void *ctx, uint32_t group, uint64_t index)
{
    return flips_see(ctx, (const uint64_t[4]){11, group, index, 0}, (struct slice){0});
}

static dkv_err on_note(void *ctx, uint32_t key, struct slice value)
{
    return flips_see(ctx, (const uint64_t[4]){12, key, 0, 0}, value);
}

static void on_durable(void *ctx, uint64_t batch)
{
    (void)ctx;
    (void)batch;
}

static void on_failure(void *ctx, dkv_err err)
{
    (void)ctx;
    (void)err;
}

/* Open and leave again; nothing is written. */
static dkv_err flips_open(struct flips *f, uint64_t *durable)
{
    struct journal_config config = {
        .disk = f->disk,
        .cluster = f->owner.cluster,
        .node = f->owner.node,
        .segment_bytes = f->bytes,
        .ctx = f,
        .on_durable = on_durable,
        .on_failure = on_failure,
    };
    struct journal_replay replay = {f, on_vote, on_entry, on_truncate, on_commit, on_note};
    struct journal *j = NULL;
    struct buf why = {0};
    f->digest = 0;
    dkv_err err = journal_open(&config, &replay, &j, &why);
    if (err == DKV_OK) {
        *durable = journal_durable(j);
        journal_abandon(j);
    }
    buf_fini(&why);
    return err;
}

/* ---- flipping --------------------------------------------------------------------------------------------
 */

static bool flips_is_durable(const struct flips *f, uint64_t segment, uint64_t at)
{
    for (size_t i = 0; i < flips_piece_count(f); i++) {
        struct piece p = flips_piece(f, i);
        if (p.segment == segment && at >= p.at && at - p.at < p.length) {
            return p.number <= f->vouched;
        }
    }
    return false;
}

/* A byte of what is durable. */
static void flips_pick(const struct flips *f, struct rng *rng, uint64_t *segment, uint64_t *at)
{
    struct piece p;
    do {
        p = flips_piece(f, rng_below(rng, flips_piece_count(f)));
    } while (p.number > f->vouched);
    *segment = p.segment;
    *at = p.at + rng_below(rng, p.length);
}

static void flips_one(const struct flips *f, struct rng *rng)
{
    uint64_t segment;
    uint64_t at;
    flips_pick(f, rng, &segment, &at);
    uint64_t bit = 8 * at + rng_below(rng, 8);
    flips_flip(f, segment, bit);
    printf("segment=%llu bit=%llu\n", (unsigned long long)segment, (unsigned long long)bit);
}

/* Flip one bit, open, and put it right. True: it was refused. */
static bool flips_try(struct flips *f, uint64_t segment, uint64_t bit)
{
    uint64_t durable = 0;
    flips_flip(f, segment, bit);
    dkv_err err = flips_open(f, &durable);
    flips_flip(f, segment, bit);
    if (err == DKV_OK && (durable < f->vouched || (durable == f->number && f->digest != f->whole))) {
        fail("a start with less or other data than was durable", err_text(err));
    }
    if (err != DKV_OK && err != DKV_CORRUPT) {
        fail("refused for the wrong reason", err_text(err));
    }
    return err != DKV_OK;
}

/* Three of four in what is durable, the others anywhere. */
static void flips_check(struct flips *f, uint64_t n, struct rng *rng)
{
    uint64_t noticed = 0;
    uint64_t harmless = 0;
    for (uint64_t i = 0; noticed < n; i++) {
        uint64_t segment;
        uint64_t at;
        if (i % 4 < 3) {
            flips_pick(f, rng, &segment, &at);
        } else {
            segment = 1 + rng_below(rng, f->segments);
            at = rng_below(rng, f->bytes);
        }
        bool refused = flips_try(f, segment, 8 * at + rng_below(rng, 8));
        if (refused != flips_is_durable(f, segment, at)) {
            fprintf(stderr, "flips: segment %llu byte %llu: %s\n", (unsigned long long)segment,
                    (unsigned long long)at, refused ? "refused, and was not durable" : "NOT NOTICED");
            exit(EXIT_FAILURE);
        }
        noticed += refused;
        harmless += !refused;
    }
    printf("segments=%llu batches=%zu synced_through=%llu noticed=%llu harmless=%llu\n",
           (unsigned long long)f->segments, flips_piece_count(f), (unsigned long long)f->vouched,
           (unsigned long long)noticed, (unsigned long long)harmless);
}

static void flips_begin(struct flips *f, const char *folder)
{
    struct buf why = {0};
    f->folder = folder;
    f->net = net_new();
    if (f->net == NULL) {
        fail("loop", "no memory");
    }
    must(net_disk_open(f->net, folder, &f->disk, &why), folder);
    buf_fini(&why);
    flips_survey(f);
    must(flips_open(f, &f->number), "undamaged journal");
    f->whole = f->digest;
}

static void flips_end(const struct flips *f)
{
    uint64_t durable = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < flips_piece_count(f); i++) {
        struct piece p = flips_piece(f, i);
        all = p.segment == f->segments ? p.at + p.length : 0;
        durable = p.segment == f->segments && p.number <= f->vouched ? all : durable;
    }
    printf("segment=%llu durable=%llu all=%llu\n", (unsigned long long)f->segments,
           (unsigned long long)durable, (unsigned long long)all);
}

static uint64_t parse(const char *text)
{
    uint64_t n = 0;
    must(text_parse_u64(slice_str(text), &n), text);
    return n;
}

int main(int argc, char **argv)
{
    struct flips f = {0};
    bool check = argc == 5 && strcmp(argv[1], "check") == 0;
    bool one = argc == 4 && strcmp(argv[1], "one") == 0;
    bool end = argc == 3 && strcmp(argv[1], "end") == 0;
    if (!check && !one && !end) {
        fprintf(stderr, "usage: flips check FOLDER N SEED | flips one FOLDER SEED | flips end FOLDER\n");
        return EXIT_FAILURE;
    }
    log_set_level(LOG_ERROR); /* every tail that is cut would be a line */
    flips_begin(&f, argv[2]);
    struct rng rng = {.state = end ? 0 : parse(argv[argc - 1])};
    if (check) {
        flips_check(&f, parse(argv[3]), &rng);
    } else if (one) {
        flips_one(&f, &rng);
    } else {
        flips_end(&f);
    }
    buf_fini(&f.pieces);
    net_disk_close(f.disk);
    net_free(f.net);
    return EXIT_SUCCESS;
}

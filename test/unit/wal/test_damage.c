/* test_damage.c - a disk that lost what it had promised to keep is noticed. */
#include "base/rng.h"
#include "unit/wal/rig.h"
#include "wal/batch.h"
#include "wal/segment.h"

#include <check.h>

Suite *damage_suite(void);

#define SMALL SEGMENT_BYTES_LEAST

/* A journal of four segments and the closing mark; the fourth is being written. */
#define LAST 4u

static struct rig rig;

static void fill(struct rig *r)
{
    rig_must_open(r);
    for (uint64_t i = 1; memdisk_get(r->disk, rig_segment(LAST)).data == NULL; i++) {
        rig_entries(r, i % RIG_GROUPS, i, 1, 300);
        rig_write(r);
    }
    while (segment_used(memdisk_get(r->disk, rig_segment(LAST))) < 1500) {
        rig_vote(r, 1, r->now_ms, 1);
        rig_write(r);
    }
    rig_close(r);
}

static void setup(void)
{
    rig_init(&rig, SMALL);
    fill(&rig);
}

static void teardown(void)
{
    rig_fini(&rig);
}

static size_t used(uint64_t segment)
{
    return segment_used(memdisk_get(rig.disk, rig_segment(segment)));
}

/* Where the closing mark begins: a header alone, whose last 8 bytes, the flags, are zero. */
static size_t closing_mark(void)
{
    return used(LAST) + 8 - BATCH_HEAD_BYTES;
}

/* Open a copy of the disk with a flipped bit; true: it was refused. */
static bool flip_is_refused(uint64_t segment, uint64_t bit)
{
    struct memdisk *whole = rig.disk;
    rig.disk = memdisk_clone(whole);
    rig.config.disk = memdisk_disk(rig.disk);
    memdisk_flip(rig.disk, rig_segment(segment), bit);
    dkv_err err = rig_open(&rig);
    if (err == DKV_OK) {
        ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
        journal_abandon(rig.journal);
    } else {
        ck_assert_int_eq(err, DKV_CORRUPT);
        ck_assert_ptr_nonnull(strstr((const char *)rig.why.data, "dkvctl member replace"));
        ck_assert_ptr_nonnull(strstr((const char *)rig.why.data, ".seg: offset "));
    }
    memdisk_free(rig.disk);
    rig.disk = whole;
    rig.config.disk = memdisk_disk(whole);
    return err != DKV_OK;
}

START_TEST(every_flip_in_what_was_durable_is_refused_and_every_other_harmless)
{
    struct rng rng = {42};
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t segment = 1 + rng_below(&rng, LAST);
        uint64_t byte = rng_below(&rng, rng_below(&rng, 4) == 0 ? SMALL : used(segment));
        /* Behind the seal nothing lies; the closing mark is vouched for by nobody. */
        size_t vouched = segment == LAST ? closing_mark() : used(segment);
        bool refused = flip_is_refused(segment, 8 * byte + rng_below(&rng, 8));
        ck_assert_msg(refused == (byte < vouched), "segment %u byte %u of %u", (unsigned)segment,
                      (unsigned)byte, (unsigned)vouched);
    }
}
END_TEST

/* Where each kind of damage is done, and what open says. */
static void zero_middle(void)
{
    memdisk_zero(rig.disk, rig_segment(2), 0, SMALL);
}

static void zero_last(void)
{
    memdisk_zero(rig.disk, rig_segment(LAST), 0, SMALL);
}

static void zero_header_of_first(void)
{
    memdisk_zero(rig.disk, rig_segment(1), 0, SEGMENT_HEAD_BYTES);
}

static void zero_header_of_last(void)
{
    memdisk_zero(rig.disk, rig_segment(LAST), 0, SEGMENT_HEAD_BYTES);
}

static void zero_sector_in_last(void)
{
    memdisk_zero(rig.disk, rig_segment(LAST), 512, 1024);
}

static void zero_end_of_middle(void)
{
    memdisk_zero(rig.disk, rig_segment(2), 2048, SMALL);
}

static void zero_seal(void)
{
    size_t end = used(2);
    memdisk_zero(rig.disk, rig_segment(2), end - BATCH_HEAD_BYTES, end);
}

static void truncate_middle(void)
{
    memdisk_truncate(rig.disk, rig_segment(2), SMALL / 2);
}

static void truncate_last(void)
{
    memdisk_truncate(rig.disk, rig_segment(LAST), SMALL / 2);
}

static void truncate_last_to_nothing(void)
{
    memdisk_truncate(rig.disk, rig_segment(LAST), 0);
}

static void lengthen_last(void)
{
    memdisk_truncate(rig.disk, rig_segment(LAST), SMALL + 8);
}

static void lose_first(void)
{
    memdisk_drop(rig.disk, rig_segment(1));
}

static void lose_middle(void)
{
    memdisk_drop(rig.disk, rig_segment(3));
}

static void lose_last(void)
{
    memdisk_drop(rig.disk, rig_segment(LAST));
}

static void rename_middle(void)
{
    memdisk_rename(rig.disk, rig_segment(2), "00000000000000000002.seg.bak");
}

static void swap_two(void)
{
    memdisk_rename(rig.disk, rig_segment(2), "x");
    memdisk_rename(rig.disk, rig_segment(3), "00000000000000000002.seg");
    memdisk_rename(rig.disk, "x", rig_segment(3));
}

static void add_segment_of_zeroes_far_behind(void)
{
    static const uint8_t zeroes[SMALL];
    memdisk_put(rig.disk, rig_segment(LAST + 1), slice_of(zeroes, sizeof zeroes));
    memdisk_put(rig.disk, rig_segment(LAST + 2), slice_of(zeroes, sizeof zeroes));
}

/* Give segment n another header, with a good checksum. */
static void rehead(uint64_t n, void (*change)(struct segment_header *h))
{
    struct segment_header h;
    struct buf image = {0};
    struct buf content = {0};
    ck_assert(segment_decode(memdisk_get(rig.disk, rig_segment(n)), &h));
    change(&h);
    segment_encode(&h, &image);
    buf_put(&content, memdisk_get(rig.disk, rig_segment(n)));
    memcpy(content.data, image.data, image.len);
    memdisk_put(rig.disk, rig_segment(n), buf_slice(&content));
    buf_fini(&image);
    buf_fini(&content);
}

static void set_version(struct segment_header *h)
{
    h->version++;
}

static void set_cluster(struct segment_header *h)
{
    h->owner.cluster++;
}

static void set_node(struct segment_header *h)
{
    h->owner.node++;
}

static void set_incarnation(struct segment_header *h)
{
    h->owner.incarnation[0]++;
}

static void newer_version(void)
{
    rehead(LAST, set_version);
}

static void foreign_cluster(void)
{
    rehead(1, set_cluster);
}

static void foreign_node(void)
{
    rehead(2, set_node);
}

static void foreign_incarnation(void)
{
    rehead(LAST, set_incarnation);
}

static void foreign_incarnation_of_all_headers(void)
{
    for (uint64_t n = 1; n <= LAST; n++) {
        rehead(n, set_incarnation); /* but the batches begin their checksums elsewhere */
    }
}

START_TEST(damaged_directories_are_refused_in_plain_words)
{
    static const struct {
        void (*damage)(void);
        dkv_err err;
        const char *why;
    } cases[] = {
        {zero_middle, DKV_CORRUPT, "2.seg: offset 0: the segment's header is damaged"},
        {zero_last, DKV_CORRUPT, "4.seg: offset 0: the segment's header is damaged"},
        {zero_header_of_first, DKV_CORRUPT, "1.seg: offset 0: the segment's header is damaged"},
        {zero_header_of_last, DKV_CORRUPT, "4.seg: offset 0: the segment's header is damaged"},
        {zero_sector_in_last, DKV_CORRUPT, "a later one says that it was durable"},
        {zero_end_of_middle, DKV_CORRUPT, "2.seg: offset "},
        {zero_seal, DKV_CORRUPT, "a later segment was begun"},
        {truncate_middle, DKV_CORRUPT, "2.seg: offset 2048: the file has not the length"},
        {truncate_last, DKV_CORRUPT, "4.seg: offset 2048: the file has not the length"},
        {truncate_last_to_nothing, DKV_CORRUPT, "4.seg: offset 0: the segment's header is damaged"},
        {lengthen_last, DKV_CORRUPT, "4.seg: offset 4104: the file has not the length"},
        {lose_first, DKV_CORRUPT, "1.seg: offset 0: the segment is missing"},
        {lose_middle, DKV_CORRUPT, "3.seg: offset 0: the segment is missing"},
        {lose_last, DKV_CORRUPT, "4.seg: offset 0: the segment is missing"},
        {rename_middle, DKV_CORRUPT, "2.seg: offset 0: the segment is missing"},
        {swap_two, DKV_CORRUPT, "2.seg: offset 0: the header is that of another segment"},
        {add_segment_of_zeroes_far_behind, DKV_CORRUPT, "5.seg: offset 0: the segment's header is damaged"},
        {newer_version, DKV_UNSUPPORTED, "4.seg: version 2 of the format, this program knows 1"},
        {foreign_cluster, DKV_LOCKED, "1.seg: belongs to node 7 of cluster 0000000000c0ffef, this is node 7"},
        {foreign_node, DKV_LOCKED, "2.seg: belongs to node 8 of cluster 0000000000c0ffee, this is node 7"},
        {foreign_incarnation, DKV_LOCKED, "4.seg: belongs to another incarnation"},
        {foreign_incarnation_of_all_headers, DKV_CORRUPT, "a later segment was begun"},
    };
    ck_assert(sizeof cases / sizeof cases[0] > (size_t)_i);
    cases[_i].damage();
    dkv_err err = rig_open(&rig);
    const char *why = (const char *)rig.why.data;
    ck_assert_msg(err == cases[_i].err, "case %d: %s: %s", _i, err_text(err), why);
    ck_assert_msg(strstr(why, cases[_i].why) != NULL, "case %d: %s", _i, why);
}
END_TEST
#define DAMAGES 22

START_TEST(files_that_are_no_segments_are_left_alone)
{
    memdisk_put(rig.disk, "lost+found", (struct slice){0});
    memdisk_put(rig.disk, "00000000000000000002.seg.tmp", slice_str("\x01\xff"));
    memdisk_put(rig.disk, "\n\x1b[31m", slice_str("x"));
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
    ck_assert_ptr_nonnull(memdisk_get(rig.disk, "lost+found").data);
}
END_TEST

START_TEST(a_spare_segment_that_was_never_headed_is_made_again)
{
    static const uint8_t zeroes[SMALL];
    for (size_t bytes = 0; bytes <= SMALL; bytes += 1024) {
        memdisk_put(rig.disk, rig_segment(LAST + 1), slice_of(zeroes, bytes));
        rig_must_open(&rig);
        ck_assert_ptr_null(memdisk_get(rig.disk, rig_segment(LAST + 1)).data);
        rig_close(&rig);
    }
}
END_TEST

START_TEST(a_mark_lost_with_the_closing_batch_loses_no_records)
{
    memdisk_zero(rig.disk, rig_segment(LAST), closing_mark(), SMALL);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
}
END_TEST

START_TEST(a_batch_embedded_in_a_value_is_not_taken_for_one)
{
    /* The owner of a key stores what a later batch looks like, of another node: no checksum of this journal.
     * Then the batch that holds it is torn. */
    struct segment_owner other = {.cluster = 0xC0FFEE, .node = 7, .incarnation = "guessed"};
    struct batch_header h = {.generation = LAST, .number = 1000, .synced_through = 999};
    struct buf fake = {0};
    batch_begin(&fake);
    batch_finish(&fake, &h, segment_seed(&other));
    rig_must_open(&rig);
    struct entry e = {.term = 1, .type = ENTRY_COMMAND, .data = buf_slice(&fake)};
    journal_put_entries(rig.journal, 0, 1000, &e, 1);
    size_t at = used(LAST);
    rig_write(&rig);
    rig_crash(&rig, 1);
    memdisk_flip(rig.disk, rig_segment(LAST), 8 * at + 40 * 8);
    rig_must_open(&rig);
    buf_fini(&fake);
}
END_TEST

START_TEST(a_read_error_is_passed_on)
{
    memdisk_fail_reads(rig.disk, DKV_IO);
    ck_assert_int_eq(rig_open(&rig), DKV_IO);
    ck_assert_ptr_nonnull(strstr((const char *)rig.why.data, "1.seg: "));
    memdisk_fail_reads(rig.disk, DKV_OK);
    rig_must_open(&rig);
}
END_TEST

Suite *damage_suite(void)
{
    Suite *s = suite_create("damage");
    TCase *t = tcase_create("damage");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, every_flip_in_what_was_durable_is_refused_and_every_other_harmless);
    tcase_add_loop_test(t, damaged_directories_are_refused_in_plain_words, 0, DAMAGES);
    tcase_add_test(t, files_that_are_no_segments_are_left_alone);
    tcase_add_test(t, a_spare_segment_that_was_never_headed_is_made_again);
    tcase_add_test(t, a_mark_lost_with_the_closing_batch_loses_no_records);
    tcase_add_test(t, a_batch_embedded_in_a_value_is_not_taken_for_one);
    tcase_add_test(t, a_read_error_is_passed_on);
    suite_add_tcase(s, t);
    return s;
}

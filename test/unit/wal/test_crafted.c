/* test_crafted.c - segments whose checksums are all right, and which no journal has written. */
#include "unit/wal/rig.h"
#include "wal/batch.h"
#include "wal/record.h"
#include "wal/segment.h"

#include <check.h>

Suite *crafted_suite(void);

#define SMALL SEGMENT_BYTES_LEAST

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, SMALL);
}

static void teardown(void)
{
    rig_fini(&rig);
}

static struct segment_owner owner(void)
{
    struct segment_owner o = {.cluster = rig.config.cluster, .node = rig.config.node};
    memcpy(o.incarnation, rig.config.incarnation, INCARNATION_BYTES);
    return o;
}

static void put_head(struct buf *image, uint64_t bytes)
{
    struct segment_header h = {.version = SEGMENT_VERSION, .owner = owner(), .bytes = bytes};
    h.generation = 1;
    h.floor = 1;
    segment_encode(&h, image);
}

/* A batch of that length with good checksums: entries of group 0 from first on, 32 bytes each. */
static void put_batch(struct buf *image, uint64_t number, uint64_t first, size_t length)
{
    struct segment_owner o = owner();
    struct batch_header h = {.generation = 1, .number = number, .synced_through = number - 1};
    struct entry e = {.term = 1, .type = ENTRY_BARRIER};
    struct buf b = {0};
    batch_begin(&b);
    for (uint64_t i = first; b.len < length; i++) {
        record_put_entry(&b, 0, i, &e);
    }
    ck_assert_uint_eq(b.len, length);
    batch_finish(&b, &h, segment_seed(&o));
    buf_put(image, buf_slice(&b));
    buf_fini(&b);
}

/* What a start says of that one segment. */
static dkv_err open_with(struct buf *image, size_t bytes)
{
    while (image->len < bytes) {
        buf_put_u8(image, 0);
    }
    memdisk_put(rig.disk, rig_segment(1), buf_slice(image));
    buf_fini(image);
    return rig_open(&rig);
}

static void check_refused(dkv_err err, const char *why)
{
    ck_assert_int_eq(err, DKV_CORRUPT);
    ck_assert_msg(strstr((const char *)rig.why.data, why) != NULL, "%s", (const char *)rig.why.data);
    ck_assert_ptr_nonnull(strstr((const char *)rig.why.data, "dkvctl member replace"));
}

START_TEST(a_segment_filled_to_where_its_seal_must_fit_is_read)
{
    struct buf image = {0};
    put_head(&image, SMALL);
    put_batch(&image, 1, 1, SMALL - SEGMENT_HEAD_BYTES - BATCH_HEAD_BYTES - 16 - 16);
    ck_assert_int_eq(open_with(&image, SMALL), DKV_OK);
    ck_assert_uint_eq(rig.seen_last[0], (SMALL - SEGMENT_HEAD_BYTES - 2 * BATCH_HEAD_BYTES - 32) / 32);
}
END_TEST

/* A journal that went on behind it would write its seal past the end of the file. */
START_TEST(a_batch_that_leaves_no_room_for_a_seal_is_refused)
{
    struct buf image = {0};
    put_head(&image, SMALL);
    put_batch(&image, 1, 1, SMALL - SEGMENT_HEAD_BYTES - BATCH_HEAD_BYTES + 32);
    check_refused(open_with(&image, SMALL),
                  "1.seg: offset 64: the batch is whole, and leaves no room for a seal");
}
END_TEST

START_TEST(a_file_smaller_than_any_segment_is_refused_whatever_its_header_says)
{
    for (size_t bytes = SEGMENT_HEAD_BYTES; bytes < SMALL; bytes += 8) {
        struct buf image = {0};
        put_head(&image, bytes);
        check_refused(open_with(&image, bytes), "the file is smaller than any segment");
    }
}
END_TEST

static dkv_err refuse_the_third(void *ctx, uint32_t group, uint64_t index, const struct entry *entry)
{
    (void)ctx;
    (void)group;
    (void)entry;
    return index == 3 ? DKV_CORRUPT : DKV_OK;
}

START_TEST(records_that_their_reader_finds_contradictory_are_refused_with_their_place)
{
    struct buf image = {0};
    put_head(&image, SMALL);
    put_batch(&image, 1, 1, BATCH_HEAD_BYTES + 2 * 32);
    put_batch(&image, 2, 3, BATCH_HEAD_BYTES + 32);
    struct journal_replay replay = {.entry = refuse_the_third};
    buf_reset(&rig.why);
    while (image.len < SMALL) {
        buf_put_u8(&image, 0);
    }
    memdisk_put(rig.disk, rig_segment(1), buf_slice(&image));
    buf_fini(&image);
    dkv_err err = journal_open(&rig.config, &replay, &rig.journal, &rig.why);
    buf_put_u8(&rig.why, '\0');
    check_refused(err, "1.seg: offset 176: the batch is whole, its records contradict those before");
}
END_TEST

Suite *crafted_suite(void)
{
    Suite *s = suite_create("crafted");
    TCase *t = tcase_create("crafted");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_segment_filled_to_where_its_seal_must_fit_is_read);
    tcase_add_test(t, a_batch_that_leaves_no_room_for_a_seal_is_refused);
    tcase_add_test(t, a_file_smaller_than_any_segment_is_refused_whatever_its_header_says);
    tcase_add_test(t, records_that_their_reader_finds_contradictory_are_refused_with_their_place);
    suite_add_tcase(s, t);
    return s;
}

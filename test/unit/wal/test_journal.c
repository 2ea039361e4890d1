/* test_journal.c - writing, marking, rolling over, failing and closing. */
#include "base/limits.h"
#include "base/mem.h"
#include "unit/wal/rig.h"
#include "wal/segment.h"

#include <check.h>

Suite *journal_suite(void);

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

/* Is anything but zeroes in a segment behind offset? */
static size_t used(uint64_t segment)
{
    return segment_used(memdisk_get(rig.disk, rig_segment(segment)));
}

START_TEST(a_new_directory_is_new_and_an_old_one_keeps_its_incarnation)
{
    ck_assert_int_eq(rig_open(&rig), DKV_OK);
    ck_assert(journal_is_new(rig.journal));
    rig_start(&rig);
    rig_close(&rig);
    memcpy(rig.config.incarnation, "another one", 12);
    rig_must_open(&rig);
    ck_assert(!journal_is_new(rig.journal));
    ck_assert_str_eq((const char *)journal_incarnation(rig.journal), "an incarnation");
}
END_TEST

START_TEST(every_kind_of_record_returns_in_order)
{
    rig_must_open(&rig);
    rig_vote(&rig, 0, 5, 2);
    rig_entries(&rig, 1, 1, 3, 100);
    rig_note(&rig, 9, "first");
    rig_entries(&rig, 1, 2, 2, 0);
    rig_note(&rig, 9, "");
    rig_truncate(&rig, 1, 3);
    rig_commit(&rig, 1, 2);
    rig_write(&rig);
    rig_close(&rig);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
    ck_assert_uint_eq(rig.seen_commit[1], 2);
}
END_TEST

START_TEST(a_turn_is_one_batch_and_is_durable_when_its_write_is)
{
    rig_must_open(&rig);
    rig_vote(&rig, 0, 1, 1);
    rig_vote(&rig, 1, 1, 1);
    ck_assert_uint_eq(memdisk_pending(rig.disk), 0); /* nothing leaves before the turn ends */
    rig_turn(&rig);
    ck_assert_uint_eq(memdisk_pending(rig.disk), 1);
    ck_assert_uint_eq(journal_durable(rig.journal), 0);
    ck_assert_uint_gt(journal_backlog(rig.journal), 0);
    rig_drain(&rig);
    ck_assert_uint_eq(rig.durable, 1);
    ck_assert_uint_eq(rig.durables, 1);
    ck_assert_uint_eq(journal_backlog(rig.journal), 0);
}
END_TEST

START_TEST(what_turns_put_during_a_write_leaves_together_right_after_it)
{
    rig_must_open(&rig);
    rig_vote(&rig, 0, 1, 1);
    rig_turn(&rig);
    rig_vote(&rig, 0, 2, 1);
    rig_turn(&rig);
    rig_vote(&rig, 0, 3, 1);
    rig_turn(&rig);
    ck_assert_uint_eq(memdisk_pending(rig.disk), 1); /* one write in flight */
    ck_assert(memdisk_step(rig.disk));
    ck_assert_uint_eq(memdisk_pending(rig.disk), 1);
    rig_drain(&rig);
    ck_assert_uint_eq(rig.durable, 2);
}
END_TEST

START_TEST(a_large_turn_becomes_several_batches)
{
    rig.config.segment_bytes = 8u << 20;
    rig_must_open(&rig);
    for (uint64_t i = 0; i < 16; i++) {
        rig_entries(&rig, 0, 1 + 32 * i, 32, 8192);
    }
    rig_turn(&rig);
    rig_drain(&rig);
    ck_assert_uint_ge(rig.durables, 3);
    rig_close(&rig);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
}
END_TEST

START_TEST(a_full_segment_is_followed_by_the_one_made_when_it_was_half_full)
{
    rig_must_open(&rig);
    for (uint64_t i = 1; i <= 60; i++) {
        rig_entries(&rig, i % RIG_GROUPS, i, 1, 300);
        rig_write(&rig);
        bool half = used(1) >= SMALL / 2;
        ck_assert(half == (memdisk_get(rig.disk, rig_segment(2)).data != NULL));
    }
    ck_assert_ptr_nonnull(memdisk_get(rig.disk, rig_segment(5)).data);
    rig_close(&rig);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
}
END_TEST

START_TEST(batches_wait_for_a_segment_that_is_still_being_made)
{
    rig_must_open(&rig);
    rig_entries(&rig, 0, 1, 1, 2500);
    rig_turn(&rig);
    ck_assert(memdisk_step(rig.disk)); /* the batch; now the next segment is being made */
    ck_assert_uint_eq(memdisk_pending(rig.disk), 1);
    rig_entries(&rig, 0, 2, 1, 2500);
    rig_turn(&rig);
    rig_entries(&rig, 0, 3, 1, 2500);
    rig_turn(&rig);
    ck_assert_uint_eq(memdisk_pending(rig.disk), 1); /* nothing but the making */
    ck_assert_uint_gt(journal_backlog(rig.journal), 5000);
    rig_drain(&rig);
    ck_assert_uint_eq(rig.durable, 3);
    ck_assert_uint_eq(journal_backlog(rig.journal), 0);
}
END_TEST

START_TEST(a_spare_segment_smaller_than_the_next_batch_is_passed_over)
{
    rig_must_open(&rig);
    rig_entries(&rig, 0, 1, 1, 2500); /* has segment 2 made, of 4 KiB */
    rig_write(&rig);
    rig_close(&rig);
    rig.config.segment_bytes = 4 * SMALL;
    rig_must_open(&rig);
    rig_entries(&rig, 0, 2, 1, 8000);
    rig_write(&rig);
    ck_assert_ptr_nonnull(memdisk_get(rig.disk, rig_segment(3)).data);
    rig_close(&rig);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
}
END_TEST

START_TEST(marks_are_written_once_after_idleness)
{
    rig_must_open(&rig);
    ck_assert_uint_eq(journal_deadline(rig.journal), UINT64_MAX);
    rig_entries(&rig, 0, 1, 1, 10);
    rig_write(&rig);
    rig_commit(&rig, 0, 1);
    rig_turn(&rig);
    ck_assert_uint_eq(journal_deadline(rig.journal), rig.now_ms + JOURNAL_IDLE_MS);
    ck_assert_uint_eq(rig.durable, 1);
    rig_idle(&rig, JOURNAL_IDLE_MS);
    ck_assert_uint_eq(rig.durable, 2);
    ck_assert_uint_eq(journal_deadline(rig.journal), UINT64_MAX);
    rig_idle(&rig, 100);
    ck_assert_uint_eq(rig.durable, 2); /* nothing new is to be said */
    rig_commit(&rig, 0, 1);
    rig_idle(&rig, 100);
    ck_assert_uint_eq(rig.durable, 2); /* nor now */
    rig_crash(&rig, 3);
    rig_must_open(&rig);
    ck_assert_uint_eq(rig.seen_commit[0], 1);
    rig_idle(&rig, 100);
    ck_assert_uint_eq(rig.durable, 2); /* nor after a restart */
}
END_TEST

START_TEST(commit_marks_ride_with_the_next_batch_and_wait_for_their_entries)
{
    rig_must_open(&rig);
    rig_entries(&rig, 0, 1, 2, 10);
    rig_write(&rig);
    rig_entries(&rig, 0, 3, 60, 100); /* two batches, of which the second holds the last entries */
    rig_commit(&rig, 0, 62);
    rig_turn(&rig);
    ck_assert(memdisk_step(rig.disk));
    rig_crash(&rig, 5);
    rig_must_open(&rig); /* is sound: no commit index above the last entry seen */
    ck_assert(!rig.commit_too_early);
}
END_TEST

START_TEST(closing_writes_what_is_left_and_a_mark)
{
    rig_must_open(&rig);
    rig_entries(&rig, 0, 1, 3, 100);
    rig_commit(&rig, 0, 3);
    rig_close(&rig); /* without a turn */
    ck_assert_int_eq(rig.close_err, DKV_OK);
    size_t end = used(1);
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
    ck_assert_uint_eq(rig.seen_commit[0], 3);
    ck_assert_uint_eq(rig.durable, 2);
    rig_close(&rig);
    ck_assert_uint_eq(used(1), end); /* the second time nothing is new */
}
END_TEST

START_TEST(closing_is_legal_at_every_step)
{
    for (unsigned steps = 0; steps < 12; steps++) {
        struct rig r;
        rig_init(&r, SMALL);
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        rig_close(&r); /* never started */
        ck_assert_int_eq(r.close_err, DKV_OK);
        rig_must_open(&r);
        rig_entries(&r, 0, 1, 4, 1500);
        rig_turn(&r);
        for (unsigned i = 0; i < steps; i++) {
            memdisk_step(r.disk);
        }
        rig_close(&r);
        ck_assert_int_eq(r.close_err, DKV_OK);
        rig_must_open(&r);
        ck_assert(slice_eq(buf_slice(&r.seen), buf_slice(&r.put)));
        rig_fini(&r);
    }
}
END_TEST

/* An owner that puts something whenever something is durable. */
static void put_more(void *ctx, uint64_t batch)
{
    struct rig *r = ctx;
    journal_put_vote(r->journal, 0, batch, 1);
    journal_put_note(r->journal, 0, slice_str("more"));
    journal_set_commit(r->journal, 1, batch);
}

START_TEST(what_is_put_after_closing_is_ignored)
{
    rig.config.on_durable = put_more;
    rig_must_open(&rig);
    rig_entries(&rig, 1, 1, 9, 10);
    rig_turn(&rig);
    rig_close(&rig); /* and it ends */
    ck_assert_int_eq(rig.close_err, DKV_OK);
    rig_must_open(&rig); /* sound: nothing but the entries */
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
    ck_assert_uint_eq(rig.seen_commit[1], 0);
}
END_TEST

static void ignore(void *ctx, dkv_err err)
{
    unsigned *times = ctx;
    *times += err == DKV_OK;
}

static unsigned started_before_close;

static void on_start(void *ctx, dkv_err err)
{
    (void)ctx;
    started_before_close += err == DKV_OK;
}

START_TEST(closing_while_starting_waits_for_the_start)
{
    unsigned closed = 0;
    ck_assert_int_eq(rig_open(&rig), DKV_OK);
    rig_vote(&rig, 0, 1, 1);
    started_before_close = 0;
    journal_start(rig.journal, on_start);
    journal_close(rig.journal, ignore, &closed);
    ck_assert_uint_eq(closed, 0);
    rig_drain(&rig);
    ck_assert_uint_eq(started_before_close, 1);
    ck_assert_uint_eq(closed, 1);
    rig.journal = NULL;
    rig_must_open(&rig);
    ck_assert(slice_eq(buf_slice(&rig.seen), buf_slice(&rig.put)));
}
END_TEST

/* The owner's life ends from inside a callback. */
static void close_inside(void *ctx, uint64_t batch)
{
    struct rig *r = ctx;
    (void)batch;
    if (r->closes == 0) {
        r->closes++;
        journal_close(r->journal, NULL, NULL);
        r->journal = NULL;
    }
}

START_TEST(the_owner_may_close_inside_a_callback)
{
    rig.config.on_durable = close_inside;
    rig_must_open(&rig);
    rig_vote(&rig, 0, 1, 1);
    rig_turn(&rig);
    rig_drain(&rig);
    ck_assert_uint_eq(rig.closes, 1);
    rig_must_open(&rig);
    ck_assert_uint_eq(journal_durable(rig.journal), 2); /* the vote and the closing mark */
}
END_TEST

START_TEST(a_failed_write_is_told_once_and_nothing_is_durable_after_it)
{
    static const dkv_err errors[] = {DKV_IO, DKV_NO_SPACE};
    for (unsigned n = 0; n < 40; n++) { /* batches, seals, making and heading of segments */
        struct rig r;
        rig_init(&r, SMALL);
        rig_must_open(&r);
        memdisk_fail_write(r.disk, n, errors[n % 2]);
        uint64_t at_failure = 0;
        for (uint64_t i = 1; i <= 80; i++) {
            rig_entries(&r, 0, i, 1, 500);
            rig_turn(&r);
            memdisk_step(r.disk);
            if (r.failures > 0 && at_failure == 0) {
                at_failure = r.durables;
            }
        }
        rig_drain(&r);
        ck_assert_uint_eq(r.failures, 1);
        ck_assert_int_eq(r.failure, errors[n % 2]);
        ck_assert_uint_eq(r.durables, at_failure);
        rig_close(&r);
        ck_assert_int_eq(r.close_err, errors[n % 2]);
        rig_must_open(&r); /* sound: all that was durable is there */
        rig_fini(&r);
    }
}
END_TEST

START_TEST(a_failed_start_is_told_by_its_callback)
{
    for (unsigned n = 0; n < 2; n++) {
        struct rig r;
        rig_init(&r, SMALL);
        memdisk_fail_write(r.disk, n, DKV_NO_SPACE);
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        rig_start(&r);
        ck_assert_int_eq(r.start_err, DKV_NO_SPACE);
        ck_assert_uint_eq(r.failures, 0);
        rig_close(&r);
        ck_assert_int_eq(r.close_err, DKV_NO_SPACE);
        rig_must_open(&r); /* what was half made is made again */
        rig_fini(&r);
    }
}
END_TEST

static void close_when_not_started(void *ctx, dkv_err err)
{
    struct rig *r = ctx;
    r->start_err = err;
    journal_close(r->journal, ignore, &r->closes);
    r->journal = NULL;
}

START_TEST(the_owner_may_close_inside_the_callback_of_a_failed_start)
{
    rig_must_open(&rig);
    rig_entries(&rig, 0, 1, 1, 2500); /* has a spare segment made */
    rig_write(&rig);
    rig_close(&rig);
    for (unsigned n = 0; n < 2; n++) { /* the spare, the mend */
        ck_assert_int_eq(rig_open(&rig), DKV_OK);
        memdisk_fail_write(rig.disk, n, DKV_IO);
        journal_start(rig.journal, close_when_not_started);
        rig_drain(&rig);
        ck_assert_int_eq(rig.start_err, DKV_IO);
        ck_assert_ptr_null(rig.journal);
    }
}
END_TEST

START_TEST(a_failed_closing_write_is_told_by_the_close)
{
    rig_must_open(&rig);
    rig_vote(&rig, 0, 1, 1);
    memdisk_fail_write(rig.disk, 0, DKV_IO);
    rig_close(&rig);
    ck_assert_int_eq(rig.close_err, DKV_IO);
    ck_assert_uint_eq(rig.failures, 0);
}
END_TEST

START_TEST(out_of_memory_while_putting_is_final)
{
    for (int n = 0; n < 2; n++) {
        struct rig r;
        rig_init(&r, SMALL);
        rig_must_open(&r);
        mem_fail_after(n);
        uint64_t batch = journal_put_vote(r.journal, 0, 1, 1);
        mem_fail_after(-1);
        journal_turn(r.journal, 1);
        rig_drain(&r);
        ck_assert_uint_eq(r.failures, 1);
        ck_assert_int_eq(r.failure, DKV_NO_MEMORY);
        ck_assert_uint_lt(journal_durable(r.journal), batch);
        rig_close(&r);
        rig_fini(&r);
    }
}
END_TEST

START_TEST(open_survives_every_failed_allocation)
{
    rig_must_open(&rig);
    for (uint64_t i = 1; i <= 30; i++) {
        rig_entries(&rig, 0, i, 1, 300);
        rig_write(&rig);
    }
    rig_turn(&rig);
    rig_crash(&rig, 11);
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 1000); /* it succeeds in the end */
        buf_fini(&rig.seen);
        buf_fini(&rig.why);
        mem_fail_after(n);
        err = rig_open(&rig);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
    }
    ck_assert(rig_is_sound(&rig));
    rig_forget_unseen(&rig);
    rig_start(&rig);
}
END_TEST

START_TEST(a_segment_size_out_of_range_is_refused)
{
    static const uint64_t sizes[] = {8, SEGMENT_BYTES_LEAST - 8, SEGMENT_BYTES_LEAST + 4, 1ull << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rig.config.segment_bytes = sizes[i];
        ck_assert_int_eq(rig_open(&rig), DKV_CONFIG);
        ck_assert_uint_gt(rig.why.len, 1);
    }
}
END_TEST

static dkv_err refuse(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    (void)ctx;
    (void)group;
    (void)term;
    (void)vote;
    return DKV_UNSUPPORTED;
}

START_TEST(a_replay_stops_with_the_error_of_its_callback)
{
    rig_must_open(&rig);
    rig_vote(&rig, 0, 1, 1);
    rig_close(&rig);
    struct journal_replay replay = {.vote = refuse};
    struct journal *j = NULL;
    struct buf why = {0};
    ck_assert_int_eq(journal_open(&rig.config, &replay, &j, &why), DKV_UNSUPPORTED);
    ck_assert_ptr_null(j);
    buf_fini(&why);
}
END_TEST

Suite *journal_suite(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_new_directory_is_new_and_an_old_one_keeps_its_incarnation);
    tcase_add_test(t, every_kind_of_record_returns_in_order);
    tcase_add_test(t, a_turn_is_one_batch_and_is_durable_when_its_write_is);
    tcase_add_test(t, what_turns_put_during_a_write_leaves_together_right_after_it);
    tcase_add_test(t, a_large_turn_becomes_several_batches);
    tcase_add_test(t, a_full_segment_is_followed_by_the_one_made_when_it_was_half_full);
    tcase_add_test(t, batches_wait_for_a_segment_that_is_still_being_made);
    tcase_add_test(t, a_spare_segment_smaller_than_the_next_batch_is_passed_over);
    tcase_add_test(t, marks_are_written_once_after_idleness);
    tcase_add_test(t, commit_marks_ride_with_the_next_batch_and_wait_for_their_entries);
    tcase_add_test(t, closing_writes_what_is_left_and_a_mark);
    tcase_add_test(t, closing_is_legal_at_every_step);
    tcase_add_test(t, what_is_put_after_closing_is_ignored);
    tcase_add_test(t, closing_while_starting_waits_for_the_start);
    tcase_add_test(t, the_owner_may_close_inside_a_callback);
    tcase_add_test(t, a_failed_write_is_told_once_and_nothing_is_durable_after_it);
    tcase_add_test(t, a_failed_start_is_told_by_its_callback);
    tcase_add_test(t, the_owner_may_close_inside_the_callback_of_a_failed_start);
    tcase_add_test(t, a_failed_closing_write_is_told_by_the_close);
    tcase_add_test(t, out_of_memory_while_putting_is_final);
    tcase_add_test(t, open_survives_every_failed_allocation);
    tcase_add_test(t, a_segment_size_out_of_range_is_refused);
    tcase_add_test(t, a_replay_stops_with_the_error_of_its_callback);
    suite_add_tcase(s, t);
    return s;
}

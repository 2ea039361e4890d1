/* test_entrylog.c - the log in memory against a naive twin, and without memory; the queue beside it. */
#include "unit/repl/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "repl/entrylog.h"
#include "repl/fifo.h"

#define TWIN_MAX 5000u

static uint8_t twin_bytes[TWIN_MAX + 1]; /* the one byte each entry holds */

static void check_twin(const struct entrylog *log, uint64_t last)
{
    uint64_t data = 0;
    ck_assert_uint_gt(last, 0);
    ck_assert_uint_eq(log->last, last);
    for (uint64_t i = 1; i <= last; i++) {
        const struct entry *e = entrylog_at(log, i);
        ck_assert_ptr_nonnull(e);
        ck_assert_uint_eq(e->term, i);
        ck_assert_uint_eq(e->data.len, i % 3);
        data += e->data.len;
        ck_assert(i % 3 == 0 || e->data.data[0] == twin_bytes[i]);
    }
    ck_assert_uint_gt(log->bytes, data);
    ck_assert_uint_eq((log->bytes - data) % last, 0); /* every entry counts alike */
    ck_assert_ptr_null(entrylog_at(log, 0));
    ck_assert_ptr_null(entrylog_at(log, last + 1));
}

START_TEST(the_log_holds_what_a_naive_twin_holds)
{
    struct rng rng = {20261120};
    struct entrylog log = {0};
    static struct entry entries[TWIN_MAX];
    for (int round = 0; round < 400; round++) {
        if (log.last > 0 && rng_below(&rng, 3) == 0) {
            uint64_t from = log.last + 1 - rng_below(&rng, log.last < 700 ? log.last : 700);
            entrylog_cut(&log, from);
            ck_assert_uint_eq(log.last, from - 1);
        }
        size_t n = rng_below(&rng, log.last > TWIN_MAX / 2 ? 3 : 900);
        for (size_t i = 0; i < n; i++) {
            uint64_t index = log.last + 1 + i;
            twin_bytes[index] = (uint8_t)rng_next(&rng);
            static const uint8_t zero = 0;
            const uint8_t *byte = index % 3 == 0 ? &zero : &twin_bytes[index];
            entries[i] = (struct entry){.term = index, .type = ENTRY_COMMAND, .data = {byte, index % 3}};
        }
        ck_assert_int_eq(entrylog_append(&log, entries, n), DKV_OK);
        if (log.last > TWIN_MAX - 1000) {
            entrylog_cut(&log, 1);
            ck_assert_uint_eq(log.bytes, 0);
        }
    }
    check_twin(&log, log.last);
    for (uint64_t i = 1; i <= log.last;) {
        size_t n;
        const struct entry *run = entrylog_run(&log, i, 100, &n);
        ck_assert_uint_ge(n, 1);
        ck_assert_uint_le(n, 100);
        ck_assert_ptr_eq(run + n - 1, entrylog_at(&log, i + n - 1));
        i += n;
    }
    entrylog_fini(&log);
}
END_TEST

START_TEST(an_append_without_memory_leaves_the_log_as_it_was)
{
    static struct entry entries[1500];
    for (size_t i = 0; i < 1500; i++) {
        entries[i] = (struct entry){.term = i + 1, .type = ENTRY_BARRIER};
    }
    struct entrylog log = {0};
    ck_assert_int_eq(entrylog_append(&log, entries, 10), DKV_OK);
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 100);
        ck_assert_uint_eq(log.last, 10);
        mem_fail_after(n);
        err = entrylog_append(&log, entries + 10, 1490);
        mem_fail_after(-1);
    }
    ck_assert_uint_eq(log.last, 1500);
    ck_assert_uint_eq(entrylog_at(&log, 1500)->term, 1500);
    entrylog_fini(&log);
}
END_TEST

START_TEST(a_queue_keeps_its_order_while_it_grows_and_wraps)
{
    struct fifo f = {.size = sizeof(uint64_t)};
    uint64_t in = 0;
    uint64_t out = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 7; i++) {
            *(uint64_t *)fifo_push(&f) = in++;
        }
        for (int i = 0; i < (round < 100 ? 5 : 9) && f.n > 0; i++) {
            ck_assert_uint_eq(*(uint64_t *)fifo_front(&f), out++);
            fifo_pop_front(&f);
        }
        if (f.n > 0) {
            ck_assert_uint_eq(*(uint64_t *)fifo_back(&f), in - 1);
            fifo_pop_back(&f);
            in--;
        }
    }
    fifo_fini(&f);
    ck_assert_ptr_null(fifo_front(&f));
    ck_assert_ptr_null(fifo_back(&f));
}
END_TEST

Suite *entrylog_suite(void)
{
    Suite *s = suite_create("entrylog");
    TCase *t = tcase_create("entrylog");
    tcase_add_test(t, the_log_holds_what_a_naive_twin_holds);
    tcase_add_test(t, an_append_without_memory_leaves_the_log_as_it_was);
    tcase_add_test(t, a_queue_keeps_its_order_while_it_grows_and_wraps);
    suite_add_tcase(s, t);
    return s;
}

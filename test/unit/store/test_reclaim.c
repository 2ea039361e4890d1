/* test_reclaim.c - what is dropped lives as long as a view sees it. Freeing too early shows under the address
 * sanitizer, freeing too late in held. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/reclaim.h"

#include <check.h>
#include <stdlib.h>

Suite *reclaim_suite(void);

static struct reclaim_item *item_new(const struct reclaim *r, size_t bytes)
{
    struct reclaim_item *item = mem_alloc(sizeof *item);
    ck_assert_ptr_nonnull(item);
    reclaim_born(r, item, bytes);
    return item;
}

START_TEST(without_a_view_a_dropped_item_goes_at_once)
{
    struct reclaim r;
    reclaim_init(&r);
    struct reclaim_item *item = item_new(&r, 100);
    ck_assert(!reclaim_is_seen(&r, item));
    reclaim_drop(&r, item);
    ck_assert_uint_eq(r.held, 0);
}
END_TEST

START_TEST(a_view_keeps_what_was_born_before_it_and_nothing_later)
{
    struct reclaim r;
    struct reclaim_view view;
    reclaim_init(&r);
    struct reclaim_item *before = item_new(&r, 100);
    reclaim_open(&r, &view);
    struct reclaim_item *later = item_new(&r, 100);
    ck_assert(reclaim_is_seen(&r, before));
    ck_assert(!reclaim_is_seen(&r, later));
    reclaim_drop(&r, before);
    reclaim_drop(&r, later);
    ck_assert_uint_eq(r.held, 1);
    ck_assert(reclaim_close(&r, &view));
    ck_assert_uint_eq(r.held, 0);
}
END_TEST

START_TEST(an_item_goes_with_the_last_view_that_sees_it_in_any_order_of_closing)
{
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const unsigned *order = orders[_i];
    struct reclaim r;
    struct reclaim_view views[3];
    struct reclaim_item *items[3]; /* item i is seen by the views i to 2 */
    reclaim_init(&r);
    for (unsigned i = 0; i < 3; i++) {
        items[i] = item_new(&r, 100);
        reclaim_open(&r, &views[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        reclaim_drop(&r, items[i]);
    }
    bool open[3] = {true, true, true};
    for (unsigned n = 0; n < 3; n++) {
        open[order[n]] = false;
        ck_assert(reclaim_close(&r, &views[order[n]]));
        unsigned seen = 0;
        for (unsigned i = 0; i < 3; i++) {
            bool kept = false;
            for (unsigned v = i; v < 3; v++) {
                kept = kept || open[v];
            }
            seen += kept;
        }
        ck_assert_uint_eq(r.held, seen);
    }
    ck_assert_uint_eq(r.held, 0);
}
END_TEST

START_TEST(closing_goes_in_slices_and_another_view_may_come_and_go_between_them)
{
    struct reclaim r;
    struct reclaim_view old;
    struct reclaim_view view;
    struct reclaim_view between;
    reclaim_init(&r);
    struct reclaim_item *first = item_new(&r, 100);
    reclaim_open(&r, &old);
    struct reclaim_item *items[2 * RECLAIM_SLICE];
    for (unsigned i = 0; i < 2 * RECLAIM_SLICE; i++) {
        items[i] = item_new(&r, 100);
    }
    reclaim_open(&r, &view);
    reclaim_drop(&r, first);
    for (unsigned i = 0; i < 2 * RECLAIM_SLICE; i++) {
        reclaim_drop(&r, items[i]);
    }
    ck_assert(!reclaim_close(&r, &view));
    ck_assert_uint_eq(r.held, RECLAIM_SLICE + 1);
    reclaim_open(&r, &between);
    ck_assert(!reclaim_close(&r, &view));
    ck_assert(reclaim_close(&r, &old)); /* the item both saw still waits with the newer one */
    ck_assert(reclaim_close(&r, &between));
    ck_assert(reclaim_close(&r, &view));
    ck_assert_uint_eq(r.held, 0);
}
END_TEST

START_TEST(large_items_make_a_slice_shorter)
{
    struct reclaim r;
    struct reclaim_view view;
    reclaim_init(&r);
    struct reclaim_item *items[3];
    for (unsigned i = 0; i < 3; i++) {
        items[i] = item_new(&r, 1u << 20);
    }
    reclaim_open(&r, &view);
    for (unsigned i = 0; i < 3; i++) {
        reclaim_drop(&r, items[i]);
    }
    for (unsigned left = 2; left > 0; left--) {
        ck_assert(!reclaim_close(&r, &view));
        ck_assert_uint_eq(r.held, left);
    }
    ck_assert(reclaim_close(&r, &view));
}
END_TEST

Suite *reclaim_suite(void)
{
    Suite *s = suite_create("reclaim");
    TCase *t = tcase_create("reclaim");
    tcase_add_test(t, without_a_view_a_dropped_item_goes_at_once);
    tcase_add_test(t, a_view_keeps_what_was_born_before_it_and_nothing_later);
    tcase_add_loop_test(t, an_item_goes_with_the_last_view_that_sees_it_in_any_order_of_closing, 0, 6);
    tcase_add_test(t, closing_goes_in_slices_and_another_view_may_come_and_go_between_them);
    tcase_add_test(t, large_items_make_a_slice_shorter);
    suite_add_tcase(s, t);
    return s;
}

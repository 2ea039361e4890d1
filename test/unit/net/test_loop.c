/* test_loop.c - turns, timers, signals. */
#include "fixture.h"

#include "base/mem.h"

#include <check.h>
#include <signal.h>

Suite *loop_suite(void);

struct clockwork {
    struct net *net;
    struct net_timer *timer;
    char order[16]; /* what fired, in order */
    int fired;
    int turns;
};

static void note(struct clockwork *c, char what)
{
    ck_assert_int_lt(c->fired, (int)sizeof c->order - 1);
    c->order[c->fired++] = what;
}

static void on_a(void *ctx)
{
    note(ctx, 'a');
}

static void on_b(void *ctx)
{
    note(ctx, 'b');
}

static void on_last(void *ctx)
{
    struct clockwork *c = ctx;
    note(c, 'z');
    net_stop(c->net);
}

START_TEST(timers_fire_in_the_order_of_their_times)
{
    struct clockwork c = {.net = fixture_loop()};
    uint64_t now = net_now_ms(c.net);
    struct net_timer *last = net_timer_new(c.net, on_last, &c);
    struct net_timer *b = net_timer_new(c.net, on_b, &c);
    struct net_timer *a = net_timer_new(c.net, on_a, &c);
    struct net_timer *never = net_timer_new(c.net, on_a, &c);
    net_timer_set(last, now + 6);
    net_timer_set(b, now + 4);
    net_timer_set(a, now + 5);
    net_timer_set(a, now + 2); /* set again: the last time counts */
    net_timer_set(never, now + 1);
    net_timer_set(never, UINT64_MAX);
    net_run(c.net);
    ck_assert_str_eq(c.order, "abz");
    ck_assert_uint_ge(net_now_ms(c.net), now + 6);
    net_timer_close(a); /* closing by name is still fine after the stop */
    net_timer_close(b);
    net_timer_close(never);
    net_timer_close(NULL);
    fixture_free(c.net); /* and last goes with the loop */
}
END_TEST

static void on_again(void *ctx)
{
    struct clockwork *c = ctx;
    note(c, 'a');
    if (c->fired == 3) {
        net_stop(c->net);
    } else {
        net_timer_set(c->timer, 0); /* long past */
    }
}

static void on_turn(void *ctx)
{
    struct clockwork *c = ctx;
    c->turns++;
}

START_TEST(a_timer_that_sets_itself_to_the_past_leaves_the_loop_its_turns)
{
    struct clockwork c = {.net = fixture_loop()};
    c.timer = net_timer_new(c.net, on_again, &c);
    net_on_turn(c.net, on_turn, &c);
    net_timer_set(c.timer, 0);
    net_run(c.net);
    ck_assert_str_eq(c.order, "aaa");
    ck_assert_int_ge(c.turns, 2);
    net_timer_close(c.timer);
    fixture_free(c.net);
}
END_TEST

static void on_first_turn(void *ctx)
{
    struct clockwork *c = ctx;
    if (c->turns++ == 0) {
        net_timer_set(c->timer, net_now_ms(c->net) + 1);
    }
}

START_TEST(a_timer_set_at_the_end_of_a_turn_shortens_the_wait)
{
    struct clockwork c = {.net = fixture_loop()};
    c.timer = net_timer_new(c.net, on_last, &c);
    net_on_turn(c.net, on_first_turn, &c);
    net_run(c.net); /* would otherwise sleep until the fixture's alarm */
    ck_assert_str_eq(c.order, "z");
    net_timer_close(c.timer);
    fixture_free(c.net);
}
END_TEST

START_TEST(a_timer_may_close_itself)
{
    struct clockwork c = {.net = fixture_loop()};
    c.timer = net_timer_new(c.net, on_last, &c);
    net_timer_set(c.timer, 0);
    net_timer_close(c.timer);
    struct net_timer *last = net_timer_new(c.net, on_last, &c);
    net_timer_set(last, 0);
    net_run(c.net);
    ck_assert_str_eq(c.order, "z"); /* the closed one was silent */
    net_timer_close(last);
    fixture_free(c.net);
}
END_TEST

static void on_signal(void *ctx, int number)
{
    struct clockwork *c = ctx;
    note(c, number == SIGHUP ? 'h' : number == SIGTERM ? 't' : '?');
    if (number == SIGTERM) {
        net_stop(c->net);
    } else {
        raise(SIGTERM);
    }
}

START_TEST(signals_come_as_calls_and_a_broken_pipe_is_none)
{
    struct clockwork c = {.net = fixture_loop()};
    net_on_signal(c.net, on_signal, &c);
    raise(SIGPIPE);
    raise(SIGHUP);
    net_run(c.net);
    ck_assert_str_eq(c.order, "ht");
    fixture_free(c.net);
}
END_TEST

START_TEST(a_loop_that_never_ran_can_be_freed)
{
    struct clockwork c = {.net = fixture_loop()};
    ck_assert_ptr_nonnull(net_timer_new(c.net, on_a, &c));
    net_on_signal(c.net, on_signal, &c);
    fixture_free(c.net);
    net_free(NULL);
}
END_TEST

START_TEST(no_memory_is_no_loop_and_no_timer)
{
    mem_fail_after(0);
    struct net *none = net_new();
    mem_fail_after(-1);
    ck_assert_ptr_null(none);
    struct net *n = net_new();
    mem_fail_after(0);
    struct net_timer *t = net_timer_new(n, on_a, NULL);
    mem_fail_after(-1);
    ck_assert_ptr_null(t);
    net_free(n);
}
END_TEST

START_TEST(the_clock_never_goes_back_and_random_bytes_differ)
{
    uint64_t before = net_clock_ns();
    ck_assert_uint_le(before, net_clock_ns());
    uint8_t a[16] = {0};
    uint8_t b[16] = {0};
    ck_assert_int_eq(net_random(a, sizeof a), DKV_OK);
    ck_assert_int_eq(net_random(b, sizeof b), DKV_OK);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

Suite *loop_suite(void)
{
    Suite *s = suite_create("loop");
    TCase *t = tcase_create("loop");
    tcase_add_test(t, timers_fire_in_the_order_of_their_times);
    tcase_add_test(t, a_timer_that_sets_itself_to_the_past_leaves_the_loop_its_turns);
    tcase_add_test(t, a_timer_set_at_the_end_of_a_turn_shortens_the_wait);
    tcase_add_test(t, a_timer_may_close_itself);
    tcase_add_test(t, signals_come_as_calls_and_a_broken_pipe_is_none);
    tcase_add_test(t, a_loop_that_never_ran_can_be_freed);
    tcase_add_test(t, no_memory_is_no_loop_and_no_timer);
    tcase_add_test(t, the_clock_never_goes_back_and_random_bytes_differ);
    suite_add_tcase(s, t);
    return s;
}

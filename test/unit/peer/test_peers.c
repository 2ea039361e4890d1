/* test_peers.c - two nodes that dial, greet, talk and lose each other. */
#include "world.h"

#include "base/mem.h"
#include "peer/greeting.h"

#include <check.h>

Suite *peers_suite(void);

static struct world w;

static void setup(void)
{
    world_init(&w);
}

static void teardown(void)
{
    world_fini(&w);
}

START_TEST(a_welcomed_link_carries_frames_to_the_other_node)
{
    ck_assert(!side_send(&w, &w.n1, "early", false)); /* not up yet */
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 0;");
    side_says(&w.n2, "hello n1;");
    ck_assert(peers_up(w.n1.peers, 2));
    ck_assert(!peers_up(w.n2.peers, 1)); /* each direction has a connection of its own */
    ck_assert(side_send(&w, &w.n1, "one", false));
    ck_assert(side_send(&w, &w.n1, "two", true));
    side_says(&w.n2, "");
    world_run(&w);
    side_says(&w.n2, "frame two;frame one;");
    ck_assert(!side_send(&w, &w.n2, "back", false));
}
END_TEST

START_TEST(handshakes_tell_who_is_there)
{
    w.n2.knew = true;
    ck_assert_ptr_null(peers_identity(w.n1.peers, 2));
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 1;");
    ck_assert_uint_eq(peers_identity(w.n1.peers, 2)->boot, 1002);
    ck_assert_uint_eq(peers_identity(w.n2.peers, 1)->boot, 1001);
    ck_assert_ptr_null(peers_identity(w.n2.peers, 9));
}
END_TEST

START_TEST(a_failed_dial_is_tried_again_after_a_while)
{
    for (int i = 0; i < 3; i++) {
        world_fail_dial(&w, &w.n1);
        ck_assert_uint_eq(peers_deadline(w.n1.peers), w.now_ms + LINK_RETRY_MS);
        world_pass(&w, LINK_RETRY_MS - 1);
        side_says(&w.n1, "");
        world_pass(&w, 1);
        side_says(&w.n1, "dial;");
    }
}
END_TEST

START_TEST(a_refused_node_is_told_why_and_waits_longer)
{
    w.n2.policy = ANSWER_REFUSE;
    w.n2.refuse_err = DKV_LOCKED;
    w.n2.refuse_detail = "another disk";
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
    side_says(&w.n1, "refused 52 another disk;");
    ck_assert(!peers_up(w.n1.peers, 2));
    ck_assert_ptr_null(peers_identity(w.n2.peers, 1)); /* who is refused leaves no trace */
    ck_assert_uint_eq(peers_stats(w.n2.peers)->refused, 1);
    ck_assert_uint_eq(peers_stats(w.n1.peers)->refused_by, 1);
    world_pass(&w, 999);
    side_says(&w.n1, "");
    world_pass(&w, 1);
    side_says(&w.n1, "dial;");
}
END_TEST

START_TEST(an_answer_may_come_later)
{
    w.n2.policy = ANSWER_LATER;
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
    side_says(&w.n1, "");
    peers_answer(w.n2.peers, w.n2.asked, DKV_OK, true, (struct slice){0});
    world_run(&w);
    side_says(&w.n1, "up;answer n2 1;");
}
END_TEST

START_TEST(an_answer_to_a_caller_that_has_gone_is_nothing)
{
    w.n2.policy = ANSWER_LATER;
    struct pipe *p = world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
    pipe_break(p);
    world_run(&w);
    peers_answer(w.n2.peers, w.n2.asked, DKV_OK, true, (struct slice){0});
    world_run(&w);
    side_says(&w.n1, "");
    side_says(&w.n2, "");
    ck_assert_ptr_null(peers_identity(w.n2.peers, 1));
}
END_TEST

START_TEST(an_answer_that_never_comes_is_given_up)
{
    w.n2.policy = ANSWER_LATER;
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
    world_pass(&w, HANDSHAKE_MS - 1);
    side_says(&w.n1, "");
    world_pass(&w, 1);
    world_pass(&w, LINK_RETRY_MS);
    side_says(&w.n1, "dial;");
    peers_answer(w.n2.peers, w.n2.asked, DKV_OK, true, (struct slice){0}); /* too late, and no harm */
    world_run(&w);
    side_says(&w.n1, "");
}
END_TEST

START_TEST(a_handshake_nobody_answered_goes_with_the_rest)
{
    w.n2.policy = ANSWER_LATER;
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;"); /* and the teardown finds no leak */
}
END_TEST

START_TEST(the_second_connection_wins_and_the_first_falls_silent)
{
    world_greet(&w);
    ck_assert(side_send(&w, &w.n1, "old", false));
    peers_flush(w.n1.peers); /* on its way over the first connection, not yet there */

    struct stranger again = {0}; /* node 1 once more, as after a cut that only it has noticed */
    stranger_call(&w, &w.n2, &again);
    struct hello hello = {.to = 2, .who = w.n1.self};
    hello.who.boot = 5555;
    struct buf body = {0};
    struct buf bytes = {0};
    hello_encode(&hello, &body);
    frame_encode(&(struct frame){.kind = FRAME_HELLO, .body = buf_slice(&body)}, &bytes);
    again.stream->ops->write(again.stream, &bytes);
    pipe_run(again.pipe);
    side_says(&w.n2, "hello n1;");
    ck_assert_uint_eq(peers_identity(w.n2.peers, 1)->boot, 5555);

    world_run(&w);
    side_says(&w.n2, ""); /* nothing of the first is heard any more */
    buf_fini(&body);
    stranger_forget(&again);
    world_run(&w);
}
END_TEST

START_TEST(a_broken_link_is_told_and_dialed_again)
{
    world_connect(&w, &w.n2);
    struct pipe *p = world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, "hello n2;up;answer n2 0;");
    side_says(&w.n2, "hello n1;up;answer n1 0;");
    pipe_break(p);
    world_run(&w);
    side_says(&w.n1, "down;");
    ck_assert(!side_send(&w, &w.n1, "lost", true));
    side_says(&w.n2, "down;"); /* it heard the other end go, so its own link is not trusted either */
    world_pass(&w, LINK_RETRY_MS);
    side_says(&w.n1, "dial;");
    side_says(&w.n2, "dial;");
    world_greet(&w);
    for (int i = 0; i < 10; i++) { /* and then it stays: the two do not tear down each other's new links */
        world_pass(&w, LINK_RETRY_MS);
    }
    side_says(&w.n1, "");
    side_says(&w.n2, "");
}
END_TEST

START_TEST(a_link_that_stood_for_long_is_dialed_again_at_once)
{
    struct pipe *p = world_connect(&w, &w.n1);
    world_run(&w);
    world_pass(&w, 60000);
    pipe_break(p);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 0;down;");
    world_pass(&w, 0);
    side_says(&w.n1, "dial;");
    p = world_connect(&w, &w.n1);
    world_run(&w);
    pipe_break(p);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 0;down;");
    world_pass(&w, LINK_RETRY_MS - 1); /* this one did not */
    side_says(&w.n1, "");
    world_pass(&w, 1);
    side_says(&w.n1, "dial;");
}
END_TEST

START_TEST(a_late_close_of_an_old_connection_leaves_the_new_link_alone)
{
    struct pipe *to_n2 = world_connect(&w, &w.n1);
    struct pipe *to_n1 = world_connect(&w, &w.n2);
    world_run(&w);
    buf_reset(&w.n1.log);
    buf_reset(&w.n2.log);

    pipe_break(to_n2);
    pipe_deliver(to_n2, PIPE_A, SIZE_MAX); /* only node 1 notices, and dials again at once */
    side_says(&w.n1, "down;");
    w.now_ms += LINK_RETRY_MS;
    peers_tick(w.n1.peers, w.now_ms);
    side_says(&w.n1, "dial;");
    struct pipe *again = world_connect(&w, &w.n1);
    pipe_run(again);
    side_says(&w.n1, "up;answer n2 0;");
    pipe_break(to_n1); /* of the time before: no reason to drop the link that has just come up */
    pipe_deliver(to_n1, PIPE_B, SIZE_MAX);
    world_run(&w);
    side_says(&w.n1, "");
    ck_assert(peers_up(w.n1.peers, 2));
}
END_TEST

START_TEST(saying_hello_again_brings_the_new_identity)
{
    world_greet(&w);
    w.n1.self.voting = true;
    w.n1.self.epoch = 2;
    peers_set_identity(w.n1.peers, &w.n1.self);
    peers_rehello(w.n1.peers);
    side_says(&w.n1, ""); /* nothing from inside the call */
    ck_assert(!peers_up(w.n1.peers, 2));
    world_run(&w);
    side_says(&w.n1, "down;");
    side_says(&w.n2, "down;");
    world_pass(&w, 0);
    side_says(&w.n1, "dial;"); /* without waiting */
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
    ck_assert_uint_eq(peers_identity(w.n2.peers, 1)->epoch, 2);
    ck_assert(peers_identity(w.n2.peers, 1)->voting);
    side_says(&w.n1, "up;answer n2 0;");
}
END_TEST

START_TEST(frames_of_any_pieces_are_heard_whole)
{
    struct pipe *p = world_connect(&w, &w.n1);
    for (int i = 0; i < 1000; i++) {
        pipe_deliver(p, PIPE_A, 1);
        pipe_deliver(p, PIPE_B, 1);
    }
    side_says(&w.n1, "up;answer n2 0;");
    ck_assert(side_send(&w, &w.n1, "one", false));
    ck_assert(side_send(&w, &w.n1, "two", false));
    peers_flush(w.n1.peers);
    while (pipe_pending(p, PIPE_B) > 0) {
        pipe_deliver(p, PIPE_B, 7);
    }
    side_says(&w.n2, "hello n1;frame one;frame two;");
}
END_TEST

START_TEST(what_was_queued_for_a_link_that_broke_is_not_sent_over_the_next)
{
    world_greet(&w);
    ck_assert(side_send(&w, &w.n1, "old", false));
    peers_rehello(w.n1.peers);
    world_run(&w);
    buf_reset(&w.n1.log);
    buf_reset(&w.n2.log);
    world_pass(&w, 0);
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n2, "hello n1;");
}
END_TEST

START_TEST(over_the_bound_frames_are_dropped_and_counted)
{
    static uint8_t body[1u << 20];
    struct frame f = {.kind = FRAME_RAFT, .body = slice_of(body, sizeof body)};
    world_greet(&w);
    int taken = 0;
    while (peers_send(w.n1.peers, 2, &f, false)) {
        taken++;
        ck_assert_int_lt(taken, 100);
    }
    ck_assert(!peers_send(w.n1.peers, 2, &f, false));
    ck_assert_uint_eq(peers_stats(w.n1.peers)->dropped_frames, 2);
    ck_assert_uint_eq(peers_stats(w.n1.peers)->dropped_bytes, 2 * sizeof body);
    ck_assert(side_send(&w, &w.n1, "vote", true));    /* never waits behind bulk */
    ck_assert(!peers_send(w.n1.peers, 9, &f, false)); /* nobody */
    ck_assert_uint_le(peers_deadline(w.n1.peers),
                      w.now_ms); /* the loss is logged at the next tick, then rests */
    peers_tick(w.n1.peers, w.now_ms);
    ck_assert(!peers_send(w.n1.peers, 2, &f, false));
    ck_assert_uint_eq(peers_deadline(w.n1.peers), w.now_ms + 1000);
    peers_rehello(w.n1.peers); /* the queue goes with the link: nothing of this reaches the other log */
    world_run(&w);
}
END_TEST

START_TEST(closing_inside_a_frame_is_fine)
{
    world_greet(&w);
    w.n2.stop_at_frame = true;
    ck_assert(side_send(&w, &w.n1, "one", false));
    ck_assert(side_send(&w, &w.n1, "two", false));
    peers_flush(w.n1.peers);
    world_run(&w);
    side_says(&w.n2, "frame one;closed;"); /* no second frame, no down */
    side_says(&w.n1, "down;");
    ck_assert_uint_eq(peers_deadline(w.n2.peers), UINT64_MAX);
    peers_free(w.n2.peers);
    struct peers_config none = {0};
    w.n2.peers = peers_new(&none, &w.n2.self); /* for the teardown */
}
END_TEST

static void on_closed(void *ctx)
{
    (*(int *)ctx)++;
}

START_TEST(closing_waits_for_dials_and_turns_late_streams_away)
{
    struct peers_config none = {0};
    struct peers *idle = peers_new(&none, &(struct peer_identity){.node = 3});
    int closed = 0;
    peers_close(idle, on_closed, &closed);
    ck_assert_int_eq(closed, 1); /* nothing was open */
    struct pipe *late = pipe_new();
    peers_accepted(idle, pipe_stream(late, PIPE_B), 0);
    pipe_run(late);
    ck_assert(pipe_is_closed(late));
    peers_free(idle);
    pipe_free(late);
    peers_free(NULL);
}
END_TEST

START_TEST(a_new_address_counts_from_the_next_dial_on)
{
    struct address to = {.host = "h", .port = 7002};
    ck_assert_int_eq(peers_add(w.n1.peers, 2, "other", &to), DKV_OK);
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, ""); /* n2 answered, and "other" was meant */
    ck_assert_uint_eq(peers_stats(w.n1.peers)->bad_input, 1);
}
END_TEST

START_TEST(a_handshake_survives_every_failed_allocation)
{
    for (int n = 0; n < 12; n++) {
        struct pipe *p = NULL;
        w.n1.dials--;
        p = pipe_new();
        ck_assert_ptr_nonnull(p);
        w.pipes[w.pipe_count++] = p;
        mem_fail_after(n);
        peers_accepted(w.n2.peers, pipe_stream(p, PIPE_B), w.now_ms);
        mem_fail_after(n / 2);
        peers_dialed(w.n1.peers, 2, pipe_stream(p, PIPE_A), w.now_ms);
        mem_fail_after(-1);
        world_run(&w);
        peers_rehello(w.n1.peers);
        world_run(&w);
        world_pass(&w, 1000);
        ck_assert_int_eq(w.n1.dials, 1);
    }
    buf_reset(&w.n1.log);
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 0;");
}
END_TEST

Suite *peers_suite(void)
{
    Suite *s = suite_create("peers");
    TCase *t = tcase_create("peers");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_welcomed_link_carries_frames_to_the_other_node);
    tcase_add_test(t, handshakes_tell_who_is_there);
    tcase_add_test(t, a_failed_dial_is_tried_again_after_a_while);
    tcase_add_test(t, a_refused_node_is_told_why_and_waits_longer);
    tcase_add_test(t, an_answer_may_come_later);
    tcase_add_test(t, an_answer_to_a_caller_that_has_gone_is_nothing);
    tcase_add_test(t, an_answer_that_never_comes_is_given_up);
    tcase_add_test(t, a_handshake_nobody_answered_goes_with_the_rest);
    tcase_add_test(t, the_second_connection_wins_and_the_first_falls_silent);
    tcase_add_test(t, a_broken_link_is_told_and_dialed_again);
    tcase_add_test(t, a_link_that_stood_for_long_is_dialed_again_at_once);
    tcase_add_test(t, a_late_close_of_an_old_connection_leaves_the_new_link_alone);
    tcase_add_test(t, saying_hello_again_brings_the_new_identity);
    tcase_add_test(t, frames_of_any_pieces_are_heard_whole);
    tcase_add_test(t, what_was_queued_for_a_link_that_broke_is_not_sent_over_the_next);
    tcase_add_test(t, over_the_bound_frames_are_dropped_and_counted);
    tcase_add_test(t, closing_inside_a_frame_is_fine);
    tcase_add_test(t, closing_waits_for_dials_and_turns_late_streams_away);
    tcase_add_test(t, a_new_address_counts_from_the_next_dial_on);
    tcase_add_test(t, a_handshake_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

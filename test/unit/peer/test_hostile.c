/* test_hostile.c - what a stranger can send to the peer port, or answer in a peer's place.
 *
 * Bodies of RAFT frames are repl's to judge; TLS rows are of a later layer. */
#include "world.h"

#include "base/rng.h"
#include "peer/greeting.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

Suite *hostile_suite(void);

static struct world w;
static struct stranger s;

static void setup(void)
{
    world_init(&w);
}

static void teardown(void)
{
    stranger_forget(&s);
    world_fini(&w);
}

static void put_frame(enum frame_kind kind, const struct buf *body, struct buf *out)
{
    frame_encode(&(struct frame){.kind = kind, .body = buf_slice(body)}, out);
}

/* The HELLO of node 1, with a say for the test. */
static struct hello hello_of_n1(void)
{
    return (struct hello){.to = 2, .who = w.n1.self};
}

static void put_hello(const struct hello *hello, struct buf *out)
{
    struct buf body = {0};
    hello_encode(hello, &body);
    put_frame(FRAME_HELLO, &body, out);
    buf_fini(&body);
}

static void put_text_frame(enum frame_kind kind, const char *text, struct buf *out)
{
    frame_encode(&(struct frame){.kind = kind, .body = slice_str(text)}, out);
}

/* What the stranger was answered: the first frame's kind, 0 for silence. */
static int answer(void)
{
    struct frame f;
    size_t used = 0;
    return frame_decode(buf_slice(&s.got), &used, &f) == DKV_OK ? (int)f.kind : 0;
}

START_TEST(a_stranger_who_makes_no_sense_is_cut_off_without_a_word)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *what;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, "HTTP"},
        {"*1\r\n$4\r\nPING\r\n", 14, "RESP"},
        {"PUT k v\r\n", 9, "inline command"},
        {"\x94\x00\x01\xa3get\x81\xa1k\xa1v", 12, "native protocol"},
        {"\x16\x03\x01\x02\x00\x01\x00", 7, "TLS"},
        {"\0\0\0\0", 4, "length 0"},
        {"\xff\xff\xff\xff", 4, "length 2^32-1"},
        {"\0\0\0\x80", 4, "length 2^31"},
        {"\x20\0\0\0\x02", 5, "another version"},
        {"\x20\0\0\0\x01\x63", 6, "kind 99"},
        {"\x20\0\0\0\x01\0", 6, "kind 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, slice_of(cases[i].bytes, cases[i].len));
        ck_assert_msg(s.closed, "%s: still open", cases[i].what);
        ck_assert_msg(s.got.len == 0, "%s: was answered", cases[i].what);
        ck_assert_uint_eq(peers_stats(w.n2.peers)->bad_input, i + 1);
    }
    side_says(&w.n2, "");
}
END_TEST

START_TEST(nothing_but_hello_may_come_first)
{
    for (int kind = FRAME_WELCOME; kind <= FRAME_REPLY; kind++) {
        struct buf b = {0};
        put_text_frame((enum frame_kind)kind, "early", &b);
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert_msg(s.closed, "kind %d", kind);
        buf_fini(&b);
    }
    side_says(&w.n2, "");
}
END_TEST

START_TEST(nothing_may_follow_hello_before_the_answer)
{
    static const enum policy policies[] = {ANSWER_OK, ANSWER_LATER};
    for (size_t i = 0; i < 2; i++) {
        w.n2.policy = policies[i];
        struct hello hello = hello_of_n1();
        struct buf b = {0};
        put_hello(&hello, &b);
        put_text_frame(FRAME_RAFT, "hasty", &b);
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert(s.closed);
        side_says(&w.n2, "hello n1;");
        buf_fini(&b);
    }
}
END_TEST

START_TEST(a_malformed_hello_is_cut_off)
{
    struct hello hello = hello_of_n1();
    struct buf body = {0};
    hello_encode(&hello, &body);
    size_t whole = body.len;
    buf_put_u8(&body, 0);
    for (size_t n = 0; n <= whole + 1; n++) {
        if (n == whole) {
            continue;
        }
        struct buf b = {0};
        frame_encode(&(struct frame){.kind = FRAME_HELLO, .body = slice_of(body.data, n)}, &b);
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert_msg(s.closed && s.got.len == 0, "cut at %zu", n);
        buf_fini(&b);
    }
    side_says(&w.n2, "");
    buf_fini(&body);
}
END_TEST

START_TEST(a_caller_that_does_not_belong_here_is_refused)
{
    static const struct {
        uint32_t node;
        const char *name;
        uint32_t to;
        const char *what;
    } cases[] = {
        {2, "n2", 2, "our own id"},
        {9, "n9", 2, "an unknown id"},
        {1, "n3", 2, "a name that is not that id's"},
        {0, "n0", 2, "id 0"},
        {UINT32_MAX, "n1", 2, "an id out of range"},
        {1, "n1", 3, "a call meant for another node"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hello hello = hello_of_n1();
        hello.to = cases[i].to;
        hello.who.node = cases[i].node;
        snprintf(hello.who.name, sizeof hello.who.name, "%s", cases[i].name);
        struct buf b = {0};
        put_hello(&hello, &b);
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert_msg(s.closed && answer() == FRAME_REFUSE, "%s", cases[i].what);
        buf_fini(&b);
        buf_fini(&s.got);
    }
    side_says(&w.n2, ""); /* the owner was not bothered */
    ck_assert_uint_eq(peers_stats(w.n2.peers)->refused, sizeof cases / sizeof cases[0]);
}
END_TEST

START_TEST(another_cluster_is_for_the_owner_to_judge)
{
    struct hello hello = hello_of_n1();
    hello.who.cluster++;
    hello.who.node = 40; /* a stranger there may well be */
    struct buf b = {0};
    put_hello(&hello, &b);
    stranger_call(&w, &w.n2, &s);
    stranger_say(&w, &s, buf_slice(&b)); /* even if the owner says yes, as here */
    side_says(&w.n2, "hello n1;");
    ck_assert(s.closed);
    ck_assert_int_eq(answer(), FRAME_REFUSE);
    buf_fini(&b);
}
END_TEST

START_TEST(a_welcomed_peer_may_not_greet_again)
{
    for (int kind = FRAME_HELLO; kind <= FRAME_REFUSE; kind++) {
        struct hello hello = hello_of_n1();
        struct buf b = {0};
        put_hello(&hello, &b);
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert_int_eq(answer(), FRAME_WELCOME);
        ck_assert(!s.closed);
        buf_reset(&b);
        put_text_frame((enum frame_kind)kind, "again", &b);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert(s.closed);
        side_says(&w.n2, "hello n1;");
        buf_fini(&b);
        buf_fini(&s.got);
    }
}
END_TEST

START_TEST(an_answerer_that_is_not_the_one_we_called_is_not_believed)
{
    static const struct {
        uint64_t cluster;
        uint32_t node;
        const char *name;
        bool refuses;
        const char *what;
    } cases[] = {
        {77, 3, "n2", false, "another id"},
        {77, 2, "n3", false, "another name"},
        {77, 1, "n1", false, "ourselves"},
        {78, 2, "n2", false, "another cluster"},
        {77, 3, "n3", true, "a refusal of somebody else"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_identity who = w.n2.self;
        who.cluster = cases[i].cluster;
        who.node = cases[i].node;
        snprintf(who.name, sizeof who.name, "%s", cases[i].name);
        struct buf body = {0};
        struct buf b = {0};
        if (cases[i].refuses) {
            refuse_encode(&(struct refuse){.who = who, .err = DKV_LOCKED}, &body);
            put_frame(FRAME_REFUSE, &body, &b);
        } else {
            welcome_encode(&(struct welcome){.who = who}, &body);
            put_frame(FRAME_WELCOME, &body, &b);
        }
        stranger_answer(&w, &w.n1, &s);
        stranger_say(&w, &s, buf_slice(&b));
        ck_assert_msg(s.closed && !peers_up(w.n1.peers, 2), "%s", cases[i].what);
        side_says(&w.n1, "");
        world_pass(&w, 999); /* it may be a wrong address: no hurry */
        side_says(&w.n1, "");
        world_pass(&w, 1);
        side_says(&w.n1, "dial;");
        buf_fini(&body);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(nothing_but_an_answer_may_come_over_a_dialed_connection)
{
    for (int kind = FRAME_HELLO; kind <= FRAME_REPLY; kind++) {
        for (int welcomed = 0; welcomed < 2; welcomed++) {
            struct buf body = {0};
            struct buf b = {0};
            if (welcomed == 1) {
                welcome_encode(&(struct welcome){.who = w.n2.self}, &body);
                put_frame(FRAME_WELCOME, &body, &b);
            }
            put_text_frame((enum frame_kind)kind, "surprise", &b);
            stranger_answer(&w, &w.n1, &s);
            stranger_say(&w, &s, buf_slice(&b));
            ck_assert_msg(s.closed, "kind %d", kind);
            side_says(&w.n1, welcomed == 1 ? "up;answer n2 0;down;" : "");
            buf_fini(&body);
            buf_fini(&b);
            world_pass(&w, 1000);
            side_says(&w.n1, "dial;");
        }
    }
}
END_TEST

START_TEST(a_stranger_who_stays_silent_is_sent_away)
{
    stranger_call(&w, &w.n2, &s);
    world_pass(&w, HANDSHAKE_MS - 1);
    ck_assert(!s.closed);
    world_pass(&w, 1);
    ck_assert(s.closed);
}
END_TEST

START_TEST(a_hello_that_never_ends_is_sent_away)
{
    stranger_call(&w, &w.n2, &s);
    stranger_say(&w, &s, slice_of("\x00\x00\x10\x00\x01\x01", 6)); /* a HELLO of one megabyte */
    ck_assert(!s.closed);
    char filler[GREETING_FRAME_MAX] = {0};
    stranger_say(&w, &s, slice_of(filler, sizeof filler)); /* no more is kept than a greeting can have */
    ck_assert(s.closed);
}
END_TEST

START_TEST(silent_strangers_cannot_keep_a_peer_out)
{
    static struct stranger crowd[300];
    for (size_t i = 0; i < 300; i++) {
        stranger_call(&w, &w.n2, &crowd[i]);
    }
    world_run(&w);
    size_t open = 0;
    for (size_t i = 0; i < 300; i++) {
        open += crowd[i].closed ? 0 : 1;
    }
    ck_assert_uint_eq(open, 256);
    ck_assert(crowd[0].closed); /* the oldest went */
    world_connect(&w, &w.n1);
    world_run(&w);
    side_says(&w.n1, "up;answer n2 0;");
    for (size_t i = 0; i < 300; i++) {
        stranger_forget(&crowd[i]);
    }
    stranger_call(&w, &w.n2, &s); /* for the teardown */
}
END_TEST

START_TEST(a_thousand_connections_of_one_peer_leave_one)
{
    static struct stranger crowd[200];
    struct hello hello = hello_of_n1();
    for (size_t i = 0; i < 200; i++) {
        struct buf b = {0};
        put_hello(&hello, &b);
        stranger_call(&w, &w.n2, &crowd[i]);
        stranger_say(&w, &crowd[i], buf_slice(&b));
        ck_assert(!crowd[i].closed);
        ck_assert(i == 0 || crowd[i - 1].closed);
        buf_fini(&b);
    }
    buf_reset(&w.n2.log);
    for (size_t i = 0; i < 200; i++) {
        stranger_forget(&crowd[i]);
    }
    stranger_call(&w, &w.n2, &s);
}
END_TEST

/* Change one byte of a good conversation, or cut it: the node must refuse or wait, and hear only whole
 * frames. */
START_TEST(random_damage_is_refused_or_waits)
{
    uint64_t seed = 0x5eed0001;
    struct rng rng = {seed};
    struct buf good = {0};
    struct hello hello = hello_of_n1();
    put_hello(&hello, &good);
    size_t hello_bytes = good.len;
    put_text_frame(FRAME_RAFT, "abcdefgh", &good);
    for (int round = 0; round < 400; round++) {
        struct buf b = {0};
        buf_put(&b, buf_slice(&good));
        size_t at = rng_below(&rng, b.len);
        b.data[at] ^= (uint8_t)(1 + rng_below(&rng, 255));
        stranger_call(&w, &w.n2, &s);
        stranger_say(&w, &s, slice_of(b.data, hello_bytes));
        stranger_say(&w, &s, slice_of(b.data + hello_bytes, b.len - hello_bytes));
        ck_assert_msg(memmem(w.n2.log.data, w.n2.log.len, "frame", 5) == NULL,
                      "seed %#" PRIx64 " round %d byte %zu", seed, round, at);
        stranger_forget(&s);
        world_run(&w);
        pipe_free(s.pipe);
        w.pipe_count--;
        buf_reset(&w.n2.log);
        buf_fini(&b);
    }
    buf_fini(&good);
    stranger_call(&w, &w.n2, &s);
}
END_TEST

Suite *hostile_suite(void)
{
    Suite *suite = suite_create("hostile");
    TCase *t = tcase_create("hostile");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_stranger_who_makes_no_sense_is_cut_off_without_a_word);
    tcase_add_test(t, nothing_but_hello_may_come_first);
    tcase_add_test(t, nothing_may_follow_hello_before_the_answer);
    tcase_add_test(t, a_malformed_hello_is_cut_off);
    tcase_add_test(t, a_caller_that_does_not_belong_here_is_refused);
    tcase_add_test(t, another_cluster_is_for_the_owner_to_judge);
    tcase_add_test(t, a_welcomed_peer_may_not_greet_again);
    tcase_add_test(t, an_answerer_that_is_not_the_one_we_called_is_not_believed);
    tcase_add_test(t, nothing_but_an_answer_may_come_over_a_dialed_connection);
    tcase_add_test(t, a_stranger_who_stays_silent_is_sent_away);
    tcase_add_test(t, a_hello_that_never_ends_is_sent_away);
    tcase_add_test(t, silent_strangers_cannot_keep_a_peer_out);
    tcase_add_test(t, a_thousand_connections_of_one_peer_leave_one);
    tcase_add_test(t, random_damage_is_refused_or_waits);
    suite_add_tcase(suite, t);
    return suite;
}

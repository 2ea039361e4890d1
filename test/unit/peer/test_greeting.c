/* test_greeting.c - HELLO, WELCOME, REFUSE. */
#include "peer/greeting.h"

#include <check.h>
#include <stdio.h>

Suite *greeting_suite(void);

static struct peer_identity sample(void)
{
    return (struct peer_identity){
        .cluster = 1,
        .node = 2,
        .name = "n2",
        .incarnation = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .boot = 3,
        .epoch = 4,
        .voting = true,
        .client = "[::1]:5000",
    };
}

static void same(const struct peer_identity *a, const struct peer_identity *b)
{
    ck_assert_uint_eq(a->cluster, b->cluster);
    ck_assert_uint_eq(a->node, b->node);
    ck_assert_str_eq(a->name, b->name);
    ck_assert_mem_eq(a->incarnation, b->incarnation, PEER_INCARNATION_BYTES);
    ck_assert_uint_eq(a->boot, b->boot);
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert_int_eq(a->voting, b->voting);
    ck_assert_str_eq(a->client, b->client);
}

START_TEST(greetings_survive_the_way)
{
    struct buf b = {0};
    struct hello hello = {.to = 9, .who = sample()};
    hello_encode(&hello, &b);
    struct hello hello_got;
    ck_assert_int_eq(hello_decode(buf_slice(&b), &hello_got), DKV_OK);
    ck_assert_uint_eq(hello_got.to, 9);
    same(&hello_got.who, &hello.who);

    buf_reset(&b);
    struct welcome welcome = {.who = sample(), .knew = true};
    welcome.who.client[0] = '\0';
    welcome_encode(&welcome, &b);
    struct welcome welcome_got;
    ck_assert_int_eq(welcome_decode(buf_slice(&b), &welcome_got), DKV_OK);
    ck_assert_int_eq(welcome_got.knew, true);
    same(&welcome_got.who, &welcome.who);

    buf_reset(&b);
    struct refuse refuse = {.who = sample(), .err = DKV_LOCKED, .detail = slice_str("go away")};
    refuse_encode(&refuse, &b);
    struct refuse refuse_got;
    ck_assert_int_eq(refuse_decode(buf_slice(&b), &refuse_got), DKV_OK);
    ck_assert_int_eq(refuse_got.err, DKV_LOCKED);
    ck_assert(slice_eq(refuse_got.detail, slice_str("go away")));
    same(&refuse_got.who, &refuse.who);
    buf_fini(&b);
}
END_TEST

START_TEST(the_longest_greetings_fit_their_bound)
{
    struct refuse refuse = {.who = sample(), .err = DKV_REFUSED};
    memset(refuse.who.name, 'n', NODE_NAME_MAX);
    memset(refuse.who.client, 'c', sizeof refuse.who.client - 1);
    char detail[2 * GREETING_DETAIL_MAX];
    memset(detail, 'd', sizeof detail);
    refuse.detail = slice_of(detail, sizeof detail);
    struct buf b = {0};
    refuse_encode(&refuse, &b);
    ck_assert_uint_le(b.len + 20, GREETING_FRAME_MAX);
    struct refuse got;
    ck_assert_int_eq(refuse_decode(buf_slice(&b), &got), DKV_OK);
    ck_assert_uint_eq(got.detail.len, GREETING_DETAIL_MAX); /* cut */
    same(&got.who, &refuse.who);
    buf_fini(&b);
}
END_TEST

START_TEST(a_detail_cannot_carry_control_bytes)
{
    struct refuse refuse = {.who = sample(), .err = DKV_REFUSED, .detail = slice_str("a\nb\033c\xff")};
    struct buf b = {0};
    refuse_encode(&refuse, &b);
    struct refuse got;
    ck_assert_int_eq(refuse_decode(buf_slice(&b), &got), DKV_OK);
    ck_assert(slice_eq(got.detail, slice_str("a?b?c?")));
    b.data[b.len - 1] = '\n'; /* one that a hostile peer puts in by hand */
    ck_assert_int_eq(refuse_decode(buf_slice(&b), &got), DKV_MALFORMED);
    buf_fini(&b);
}
END_TEST

START_TEST(every_cut_and_every_byte_too_many_is_malformed)
{
    struct buf bodies[3] = {{0}, {0}, {0}};
    hello_encode(&(struct hello){.to = 1, .who = sample()}, &bodies[0]);
    welcome_encode(&(struct welcome){.who = sample()}, &bodies[1]);
    refuse_encode(&(struct refuse){.who = sample(), .err = DKV_REFUSED, .detail = slice_str("x")},
                  &bodies[2]);
    for (int i = 0; i < 3; i++) {
        struct hello hello;
        struct welcome welcome;
        struct refuse refuse;
        size_t whole = bodies[i].len;
        buf_put_u8(&bodies[i], 0);
        for (size_t n = 0; n <= whole + 1; n++) {
            struct slice in = slice_of(bodies[i].data, n);
            dkv_err err = i == 0   ? hello_decode(in, &hello)
                          : i == 1 ? welcome_decode(in, &welcome)
                                   : refuse_decode(in, &refuse);
            ck_assert_msg(err == (n == whole ? DKV_OK : DKV_MALFORMED), "body %d cut at %zu", i, n);
        }
        buf_fini(&bodies[i]);
    }
}
END_TEST

/* Where the parts of a HELLO's body lie. */
enum { AT_VOTING = 4 + 8 + 4 + 16 + 8 + 8, AT_NAME_LENGTH = AT_VOTING + 1, AT_NAME = AT_NAME_LENGTH + 4 };

START_TEST(bad_fields_are_malformed)
{
    static const struct {
        size_t at;
        uint8_t byte;
        const char *what;
    } cases[] = {
        {AT_VOTING, 2, "a bool that is neither"},
        {AT_NAME, '-', "a name that begins with a dash"},
        {AT_NAME, ' ', "a name with a space"},
        {AT_NAME, 0, "a name with a NUL"},
        {AT_NAME, 0xff, "a name that is not ASCII"},
        {AT_NAME_LENGTH, 0, "an empty name"},
        {AT_NAME_LENGTH, NODE_NAME_MAX + 1, "a name over its bound"},
        {AT_NAME_LENGTH + 3, 0xff, "a name of four gigabytes"},
        {AT_NAME + 2 + 3, 0x40, "an address of a gigabyte"},
        {AT_NAME + 2 + 4, '\n', "an address with a newline"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = {0};
        struct hello got;
        hello_encode(&(struct hello){.to = 1, .who = sample()}, &b);
        ck_assert_int_eq(hello_decode(buf_slice(&b), &got), DKV_OK);
        b.data[cases[i].at] = cases[i].byte;
        ck_assert_msg(hello_decode(buf_slice(&b), &got) == DKV_MALFORMED, "%s", cases[i].what);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(a_refusal_without_an_error_is_malformed)
{
    struct buf b = {0};
    refuse_encode(&(struct refuse){.who = sample(), .err = DKV_REFUSED}, &b);
    b.data[b.len - 6] = 0;
    struct refuse got;
    ck_assert_int_eq(refuse_decode(buf_slice(&b), &got), DKV_MALFORMED);
    buf_fini(&b);
}
END_TEST

Suite *greeting_suite(void)
{
    Suite *s = suite_create("greeting");
    TCase *t = tcase_create("greeting");
    tcase_add_test(t, greetings_survive_the_way);
    tcase_add_test(t, the_longest_greetings_fit_their_bound);
    tcase_add_test(t, a_detail_cannot_carry_control_bytes);
    tcase_add_test(t, every_cut_and_every_byte_too_many_is_malformed);
    tcase_add_test(t, bad_fields_are_malformed);
    tcase_add_test(t, a_refusal_without_an_error_is_malformed);
    suite_add_tcase(s, t);
    return s;
}

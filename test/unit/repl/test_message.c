/* test_message.c - the wire form of messages: round trips, everything that does not fit, random damage. */
#include "unit/repl/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "repl/message.h"

static const struct entry sample_entries[] = {
    {.term = 3, .type = ENTRY_COMMAND, .data = {(const uint8_t *)"hello", 5}},
    {.term = 4, .type = ENTRY_BARRIER, .data = {NULL, 0}},
    {.term = 4, .type = ENTRY_CHANGE, .data = {(const uint8_t *)"\1\1", 2}},
};

static const struct message samples[] = {
    {.kind = MESSAGE_APPEND,
     .group = 9,
     .from = 1,
     .to = 2,
     .term = 4,
     .append = {.prev_index = 7, .prev_term = 3, .commit = 6, .entries = sample_entries, .n = 3}},
    {.kind = MESSAGE_APPEND, .group = 0, .from = 1, .to = 2, .term = 1, .append = {.commit = 0}},
    {.kind = MESSAGE_APPEND_RESULT,
     .group = 4096,
     .from = UINT64_MAX,
     .to = 2,
     .term = 4,
     .append_result = {.rejected = 7, .last_index = 6}},
    {.kind = MESSAGE_VOTE,
     .group = 1,
     .from = 3,
     .to = 2,
     .term = 5,
     .vote = {.candidate = 3, .last_index = 10, .last_term = 4, .disrupt = true}},
    {.kind = MESSAGE_VOTE,
     .group = 1,
     .from = 3,
     .to = 2,
     .term = 5,
     .vote = {.candidate = 3, .last_index = 10, .last_term = 4, .pre_vote = true}},
    {.kind = MESSAGE_VOTE_RESULT,
     .group = 1,
     .from = 3,
     .to = 2,
     .term = 5,
     .vote_result = {.granted = true}},
    {.kind = MESSAGE_VOTE_RESULT,
     .group = 1,
     .from = 3,
     .to = 2,
     .term = 5,
     .vote_result = {.pre_vote = true}},
    {.kind = MESSAGE_TIMEOUT_NOW,
     .group = 1,
     .from = 3,
     .to = 2,
     .term = 5,
     .timeout_now = {.last_index = 10, .last_term = 4}},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

START_TEST(every_kind_survives_its_encoding)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf first = {0};
        struct buf second = {0};
        struct entry entries[3];
        struct message m;
        message_encode(&samples[i], &first);
        ck_assert_int_eq(message_decode(buf_slice(&first), &m, entries, 3), DKV_OK);
        ck_assert_int_eq(m.kind, samples[i].kind);
        message_encode(&m, &second);
        ck_assert(slice_eq(buf_slice(&first), buf_slice(&second)));
        uint32_t group;
        uint64_t from;
        uint64_t to;
        ck_assert_int_eq(message_peek(buf_slice(&first), &group, &from, &to), DKV_OK);
        ck_assert(group == m.group && from == m.from && to == m.to);
        buf_fini(&first);
        buf_fini(&second);
    }
}
END_TEST

START_TEST(what_is_cut_short_or_too_long_is_malformed)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf b = {0};
        struct entry entries[3];
        struct message m;
        message_encode(&samples[i], &b);
        for (size_t len = 0; len < b.len; len++) {
            ck_assert_int_eq(message_decode(slice_of(b.data, len), &m, entries, 3), DKV_MALFORMED);
        }
        buf_put_u8(&b, 0);
        ck_assert_int_eq(message_decode(buf_slice(&b), &m, entries, 3), DKV_MALFORMED);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(bad_fields_are_malformed)
{
    static const struct {
        size_t sample;
        size_t at;
        uint8_t byte;
    } cases[] = {
        {3, 0, 2},    /* version */
        {3, 1, 0},    /* kind */
        {3, 1, 6},    /* kind of snapshots, later */
        {3, 2, 1},    /* reserved */
        {3, 8, 0},    /* from 0 */
        {3, 16, 0},   /* to 0 */
        {3, 24, 0},   /* term 0 */
        {3, 32, 0},   /* candidate 0 */
        {3, 56, 4},   /* unknown flag */
        {5, 32, 4},   /* unknown flag */
        {0, 32, 0},   /* prev index 0 with a term */
        {0, 40, 0},   /* prev term 0 with an index */
        {0, 56, 4},   /* more entries than there are */
        {0, 59, 255}, /* and absurdly more */
        {0, 60, 0},   /* entry of term 0 */
        {0, 68, 6},   /* entry longer than it is */
        {0, 71, 255}, /* and absurdly longer */
        {0, 72, 0},   /* entry type */
        {0, 72, 4},   /* entry type */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = {0};
        struct entry entries[3];
        struct message m;
        message_encode(&samples[cases[i].sample], &b);
        ck_assert_uint_lt(cases[i].at, b.len);
        ck_assert_uint_ne(b.data[cases[i].at], cases[i].byte);
        b.data[cases[i].at] = cases[i].byte;
        ck_assert_msg(message_decode(buf_slice(&b), &m, entries, 3) == DKV_MALFORMED, "case %zu", i);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(more_entries_than_the_caller_has_room_for_are_malformed)
{
    struct buf b = {0};
    struct entry entries[3];
    struct message m;
    message_encode(&samples[0], &b);
    ck_assert_int_eq(message_decode(buf_slice(&b), &m, entries, 2), DKV_MALFORMED);
    ck_assert_int_eq(message_decode(buf_slice(&b), &m, entries, 3), DKV_OK);
    buf_fini(&b);
}
END_TEST

START_TEST(random_damage_never_does_harm)
{
    struct rng rng = {7};
    for (int round = 0; round < 20000; round++) {
        struct buf b = {0};
        struct entry entries[3];
        struct message m;
        message_encode(&samples[rng_below(&rng, SAMPLES)], &b);
        for (uint64_t i = 0; i <= rng_below(&rng, 4); i++) {
            b.data[rng_below(&rng, b.len)] = (uint8_t)rng_next(&rng);
        }
        b.len -= rng_below(&rng, 4) == 0 ? rng_below(&rng, b.len) : 0;
        if (message_decode(buf_slice(&b), &m, entries, 3) == DKV_OK) {
            struct buf again = {0};
            message_encode(&m, &again);
            ck_assert(slice_eq(buf_slice(&b), buf_slice(&again))); /* one form for each message */
            buf_fini(&again);
        }
        buf_fini(&b);
    }
}
END_TEST

START_TEST(encode_survives_every_failed_allocation)
{
    bool fine = false;
    for (int n = 0; !fine; n++) {
        ck_assert_int_lt(n, 100);
        struct buf b = {0};
        mem_fail_after(n);
        message_encode(&samples[0], &b);
        mem_fail_after(-1);
        fine = buf_ok(&b);
        buf_fini(&b);
    }
}
END_TEST

Suite *message_suite(void)
{
    Suite *s = suite_create("message");
    TCase *t = tcase_create("message");
    tcase_add_test(t, every_kind_survives_its_encoding);
    tcase_add_test(t, what_is_cut_short_or_too_long_is_malformed);
    tcase_add_test(t, bad_fields_are_malformed);
    tcase_add_test(t, more_entries_than_the_caller_has_room_for_are_malformed);
    tcase_add_test(t, random_damage_never_does_harm);
    tcase_add_test(t, encode_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

/* test_command.c - the payload of a log entry. */
#include "suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "proto/command.h"

/* Formats on disk: these bytes must be understood for ever. */
static const struct {
    struct command command;
    const char *hex;
} golden[] = {
    {{.op = COMMAND_PUT,
      .log_time = 0x0102,
      .key = {(const uint8_t *)"k", 1},
      .value = {(const uint8_t *)"v", 1}},
     "010100"
     "0201000000000000"
     "010000006b"
     "0100000076"},
    {{.op = COMMAND_PUT, .key = {(const uint8_t *)"k", 1}},
     "010100"
     "0000000000000000"
     "010000006b"
     "00000000"},
    {{.op = COMMAND_DELETE,
      .log_time = 7,
      .id = {.client = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
             .sequence = 3,
             .lowest_unanswered = 2,
             .not_after = 0xffff},
      .key = {(const uint8_t *)"key", 3}},
     "010201"
     "0700000000000000"
     "0102030405060708090a0b0c0d0e0f10"
     "0300000000000000"
     "0200000000000000"
     "ffff000000000000"
     "030000006b6579"
     "00000000"},
    {{.op = COMMAND_MAP, .value = {(const uint8_t *)"map", 3}},
     "010300"
     "0000000000000000"
     "00000000"
     "030000006d6170"},
};

static void check_same(const struct command *a, const struct command *b)
{
    ck_assert_int_eq(a->op, b->op);
    ck_assert_uint_eq(a->log_time, b->log_time);
    ck_assert_mem_eq(&a->id, &b->id, sizeof a->id);
    ck_assert(slice_eq(a->key, b->key));
    ck_assert(slice_eq(a->value, b->value));
}

START_TEST(the_bytes_never_change)
{
    struct buf hex = {0};
    struct buf bytes = {0};
    struct command back;
    command_encode(&golden[_i].command, &bytes);
    text_put_hex(buf_slice(&bytes), &hex);
    ck_assert(slice_eq(buf_slice(&hex), slice_str(golden[_i].hex)));
    ck_assert_int_eq(command_decode(buf_slice(&bytes), &back), DKV_OK);
    check_same(&back, &golden[_i].command);
    buf_fini(&hex);
    buf_fini(&bytes);
}
END_TEST

START_TEST(a_command_cut_or_continued_is_malformed)
{
    struct buf bytes = {0};
    struct command back;
    command_encode(&golden[_i].command, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        ck_assert_int_eq(command_decode(slice_of(bytes.data, len), &back), DKV_MALFORMED);
    }
    buf_put_u8(&bytes, 0);
    ck_assert_int_eq(command_decode(buf_slice(&bytes), &back), DKV_MALFORMED);
    buf_fini(&bytes);
}
END_TEST

START_TEST(what_this_version_does_not_know_is_told_apart_from_rubbish)
{
    static const struct {
        const char *hex;
        dkv_err err;
    } cases[] = {
        {"010100"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_OK},
        {"020100"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_UNSUPPORTED},           /* version */
        {"ffffff", DKV_UNSUPPORTED}, /* whatever follows */
        {"010400"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_UNSUPPORTED}, /* operation */
        {"010102"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_UNSUPPORTED}, /* flag */
        {"000100"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_MALFORMED},
        {"010000"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_MALFORMED},
        {"010100"
         "0000000000000000"
         "00000000"
         "00000000",
         DKV_MALFORMED}, /* no key */
        {"010200"
         "0000000000000000"
         "00000000"
         "00000000",
         DKV_MALFORMED}, /* no key */
        {"010200"
         "0000000000000000"
         "010000006b"
         "0100000076",
         DKV_MALFORMED}, /* a value */
        {"010300"
         "0000000000000000"
         "010000006b"
         "0100000076",
         DKV_MALFORMED}, /* a key */
        {"010300"
         "0000000000000000"
         "00000000"
         "00000000",
         DKV_MALFORMED}, /* no map */
        {"010100"
         "0000000000000000"
         "ffffffff6b"
         "00000000",
         DKV_MALFORMED}, /* a huge claim */
        {"010101"
         "0000000000000000"
         "00000000000000000000000000000000"
         "0000000000000000"
         "0000000000000000"
         "0000000000000000"
         "010000006b"
         "00000000",
         DKV_MALFORMED}, /* an identity of zeroes */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf bytes = {0};
        struct command command;
        ck_assert_int_eq(text_parse_hex(slice_str(cases[i].hex), &bytes), DKV_OK);
        ck_assert_msg(command_decode(buf_slice(&bytes), &command) == cases[i].err, "case %zu", i);
        buf_fini(&bytes);
    }
}
END_TEST

static struct command random_command(struct rng *rng, const uint8_t *noise, size_t noise_len)
{
    struct command c = {.op = (enum command_op)(1 + rng_below(rng, 3)), .log_time = rng_next(rng)};
    if (rng_below(rng, 2) == 0) {
        memcpy(c.id.client, noise, sizeof c.id.client);
        c.id.sequence = rng_next(rng) >> rng_below(rng, 64);
        c.id.lowest_unanswered = rng_below(rng, 3);
    }
    if (c.op != COMMAND_MAP) {
        c.key = slice_of(noise, 1 + rng_below(rng, noise_len));
    }
    if (c.op != COMMAND_DELETE) {
        c.value = slice_of(noise, 1 + rng_below(rng, noise_len));
    }
    return c;
}

START_TEST(a_random_command_comes_back_and_a_damaged_one_does_no_harm)
{
    struct rng rng = {.state = (uint64_t)_i};
    uint8_t noise[300];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)rng_next(&rng);
    }
    struct command c = random_command(&rng, noise, sizeof noise);
    struct command back;
    struct buf bytes = {0};
    command_encode(&c, &bytes);
    ck_assert_int_eq(command_decode(buf_slice(&bytes), &back), DKV_OK);
    check_same(&back, &c);

    /* What is accepted after damage is a command whose one form these bytes are. */
    bytes.data[rng_below(&rng, bytes.len)] ^= (uint8_t)(1u << rng_below(&rng, 8));
    if (command_decode(buf_slice(&bytes), &back) == DKV_OK) {
        struct buf again = {0};
        command_encode(&back, &again);
        ck_assert(slice_eq(buf_slice(&again), buf_slice(&bytes)));
        buf_fini(&again);
    }
    buf_fini(&bytes);
}
END_TEST

START_TEST(encoding_survives_every_failed_allocation)
{
    bool done = false;
    for (int n = 0; !done; n++) {
        ck_assert_int_lt(n, 20);
        struct buf bytes = {0};
        mem_fail_after(n);
        command_encode(&golden[2].command, &bytes);
        mem_fail_after(-1);
        done = buf_ok(&bytes);
        buf_fini(&bytes);
    }
}
END_TEST

Suite *command_suite(void)
{
    Suite *suite = suite_create("command");
    TCase *cases = tcase_create("command");
    tcase_add_loop_test(cases, the_bytes_never_change, 0, (int)(sizeof golden / sizeof golden[0]));
    tcase_add_loop_test(cases, a_command_cut_or_continued_is_malformed, 0,
                        (int)(sizeof golden / sizeof golden[0]));
    tcase_add_test(cases, what_this_version_does_not_know_is_told_apart_from_rubbish);
    tcase_add_loop_test(cases, a_random_command_comes_back_and_a_damaged_one_does_no_harm, 0, 200);
    tcase_add_test(cases, encoding_survives_every_failed_allocation);
    suite_add_tcase(suite, cases);
    return suite;
}

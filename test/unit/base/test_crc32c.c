/* test_crc32c.c - both ways to compute the checksum, against RFC 3720 and each other. */
#include "suites.h"

#include "base/crc32c.h"
#include "base/crc32c_internal.h"
#include "base/rng.h"

static void check_vector(struct slice s, uint32_t expected)
{
    ck_assert_uint_eq(crc32c(s), expected);
    ck_assert_uint_eq(crc32c_portable(0, s), expected);
}

START_TEST(the_vectors_of_rfc_3720_hold)
{
    uint8_t zeroes[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    uint8_t down[32];
    for (uint8_t i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    static const uint8_t scsi_read[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
    };
    check_vector(slice_of(zeroes, 32), 0x8a9136aa);
    check_vector(slice_of(ones, 32), 0x62a8ab43);
    check_vector(slice_of(up, 32), 0x46dd794e);
    check_vector(slice_of(down, 32), 0x113fdb5c);
    check_vector(slice_of(scsi_read, 48), 0xd9963a56);
    check_vector(slice_str("123456789"), 0xe3069283);
    check_vector((struct slice){0}, 0);
}
END_TEST

START_TEST(every_split_gives_the_checksum_of_the_whole)
{
    struct rng rng = {.state = 1};
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    uint32_t whole = crc32c(slice_of(bytes, sizeof bytes));
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct slice head = slice_of(bytes, cut);
        struct slice tail = slice_of(bytes + cut, sizeof bytes - cut);
        ck_assert_uint_eq(crc32c_more(crc32c(head), tail), whole);
        ck_assert_uint_eq(crc32c_portable(crc32c_portable(0, head), tail), whole);
        ck_assert_uint_eq(crc32c_portable(crc32c(head), tail), whole);
    }
}
END_TEST

START_TEST(the_instruction_and_the_table_agree_at_every_length_and_alignment)
{
    struct rng rng = {.state = 2};
    uint8_t bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    for (size_t from = 0; from < 9; from++) {
        for (size_t len = 0; from + len <= sizeof bytes; len++) {
            struct slice s = slice_of(bytes + from, len);
            ck_assert_uint_eq(crc32c(s), crc32c_portable(0, s));
        }
    }
}
END_TEST

START_TEST(one_flipped_bit_changes_the_checksum)
{
    uint8_t bytes[16] = {0};
    uint32_t good = crc32c(slice_of(bytes, sizeof bytes));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_ne(crc32c(slice_of(bytes, sizeof bytes)), good);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

Suite *crc32c_suite(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *cases = tcase_create("crc32c");
    tcase_add_test(cases, the_vectors_of_rfc_3720_hold);
    tcase_add_test(cases, every_split_gives_the_checksum_of_the_whole);
    tcase_add_test(cases, the_instruction_and_the_table_agree_at_every_length_and_alignment);
    tcase_add_test(cases, one_flipped_bit_changes_the_checksum);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_members.c - configurations and their form on disk. */
#include "unit/repl/suites.h"

#include "repl/members.h"

START_TEST(a_configuration_survives_its_encoding)
{
    struct members in = {.at = {{1, MEMBER_VOTER}, {UINT64_MAX, MEMBER_STANDBY}, {7, MEMBER_SPARE}}, .n = 3};
    struct buf b = {0};
    struct members out;
    members_encode(&in, &b);
    ck_assert_int_eq(members_decode(buf_slice(&b), &out), DKV_OK);
    ck_assert_uint_eq(out.n, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(out.at[i].id, in.at[i].id);
        ck_assert_int_eq(out.at[i].role, in.at[i].role);
    }
    ck_assert_uint_eq(members_voters(&out), 1);
    ck_assert_ptr_null(members_find(&out, 2));
    for (size_t len = 0; len < b.len; len++) {
        ck_assert_int_eq(members_decode(slice_of(b.data, len), &out), DKV_MALFORMED);
    }
    buf_put_u8(&b, 0);
    ck_assert_int_eq(members_decode(buf_slice(&b), &out), DKV_MALFORMED);
    buf_fini(&b);
}
END_TEST

START_TEST(what_is_no_configuration_is_refused)
{
    static const struct {
        uint8_t bytes[20];
        size_t len;
        bool fine;
    } cases[] = {
        {{1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1}, 11, true},
        {{2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1}, 11, false},                            /* version */
        {{1, 0}, 2, false},                                                        /* nobody */
        {{1, 255, 9}, 3, false},                                                   /* more than there is */
        {{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 11, false},                            /* id 0 */
        {{1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0}, 11, false},                            /* role 0 */
        {{1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 4}, 11, false},                            /* role 4 */
        {{1, 2, 9, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 2}, 20, false}, /* twice */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct members out;
        dkv_err err = members_decode(slice_of(cases[i].bytes, cases[i].len), &out);
        ck_assert_msg((err == DKV_OK) == cases[i].fine, "case %zu", i);
    }
}
END_TEST

Suite *members_suite(void)
{
    Suite *s = suite_create("members");
    TCase *t = tcase_create("members");
    tcase_add_test(t, a_configuration_survives_its_encoding);
    tcase_add_test(t, what_is_no_configuration_is_refused);
    suite_add_tcase(s, t);
    return s;
}

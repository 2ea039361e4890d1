/* test_request.c - the names of the operations. */
#include "suites.h"

#include "proto/request.h"

START_TEST(every_operation_is_found_under_its_name)
{
    for (unsigned i = 1; i < OPS_END; i++) {
        ck_assert_ptr_nonnull(op_name((enum op)i));
        ck_assert_int_eq(op_find(slice_str(op_name((enum op)i))), i);
    }
}
END_TEST

START_TEST(other_names_and_numbers_are_no_operation)
{
    static const char *const names[] = {"", "g", "gett", "GET", "get ", "delet", "read-index"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_int_eq(op_find(slice_str(names[i])), 0);
    }
    ck_assert_int_eq(op_find((struct slice){0}), 0);
    ck_assert_int_eq(op_find(slice_of("get\0", 4)), 0);
    ck_assert_ptr_null(op_name((enum op)0));
    ck_assert_ptr_null(op_name((enum op)OPS_END));
    ck_assert_ptr_null(op_name((enum op)4711));
}
END_TEST

START_TEST(only_put_and_delete_change_data)
{
    for (unsigned i = 1; i < OPS_END; i++) {
        ck_assert(op_is_write((enum op)i) == (i == OP_PUT || i == OP_DELETE));
    }
}
END_TEST

Suite *request_suite(void)
{
    Suite *suite = suite_create("request");
    TCase *cases = tcase_create("request");
    tcase_add_test(cases, every_operation_is_found_under_its_name);
    tcase_add_test(cases, other_names_and_numbers_are_no_operation);
    tcase_add_test(cases, only_put_and_delete_change_data);
    suite_add_tcase(suite, cases);
    return suite;
}

/* main.c - the tests of store. */
#include <check.h>
#include <stdlib.h>

Suite *node_suite(void);
Suite *reclaim_suite(void);
Suite *state_suite(void);
Suite *tree_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(reclaim_suite());
    srunner_add_suite(runner, node_suite());
    srunner_add_suite(runner, tree_suite());
    srunner_add_suite(runner, state_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* main.c - runs the tests of the test tools. */
#include <check.h>
#include <stdlib.h>

Suite *ledger_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(ledger_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

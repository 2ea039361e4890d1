/* main.c - runs the unit tests of repl. */
#include "unit/repl/suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(message_suite());
    srunner_add_suite(runner, members_suite());
    srunner_add_suite(runner, entrylog_suite());
    srunner_add_suite(runner, core_suite());
    srunner_add_suite(runner, group_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

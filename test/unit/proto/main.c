/* main.c - runs the unit tests of proto. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(command_suite());
    srunner_add_suite(runner, json_suite());
    srunner_add_suite(runner, native_suite());
    srunner_add_suite(runner, pack_suite());
    srunner_add_suite(runner, request_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* main.c - runs the unit tests of dkvd's own modules. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(conf_file_suite());
    srunner_add_suite(runner, machine_suite());
    srunner_add_suite(runner, options_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

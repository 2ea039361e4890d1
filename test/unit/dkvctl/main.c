/* main.c - runs the unit tests of dkvctl's own modules. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(histogram_suite());
    srunner_add_suite(runner, input_suite());
    srunner_add_suite(runner, jsonl_suite());
    srunner_add_suite(runner, line_suite());
    srunner_add_suite(runner, local_suite());
    srunner_add_suite(runner, order_suite());
    srunner_add_suite(runner, progress_suite());
    srunner_add_suite(runner, words_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

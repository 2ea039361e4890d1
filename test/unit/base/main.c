/* main.c - runs the unit tests of base. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(args_suite());
    srunner_add_suite(runner, buf_suite());
    srunner_add_suite(runner, conf_suite());
    srunner_add_suite(runner, crc32c_suite());
    srunner_add_suite(runner, err_suite());
    srunner_add_suite(runner, hash_suite());
    srunner_add_suite(runner, list_suite());
    srunner_add_suite(runner, log_suite());
    srunner_add_suite(runner, mem_suite());
    srunner_add_suite(runner, reader_suite());
    srunner_add_suite(runner, rng_suite());
    srunner_add_suite(runner, slice_suite());
    srunner_add_suite(runner, text_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

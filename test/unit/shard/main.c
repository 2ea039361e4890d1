/* main.c - runs the unit tests of the shard layer. */
#include "unit/shard/suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(join_suite());
    srunner_add_suite(runner, meta_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

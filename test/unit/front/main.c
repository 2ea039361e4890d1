/* main.c - runs the unit tests of the front layer. */
#include "base/log.h"
#include "unit/front/suites.h"

#include <stdlib.h>

int main(void)
{
    log_set_level(LOG_ERROR);
    SRunner *runner = srunner_create(door_suite());
    srunner_add_suite(runner, router_suite());
    srunner_add_suite(runner, deadlines_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

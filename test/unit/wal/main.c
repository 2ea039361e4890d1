/* main.c - unit tests of the journal and of the disk that they run on. */
#include "base/log.h"

#include <check.h>
#include <stdlib.h>

Suite *memdisk_suite(void);
Suite *format_suite(void);
Suite *journal_suite(void);
Suite *crash_suite(void);
Suite *damage_suite(void);
Suite *crafted_suite(void);

int main(void)
{
    log_set_level(LOG_ERROR); /* thousands of tails are cut here */
    SRunner *runner = srunner_create(memdisk_suite());
    srunner_add_suite(runner, format_suite());
    srunner_add_suite(runner, journal_suite());
    srunner_add_suite(runner, crash_suite());
    srunner_add_suite(runner, damage_suite());
    srunner_add_suite(runner, crafted_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* main.c - the tests of net. */
#include <check.h>
#include <stdlib.h>

Suite *loop_suite(void);
Suite *tcp_suite(void);
Suite *disk_suite(void);
Suite *lockfile_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(loop_suite());
    srunner_add_suite(runner, tcp_suite());
    srunner_add_suite(runner, disk_suite());
    srunner_add_suite(runner, lockfile_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* main.c - the tests of peer. */
#include <check.h>
#include <stdlib.h>

Suite *frame_suite(void);
Suite *greeting_suite(void);
Suite *queue_suite(void);
Suite *peers_suite(void);
Suite *hostile_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(frame_suite());
    srunner_add_suite(runner, greeting_suite());
    srunner_add_suite(runner, queue_suite());
    srunner_add_suite(runner, peers_suite());
    srunner_add_suite(runner, hostile_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

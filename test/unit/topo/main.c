/* main.c - the tests of topo. */
#include <check.h>
#include <stdlib.h>

Suite *map_suite(void);
Suite *ring_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(map_suite());
    srunner_add_suite(runner, ring_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* suites.h - the suites of the server's own modules. */
#ifndef DKV_TEST_DKVD_SUITES_H
#define DKV_TEST_DKVD_SUITES_H

#include <check.h>

Suite *conf_file_suite(void);
Suite *machine_suite(void);
Suite *options_suite(void);

#endif

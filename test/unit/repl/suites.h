/* suites.h - the suites of test_repl. */
#ifndef DKV_TEST_UNIT_REPL_SUITES_H
#define DKV_TEST_UNIT_REPL_SUITES_H

#include <check.h>

Suite *message_suite(void);
Suite *members_suite(void);
Suite *entrylog_suite(void);
Suite *core_suite(void);
Suite *group_suite(void);

#endif

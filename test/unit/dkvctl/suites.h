/* suites.h - the suites of this program. */
#ifndef DKV_TEST_DKVCTL_SUITES_H
#define DKV_TEST_DKVCTL_SUITES_H

#include <check.h>

Suite *histogram_suite(void);
Suite *input_suite(void);
Suite *jsonl_suite(void);
Suite *line_suite(void);
Suite *local_suite(void);
Suite *order_suite(void);
Suite *progress_suite(void);
Suite *words_suite(void);

#endif

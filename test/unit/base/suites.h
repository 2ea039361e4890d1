/* suites.h - the suites of this layer, one per module. */
#ifndef DKV_TEST_BASE_SUITES_H
#define DKV_TEST_BASE_SUITES_H

#include <check.h>

Suite *args_suite(void);
Suite *buf_suite(void);
Suite *conf_suite(void);
Suite *crc32c_suite(void);
Suite *err_suite(void);
Suite *hash_suite(void);
Suite *list_suite(void);
Suite *log_suite(void);
Suite *mem_suite(void);
Suite *reader_suite(void);
Suite *rng_suite(void);
Suite *slice_suite(void);
Suite *text_suite(void);

#endif

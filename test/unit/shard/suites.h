/* suites.h - the suites of this layer's unit tests. */
#ifndef DKV_TEST_UNIT_SHARD_SUITES_H
#define DKV_TEST_UNIT_SHARD_SUITES_H

#include <check.h>

Suite *join_suite(void);
Suite *meta_suite(void);

#endif

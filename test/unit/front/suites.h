/* suites.h - the suites of this layer's unit tests. */
#ifndef DKV_TEST_UNIT_FRONT_SUITES_H
#define DKV_TEST_UNIT_FRONT_SUITES_H

#include <check.h>

Suite *door_suite(void);
Suite *router_suite(void);
Suite *deadlines_suite(void);

#endif

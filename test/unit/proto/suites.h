/* suites.h - the suites of this layer, one per module. */
#ifndef DKV_TEST_PROTO_SUITES_H
#define DKV_TEST_PROTO_SUITES_H

#include <check.h>

Suite *command_suite(void);
Suite *json_suite(void);
Suite *native_suite(void);
Suite *pack_suite(void);
Suite *request_suite(void);

#endif

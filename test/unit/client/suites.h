/* suites.h - the suites of this program. */
#ifndef DKV_TEST_CLIENT_SUITES_H
#define DKV_TEST_CLIENT_SUITES_H

#include <check.h>

Suite *client_suite(void);
Suite *uv_suite(void);

#endif

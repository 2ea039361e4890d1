/* test_log.c - one event, one line. Each test runs in a process of its own, so stderr may be replaced. */
#include "suites.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char caught[4096];

/* From now on stderr is a pipe. */
static int catch_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

/* One read(2) of it; a pipe keeps the pieces that one write(2) each has put in. */
static size_t read_caught(int from)
{
    ssize_t n = read(from, caught, sizeof caught - 1);
    ck_assert_int_gt(n, 0);
    caught[n] = '\0';
    return (size_t)n;
}

START_TEST(a_line_has_time_level_and_event)
{
    int from = catch_stderr();
    log_info("event=move_done shard=%d ms=%d", 7, 812);
    read_caught(from);
    int year, month, day, hour, minute, second, ms, at = 0;
    int fields = sscanf(caught, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour, &minute,
                        &second, &ms, &at);
    ck_assert_int_eq(fields, 7);
    ck_assert_int_ge(year, 2024);
    ck_assert_str_eq(caught + at, "info event=move_done shard=7 ms=812\n");
}
END_TEST

START_TEST(what_is_above_the_level_is_silent)
{
    int from = catch_stderr();
    log_set_level(LOG_WARN);
    log_info("event=info");
    log_debug("event=debug");
    log_warn("event=warn");
    log_error("event=error");
    read_caught(from);
    ck_assert_ptr_null(strstr(caught, "event=info"));
    ck_assert_ptr_null(strstr(caught, "event=debug"));
    ck_assert_ptr_nonnull(strstr(caught, "warn event=warn\n"));
    ck_assert_ptr_nonnull(strstr(caught, "error event=error\n"));
    ck_assert(log_is_on(LOG_WARN));
    ck_assert(!log_is_on(LOG_INFO));
}
END_TEST

START_TEST(a_long_line_is_cut_and_still_a_line)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    int from = catch_stderr();
    log_error("%s", text);
    size_t n = read_caught(from);
    ck_assert_int_eq(caught[n - 1], '\n');
    const char *message = strchr(caught, 'x');
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(strlen(message), 1024 + 1);
}
END_TEST

START_TEST(control_bytes_cannot_forge_a_second_line)
{
    int from = catch_stderr();
    log_error("event=x name=%s", "a\nb\x1b[31m\x7f");
    size_t n = read_caught(from);
    ck_assert_ptr_eq(strchr(caught, '\n'), caught + n - 1);
    ck_assert_ptr_nonnull(strstr(caught, "name=a?b?[31m?\n"));
}
END_TEST

START_TEST(a_closed_stderr_is_ignored_and_errno_kept)
{
    close(STDERR_FILENO);
    errno = ENOENT;
    log_error("event=lost");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(levels_are_parsed_strictly)
{
    static const struct {
        const char *text;
        bool good;
        enum log_level level;
    } cases[] = {
        {"error", true, LOG_ERROR}, {"warn", true, LOG_WARN}, {"info", true, LOG_INFO},
        {"debug", true, LOG_DEBUG}, {"", false, LOG_INFO},    {"INFO", false, LOG_INFO},
        {"infos", false, LOG_INFO}, {"1", false, LOG_INFO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum log_level level = LOG_INFO;
        dkv_err err = log_parse_level(slice_str(cases[i].text), &level);
        ck_assert_int_eq(err, cases[i].good ? DKV_OK : DKV_CONFIG);
        ck_assert_int_eq(level, cases[i].level);
    }
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");
    tcase_add_test(cases, a_line_has_time_level_and_event);
    tcase_add_test(cases, what_is_above_the_level_is_silent);
    tcase_add_test(cases, a_long_line_is_cut_and_still_a_line);
    tcase_add_test(cases, control_bytes_cannot_forge_a_second_line);
    tcase_add_test(cases, a_closed_stderr_is_ignored_and_errno_kept);
    tcase_add_test(cases, levels_are_parsed_strictly);
    suite_add_tcase(suite, cases);
    return suite;
}

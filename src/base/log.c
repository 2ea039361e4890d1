/* log.c - one line per event, handed to the kernel whole so that lines of threads and processes do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_MESSAGE_MAX 1024
#define LOG_PREFIX_MAX  64 /* the time and the level */

static atomic_int log_level_now = LOG_INFO;

static const char *const log_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

dkv_err log_parse_level(struct slice s, enum log_level *out)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (slice_eq(s, slice_str(log_names[i]))) {
            *out = (enum log_level)i;
            return DKV_OK;
        }
    }
    return DKV_CONFIG;
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

/* "2026-11-20T11:38:01.123Z info " */
static size_t log_put_prefix(enum log_level level, char *line, size_t max)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm tm = {0};
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, max, "%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(line + n, max - n, ".%03dZ %s ", (int)(now.tv_nsec / 1000000), log_names[level]);
    ensure(more > 0);
    ensure(n + (size_t)more < max);
    return n + (size_t)more;
}

/* A line break or a terminal escape that slipped in must not forge a second event. */
static void log_tame(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_is_on(level)) {
        return;
    }
    int saved_errno = errno;
    char line[LOG_PREFIX_MAX + LOG_MESSAGE_MAX + 1];
    size_t prefix = log_put_prefix(level, line, LOG_PREFIX_MAX);

    va_list args;
    va_start(args, format);
    int len = vsnprintf(line + prefix, LOG_MESSAGE_MAX + 1, format, args);
    va_end(args);
    ensure(len >= 0);

    size_t kept = len > LOG_MESSAGE_MAX ? LOG_MESSAGE_MAX : (size_t)len;
    log_tame(line + prefix, kept);
    line[prefix + kept] = '\n';
    /* There is nowhere to report that stderr is gone. */
    ssize_t written = write(STDERR_FILENO, line, prefix + kept + 1);
    (void)written;
    errno = saved_errno;
}

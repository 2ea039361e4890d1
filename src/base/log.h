/* log.h - one event, one line on stderr: "2026-11-20T11:38:01.123Z info event=move_done shard=7 ms=812".
 *
 * error: someone must act. warn: someone may have to. info: a change of state. debug: the rest. Never values
 * or secrets; text from outside goes through text_escape(). The level is the process's only mutable setting.
 */
#ifndef DKV_BASE_LOG_H
#define DKV_BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are dropped; LOG_INFO at first. */
void log_set_level(enum log_level level);
dkv_err log_parse_level(struct slice s, enum log_level *out) MUST_CHECK; /* error warn info debug */
bool log_is_on(enum log_level level);

/* format begins with "event=..."; no newline. At most 1,024 bytes are kept. One write(2) per line. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_is_on(LOG_DEBUG)) {                                                                          \
            log_line(LOG_DEBUG, __VA_ARGS__);                                                                \
        }                                                                                                    \
    } while (0)

#endif

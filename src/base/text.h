/* text.h - what people write, as numbers: strict, whole input, no locale.
 *
 * Every parser refuses empty text, trailing rubbish, signs where none belong, and overflow, with DKV_CONFIG.
 */
#ifndef DKV_BASE_TEXT_H
#define DKV_BASE_TEXT_H

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

struct buf;

/* Decimal digits only. */
dkv_err text_parse_u64(struct slice s, uint64_t *out) MUST_CHECK;

/* "250ms", "5s", "2m", "1h" to milliseconds; a bare number is refused, save "0". */
dkv_err text_parse_duration(struct slice s, uint64_t *ms) MUST_CHECK;

/* "4096", "64K", "1M", "2G" (powers of 1024) to bytes. */
dkv_err text_parse_size(struct slice s, uint64_t *bytes) MUST_CHECK;

/* host:port */
struct address {
    char host[ADDRESS_MAX + 1]; /* a name, IPv4, or IPv6 without its brackets */
    uint16_t port;              /* 1 to 65535 */
};

/* "host:port" or "[v6]:port". */
dkv_err text_parse_address(struct slice s, struct address *out) MUST_CHECK;

/* As text_parse_address() takes it. */
void text_format_address(const struct address *a, struct buf *out);

/* 127.0.0.0/8, ::1 or "localhost". */
bool text_is_loopback(const struct address *a);

/* Letters, digits, '-', '_', '.', 1 to NODE_NAME_MAX of them, a letter or digit first. */
bool text_is_name(struct slice s);

/* Valid UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(struct slice s);

/* Printable ASCII as it is, all else as \xNN, quotes and backslashes escaped, cut at max bytes with "...".
 * For logs and messages. */
void text_escape(struct slice s, size_t max, struct buf *out);

/* The decimal, hex (both cases) and standard base64 (padded) forms of bytes, and back. */
void text_put_hex(struct slice s, struct buf *out);
dkv_err text_parse_hex(struct slice s, struct buf *out) MUST_CHECK;
void text_put_base64(struct slice s, struct buf *out);
dkv_err text_parse_base64(struct slice s, struct buf *out) MUST_CHECK;

#endif

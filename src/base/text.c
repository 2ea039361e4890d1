/* text.c - strict parsers and formatters of what people write. */
#include "base/text.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

/* No locale: the classes of ctype.h change with it. */
static bool text_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool text_is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

dkv_err text_parse_u64(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!text_is_digit(s.data[i]) || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, s.data[i] - (uint64_t)'0', &v)) {
            return DKV_CONFIG;
        }
    }
    if (s.len == 0) {
        return DKV_CONFIG;
    }
    *out = v;
    return DKV_OK;
}

struct text_unit {
    const char *suffix;
    uint64_t factor;
};

/* Digits followed by exactly one of the units. */
static dkv_err text_parse_unit(struct slice s, const struct text_unit *units, size_t n, uint64_t *out)
{
    size_t digits = 0;
    while (digits < s.len && text_is_digit(s.data[digits])) {
        digits++;
    }
    struct slice suffix = slice_of(s.data + digits, s.len - digits);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;
        if (!slice_eq(suffix, slice_str(units[i].suffix))) {
            continue;
        }
        if (text_parse_u64(slice_of(s.data, digits), &v) != DKV_OK ||
            __builtin_mul_overflow(v, units[i].factor, &v)) {
            return DKV_CONFIG;
        }
        *out = v;
        return DKV_OK;
    }
    return DKV_CONFIG;
}

dkv_err text_parse_duration(struct slice s, uint64_t *ms)
{
    static const struct text_unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    if (s.len == 0) {
        return DKV_CONFIG;
    }
    if (slice_eq(s, slice_str("0"))) {
        *ms = 0;
        return DKV_OK;
    }
    return text_parse_unit(s, units, sizeof units / sizeof units[0], ms);
}

dkv_err text_parse_size(struct slice s, uint64_t *bytes)
{
    static const struct text_unit units[] = {{"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}};
    if (s.len == 0) {
        return DKV_CONFIG;
    }
    return text_parse_unit(s, units, sizeof units / sizeof units[0], bytes);
}

/* Labels of letters, digits, '-' and '_' between single dots. Text of digits and dots alone is meant as an
 * IPv4 address and has to be one: a resolver would read "127.1" or "0177.0.0.1" in ways of its own. */
static bool text_is_host(const char *host)
{
    bool numeric = true;
    char before = '.';
    for (const char *c = host; *c != '\0'; c++) {
        bool starts = before == '.';
        bool plain = text_is_letter((uint8_t)*c) || text_is_digit((uint8_t)*c) || *c == '_';
        bool inner = (*c == '-' || *c == '.') && !starts;
        if (!plain && !inner) {
            return false;
        }
        numeric = numeric && (text_is_digit((uint8_t)*c) || *c == '.');
        before = *c;
    }
    struct in_addr ignored;
    return before != '.' && (!numeric || inet_pton(AF_INET, host, &ignored) == 1);
}

static bool text_is_ipv6(const char *host)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET6, host, &ignored) == 1;
}

/* The place of the colon before the port; s.len: there is none. */
static size_t text_find_port(struct slice s)
{
    for (size_t i = s.len; i > 0; i--) {
        if (s.data[i - 1] == ':') {
            return i - 1;
        }
    }
    return s.len;
}

dkv_err text_parse_address(struct slice s, struct address *out)
{
    size_t colon = text_find_port(s);
    if (s.len > ADDRESS_MAX || colon == s.len || memchr(s.data, '\0', s.len) != NULL) {
        return DKV_CONFIG;
    }
    uint64_t port = 0;
    dkv_err err = text_parse_u64(slice_of(s.data + colon + 1, s.len - colon - 1), &port);
    if (err != DKV_OK || port == 0 || port > UINT16_MAX) {
        return DKV_CONFIG;
    }
    bool bracketed = colon >= 2 && s.data[0] == '[' && s.data[colon - 1] == ']';
    struct slice host = bracketed ? slice_of(s.data + 1, colon - 2) : slice_of(s.data, colon);
    struct address address = {.port = (uint16_t)port};
    memcpy(address.host, host.data, host.len);
    if (bracketed ? !text_is_ipv6(address.host) : !text_is_host(address.host)) {
        return DKV_CONFIG;
    }
    *out = address;
    return DKV_OK;
}

void text_format_address(const struct address *a, struct buf *out)
{
    bool bracketed = strchr(a->host, ':') != NULL;
    buf_printf(out, bracketed ? "[%s]:%u" : "%s:%u", a->host, (unsigned)a->port);
}

bool text_is_loopback(const struct address *a)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, a->host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, a->host, &v6) == 1) {
        return memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
    }
    return strcasecmp(a->host, "localhost") == 0;
}

bool text_is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool inner = c == '-' || c == '_' || c == '.';
        if (!text_is_letter(c) && !text_is_digit(c) && (i == 0 || !inner)) {
            return false;
        }
    }
    return s.len >= 1 && s.len <= NODE_NAME_MAX;
}

/* What may follow a leading byte (Unicode, table 3-7). The narrowed second bytes keep out overlong forms,
 * surrogates and what lies beyond U+10FFFF; later bytes are always 80 to BF. */
static const struct {
    uint8_t first_low, first_high;
    uint8_t second_low, second_high;
    uint8_t len;
} text_utf8[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

/* The length of the character at the begin of p, 0 when it is none. */
static size_t text_utf8_len(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < sizeof text_utf8 / sizeof text_utf8[0]; i++) {
        if (p[0] < text_utf8[i].first_low || p[0] > text_utf8[i].first_high) {
            continue;
        }
        size_t len = text_utf8[i].len;
        if (left < len || p[1] < text_utf8[i].second_low || p[1] > text_utf8[i].second_high) {
            return 0;
        }
        bool third = len < 3 || (p[2] & 0xC0) == 0x80;
        bool fourth = len < 4 || (p[3] & 0xC0) == 0x80;
        return third && fourth ? len : 0;
    }
    return 0;
}

bool text_is_utf8(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        size_t len = text_utf8_len(s.data + i, s.len - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

void text_escape(struct slice s, size_t max, struct buf *out)
{
    size_t n = s.len < max ? s.len : max;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = s.data[i];
        if (c < ' ' || c > '~') {
            buf_printf(out, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            buf_put_u8(out, '\\');
        }
        buf_put_u8(out, c);
    }
    if (n < s.len) {
        buf_put_text(out, "...");
    }
}

void text_put_hex(struct slice s, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < s.len; i++) {
        buf_put_u8(out, (uint8_t)digits[s.data[i] >> 4]);
        buf_put_u8(out, (uint8_t)digits[s.data[i] & 15]);
    }
}

/* The value of a hex digit, 16 when it is none. */
static unsigned text_hex_digit(uint8_t c)
{
    if (text_is_digit(c)) {
        return c - (unsigned)'0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - (unsigned)'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - (unsigned)'A' + 10 : 16;
}

dkv_err text_parse_hex(struct slice s, struct buf *out)
{
    if (s.len == 0 || s.len % 2 != 0) {
        return DKV_CONFIG;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (text_hex_digit(s.data[i]) > 15) {
            return DKV_CONFIG;
        }
    }
    for (size_t i = 0; i < s.len; i += 2) {
        buf_put_u8(out, (uint8_t)(text_hex_digit(s.data[i]) << 4 | text_hex_digit(s.data[i + 1])));
    }
    return buf_ok(out) ? DKV_OK : DKV_NO_MEMORY;
}

void text_put_base64(struct slice s, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < n; k++) {
            bits |= (uint32_t)s.data[i + k] << (16 - 8 * k);
        }
        for (size_t k = 0; k < 4; k++) {
            buf_put_u8(out, k <= n ? (uint8_t)digits[bits >> (18 - 6 * k) & 63] : '=');
        }
    }
}

/* The value of a base64 digit, 64 when it is none. */
static uint32_t text_base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - (uint32_t)'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - (uint32_t)'a' + 26;
    }
    if (text_is_digit(c)) {
        return c - (uint32_t)'0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Only the padded form with zero bits in the padding: one text per value. */
static bool text_is_base64(struct slice s)
{
    if (s.len == 0 || s.len % 4 != 0) {
        return false;
    }
    size_t padding = s.data[s.len - 1] != '=' ? 0 : s.data[s.len - 2] != '=' ? 1 : 2;
    for (size_t i = 0; i < s.len - padding; i++) {
        if (text_base64_digit(s.data[i]) > 63) {
            return false;
        }
    }
    uint32_t unused = padding == 0 ? 0 : padding == 1 ? 3 : 15;
    return (text_base64_digit(s.data[s.len - padding - 1]) & unused) == 0;
}

dkv_err text_parse_base64(struct slice s, struct buf *out)
{
    if (!text_is_base64(s)) {
        return DKV_CONFIG;
    }
    for (size_t i = 0; i < s.len; i += 4) {
        uint32_t bits = 0;
        size_t n = 0; /* digits that are no padding */
        for (size_t k = 0; k < 4 && s.data[i + k] != '='; k++, n++) {
            bits |= text_base64_digit(s.data[i + k]) << (18 - 6 * k);
        }
        for (size_t k = 0; k + 1 < n; k++) {
            buf_put_u8(out, (uint8_t)(bits >> (16 - 8 * k)));
        }
    }
    return buf_ok(out) ? DKV_OK : DKV_NO_MEMORY;
}

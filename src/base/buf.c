/* buf.c - growing, and how each kind of value is written. */
#include "base/buf.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_fini(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool buf_reserve(struct buf *b, size_t n)
{
    if (b->failed) {
        return false;
    }
    if (b->data != NULL && n <= b->cap - b->len) {
        return true;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap - b->len < n) {
        if (cap > SIZE_MAX / 2) {
            b->failed = true;
            return false;
        }
        cap *= 2;
    }
    uint8_t *data = mem_realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
    if (!buf_reserve(b, n)) {
        return NULL;
    }
    uint8_t *at = b->data + b->len;
    b->len += n;
    return at;
}

void buf_consume(struct buf *b, size_t n)
{
    ensure(n <= b->len);
    if (n > 0) {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
}

void buf_put(struct buf *b, struct slice s)
{
    uint8_t *at = buf_extend(b, s.len);
    if (at != NULL && s.len > 0) {
        memcpy(at, s.data, s.len);
    }
}

static void buf_put_le(struct buf *b, uint64_t v, size_t n)
{
    uint8_t *at = buf_extend(b, n);
    for (size_t i = 0; at != NULL && i < n; i++) {
        at[i] = (uint8_t)(v >> (8 * i));
    }
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put_le(b, v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    buf_put_le(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    buf_put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    buf_put_le(b, v, 8);
}

void buf_put_blob(struct buf *b, struct slice s)
{
    ensure(s.len <= UINT32_MAX);
    buf_put_u32(b, (uint32_t)s.len);
    buf_put(b, s);
}

void buf_put_text(struct buf *b, const char *text)
{
    buf_put(b, slice_str(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ensure(n >= 0);
    if (!buf_reserve(b, (size_t)n + 1)) {
        return;
    }
    va_start(args, format);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
}

void buf_patch_u32(struct buf *b, size_t at, uint32_t v)
{
    if (b->failed) {
        return;
    }
    ensure(at + 4 <= b->len);
    for (size_t i = 0; i < 4; i++) {
        b->data[at + i] = (uint8_t)(v >> (8 * i));
    }
}

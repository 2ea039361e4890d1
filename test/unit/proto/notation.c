/* notation.c - msgpack written as words. */
#include "notation.h"

#include "base/text.h"
#include "proto/pack.h"

#include <check.h>

static uint64_t notation_number(struct slice digits)
{
    uint64_t n = 0;
    ck_assert_int_eq(text_parse_u64(digits, &n), DKV_OK);
    return n;
}

static void notation_put_hex(struct buf *out, struct slice digits)
{
    if (digits.len > 0) {
        ck_assert_int_eq(text_parse_hex(digits, out), DKV_OK);
    }
}

static void notation_put_bin(struct buf *out, struct slice digits)
{
    struct buf bytes = {0};
    notation_put_hex(&bytes, digits);
    pack_put_bin(out, buf_slice(&bytes));
    buf_fini(&bytes);
}

static void notation_put_filler(struct buf *out, size_t len)
{
    struct buf bytes = {0};
    uint8_t *filler = buf_extend(&bytes, len);
    ck_assert_ptr_nonnull(filler);
    memset(filler, 'x', len);
    pack_put_bin(out, buf_slice(&bytes));
    buf_fini(&bytes);
}

static void notation_put_word(struct buf *out, struct slice word)
{
    struct slice rest = slice_of(word.data + 1, word.len - 1);
    switch (word.data[0]) {
    case '[':
        pack_put_array(out, (uint32_t)notation_number(rest));
        return;
    case '{':
        pack_put_map(out, (uint32_t)notation_number(rest));
        return;
    case '\'':
        pack_put_text(out, rest);
        return;
    case '#':
        notation_put_bin(out, rest);
        return;
    case '*':
        notation_put_filler(out, notation_number(rest));
        return;
    case 'x':
        notation_put_hex(out, rest);
        return;
    case 'n':
        pack_put_nil(out);
        return;
    case 't':
    case 'f':
        pack_put_bool(out, word.data[0] == 't');
        return;
    default:
        pack_put_u64(out, notation_number(word));
    }
}

void notation_put(struct buf *out, const char *words)
{
    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        ck_assert_uint_gt(len, 0);
        notation_put_word(out, slice_of(words, len));
        words += len + (words[len] == ' ' ? 1 : 0);
    }
}

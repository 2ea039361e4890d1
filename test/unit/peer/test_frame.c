/* test_frame.c - the envelope. */
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/mem.h"
#include "peer/frame.h"

#include <check.h>

Suite *frame_suite(void);

static struct frame sample(void)
{
    return (struct frame){.kind = FRAME_REQUEST, .id = 0x1122334455667788, .body = slice_str("body")};
}

START_TEST(a_frame_survives_the_way)
{
    struct buf b = {0};
    struct frame f = sample();
    frame_encode(&f, &b);
    struct frame empty = {.kind = FRAME_RAFT};
    frame_encode(&empty, &b);

    struct frame got;
    size_t used = 0;
    ck_assert_int_eq(frame_decode(buf_slice(&b), &used, &got), DKV_OK);
    ck_assert_uint_eq(used, 24);
    ck_assert_int_eq(got.kind, FRAME_REQUEST);
    ck_assert_uint_eq(got.id, 0x1122334455667788);
    ck_assert(slice_eq(got.body, slice_str("body")));
    ck_assert_int_eq(frame_decode(slice_of(b.data + used, b.len - used), &used, &got), DKV_OK);
    ck_assert_uint_eq(used, 20);
    ck_assert_uint_eq(got.body.len, 0);
    buf_fini(&b);
}
END_TEST

START_TEST(the_bytes_are_those_of_the_drawing)
{
    static const uint8_t want[] = {
        0x14, 0x00, 0x00, 0x00,                         /* length */
        0x01, 0x07, 0x00, 0x00,                         /* version, kind, flags */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* id */
        'b',  'o',  'd',  'y',
    };
    struct buf b = {0};
    struct frame f = sample();
    frame_encode(&f, &b);
    ck_assert_uint_eq(b.len, sizeof want + 4);
    ck_assert_mem_eq(b.data, want, sizeof want);
    buf_fini(&b);
}
END_TEST

START_TEST(every_cut_waits_for_more)
{
    struct buf b = {0};
    struct frame f = sample();
    frame_encode(&f, &b);
    for (size_t n = 0; n < b.len; n++) {
        struct frame got;
        size_t used = 0;
        ck_assert_int_eq(frame_decode(slice_of(b.data, n), &used, &got), DKV_MORE);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(every_changed_byte_is_refused_or_waits)
{
    struct buf b = {0};
    struct frame f = sample();
    frame_encode(&f, &b);
    for (size_t at = 0; at < b.len; at++) {
        for (unsigned change = 1; change < 256; change++) {
            struct frame got;
            size_t used = 0;
            b.data[at] ^= (uint8_t)change;
            dkv_err err = frame_decode(buf_slice(&b), &used, &got);
            b.data[at] ^= (uint8_t)change;
            ck_assert_msg(err != DKV_OK, "byte %zu changed by %u", at, change);
            ck_assert_msg(err != DKV_MORE || at < 4, "byte %zu changed by %u", at, change);
        }
    }
    buf_fini(&b);
}
END_TEST

/* A frame with a right checksum whatever its head says. */
static dkv_err decode_head(uint32_t length, uint8_t version, uint8_t kind, uint16_t flags, size_t bytes)
{
    struct buf b = {0};
    buf_put_u32(&b, length);
    buf_put_u8(&b, version);
    buf_put_u8(&b, kind);
    buf_put_u16(&b, flags);
    buf_put_u64(&b, 0);
    if (bytes > 0) {
        buf_put_u32(&b, crc32c(buf_slice(&b)));
    }
    struct frame got;
    size_t used = 0;
    dkv_err err = frame_decode(slice_of(b.data, bytes > 0 ? bytes : b.len), &used, &got);
    buf_fini(&b);
    return err;
}

START_TEST(heads_are_judged_before_their_body_comes)
{
    static const struct {
        uint32_t length;
        uint8_t version;
        uint8_t kind;
        uint16_t flags;
        size_t bytes;
        dkv_err err;
    } cases[] = {
        {16, 1, FRAME_RAFT, 0, 20, DKV_OK},
        {0, 1, FRAME_RAFT, 0, 4, DKV_MALFORMED},
        {15, 1, FRAME_RAFT, 0, 20, DKV_MALFORMED},
        {17, 1, FRAME_RAFT, 0, 20, DKV_MORE},
        {FRAME_BYTES_MAX, 1, FRAME_RAFT, 0, 4, DKV_MORE},
        {FRAME_BYTES_MAX + 1, 1, FRAME_RAFT, 0, 4, DKV_TOO_LARGE},
        {UINT32_MAX, 1, FRAME_RAFT, 0, 4, DKV_TOO_LARGE},
        {0x80000000, 1, FRAME_RAFT, 0, 4, DKV_TOO_LARGE},
        {1000, 0, FRAME_RAFT, 0, 5, DKV_UNSUPPORTED},
        {1000, 2, FRAME_RAFT, 0, 5, DKV_UNSUPPORTED},
        {1000, 255, FRAME_RAFT, 0, 5, DKV_UNSUPPORTED},
        {1000, 1, 0, 0, 6, DKV_MALFORMED},
        {1000, 1, FRAME_REPLY + 1, 0, 6, DKV_MALFORMED},
        {1000, 1, 99, 0, 6, DKV_MALFORMED},
        {16, 1, FRAME_RAFT, 1, 20, DKV_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dkv_err err =
            decode_head(cases[i].length, cases[i].version, cases[i].kind, cases[i].flags, cases[i].bytes);
        ck_assert_msg(err == cases[i].err, "case %zu: %s", i, err_text(err));
    }
}
END_TEST

START_TEST(no_other_protocol_looks_like_a_frame)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n",           "PUT k v\r\n",   "*1\r\n$4\r\nPING\r\n",
        "\x16\x03\x01\x02\x00\x01", /* TLS */
        "\x94\x00\x01\xa3get\x81\xa1k", "SSH-2.0-x\r\n", "\n\n\n\n",
        "PRI * HTTP/2.0\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice in = i == 3   ? slice_of(texts[i], 6)
                          : i == 4 ? slice_of(texts[i], 10)
                                   : slice_str(texts[i]);
        struct frame got;
        size_t used = 0;
        dkv_err err = frame_decode(in, &used, &got);
        ck_assert_msg(err == DKV_TOO_LARGE || err == DKV_UNSUPPORTED || err == DKV_MALFORMED, "text %zu: %s",
                      i, err_text(err));
    }
}
END_TEST

START_TEST(encode_survives_every_failed_allocation)
{
    struct frame f = sample();
    bool ok = false;
    for (int n = 0; !ok; n++) {
        ck_assert_int_lt(n, 100);
        struct buf b = {0};
        mem_fail_after(n);
        frame_encode(&f, &b);
        mem_fail_after(-1);
        ok = buf_ok(&b);
        buf_fini(&b);
    }
}
END_TEST

Suite *frame_suite(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");
    tcase_add_test(t, a_frame_survives_the_way);
    tcase_add_test(t, the_bytes_are_those_of_the_drawing);
    tcase_add_test(t, every_cut_waits_for_more);
    tcase_add_test(t, every_changed_byte_is_refused_or_waits);
    tcase_add_test(t, heads_are_judged_before_their_body_comes);
    tcase_add_test(t, no_other_protocol_looks_like_a_frame);
    tcase_add_test(t, encode_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

/* test_format.c - segment headers, batch headers and records, to bytes and back. */
#include "base/limits.h"
#include "base/reader.h"
#include "wal/batch.h"
#include "wal/record.h"
#include "wal/segment.h"

#include <check.h>

Suite *format_suite(void);

START_TEST(only_names_of_segments_are_names_of_segments)
{
    static const struct {
        const char *name;
        uint64_t generation; /* 0: refused */
    } cases[] = {
        {"00000000000000000001.seg", 1},
        {"18446744073709551615.seg", UINT64_MAX},
        {"18446744073709551616.seg", 0}, /* overflow */
        {"00000000000000000000.seg", 0},
        {"0000000000000000001.seg", 0},
        {"000000000000000000001.seg", 0},
        {"00000000000000000001.seg.bak", 0},
        {"00000000000000000001.se", 0},
        {"0000000000000000000x.seg", 0},
        {"", 0},
        {"lost+found", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t generation = 0;
        bool good = segment_parse_name(cases[i].name, &generation);
        ck_assert_msg(good == (cases[i].generation != 0), "%s", cases[i].name);
        if (good) {
            char name[SEGMENT_NAME_BYTES];
            ck_assert_uint_eq(generation, cases[i].generation);
            segment_name(generation, name);
            ck_assert_str_eq(name, cases[i].name);
        }
    }
}
END_TEST

START_TEST(a_segment_header_returns_as_it_went_and_no_flip_passes)
{
    struct segment_header h = {.version = SEGMENT_VERSION,
                               .owner = {.cluster = 1, .node = 2, .incarnation = "three"},
                               .generation = 4,
                               .bytes = 4096,
                               .floor = 3};
    struct buf b = {0};
    struct segment_header back;
    segment_encode(&h, &b);
    ck_assert_uint_eq(b.len, SEGMENT_HEAD_BYTES);
    ck_assert(segment_decode(buf_slice(&b), &back));
    ck_assert(segment_owner_eq(&h.owner, &back.owner));
    ck_assert_uint_eq(back.version, h.version);
    ck_assert_uint_eq(back.generation, h.generation);
    ck_assert_uint_eq(back.bytes, h.bytes);
    ck_assert_uint_eq(back.floor, h.floor);
    ck_assert(!segment_decode(slice_of(b.data, b.len - 1), &back));
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert(!segment_decode(buf_slice(&b), &back));
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(a_batch_is_of_one_owner_and_one_segment_and_no_flip_passes)
{
    struct segment_owner owner = {.cluster = 1, .node = 2, .incarnation = "three"};
    struct segment_owner other = {.cluster = 1, .node = 2, .incarnation = "thref"};
    struct batch_header h = {.generation = 5, .number = 9, .synced_through = 8, .flags = BATCH_SEAL};
    struct batch_header back;
    struct buf b = {0};
    batch_begin(&b);
    record_put_vote(&b, 1, 2, 3);
    batch_finish(&b, &h, segment_seed(&owner));
    ck_assert(batch_decode(buf_slice(&b), segment_seed(&owner), 5, &back));
    ck_assert(batch_has_body(buf_slice(&b), &back));
    ck_assert_uint_eq(back.length, b.len);
    ck_assert_uint_eq(back.number, 9);
    ck_assert_uint_eq(back.synced_through, 8);
    ck_assert_uint_eq(back.flags, BATCH_SEAL);
    ck_assert(!batch_decode(buf_slice(&b), segment_seed(&owner), 6, &back));
    ck_assert(!batch_decode(buf_slice(&b), segment_seed(&other), 5, &back));
    ck_assert(!batch_decode(slice_of(b.data, b.len - 1), segment_seed(&owner), 5, &back));
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool head = batch_decode(buf_slice(&b), segment_seed(&owner), 5, &back);
        ck_assert(head == (bit / 8 >= BATCH_HEAD_BYTES));
        ck_assert(!head || !batch_has_body(buf_slice(&b), &back));
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(records_of_every_length_return_as_they_went)
{
    static const uint8_t bytes[40] = "forty bytes at most, of which some are 0";
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct entry e = {.term = 1ull << 40, .type = ENTRY_CHANGE, .data = slice_of(bytes, len)};
        struct buf b = {0};
        record_put_entry(&b, 3, UINT64_MAX, &e);
        ck_assert_uint_eq(b.len, record_bytes(RECORD_ENTRY, len));
        record_put_note(&b, 7, e.data);
        ck_assert_uint_eq(b.len, record_bytes(RECORD_ENTRY, len) + record_bytes(RECORD_NOTE, len));
        record_put_truncate(&b, 4, 5);
        record_put_commit(&b, 5, 6);
        struct reader r = reader_of(buf_slice(&b));
        struct record back;
        ck_assert_int_eq(record_decode(&r, &back), DKV_OK);
        ck_assert(back.kind == RECORD_ENTRY && back.group == 3 && back.index == UINT64_MAX);
        ck_assert(back.entry.term == e.term && back.entry.type == e.type &&
                  slice_eq(back.entry.data, e.data));
        ck_assert_int_eq(record_decode(&r, &back), DKV_OK);
        ck_assert(back.kind == RECORD_NOTE && back.group == 7 && slice_eq(back.value, e.data));
        ck_assert_int_eq(record_decode(&r, &back), DKV_OK);
        ck_assert(back.kind == RECORD_TRUNCATE && back.group == 4 && back.index == 5);
        ck_assert_int_eq(record_decode(&r, &back), DKV_OK);
        ck_assert(back.kind == RECORD_COMMIT && back.group == 5 && back.index == 6);
        ck_assert(reader_done(&r));
        buf_fini(&b);
    }
}
END_TEST

START_TEST(bytes_that_are_no_record_are_refused)
{
    static const struct {
        const char *what;
        uint8_t bytes[48];
        size_t len;
        dkv_err err;
    } cases[] = {
        {"kind 0", {0}, 48, DKV_UNSUPPORTED},
        {"kind 6, reserved", {6}, 48, DKV_UNSUPPORTED},
        {"kind 255", {255}, 48, DKV_UNSUPPORTED},
        {"entry of type 0", {RECORD_ENTRY}, 48, DKV_UNSUPPORTED},
        {"entry of type 4", {RECORD_ENTRY, 4}, 48, DKV_UNSUPPORTED},
        {"half a head", {RECORD_VOTE}, 4, DKV_CORRUPT},
        {"vote cut", {RECORD_VOTE}, 23, DKV_CORRUPT},
        {"truncate cut", {RECORD_TRUNCATE}, 15, DKV_CORRUPT},
        {"commit cut", {RECORD_COMMIT}, 8, DKV_CORRUPT},
        {"entry longer than all", {RECORD_ENTRY, 1, [24] = 255, 255, 255, 255}, 48, DKV_CORRUPT},
        {"entry longer than the rest", {RECORD_ENTRY, 1, [24] = 21}, 48, DKV_CORRUPT},
        {"entry without its padding", {RECORD_ENTRY, 1, [24] = 1}, 29, DKV_CORRUPT},
        {"note over its limit", {RECORD_NOTE, [8] = 1, 4}, 48, DKV_CORRUPT},
        {"whole entry", {RECORD_ENTRY, 1, [24] = 20}, 48, DKV_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader r = reader_of(slice_of(cases[i].bytes, cases[i].len));
        struct record out;
        dkv_err err = record_decode(&r, &out);
        ck_assert_msg(err == cases[i].err, "%s: %s", cases[i].what, err_text(err));
    }
}
END_TEST

Suite *format_suite(void)
{
    Suite *s = suite_create("format");
    TCase *t = tcase_create("format");
    tcase_add_test(t, only_names_of_segments_are_names_of_segments);
    tcase_add_test(t, a_segment_header_returns_as_it_went_and_no_flip_passes);
    tcase_add_test(t, a_batch_is_of_one_owner_and_one_segment_and_no_flip_passes);
    tcase_add_test(t, records_of_every_length_return_as_they_went);
    tcase_add_test(t, bytes_that_are_no_record_are_refused);
    suite_add_tcase(s, t);
    return s;
}

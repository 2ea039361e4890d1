/* test_pack.c - walking, parsing and writing msgpack, mostly of people who mean ill. */
#include "suites.h"

#include "notation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "proto/pack.h"

#include <stdio.h>

#define SCAN_MAX 1000u

/* Whole objects and hostile ones side by side. */
static const struct {
    const char *words;
    dkv_err err;
} scan_cases[] = {
    /* one of each type */
    {"x00", DKV_OK},
    {"x7f", DKV_OK},
    {"xff", DKV_OK},
    {"nil", DKV_OK},
    {"true", DKV_OK},
    {"false", DKV_OK},
    {"xca00000000", DKV_OK},
    {"xcb7ff0000000000000", DKV_OK}, /* infinity */
    {"xcc00", DKV_OK},
    {"xcd0000", DKV_OK}, /* longer than need be: accepted */
    {"xce00000000", DKV_OK},
    {"xcf0000000000000000", DKV_OK},
    {"xd000", DKV_OK},
    {"xd10000", DKV_OK},
    {"xd200000000", DKV_OK},
    {"xd30000000000000000", DKV_OK},
    {"'", DKV_OK},
    {"'text", DKV_OK},
    {"xd90161", DKV_OK},
    {"xda000161", DKV_OK},
    {"xdb0000000161", DKV_OK},
    {"#", DKV_OK},
    {"#00ff", DKV_OK},
    {"xc5000100", DKV_OK},
    {"xc60000000100", DKV_OK},
    {"[0", DKV_OK},
    {"[3 1 [1 2 {1 'a [0", DKV_OK},
    {"{0", DKV_OK},
    {"{2 'a 1 'b {1 3 4", DKV_OK},
    {"xdc000101", DKV_OK},
    {"xdd0000000101", DKV_OK},
    {"xde00010102", DKV_OK},
    {"xdf000000010102", DKV_OK},
    {"[1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 1", DKV_OK}, /* 16 deep */
    {"*900", DKV_OK},
    {"*997", DKV_OK}, /* with its head exactly the most */
    /* types that are refused */
    {"xc1", DKV_MALFORMED},
    {"xc7", DKV_MALFORMED},
    {"xc8", DKV_MALFORMED},
    {"xc9", DKV_MALFORMED},
    {"xd4", DKV_MALFORMED},
    {"xd5", DKV_MALFORMED},
    {"xd6ff00000000", DKV_MALFORMED}, /* a timestamp */
    {"xd7", DKV_MALFORMED},
    {"xd8", DKV_MALFORMED},
    {"[2 1 xc1", DKV_MALFORMED},
    {"{1 'a xd4", DKV_MALFORMED},
    /* claims */
    {"xddffffffff", DKV_MALFORMED},
    {"xdfffffffff", DKV_MALFORMED},
    {"xdd10000000", DKV_MALFORMED},
    {"xdbffffffff", DKV_TOO_LARGE},
    {"xc6ffffffff", DKV_TOO_LARGE},
    {"xda03e6", DKV_TOO_LARGE}, /* 998 bytes and the head */
    {"xdc03e6", DKV_TOO_LARGE}, /* 998 items and the head */
    {"[2 *990 *990", DKV_TOO_LARGE},
    /* depth */
    {"[1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 [1 1", DKV_MALFORMED},
    {"{1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1 {1 1", DKV_MALFORMED},
    /* other protocols */
    {"x16", DKV_OK}, /* TLS: its first byte is the number 22; what follows is no request */
};
#define SCAN_CASES ((int)(sizeof scan_cases / sizeof scan_cases[0]))

START_TEST(an_object_is_accepted_or_refused_as_a_whole)
{
    struct buf bytes = {0};
    notation_put(&bytes, scan_cases[_i].words);
    struct pack_scan scan = {0};
    size_t len = 0;
    dkv_err err = pack_scan(&scan, buf_slice(&bytes), SCAN_MAX, &len);
    ck_assert_msg(err == scan_cases[_i].err, "%s: %s", scan_cases[_i].words, err_text(err));
    ck_assert_uint_eq(len, err == DKV_OK ? bytes.len : 0);
    buf_fini(&bytes);
}
END_TEST

START_TEST(every_cut_of_an_object_is_a_good_beginning)
{
    struct buf bytes = {0};
    notation_put(&bytes, scan_cases[_i].words);
    for (size_t cut = 0; scan_cases[_i].err == DKV_OK && cut < bytes.len; cut++) {
        struct pack_scan scan = {0};
        size_t len = 0;
        ck_assert_int_eq(pack_scan(&scan, slice_of(bytes.data, cut), SCAN_MAX, &len), DKV_MORE);
    }
    buf_fini(&bytes);
}
END_TEST

START_TEST(byte_by_byte_gives_the_same_answer_as_the_whole)
{
    struct buf bytes = {0};
    notation_put(&bytes, scan_cases[_i].words);
    struct pack_scan scan = {0};
    size_t len = 0;
    dkv_err err = DKV_MORE;
    for (size_t fed = 0; fed <= bytes.len && err == DKV_MORE; fed++) {
        err = pack_scan(&scan, slice_of(bytes.data, fed), SCAN_MAX, &len);
    }
    ck_assert_int_eq(err, scan_cases[_i].err);
    ck_assert_uint_eq(len, err == DKV_OK ? bytes.len : 0);
    buf_fini(&bytes);
}
END_TEST

START_TEST(what_the_scan_accepts_msgpack_c_accepts)
{
    struct pack_doc *doc = pack_doc_new();
    struct buf bytes = {0};
    notation_put(&bytes, scan_cases[_i].words);
    const struct pack_value *root = NULL;
    dkv_err err = pack_parse(doc, buf_slice(&bytes), &root);
    ck_assert_msg(scan_cases[_i].err != DKV_OK || err == DKV_OK, "%s", scan_cases[_i].words);
    ck_assert_msg(scan_cases[_i].err != DKV_MALFORMED || err == DKV_MALFORMED, "%s", scan_cases[_i].words);
    pack_doc_free(doc);
    buf_fini(&bytes);
}
END_TEST

/* The answer to a container that claims n children, of which none is there. */
static dkv_err scan_claim(void (*put)(struct buf *out, uint32_t n), uint32_t n)
{
    struct buf bytes = {0};
    struct pack_scan scan = {0};
    size_t len = 0;
    put(&bytes, n);
    dkv_err err = pack_scan(&scan, buf_slice(&bytes), SIZE_MAX, &len);
    buf_fini(&bytes);
    return err;
}

START_TEST(more_items_than_allowed_are_refused_when_claimed)
{
    ck_assert_int_eq(scan_claim(pack_put_array, PACK_ITEMS_MAX), DKV_MORE);
    ck_assert_int_eq(scan_claim(pack_put_array, PACK_ITEMS_MAX + 1), DKV_MALFORMED);
    ck_assert_int_eq(scan_claim(pack_put_map, PACK_ITEMS_MAX / 2), DKV_MORE);
    ck_assert_int_eq(scan_claim(pack_put_map, PACK_ITEMS_MAX / 2 + 1), DKV_MALFORMED);

    struct buf bytes = {0};
    struct pack_scan scan = {0};
    size_t len = 0;
    pack_put_array(&bytes, PACK_ITEMS_MAX / 2 + 1);
    pack_put_array(&bytes, PACK_ITEMS_MAX / 2);
    ck_assert_int_eq(pack_scan(&scan, buf_slice(&bytes), SIZE_MAX, &len), DKV_MALFORMED);
    buf_fini(&bytes);
}
END_TEST

START_TEST(a_refusal_stays_a_refusal)
{
    struct pack_scan scan = {0};
    size_t len = 0;
    struct slice in = slice_of("\x92\x01\xc1\x01\x01", 5);
    ck_assert_int_eq(pack_scan(&scan, slice_of(in.data, 3), SCAN_MAX, &len), DKV_MALFORMED);
    ck_assert_int_eq(pack_scan(&scan, in, SCAN_MAX, &len), DKV_MALFORMED);
}
END_TEST

START_TEST(a_thousand_objects_in_one_write_are_a_thousand_objects)
{
    struct buf bytes = {0};
    for (unsigned i = 0; i < 1000; i++) {
        notation_put(&bytes, "[2 'ping {1 'n");
        pack_put_u64(&bytes, 77ull * i * i);
    }
    struct pack_scan scan = {0};
    size_t at = 0;
    unsigned count = 0;
    while (at < bytes.len) {
        size_t len = 0;
        ck_assert_int_eq(pack_scan(&scan, slice_of(bytes.data + at, bytes.len - at), SCAN_MAX, &len), DKV_OK);
        at += len;
        count++;
    }
    ck_assert_uint_eq(count, 1000);
    buf_fini(&bytes);
}
END_TEST

#define SMALL (3u + 3999u) /* the array's head and its one-byte items */

/* Each call goes on where the last one stopped: quadratic work on this input would run into the timeout, and
 * the private place of the walk shows it directly. */
START_TEST(a_large_object_byte_by_byte_costs_linear_time)
{
    struct buf bytes = {0};
    pack_put_array(&bytes, 4000);
    for (unsigned i = 0; i < 3999; i++) {
        pack_put_u64(&bytes, i % 100);
    }
    notation_put(&bytes, "*1000000");
    struct pack_scan scan = {0};
    size_t len = 0;
    size_t wrong = 0;
    for (size_t fed = 0; fed < bytes.len; fed++) {
        dkv_err err = pack_scan(&scan, slice_of(bytes.data, fed), VALUE_BYTES_MAX, &len);
        size_t walked = fed < 3 ? 0 : fed < SMALL ? fed : SMALL;
        wrong += err != DKV_MORE || scan.at != walked ? 1 : 0; /* an assertion a byte would take minutes */
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(pack_scan(&scan, buf_slice(&bytes), VALUE_BYTES_MAX, &len), DKV_OK);
    ck_assert_uint_eq(len, bytes.len);
    buf_fini(&bytes);
}
END_TEST

/* Bytes weighted towards containers and claims. */
static uint8_t hostile_byte(struct rng *rng)
{
    static const uint8_t bases[] = {0x00, 0x80, 0x90, 0xa0, 0xc0, 0xd0, 0xe0};
    return (uint8_t)(bases[rng_below(rng, sizeof bases)] | rng_below(rng, 16));
}

START_TEST(random_bytes_are_parsed_exactly_when_they_are_walked)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct pack_doc *doc = pack_doc_new();
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[24];
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = hostile_byte(&rng);
        }
        struct pack_scan scan = {0};
        struct slice in = slice_of(bytes, 1 + rng_below(&rng, sizeof bytes));
        size_t len = 0;
        bool walked = pack_scan(&scan, in, in.len, &len) == DKV_OK;
        const struct pack_value *root = NULL;
        dkv_err err = pack_parse(doc, walked ? slice_of(bytes, len) : in, &root);
        ck_assert_int_eq(err, walked ? DKV_OK : DKV_MALFORMED);
    }
    pack_doc_free(doc);
}
END_TEST

START_TEST(parsing_takes_exactly_one_object)
{
    struct pack_doc *doc = pack_doc_new();
    const struct pack_value *root = NULL;
    ck_assert_int_eq(pack_parse(doc, slice_of("\x01", 1), &root), DKV_OK);
    ck_assert_int_eq(pack_parse(doc, slice_of("\x01\x01", 2), &root), DKV_MALFORMED);
    ck_assert_int_eq(pack_parse(doc, slice_of("\x92\x01", 2), &root), DKV_MALFORMED);
    ck_assert_int_eq(pack_parse(doc, (struct slice){0}, &root), DKV_MALFORMED);
    pack_doc_free(doc);
}
END_TEST

/* The bound of a stream is not that of a body which is all there. */
START_TEST(a_body_may_have_as_many_items_as_it_has_bytes)
{
    struct pack_doc *doc = pack_doc_new();
    struct buf bytes = {0};
    pack_put_array(&bytes, 2 * PACK_ITEMS_MAX);
    for (unsigned i = 0; i < 2 * PACK_ITEMS_MAX; i++) {
        pack_put_nil(&bytes);
    }
    const struct pack_value *root = NULL;
    ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &root), DKV_OK);
    ck_assert(pack_is_nil(pack_at(root, 2 * PACK_ITEMS_MAX - 1)));
    ck_assert_ptr_null(pack_at(root, 2 * PACK_ITEMS_MAX));
    pack_doc_free(doc);
    buf_fini(&bytes);
}
END_TEST

/* Which accessors take a value. */
enum { NIL = 1, NUMBER = 2, BOOL = 4, BYTES = 8, ARRAY = 16, MAP = 32 };

START_TEST(each_accessor_takes_its_own_types_only)
{
    static const struct {
        const char *words;
        unsigned taken;
    } cases[] = {
        {"nil", NIL},
        {"0", NUMBER},
        {"18446744073709551615", NUMBER},
        {"xd005", NUMBER}, /* positive in a signed type */
        {"xd0ff", 0},      /* -1 */
        {"xff", 0},
        {"xd38000000000000000", 0},
        {"xca3f800000", 0}, /* 1.0 */
        {"xcb3ff0000000000000", 0},
        {"xcb7ff8000000000000", 0}, /* not a number */
        {"true", BOOL},
        {"false", BOOL},
        {"'a", BYTES},
        {"#61", BYTES},
        {"[1 1", ARRAY},
        {"{1 'a 1", MAP},
    };
    struct pack_doc *doc = pack_doc_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf bytes = {0};
        notation_put(&bytes, cases[i].words);
        const struct pack_value *v = NULL;
        ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &v), DKV_OK);
        uint64_t number;
        uint32_t n;
        bool truth;
        struct slice s;
        unsigned taken = (pack_is_nil(v) ? NIL : 0u) | (pack_get_u64(v, &number) ? NUMBER : 0u) |
                         (pack_get_bool(v, &truth) ? BOOL : 0u) | (pack_get_bytes(v, &s) ? BYTES : 0u) |
                         (pack_get_array(v, &n) ? ARRAY : 0u) | (pack_get_map(v, &n) ? MAP : 0u);
        ck_assert_msg(taken == cases[i].taken, "%s", cases[i].words);
        buf_fini(&bytes);
    }
    pack_doc_free(doc);
}
END_TEST

START_TEST(no_value_is_of_no_type)
{
    uint64_t number;
    uint32_t n;
    bool truth;
    struct slice s;
    ck_assert(!pack_is_nil(NULL));
    ck_assert(!pack_get_u64(NULL, &number));
    ck_assert(!pack_get_bool(NULL, &truth));
    ck_assert(!pack_get_bytes(NULL, &s));
    ck_assert(!pack_get_array(NULL, &n));
    ck_assert(!pack_get_map(NULL, &n));
    ck_assert(!pack_map_is_sound(NULL));
    ck_assert_ptr_null(pack_at(NULL, 0));
    ck_assert_ptr_null(pack_find(NULL, "a"));
}
END_TEST

START_TEST(a_sound_map_has_different_text_keys)
{
    static const struct {
        const char *words;
        bool sound;
    } cases[] = {
        {"{0", true},
        {"{2 'a 1 'b 2", true},
        {"{2 'a 1 'aa 2", true},
        {"{2 'a 1 'a 2", false},
        {"{3 'a 1 'b 2 'a 3", false},
        {"{1 1 2", false},
        {"{1 #61 1", false}, /* a bin is no text */
        {"{1 nil 1", false},
        {"[0", false},
        {"nil", false},
    };
    struct pack_doc *doc = pack_doc_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf bytes = {0};
        notation_put(&bytes, cases[i].words);
        const struct pack_value *root = NULL;
        ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &root), DKV_OK);
        ck_assert_msg(pack_map_is_sound(root) == cases[i].sound, "%s", cases[i].words);
        buf_fini(&bytes);
    }
    pack_doc_free(doc);
}
END_TEST

static bool sound_with_keys(uint32_t n)
{
    struct pack_doc *doc = pack_doc_new();
    struct buf bytes = {0};
    pack_put_map(&bytes, n);
    for (uint32_t i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        pack_put_str(&bytes, key);
        pack_put_nil(&bytes);
    }
    const struct pack_value *root = NULL;
    ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &root), DKV_OK);
    bool sound = pack_map_is_sound(root);
    buf_fini(&bytes);
    pack_doc_free(doc);
    return sound;
}

START_TEST(a_map_with_too_many_keys_is_unsound)
{
    ck_assert(sound_with_keys(PACK_KEYS_MAX));
    ck_assert(!sound_with_keys(PACK_KEYS_MAX + 1));
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    static const uint64_t numbers[] = {0,     127,   128,        255,        256,
                                       65535, 65536, UINT32_MAX, 1ull << 32, UINT64_MAX};
    struct pack_doc *doc = pack_doc_new();
    struct buf bytes = {0};
    const uint32_t n = sizeof numbers / sizeof numbers[0];
    pack_put_map(&bytes, 2);
    pack_put_str(&bytes, "numbers");
    pack_put_array(&bytes, n);
    for (uint32_t i = 0; i < n; i++) {
        pack_put_u64(&bytes, numbers[i]);
    }
    pack_put_str(&bytes, "empty");
    pack_put_bin(&bytes, (struct slice){0});

    const struct pack_value *root = NULL;
    ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &root), DKV_OK);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t number = 0;
        ck_assert(pack_get_u64(pack_at(pack_find(root, "numbers"), i), &number));
        ck_assert_uint_eq(number, numbers[i]);
    }
    struct slice empty = slice_str("x");
    ck_assert(pack_get_bytes(pack_find(root, "empty"), &empty));
    ck_assert_uint_eq(empty.len, 0);
    ck_assert_ptr_null(pack_find(root, "number"));
    pack_doc_free(doc);
    buf_fini(&bytes);
}
END_TEST

START_TEST(a_doc_is_reusable_and_needs_memory)
{
    mem_fail_after(0);
    ck_assert_ptr_null(pack_doc_new());
    mem_fail_after(-1);
    struct pack_doc *doc = pack_doc_new();
    struct buf bytes = {0};
    notation_put(&bytes, "[2 {1 'a 1 *5000");
    for (int i = 0; i < 1000; i++) {
        const struct pack_value *root = NULL;
        struct slice filler = {0};
        ck_assert_int_eq(pack_parse(doc, buf_slice(&bytes), &root), DKV_OK);
        ck_assert(pack_get_bytes(pack_at(root, 1), &filler));
        ck_assert_ptr_eq(filler.data + filler.len, bytes.data + bytes.len); /* not copied */
    }
    buf_fini(&bytes);
    pack_doc_free(doc);
    pack_doc_free(NULL);
}
END_TEST

Suite *pack_suite(void)
{
    Suite *suite = suite_create("pack");
    TCase *cases = tcase_create("pack");
    tcase_add_loop_test(cases, an_object_is_accepted_or_refused_as_a_whole, 0, SCAN_CASES);
    tcase_add_loop_test(cases, every_cut_of_an_object_is_a_good_beginning, 0, SCAN_CASES);
    tcase_add_loop_test(cases, byte_by_byte_gives_the_same_answer_as_the_whole, 0, SCAN_CASES);
    tcase_add_loop_test(cases, what_the_scan_accepts_msgpack_c_accepts, 0, SCAN_CASES);
    tcase_add_test(cases, more_items_than_allowed_are_refused_when_claimed);
    tcase_add_test(cases, a_refusal_stays_a_refusal);
    tcase_add_test(cases, a_thousand_objects_in_one_write_are_a_thousand_objects);
    tcase_add_test(cases, a_large_object_byte_by_byte_costs_linear_time);
    tcase_add_loop_test(cases, random_bytes_are_parsed_exactly_when_they_are_walked, 0, 50);
    tcase_add_test(cases, parsing_takes_exactly_one_object);
    tcase_add_test(cases, a_body_may_have_as_many_items_as_it_has_bytes);
    tcase_add_test(cases, each_accessor_takes_its_own_types_only);
    tcase_add_test(cases, no_value_is_of_no_type);
    tcase_add_test(cases, a_sound_map_has_different_text_keys);
    tcase_add_test(cases, a_map_with_too_many_keys_is_unsound);
    tcase_add_test(cases, what_is_written_is_read_back);
    tcase_add_test(cases, a_doc_is_reusable_and_needs_memory);
    suite_add_tcase(suite, cases);
    return suite;
}

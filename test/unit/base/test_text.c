/* test_text.c - what people write, good and bad side by side. */
#include "suites.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"

struct number_case {
    const char *text;
    bool good;
    uint64_t value;
};

typedef dkv_err (*parse_number_fn)(struct slice s, uint64_t *out);

#define UNTOUCHED 4711u

static void check_numbers(parse_number_fn parse, const struct number_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = UNTOUCHED;
        dkv_err err = parse(slice_str(cases[i].text), &value);
        ck_assert_msg(err == (cases[i].good ? DKV_OK : DKV_CONFIG), "\"%s\"", cases[i].text);
        ck_assert_msg(value == (cases[i].good ? cases[i].value : UNTOUCHED), "\"%s\"", cases[i].text);
    }
}
#define CHECK_NUMBERS(parse, cases) check_numbers(parse, cases, sizeof(cases) / sizeof(cases)[0])

START_TEST(whole_numbers_are_digits_only)
{
    static const struct number_case cases[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"0x10", false, 0},
        {"1e3", false, 0},
        {"1.0", false, 0},
    };
    CHECK_NUMBERS(text_parse_u64, cases);
}
END_TEST

START_TEST(durations_have_a_unit)
{
    static const struct number_case cases[] = {
        {"250ms", true, 250},
        {"5s", true, 5000},
        {"2m", true, 120000},
        {"1h", true, 3600000},
        {"0", true, 0},
        {"0s", true, 0},
        {"18446744073709551615ms", true, UINT64_MAX},
        {"18446744073709551615s", false, 0},
        {"5", false, 0},
        {"00", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"5 s", false, 0},
        {"5S", false, 0},
        {"5sec", false, 0},
        {"-5s", false, 0},
        {"1.5s", false, 0},
        {"1m30s", false, 0},
    };
    CHECK_NUMBERS(text_parse_duration, cases);
}
END_TEST

START_TEST(sizes_are_powers_of_1024)
{
    static const struct number_case cases[] = {
        {"4096", true, 4096},       {"64K", true, 65536}, {"1M", true, 1u << 20},
        {"2G", true, 2ull << 30},   {"0", true, 0},       {"17179869183G", true, 17179869183ull << 30},
        {"17179869184G", false, 0}, {"", false, 0},       {"K", false, 0},
        {"1k", false, 0},           {"1KiB", false, 0},   {"1KB", false, 0},
        {"1e3", false, 0},          {"-1", false, 0},     {"1T", false, 0},
    };
    CHECK_NUMBERS(text_parse_size, cases);
}
END_TEST

START_TEST(a_number_ends_where_its_slice_ends)
{
    uint64_t value = 0;
    ck_assert_int_eq(text_parse_u64(slice_of("1234", 2), &value), DKV_OK);
    ck_assert_uint_eq(value, 12);
    ck_assert_int_eq(text_parse_duration(slice_of("5ms", 1), &value), DKV_CONFIG);
    ck_assert_int_eq(text_parse_u64(slice_of("1\0", 2), &value), DKV_CONFIG);
    ck_assert_int_eq(text_parse_u64((struct slice){0}, &value), DKV_CONFIG);
}
END_TEST

static const struct {
    const char *text;
    const char *host; /* NULL: refused */
    uint16_t port;
} address_cases[] = {
    {"127.0.0.1:7000", "127.0.0.1", 7000},
    {"localhost:1", "localhost", 1},
    {"n1.example_net-work.org:65535", "n1.example_net-work.org", 65535},
    {"4node:80", "4node", 80},
    {"[::1]:7000", "::1", 7000},
    {"[fe80::1:2]:7000", "fe80::1:2", 7000},
    {"[::ffff:10.0.0.1]:7000", "::ffff:10.0.0.1", 7000},
    {"", NULL, 0},
    {":", NULL, 0},
    {"host", NULL, 0},
    {"host:", NULL, 0},
    {":7000", NULL, 0},
    {"host:0", NULL, 0},
    {"host:65536", NULL, 0},
    {"host:-1", NULL, 0},
    {"host:80x", NULL, 0},
    {"host: 80", NULL, 0},
    {"ho st:80", NULL, 0},
    {"host:80:80", NULL, 0},
    {"::1:7000", NULL, 0},
    {"[::1]7000", NULL, 0},
    {"[::1]", NULL, 0},
    {"[]:7000", NULL, 0},
    {"[:7000", NULL, 0},
    {"[localhost]:7000", NULL, 0},
    {"[127.0.0.1]:7000", NULL, 0},
    {"[fe80::1%eth0]:7000", NULL, 0},
    {"1.2.3:80", NULL, 0},
    {"256.0.0.1:80", NULL, 0},
    {"127.1:80", NULL, 0},
    {".host:80", NULL, 0},
    {"host.:80", NULL, 0},
    {"a..b:80", NULL, 0},
    {"-host:80", NULL, 0},
    {"a.-b:80", NULL, 0},
    {"h\xc3\xb6st:80", NULL, 0},
    {"http://host:80", NULL, 0},
};

START_TEST(addresses_are_a_host_and_a_port)
{
    struct address address = {.port = 1};
    const char *host = address_cases[_i].host;
    dkv_err err = text_parse_address(slice_str(address_cases[_i].text), &address);
    if (host == NULL) {
        ck_assert_msg(err == DKV_CONFIG, "\"%s\"", address_cases[_i].text);
        ck_assert_uint_eq(address.port, 1);
        return;
    }
    ck_assert_msg(err == DKV_OK, "\"%s\"", address_cases[_i].text);
    ck_assert_str_eq(address.host, host);
    ck_assert_uint_eq(address.port, address_cases[_i].port);
    struct buf again = {0};
    text_format_address(&address, &again);
    ck_assert(slice_eq(buf_slice(&again), slice_str(address_cases[_i].text)));
    buf_fini(&again);
}
END_TEST

START_TEST(an_address_has_a_longest_length)
{
    char text[ADDRESS_MAX + 2];
    struct address address;
    memset(text, 'a', sizeof text);
    memcpy(text + ADDRESS_MAX - 3, ":80", 3);
    ck_assert_int_eq(text_parse_address(slice_of(text, ADDRESS_MAX), &address), DKV_OK);
    memcpy(text + ADDRESS_MAX - 3, "a:80", 4);
    ck_assert_int_eq(text_parse_address(slice_of(text, ADDRESS_MAX + 1), &address), DKV_CONFIG);
    ck_assert_int_eq(text_parse_address(slice_of("a\0b:80", 6), &address), DKV_CONFIG);
}
END_TEST

START_TEST(loopback_is_this_machine_only)
{
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true},  {"127.9.8.7:1", true}, {"[::1]:1", true},          {"localhost:1", true},
        {"LocalHost:1", true},  {"0.0.0.0:1", false},  {"[::]:1", false},          {"10.0.0.1:1", false},
        {"128.0.0.1:1", false}, {"[::2]:1", false},    {"localhost.org:1", false}, {"127.0.0.1.org:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        ck_assert_int_eq(text_parse_address(slice_str(cases[i].text), &address), DKV_OK);
        ck_assert_msg(text_is_loopback(&address) == cases[i].loopback, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(names_are_plain)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"n1", true},
        {"9", true},
        {"a.b_c-d", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},   /* 63 */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}, /* 64 */
        {"", false},
        {"-a", false},
        {".", false},
        {"_a", false},
        {"a b", false},
        {"a=b", false},
        {"a/b", false},
        {"\xc3\xa4", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(text_is_name(slice_str(cases[i].text)) == cases[i].good, "\"%s\"", cases[i].text);
    }
}
END_TEST

START_TEST(utf8_has_one_form_per_character)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true}, /* just below the surrogates */
        {"\xee\x80\x80", true}, /* just above */
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false}, /* overlong NUL */
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xc2x", false},
        {"\xe0\x9f\xbf", false}, /* overlong */
        {"\xe1\x80", false},
        {"\xe1\x80x", false},
        {"\xed\xa0\x80", false}, /* surrogates */
        {"\xed\xbf\xbf", false},
        {"\xf0\x8f\xbf\xbf", false}, /* overlong */
        {"\xf0\x90\x80", false},
        {"\xf1\x80\x80x", false},
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"good\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(text_is_utf8(slice_str(cases[i].text)) == cases[i].good, "case %zu", i);
    }
    ck_assert(text_is_utf8(slice_of("a\0b", 3)));
}
END_TEST

START_TEST(escaped_text_is_printable_and_short)
{
    static const struct {
        const char *text;
        size_t len;
        size_t max;
        const char *escaped;
    } cases[] = {
        {"plain it's", 10, 64, "plain it's"},
        {"", 0, 64, ""},
        {"a\"b\\c", 5, 64, "a\\\"b\\\\c"},
        {"\n\x1b[31m", 6, 64, "\\x0a\\x1b[31m"},
        {"\0\x7f\xff", 3, 64, "\\x00\\x7f\\xff"},
        {"abcdef", 6, 6, "abcdef"},
        {"abcdef", 6, 5, "abcde..."},
        {"abcdef", 6, 0, "..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        text_escape(slice_of(cases[i].text, cases[i].len), cases[i].max, &out);
        ck_assert_msg(slice_eq(buf_slice(&out), slice_str(cases[i].escaped)), "case %zu", i);
        buf_fini(&out);
    }
}
END_TEST

struct bytes_case {
    const char *text;
    const char *bytes; /* NULL: refused */
};

typedef dkv_err (*parse_bytes_fn)(struct slice s, struct buf *out);

/* What is refused leaves the bytes that were there before. */
static void check_bytes(parse_bytes_fn parse, const struct bytes_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf out = {0};
        buf_put_text(&out, "+");
        dkv_err err = parse(slice_str(cases[i].text), &out);
        const char *expected = cases[i].bytes == NULL ? "" : cases[i].bytes;
        ck_assert_msg(err == (cases[i].bytes == NULL ? DKV_CONFIG : DKV_OK), "\"%s\"", cases[i].text);
        ck_assert_msg(slice_eq(slice_of(out.data + 1, out.len - 1), slice_str(expected)), "\"%s\"",
                      cases[i].text);
        buf_fini(&out);
    }
}
#define CHECK_BYTES(parse, cases) check_bytes(parse, cases, sizeof(cases) / sizeof(cases)[0])

START_TEST(hex_is_pairs_of_digits)
{
    static const struct bytes_case cases[] = {
        {"61", "a"},   {"6a6B6c", "jkl"}, {"fF", "\xff"}, {"", NULL},     {"6", NULL},
        {"616", NULL}, {"6g", NULL},      {"g6", NULL},   {"0x61", NULL}, {"61 62", NULL},
    };
    CHECK_BYTES(text_parse_hex, cases);
}
END_TEST

START_TEST(base64_is_padded_and_has_one_form)
{
    static const struct bytes_case cases[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
        {"", NULL},
        {"Zg", NULL},
        {"Zg=", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zm=v", NULL},
        {"Zh==", NULL}, /* bits where the padding has none */
        {"Zm9=", NULL},
        {"Zm 9v", NULL},
        {"Zm-_", NULL}, /* the alphabet for URLs */
    };
    CHECK_BYTES(text_parse_base64, cases);
}
END_TEST

START_TEST(random_bytes_survive_hex_and_base64)
{
    struct rng rng = {.state = (uint64_t)_i + 1};
    uint8_t bytes[64];
    size_t len = rng_below(&rng, sizeof bytes) + 1;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    struct buf text = {0};
    struct buf back = {0};
    text_put_hex(slice_of(bytes, len), &text);
    ck_assert_int_eq(text_parse_hex(buf_slice(&text), &back), DKV_OK);
    ck_assert(slice_eq(buf_slice(&back), slice_of(bytes, len)));
    buf_reset(&text);
    buf_reset(&back);
    text_put_base64(slice_of(bytes, len), &text);
    ck_assert_int_eq(text_parse_base64(buf_slice(&text), &back), DKV_OK);
    ck_assert(slice_eq(buf_slice(&back), slice_of(bytes, len)));
    buf_fini(&text);
    buf_fini(&back);
}
END_TEST

START_TEST(no_memory_is_told_apart_from_bad_text)
{
    struct buf out = {0};
    mem_fail_after(0);
    dkv_err hex = text_parse_hex(slice_str("61"), &out);
    buf_reset(&out);
    dkv_err base64 = text_parse_base64(slice_str("Zg=="), &out);
    mem_fail_after(-1);
    ck_assert_int_eq(hex, DKV_NO_MEMORY);
    ck_assert_int_eq(base64, DKV_NO_MEMORY);
    buf_fini(&out);
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *cases = tcase_create("text");
    tcase_add_test(cases, whole_numbers_are_digits_only);
    tcase_add_test(cases, durations_have_a_unit);
    tcase_add_test(cases, sizes_are_powers_of_1024);
    tcase_add_test(cases, a_number_ends_where_its_slice_ends);
    tcase_add_loop_test(cases, addresses_are_a_host_and_a_port, 0,
                        (int)(sizeof address_cases / sizeof address_cases[0]));
    tcase_add_test(cases, an_address_has_a_longest_length);
    tcase_add_test(cases, loopback_is_this_machine_only);
    tcase_add_test(cases, names_are_plain);
    tcase_add_test(cases, utf8_has_one_form_per_character);
    tcase_add_test(cases, escaped_text_is_printable_and_short);
    tcase_add_test(cases, hex_is_pairs_of_digits);
    tcase_add_test(cases, base64_is_padded_and_has_one_form);
    tcase_add_loop_test(cases, random_bytes_survive_hex_and_base64, 0, 50);
    tcase_add_test(cases, no_memory_is_told_apart_from_bad_text);
    suite_add_tcase(suite, cases);
    return suite;
}

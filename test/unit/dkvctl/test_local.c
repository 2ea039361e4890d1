/* test_local.c - the settings of a local cluster. */
#include "suites.h"

#include "dkvctl/local.h"

#define GOOD "nodes=3\nshards=8\nreplicas=3\nclient-port=5000\npeer-port=7000\n"

static const struct {
    const char *text;
    dkv_err err;
} files[] = {
    {GOOD, DKV_OK},
    {GOOD "flag=--election-timeout=300ms\nflag=--heartbeat=50ms\n", DKV_OK},
    {"nodes=1\nshards=1\nreplicas=1\nclient-port=65535\npeer-port=1", DKV_OK},
    {"", DKV_CONFIG},
    {GOOD "color=blue\n", DKV_CONFIG},
    {GOOD "nodes\n", DKV_CONFIG},
    {GOOD "nodes=three\n", DKV_CONFIG},
    {GOOD "\n", DKV_CONFIG},
    {GOOD "nodes=0\n", DKV_CONFIG},
    {GOOD "nodes=65\n", DKV_CONFIG},
    {GOOD "shards=0\n", DKV_CONFIG},
    {GOOD "shards=4097\n", DKV_CONFIG},
    {GOOD "replicas=2\n", DKV_CONFIG},
    {GOOD "replicas=5\n", DKV_CONFIG},
    {GOOD "client-port=0\n", DKV_CONFIG},
    {GOOD "client-port=65534\n", DKV_CONFIG},
    {GOOD "client-port=6998\n", DKV_CONFIG},
    {GOOD "client-port=7002\n", DKV_CONFIG},
};

START_TEST(settings_are_taken_whole_or_refused)
{
    struct local l = {0};
    struct buf why = {0};
    ck_assert_int_eq(local_parse(slice_str(files[_i].text), &l, &why), files[_i].err);
    ck_assert_int_eq(why.len > 0, files[_i].err != DKV_OK);
    local_fini(&l);
    buf_fini(&why);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    struct local l = {0};
    struct buf why = {0};
    struct buf out = {0};
    ck_assert_int_eq(local_parse(slice_str(files[1].text), &l, &why), DKV_OK);
    ck_assert_uint_eq(l.flag_count, 2);
    local_format(&l, &out);
    ck_assert(slice_eq(buf_slice(&out), slice_str(files[1].text)));
    local_fini(&l);
    buf_fini(&why);
    buf_fini(&out);
}
END_TEST

START_TEST(nodes_are_found_by_their_exact_names)
{
    static const struct {
        const char *name;
        unsigned node;
    } names[] = {{"n1", 1}, {"n3", 3}, {"n4", 0}, {"n0", 0},  {"n01", 0}, {"n", 0},
                 {"", 0},   {"1", 0},  {"N1", 0}, {"n1x", 0}, {"n-1", 0}, {"n99999999999999999999", 0}};
    const struct local l = {.nodes = 3};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_uint_eq(local_find(&l, names[i].name), names[i].node);
    }
}
END_TEST

Suite *local_suite(void)
{
    Suite *s = suite_create("local");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, settings_are_taken_whole_or_refused, 0, sizeof files / sizeof files[0]);
    tcase_add_test(t, what_is_written_is_read_back);
    tcase_add_test(t, nodes_are_found_by_their_exact_names);
    suite_add_tcase(s, t);
    return s;
}

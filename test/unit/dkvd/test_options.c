/* test_options.c - what dkvd is started with: good and bad settings, from flags, environment and file. */
#include "dkvd/options.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARGC_MAX 24

static struct options options;
static struct buf why;
static char path[32];

static void setup(void)
{
    snprintf(path, sizeof path, "/tmp/dkv-options.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(setenv("DKVD_NAME", "n1", 1), 0); /* the host's name may be anything */
}

static void teardown(void)
{
    options_fini(&options);
    buf_fini(&why);
    unlink(path);
}

/* Parse words that are parted by single spaces; they stay where they are until the next call. */
static dkv_err parse_into(const char *line, struct options *out)
{
    static char words[2][1024];
    static char *argv[2][ARGC_MAX + 1];
    static unsigned turn;
    turn = 1 - turn;
    int argc = 1;
    char *rest = NULL;
    argv[turn][0] = words[turn];
    snprintf(words[turn], sizeof words[turn], "%s", line);
    for (char *word = strtok_r(words[turn], " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        ck_assert_int_lt(argc, ARGC_MAX);
        argv[turn][argc++] = word;
    }
    buf_reset(&why);
    dkv_err err = options_parse(argc, argv[turn], out, &why);
    buf_put_u8(&why, '\0');
    return err;
}

static dkv_err parse(const char *line)
{
    return parse_into(line, &options);
}

static void put_file(const struct slice text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text.data, 1, text.len, f), text.len);
    ck_assert_int_eq(fclose(f), 0);
}

static dkv_err parse_file(const char *text, struct options *out)
{
    char line[64];
    put_file(slice_str(text));
    snprintf(line, sizeof line, "--config %s", path);
    return parse_into(line, out);
}

START_TEST(without_anything_it_is_one_node_with_the_defaults)
{
    ck_assert_int_eq(parse(""), DKV_OK);
    ck_assert_str_eq(options.name, "n1");
    ck_assert_str_eq(options.advertise_client, "127.0.0.1:5000");
    ck_assert_uint_eq(options.peer.port, 7000);
    ck_assert_uint_eq(options.map->node_count, 1);
    ck_assert_uint_eq(options.map->shard_count, 9);
    ck_assert_uint_eq(options.settings.replicas, 1);
    ck_assert_uint_eq(options.settings.max_conns, 10000);
    ck_assert_uint_eq(options.settings.max_key, KEY_BYTES_MAX);
    ck_assert_uint_eq(options.settings.max_value, VALUE_BYTES_MAX);
    ck_assert_uint_eq(options.settings.max_memory, 0);
    ck_assert(!options.conns_given);
}
END_TEST

START_TEST(an_empty_file_is_the_defaults)
{
    struct buf without = {0};
    struct buf with = {0};
    ck_assert_int_eq(parse(""), DKV_OK);
    options_print(&options, &without);
    options_fini(&options);
    ck_assert_int_eq(parse_file("", &options), DKV_OK);
    options_print(&options, &with);
    ck_assert(slice_eq(buf_slice(&without), buf_slice(&with)));
    buf_fini(&without);
    buf_fini(&with);
}
END_TEST

/* The line may name settings in any form; why NULL: it is taken. */
static const struct {
    const char *line;
    const char *why;
} cases[] = {
    {"--help --shards 0", NULL}, /* a question is answered whatever else is wrong */
    {"--version operand", "operand: dkvd takes flags only; --help lists them all"},
    {"start", "start: dkvd takes flags only; --help lists them all"},
    {"--shard 3", "--shard: unknown flag; did you mean --shards?"},

    {"--shards 1", NULL},
    {"--shards 4095", NULL},
    {"--shards 0", "--shards: \"0\": allowed are 1 to 4095"},
    {"--shards 4096", "--shards: \"4096\": allowed are 1 to 4095"},
    {"--shards 18446744073709551615", "--shards: \"18446744073709551615\": allowed are 1 to 4095"},
    {"--shards 18446744073709551616", "--shards: \"18446744073709551616\" is not a whole number"},
    {"--vnodes 0", "--vnodes: \"0\": allowed are 1 to 1024"},
    {"--vnodes 1025", "--vnodes: \"1025\": allowed are 1 to 1024"},

    {"--replicas 1", NULL},
    {"--replicas 0", "--replicas: \"0\": allowed are odd numbers up to 7 and up to the number of nodes, 1"},
    {"--replicas 2", "--replicas: \"2\": allowed are odd numbers up to 7 and up to the number of nodes, 1"},
    {"--replicas 3", "--replicas: \"3\": allowed are odd numbers up to 7 and up to the number of nodes, 1"},
    {"--initial-cluster n1=a:1,n2=b:1,n3=c:1", NULL},
    {"--initial-cluster n1=a:1,n2=b:1,n3=c:1 --replicas 2",
     "--replicas: \"2\": allowed are odd numbers up to 7 and up to the number of nodes, 3"},
    {"--initial-cluster n1=a:1,n2=b:1,n3=c:1 --replicas 5",
     "--replicas: \"5\": allowed are odd numbers up to 7 and up to the number of nodes, 3"},
    {"--initial-cluster n1", "--initial-cluster: \"n1\" is not NAME=HOST:PORT"},
    {"--initial-cluster n1=a:0", "--initial-cluster: \"a:0\" is no address: HOST:PORT or [IPV6]:PORT is "
                                 "allowed, with a port of 1 to 65535"},
    {"--initial-cluster n1=a:1,n1=b:1",
     "--initial-cluster: \"n1\" names two nodes: each needs a name of its own"},
    {"--initial-cluster n1=a:1,n2=A:1",
     "--initial-cluster: n1 and n2 have the same address: each needs one of its own"},
    {"--initial-cluster n2=a:1", "DKVD_NAME: \"n1\": allowed are the names in --initial-cluster"},
    {"--name -n", "--name: \"-n\": allowed are up to 63 letters, digits, '-', '_' and '.'"},
    {"--name a\nb", "--name: \"a\\x0ab\": allowed is UTF-8 without control characters"},
    {"--cluster-token \xff", "--cluster-token: \"\\xff\": allowed is UTF-8 without control characters"},
    {"--data-dir=", "--data-dir: \"\": allowed is the name of a directory"},
    {"--config=", "--config: \"\": allowed is the name of a file"},
    {"--config /nowhere/at/all", "/nowhere/at/all: cannot be read: No such file or directory"},
    {"--config /", "/: is a directory: allowed is a regular file"},

    {"--client 127.0.0.1:1", NULL},
    {"--client localhost:65535", NULL},
    {"--client [::1]:5000", NULL},
    {"--client 127.0.0.1:0",
     "--client: \"127.0.0.1:0\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},
    {"--peer 127.0.0.1:65536",
     "--peer: \"127.0.0.1:65536\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},
    {"--client 5000", "--client: \"5000\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},
    {"--client ::1:5000",
     "--client: \"::1:5000\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},
    {"--client [fe80::1%eth0]:5000",
     "--client: \"[fe80::1%eth0]:5000\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},
    {"--client 127.0.0.1:7000",
     "--client: \"127.0.0.1:7000\": --client and --peer are the same: allowed are two different ones"},
    {"--client Localhost:1 --peer localhost:1",
     "--peer: \"localhost:1\": --client and --peer are the same: allowed are two different ones"},
    {"--client 0.0.0.0:5000",
     "--client: \"0.0.0.0:5000\": there is no authentication, so only loopback is allowed (or "
     "--insecure, in a network you trust)"},
    {"--peer [::]:7000", "--peer: \"[::]:7000\": there is no authentication, so only loopback is allowed (or "
                         "--insecure, in a network you trust)"},
    {"--client 0.0.0.0:5000 --peer [::]:7000 --insecure", NULL},
    {"--advertise-client example.org:80", NULL},
    {"--advertise-client :80",
     "--advertise-client: \":80\": allowed is HOST:PORT or [IPV6]:PORT, with a port of 1 to 65535"},

    {"--heartbeat 333ms", NULL},
    {"--heartbeat 9ms", "--heartbeat: \"9ms\": allowed are 10ms to 10s"},
    {"--heartbeat 11s", "--heartbeat: \"11s\": allowed are 10ms to 10s"},
    {"--election-timeout 61s", "--election-timeout: \"61s\": allowed are 30ms to 1m"},
    {"--election-timeout 301ms", NULL},
    {"--election-timeout 300ms",
     "--election-timeout: \"300ms\": allowed is an --election-timeout, here 300ms, of more "
     "than three times --heartbeat, here 100ms"},
    {"--heartbeat 334ms",
     "--heartbeat: \"334ms\": allowed is an --election-timeout, here 1000ms, of more than three "
     "times --heartbeat, here 334ms"},

    {"--max-conns 1 --max-key 1 --max-value 1 --max-memory 1M", NULL},
    {"--max-conns 1000000 --max-key 4K --max-value 1M --max-memory 17179869183G", NULL},
    {"--max-conns 0", "--max-conns: \"0\": allowed are 1 to 1000000"},
    {"--max-conns 1000001", "--max-conns: \"1000001\": allowed are 1 to 1000000"},
    {"--max-conns 1K", "--max-conns: \"1K\" is not a whole number"},
    {"--max-key 0", "--max-key: \"0\": allowed are 1 to 4K"},
    {"--max-key 4097", "--max-key: \"4097\": allowed are 1 to 4K"},
    {"--max-value 0", "--max-value: \"0\": allowed are 1 to 1M"},
    {"--max-value 1025K", "--max-value: \"1025K\": allowed are 1 to 1M"},
    {"--max-value 1KiB", "--max-value: \"1KiB\" is not a size such as 4096, 64K, 1M or 2G"},
    {"--max-value 1e3", "--max-value: \"1e3\" is not a size such as 4096, 64K, 1M or 2G"},
    {"--max-value -1", "--max-value: \"-1\" is not a size such as 4096, 64K, 1M or 2G"},
    {"--max-memory 1023K",
     "--max-memory: \"1023K\": allowed are 1M and more, or 0 for 80 % of the machine's memory"},
    {"--max-memory 17179869184G", "--max-memory: \"17179869184G\" is not a size such as 4096, 64K, 1M or 2G"},
    {"--log-level loud", "--log-level: \"loud\": allowed are error, warn, info and debug"},
};

START_TEST(a_setting_is_taken_or_refused_in_one_line)
{
    dkv_err err = parse(cases[_i].line);
    ck_assert_str_eq((char *)why.data, cases[_i].why == NULL ? "" : cases[_i].why);
    ck_assert_int_eq(err, cases[_i].why == NULL ? DKV_OK : DKV_CONFIG);
    ck_assert_ptr_null(strchr((char *)why.data, '\n'));
}
END_TEST

START_TEST(a_refusal_names_where_the_value_came_from)
{
    char expected[128];
    setenv("DKVD_MAX_KEY", "5K", 1);
    ck_assert_int_eq(parse(""), DKV_CONFIG);
    ck_assert_str_eq((char *)why.data, "DKVD_MAX_KEY: \"5K\": allowed are 1 to 4K");
    unsetenv("DKVD_MAX_KEY");
    options_fini(&options);
    ck_assert_int_eq(parse_file("# keys\n\nmax-key = 5K\n", &options), DKV_CONFIG);
    snprintf(expected, sizeof expected, "%s:3: max-key: \"5K\": allowed are 1 to 4K", path);
    ck_assert_str_eq((char *)why.data, expected);
    options_fini(&options);
    ck_assert_int_eq(parse_file("shards = 0\n", &options), DKV_CONFIG);
    snprintf(expected, sizeof expected, "%s:1: shards: \"0\": allowed are 1 to 4095", path);
    ck_assert_str_eq((char *)why.data, expected);
}
END_TEST

START_TEST(flag_beats_environment_beats_file_beats_default)
{
    char line[128];
    put_file(slice_str("shards = 2\nvnodes = 2\nmax-key = 2K\nmax-conns = 20\n"));
    setenv("DKVD_VNODES", "3", 1);
    setenv("DKVD_MAX_KEY", "3K", 1);
    setenv("DKVD_CONFIG", path, 1);
    snprintf(line, sizeof line, "--max-key 1K");
    ck_assert_int_eq(parse(line), DKV_OK);
    ck_assert_uint_eq(options.settings.max_value, VALUE_BYTES_MAX);
    ck_assert_uint_eq(options.settings.shards, 2);
    ck_assert_uint_eq(options.settings.vnodes, 3);
    ck_assert_uint_eq(options.settings.max_key, 1024);
    ck_assert(options.conns_given);
    unsetenv("DKVD_CONFIG");
}
END_TEST

START_TEST(what_is_printed_makes_the_same_options_again)
{
    struct buf first = {0};
    struct buf second = {0};
    ck_assert_int_eq(
        parse("--name n2 --initial-cluster n1=a:1,n2=b:1,n3=c:1 --client [::1]:9 --data-dir d#=\"x\" "
              "--cluster-token ÄÖ --election-timeout 1500ms --max-value 1000 --insecure --max-memory 3G"),
        DKV_OK);
    options_print(&options, &first);
    options_fini(&options);
    buf_put_u8(&first, '\0');
    unsetenv("DKVD_NAME");
    ck_assert_int_eq(parse_file((const char *)first.data, &options), DKV_OK);
    options_print(&options, &second);
    buf_put_u8(&second, '\0');
    ck_assert_str_eq((char *)first.data, (char *)second.data);
    ck_assert_ptr_nonnull(strstr((char *)second.data, "data-dir = d#=\"x\"\n"));
    ck_assert_ptr_nonnull(strstr((char *)second.data, "replicas = 3\n"));
    ck_assert_str_eq(options.name, "n2");
    buf_fini(&first);
    buf_fini(&second);
}
END_TEST

/* Adopt the file after as options of the file before; the lists end with NUL. */
static void adopt(const char *before, const char *after, struct buf *changed, struct buf *kept)
{
    struct options fresh;
    ck_assert_int_eq(parse_file(before, &options), DKV_OK);
    ck_assert_int_eq(parse_file(after, &fresh), DKV_OK);
    options_adopt(&options, &fresh, changed, kept);
    options_fini(&fresh);
    buf_put_u8(changed, '\0');
    buf_put_u8(kept, '\0');
}

START_TEST(log_level_and_limits_change_while_it_runs_and_nothing_else_does)
{
    struct buf changed = {0};
    struct buf kept = {0};
    struct buf now = {0};
    adopt("shards = 2\nmax-key = 1K\n",
          "shards = 3\ndata-dir = elsewhere\nlog-level = warn\nmax-value = 2K\nmax-conns = 9\nmax-memory = "
          "5M\n",
          &changed, &kept);
    ck_assert_str_eq((char *)changed.data,
                     "max-conns=9 max-memory=5M max-key=4K max-value=2K log-level=warn");
    ck_assert_str_eq((char *)kept.data, "data-dir,shards");
    ck_assert_int_eq(options.log_level, LOG_WARN);
    ck_assert(options.conns_given);
    options_print(&options, &now);
    buf_put_u8(&now, '\0');
    ck_assert_ptr_nonnull(strstr((char *)now.data, "shards = 2\n"));
    ck_assert_ptr_nonnull(strstr((char *)now.data, "data-dir = ./data\n"));
    ck_assert_ptr_nonnull(strstr((char *)now.data, "max-value = 2K\n"));
    ck_assert_ptr_nonnull(strstr((char *)now.data, "log-level = warn\n"));
    buf_fini(&changed);
    buf_fini(&kept);
    buf_fini(&now);
}
END_TEST

START_TEST(the_same_file_again_changes_nothing)
{
    struct buf changed = {0};
    struct buf kept = {0};
    adopt("shards = 2\nmax-key = 1K\n", "# reordered\nmax-key = 1024\nshards = 2\n", &changed, &kept);
    ck_assert_str_eq((char *)changed.data, "");
    ck_assert_str_eq((char *)kept.data, "");
    buf_fini(&changed);
    buf_fini(&kept);
}
END_TEST

START_TEST(help_names_every_setting_that_is_printed)
{
    struct buf help = {0};
    struct buf printed = {0};
    ck_assert_int_eq(parse("--initial-cluster n1=a:1"), DKV_OK);
    options_help(&help);
    buf_put_u8(&help, '\0');
    options_print(&options, &printed);
    buf_put_u8(&printed, '\0');
    char *rest = NULL;
    unsigned lines = 0;
    for (char *line = strtok_r((char *)printed.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char flag[64];
        snprintf(flag, sizeof flag, "--%.*s ", (int)strcspn(line, " "), line);
        ck_assert_msg(strstr((char *)help.data, flag) != NULL, "%s", flag);
        lines++;
    }
    ck_assert_uint_eq(lines, 18);
    buf_fini(&help);
    buf_fini(&printed);
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *t = tcase_create("options");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, without_anything_it_is_one_node_with_the_defaults);
    tcase_add_test(t, an_empty_file_is_the_defaults);
    tcase_add_loop_test(t, a_setting_is_taken_or_refused_in_one_line, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(t, a_refusal_names_where_the_value_came_from);
    tcase_add_test(t, flag_beats_environment_beats_file_beats_default);
    tcase_add_test(t, what_is_printed_makes_the_same_options_again);
    tcase_add_test(t, log_level_and_limits_change_while_it_runs_and_nothing_else_does);
    tcase_add_test(t, the_same_file_again_changes_nothing);
    tcase_add_test(t, help_names_every_setting_that_is_printed);
    suite_add_tcase(suite, t);
    return suite;
}

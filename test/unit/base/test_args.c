/* test_args.c - options from defaults, the environment and flags. */
#include "suites.h"

#include "base/args.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

/* What the rows below fill. */
static struct {
    bool verbose;
    bool no_color;
    bool secret;
    const char *name;
    uint64_t shards;
    uint64_t timeout_ms;
    uint64_t max_value;
} got;

static const struct arg rows[] = {
    {"verbose", 'v', ARG_SWITCH, NULL, NULL, "say more", .on = &got.verbose},
    {"no-color", 0, ARG_SWITCH, NULL, NULL, "plain text", .on = &got.no_color},
    {"secret", 's', ARG_SWITCH, NULL, NULL, "not from the environment", .on = &got.secret, .no_env = true,
     .no_file = true},
    {"name", 'n', ARG_TEXT, "NAME", NULL, "who this is", .text = &got.name},
    {"shards", 0, ARG_U64, "N", "8", "how many", .number = &got.shards},
    {"timeout", 't', ARG_DURATION, "D", "5s", "how long", .number = &got.timeout_ms},
    {"max-value", 0, ARG_SIZE, "SIZE", "1M", "how large", .number = &got.max_value},
};

static const struct arg_set set = {rows, sizeof rows / sizeof rows[0], "DKVTEST_"};

#define ARGC_MAX 10

static char *argv[ARGC_MAX + 1];
static struct buf why;

/* Parse a command line of words without spaces. Words are split in place. */
static dkv_err parse(char *line, bool stop_at_operand, int *operands)
{
    struct arg_input in = {.argc = 1, .argv = argv, .stop_at_operand = stop_at_operand};
    argv[0] = (char *)(uintptr_t) "program";
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        ck_assert_int_lt(in.argc, ARGC_MAX);
        argv[in.argc++] = word;
    }
    buf_reset(&why);
    dkv_err err = args_parse(&set, &in, &why);
    *operands = in.operands;
    buf_put_u8(&why, '\0');
    return err;
}

static void forget(void)
{
    memset(&got, 0, sizeof got);
}

static void tidy(void)
{
    buf_fini(&why);
}

START_TEST(without_flags_the_defaults_hold)
{
    char line[] = "";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_int_eq(operands, 0);
    ck_assert(!got.verbose);
    ck_assert_ptr_null(got.name);
    ck_assert_uint_eq(got.shards, 8);
    ck_assert_uint_eq(got.timeout_ms, 5000);
    ck_assert_uint_eq(got.max_value, 1u << 20);
}
END_TEST

START_TEST(every_form_of_a_flag_is_understood)
{
    char line[] = "-v --no-color --name n1 --shards=16 -t 250ms --max-value=64K";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_int_eq(operands, 0);
    ck_assert(got.verbose && got.no_color && !got.secret);
    ck_assert_str_eq(got.name, "n1");
    ck_assert_uint_eq(got.shards, 16);
    ck_assert_uint_eq(got.timeout_ms, 250);
    ck_assert_uint_eq(got.max_value, 65536);
}
END_TEST

START_TEST(letters_may_be_joined_and_carry_their_value)
{
    char line[] = "-vst2m -nn2";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert(got.verbose && got.secret);
    ck_assert_uint_eq(got.timeout_ms, 120000);
    ck_assert_str_eq(got.name, "n2");
}
END_TEST

START_TEST(a_value_may_be_empty_hold_equals_signs_or_begin_with_a_dash)
{
    char line[] = "--name=";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_str_eq(got.name, "");
    char equals[] = "--name=a=b";
    ck_assert_int_eq(parse(equals, false, &operands), DKV_OK);
    ck_assert_str_eq(got.name, "a=b");
    char dash[] = "--name -x";
    ck_assert_int_eq(parse(dash, false, &operands), DKV_OK);
    ck_assert_str_eq(got.name, "-x");
}
END_TEST

START_TEST(operands_stand_among_flags_and_come_first_after)
{
    char line[] = "put -v key --shards 2 - -- -t --";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_int_eq(operands, 5);
    ck_assert_str_eq(argv[1], "put");
    ck_assert_str_eq(argv[2], "key");
    ck_assert_str_eq(argv[3], "-");
    ck_assert_str_eq(argv[4], "-t");
    ck_assert_str_eq(argv[5], "--");
    ck_assert(got.verbose);
    ck_assert_uint_eq(got.shards, 2);
}
END_TEST

START_TEST(a_subcommand_keeps_its_own_flags)
{
    char line[] = "-v put --shards 2 -- -x";
    int operands = -1;
    ck_assert_int_eq(parse(line, true, &operands), DKV_OK);
    ck_assert_int_eq(operands, 5);
    ck_assert_str_eq(argv[1], "put");
    ck_assert_str_eq(argv[2], "--shards");
    ck_assert_str_eq(argv[4], "--");
    ck_assert_uint_eq(got.shards, 8);
}
END_TEST

START_TEST(the_last_of_a_flag_wins)
{
    char line[] = "--shards 1 --shards=2";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_uint_eq(got.shards, 2);
}
END_TEST

static const struct {
    const char *line;
    const char *why;
} refused[] = {
    {"--shard 3", "--shard: unknown flag; did you mean --shards?"},
    {"--tiemout=1s", "--tiemout: unknown flag; did you mean --timeout?"},
    {"--nocolor", "--nocolor: unknown flag; did you mean --no-color?"},
    {"--zebra", "--zebra: unknown flag; --help lists them all"},
    {"-vx", "-x: unknown flag; --help lists them all"},
    {"--\n", "--\\x0a: unknown flag; --help lists them all"},
    {"---", "---: unknown flag; --help lists them all"},
    {"--=1", "--: unknown flag; --help lists them all"},
    {"--name", "--name: needs a value, text"},
    {"-t", "--timeout: needs a value, a duration such as 250ms, 5s, 2m or 1h"},
    {"--verbose=1", "--verbose: takes no value"},
    {"--shards=", "--shards: \"\" is not a whole number"},
    {"--shards=-1", "--shards: \"-1\" is not a whole number"},
    {"--shards 0x8", "--shards: \"0x8\" is not a whole number"},
    {"--timeout 5", "--timeout: \"5\" is not a duration such as 250ms, 5s, 2m or 1h"},
    {"--timeout -v", "--timeout: \"-v\" is not a duration such as 250ms, 5s, 2m or 1h"},
    {"--max-value=1KiB", "--max-value: \"1KiB\" is not a size such as 4096, 64K, 1M or 2G"},
};

START_TEST(what_is_wrong_is_told_with_what_is_allowed)
{
    char line[64];
    snprintf(line, sizeof line, "%s", refused[_i].line);
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_CONFIG);
    ck_assert_str_eq((char *)why.data, refused[_i].why);
}
END_TEST

START_TEST(a_huge_argument_is_cut_in_the_message)
{
    static char line[100000];
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "--", 2);
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_CONFIG);
    ck_assert_uint_lt(why.len, 200);
    memcpy(line, "--shards=", 9);
    ck_assert_int_eq(parse(line, false, &operands), DKV_CONFIG);
    ck_assert_uint_lt(why.len, 200);
}
END_TEST

START_TEST(the_environment_beats_the_default_and_a_flag_beats_both)
{
    setenv("DKVTEST_SHARDS", "16", 1);
    setenv("DKVTEST_TIMEOUT", "1s", 1);
    setenv("DKVTEST_NO_COLOR", "true", 1);
    setenv("DKVTEST_VERBOSE", "0", 1);
    setenv("DKVTEST_SECRET", "1", 1);
    char line[] = "--timeout 2s";
    int operands = -1;
    ck_assert_int_eq(parse(line, false, &operands), DKV_OK);
    ck_assert_uint_eq(got.shards, 16);
    ck_assert_uint_eq(got.timeout_ms, 2000);
    ck_assert(got.no_color && !got.verbose && !got.secret);
}
END_TEST

START_TEST(a_bad_variable_is_named)
{
    static const struct {
        const char *variable;
        const char *value;
        const char *why;
    } cases[] = {
        {"DKVTEST_MAX_VALUE", "lots",
         "DKVTEST_MAX_VALUE: \"lots\" is not a size such as 4096, 64K, 1M or 2G"},
        {"DKVTEST_NO_COLOR", "yes", "DKVTEST_NO_COLOR: \"yes\" is not 1, 0, true or false"},
        {"DKVTEST_SHARDS", "", "DKVTEST_SHARDS: \"\" is not a whole number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[] = "";
        int operands = -1;
        setenv(cases[i].variable, cases[i].value, 1);
        ck_assert_int_eq(parse(line, false, &operands), DKV_CONFIG);
        ck_assert_str_eq((char *)why.data, cases[i].why);
        unsetenv(cases[i].variable);
    }
}
END_TEST

/* ---- a settings file ---------------------------------------------------------------------------------- */

static struct arg_origin origins[sizeof rows / sizeof rows[0]];
static char file_text[4096];
static struct arg_file file;

/* The settings of text, with one flag if flag is not NULL. */
static dkv_err parse_file(const char *text, size_t len, const char *flag)
{
    struct arg_input in = {.argc = flag == NULL ? 1 : 2, .argv = argv, .file = &file, .origins = origins};
    ck_assert_uint_le(len, sizeof file_text);
    memcpy(file_text, text, len);
    file = (struct arg_file){.name = "dkv.conf", .text = file_text, .len = len};
    argv[0] = (char *)(uintptr_t) "program";
    argv[1] = (char *)(uintptr_t)flag;
    buf_reset(&why);
    dkv_err err = args_parse(&set, &in, &why);
    buf_put_u8(&why, '\0');
    return err;
}

START_TEST(a_file_beats_the_default_the_environment_the_file_and_a_flag_all)
{
    static const char text[] = "shards = 2\ntimeout = 2s\nmax-value = 2K\nverbose = true\nname = \" n 1 \"\n";
    setenv("DKVTEST_TIMEOUT", "3s", 1);
    setenv("DKVTEST_MAX_VALUE", "3K", 1);
    ck_assert_int_eq(parse_file(text, sizeof text - 1, "--max-value=4K"), DKV_OK);
    ck_assert_uint_eq(got.shards, 2);
    ck_assert_uint_eq(got.timeout_ms, 3000);
    ck_assert_uint_eq(got.max_value, 4096);
    ck_assert(got.verbose && !got.no_color);
    ck_assert_str_eq(got.name, " n 1 ");
}
END_TEST

START_TEST(each_value_knows_where_it_came_from)
{
    static const char text[] = "\nshards = 2\ntimeout = 2s\nmax-value = 2K\n";
    static const struct {
        const char *row;
        const char *origin;
    } cases[] = {{"name", "--name"},
                 {"shards", "dkv.conf:2: shards"},
                 {"timeout", "DKVTEST_TIMEOUT"},
                 {"max-value", "--max-value"}};
    setenv("DKVTEST_TIMEOUT", "3s", 1);
    ck_assert_int_eq(parse_file(text, sizeof text - 1, "--max-value=4K"), DKV_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct arg *row = rows;
        while (strcmp(row->name, cases[i].row) != 0) {
            row++;
        }
        buf_reset(&why);
        args_put_origin(&set, row, &origins[row - rows], &file, &why);
        buf_put_u8(&why, '\0');
        ck_assert_str_eq((char *)why.data, cases[i].origin);
    }
}
END_TEST

static const struct {
    const char *text;
    const char *why; /* NULL: fine */
} files[] = {
    {"", NULL},
    {"# nothing\n\n", NULL},
    {"shards=3\n", NULL},
    {"shards = 3\n", NULL},
    {"verbose = 0\nno-color = false\n", NULL},
    {"name =\n", NULL},
    {"\nshrads = 3\n", "dkv.conf:2: shrads: unknown key; did you mean shards?"},
    {"Shards = 3\n", "dkv.conf:1: Shards: unknown key; did you mean shards?"},
    {"--shards = 3\n", "dkv.conf:1: --shards: unknown key; did you mean shards?"},
    {"xylophone = 3\n", "dkv.conf:1: xylophone: unknown key; allowed are the names that --help lists"},
    {"secret = 1\n", "dkv.conf:1: secret: not allowed in a file, only as --secret"},
    {"secert = 1\n", "dkv.conf:1: secert: unknown key; allowed are the names that --help lists"},
    {"shards = 3\n#\nshards = 3\n", "dkv.conf:3: shards: set in line 1 already; allowed is once"},
    {"shards = many\n", "dkv.conf:1: shards: \"many\" is not a whole number"},
    {"shards =\n", "dkv.conf:1: shards: \"\" is not a whole number"},
    {"shards = 3 # three\n", "dkv.conf:1: shards: \"3 # three\" is not a whole number"},
    {"verbose = yes\n", "dkv.conf:1: verbose: \"yes\" is not 1, 0, true or false"},
    {"timeout = 5\n", "dkv.conf:1: timeout: \"5\" is not a duration such as 250ms, 5s, 2m or 1h"},
    {"max-value = 1KiB\n", "dkv.conf:1: max-value: \"1KiB\" is not a size such as 4096, 64K, 1M or 2G"},
    {"max-value = 1e3\n", "dkv.conf:1: max-value: \"1e3\" is not a size such as 4096, 64K, 1M or 2G"},
    {"max-value = -1\n", "dkv.conf:1: max-value: \"-1\" is not a size such as 4096, 64K, 1M or 2G"},
    {"max-value = 99999999999G\n",
     "dkv.conf:1: max-value: \"99999999999G\" is not a size such as 4096, 64K, 1M or 2G"},
    {"shards 3\n", "dkv.conf:1: \"shards 3\" is no setting: allowed are key = value and, on lines of their "
                   "own, # comments"},
    {"shards = 3",
     "dkv.conf:1: the last line has no newline, so the file may have been cut off: end it with one"},
};

START_TEST(a_file_is_read_or_refused_with_its_line)
{
    const char *text = files[_i].text;
    dkv_err err = parse_file(text, strlen(text), NULL);
    ck_assert_int_eq(err, files[_i].why == NULL ? DKV_OK : DKV_CONFIG);
    ck_assert_str_eq((char *)why.data, files[_i].why == NULL ? "" : files[_i].why);
}
END_TEST

START_TEST(a_bad_value_in_the_file_is_refused_even_if_a_flag_hides_it)
{
    ck_assert_int_eq(parse_file("max-value = lots\n", 17, "--max-value=4K"), DKV_CONFIG);
}
END_TEST

START_TEST(what_is_printed_as_a_file_reads_back_alike)
{
    struct buf text = {0};
    got.name = " \"n\" # 1 ";
    got.shards = 12;
    got.timeout_ms = 90000;
    got.max_value = 3u << 20;
    got.verbose = true;
    args_put_file(&set, &text);
    forget();
    ck_assert_int_eq(parse_file((const char *)text.data, text.len, NULL), DKV_OK);
    ck_assert_str_eq(got.name, " \"n\" # 1 ");
    ck_assert_uint_eq(got.shards, 12);
    ck_assert_uint_eq(got.timeout_ms, 90000);
    ck_assert_uint_eq(got.max_value, 3u << 20);
    ck_assert(got.verbose && !got.no_color);
    buf_fini(&text);
}
END_TEST

START_TEST(numbers_are_written_in_the_largest_unit_that_divides_them)
{
    static const struct {
        enum arg_kind kind;
        uint64_t number;
        const char *text;
    } cases[] = {
        {ARG_DURATION, 0, "0"},
        {ARG_DURATION, 1, "1ms"},
        {ARG_DURATION, 1500, "1500ms"},
        {ARG_DURATION, 1000, "1s"},
        {ARG_DURATION, 120000, "2m"},
        {ARG_DURATION, 3600000, "1h"},
        {ARG_SIZE, 0, "0"},
        {ARG_SIZE, 1023, "1023"},
        {ARG_SIZE, 1024, "1K"},
        {ARG_SIZE, 1536, "1536"},
        {ARG_SIZE, 5u << 20, "5M"},
        {ARG_SIZE, 4096ull << 30, "4096G"},
        {ARG_U64, UINT64_MAX, "18446744073709551615"},
        {ARG_SIZE, UINT64_MAX, "18446744073709551615"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t number = cases[i].number;
        const struct arg row = {.kind = cases[i].kind, .number = &number};
        buf_reset(&why);
        args_put_value(&row, &why);
        buf_put_u8(&why, '\0');
        ck_assert_str_eq((char *)why.data, cases[i].text);
    }
}
END_TEST

START_TEST(a_variable_that_means_nothing_is_named_without_its_value)
{
    setenv("DKVTEST_SHARD", "hidden", 1);
    setenv("DKVTEST_SHARDS", "8", 1);
    setenv("DKVTEST_SECRET", "hidden", 1);
    args_put_strangers(&set, 1, &why);
    ck_assert_uint_gt(why.len, 0);
    buf_reset(&why);
    args_put_strangers(&set, 10, &why);
    buf_put_u8(&why, '\0');
    const char *text = (const char *)why.data;
    ck_assert_ptr_nonnull(strstr(text, "DKVTEST_SHARD: unknown variable; did you mean DKVTEST_SHARDS?\n"));
    ck_assert_ptr_nonnull(strstr(text, "DKVTEST_SECRET: unknown variable\n"));
    ck_assert_ptr_null(strstr(text, "hidden"));
    ck_assert_ptr_null(strstr(text, "DKVTEST_SHARDS: "));
    unsetenv("DKVTEST_SHARD");
}
END_TEST

START_TEST(help_shows_each_row_and_its_default)
{
    static const char expected[] = "  -v, --verbose         say more\n"
                                   "      --no-color        plain text\n"
                                   "  -s, --secret          not from the environment\n"
                                   "  -n, --name NAME       who this is\n"
                                   "      --shards N        how many [8]\n"
                                   "  -t, --timeout D       how long [5s]\n"
                                   "      --max-value SIZE  how large [1M]\n";
    args_help(&set, &why);
    buf_put_u8(&why, '\0');
    ck_assert_str_eq((char *)why.data, expected);
}
END_TEST

Suite *args_suite(void)
{
    Suite *suite = suite_create("args");
    TCase *cases = tcase_create("args");
    tcase_add_checked_fixture(cases, forget, tidy);
    tcase_add_test(cases, without_flags_the_defaults_hold);
    tcase_add_test(cases, every_form_of_a_flag_is_understood);
    tcase_add_test(cases, letters_may_be_joined_and_carry_their_value);
    tcase_add_test(cases, a_value_may_be_empty_hold_equals_signs_or_begin_with_a_dash);
    tcase_add_test(cases, operands_stand_among_flags_and_come_first_after);
    tcase_add_test(cases, a_subcommand_keeps_its_own_flags);
    tcase_add_test(cases, the_last_of_a_flag_wins);
    tcase_add_loop_test(cases, what_is_wrong_is_told_with_what_is_allowed, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(cases, a_huge_argument_is_cut_in_the_message);
    tcase_add_test(cases, the_environment_beats_the_default_and_a_flag_beats_both);
    tcase_add_test(cases, a_bad_variable_is_named);
    tcase_add_test(cases, a_file_beats_the_default_the_environment_the_file_and_a_flag_all);
    tcase_add_test(cases, each_value_knows_where_it_came_from);
    tcase_add_loop_test(cases, a_file_is_read_or_refused_with_its_line, 0,
                        (int)(sizeof files / sizeof files[0]));
    tcase_add_test(cases, a_bad_value_in_the_file_is_refused_even_if_a_flag_hides_it);
    tcase_add_test(cases, what_is_printed_as_a_file_reads_back_alike);
    tcase_add_test(cases, numbers_are_written_in_the_largest_unit_that_divides_them);
    tcase_add_test(cases, a_variable_that_means_nothing_is_named_without_its_value);
    tcase_add_test(cases, help_shows_each_row_and_its_default);
    suite_add_tcase(suite, cases);
    return suite;
}

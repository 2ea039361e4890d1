/* test_conf_file.c - what is and what is not taken for a settings file. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "dkvd/conf_file.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[32];
static char path[64];
static struct arg_file file;
static struct buf why;

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/dkv-conf-file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/conf", dir);
}

static void teardown(void)
{
    unlink(path);
    rmdir(path);
    rmdir(dir);
    mem_free(file.text);
    buf_fini(&why);
}

static void put_file(const char *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

/* It is refused, in one line that begins with the path and says this. */
static void expect_refusal(const char *words)
{
    ck_assert_int_eq(conf_file_read(path, &file, &why), DKV_CONFIG);
    ck_assert_ptr_null(file.text);
    buf_put_u8(&why, '\0');
    const char *text = (const char *)why.data;
    ck_assert_msg(strncmp(text, path, strlen(path)) == 0, "%s", text);
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
    ck_assert_ptr_null(strchr(text, '\n'));
}

START_TEST(a_file_is_read_whole)
{
    put_file("a = b\n\0c", 8);
    ck_assert_int_eq(conf_file_read(path, &file, &why), DKV_OK);
    ck_assert_uint_eq(file.len, 8);
    ck_assert_int_eq(memcmp(file.text, "a = b\n\0c", 8), 0);
    ck_assert_ptr_eq(file.name, path);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    put_file("", 0);
    ck_assert_int_eq(conf_file_read(path, &file, &why), DKV_OK);
    ck_assert_uint_eq(file.len, 0);
}
END_TEST

START_TEST(the_largest_file_is_read_and_one_byte_more_is_refused)
{
    char *bytes = mem_zalloc(1, CONF_FILE_BYTES_MAX + 1);
    put_file(bytes, CONF_FILE_BYTES_MAX);
    ck_assert_int_eq(conf_file_read(path, &file, &why), DKV_OK);
    ck_assert_uint_eq(file.len, CONF_FILE_BYTES_MAX);
    mem_free(file.text);
    put_file(bytes, CONF_FILE_BYTES_MAX + 1);
    mem_free(bytes);
    expect_refusal("has 1048577 bytes: allowed are up to 1048576");
}
END_TEST

START_TEST(a_missing_file_is_refused)
{
    expect_refusal("cannot be read: No such file or directory");
}
END_TEST

START_TEST(a_directory_is_refused)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_refusal("is a directory: allowed is a regular file");
}
END_TEST

START_TEST(a_fifo_is_refused_without_waiting_for_a_writer)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_refusal("is no regular file");
}
END_TEST

START_TEST(a_file_that_may_not_be_read_is_refused)
{
    put_file("a = b\n", 6);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() != 0) { /* root may read everything */
        expect_refusal("cannot be read: Permission denied");
    }
}
END_TEST

START_TEST(a_link_to_itself_is_refused)
{
    ck_assert_int_eq(symlink(path, path), 0);
    expect_refusal("cannot be read: Too many levels of symbolic links");
}
END_TEST

START_TEST(without_memory_it_is_not_read)
{
    put_file("a = b\n", 6);
    mem_fail_after(0);
    dkv_err err = conf_file_read(path, &file, &why);
    mem_fail_after(-1);
    ck_assert_int_eq(err, DKV_NO_MEMORY);
    ck_assert_ptr_null(file.text);
}
END_TEST

Suite *conf_file_suite(void)
{
    Suite *suite = suite_create("conf_file");
    TCase *cases = tcase_create("conf_file");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, a_file_is_read_whole);
    tcase_add_test(cases, an_empty_file_is_a_file);
    tcase_add_test(cases, the_largest_file_is_read_and_one_byte_more_is_refused);
    tcase_add_test(cases, a_missing_file_is_refused);
    tcase_add_test(cases, a_directory_is_refused);
    tcase_add_test(cases, a_fifo_is_refused_without_waiting_for_a_writer);
    tcase_add_test(cases, a_file_that_may_not_be_read_is_refused);
    tcase_add_test(cases, a_link_to_itself_is_refused);
    tcase_add_test(cases, without_memory_it_is_not_read);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_disk.c - the file seam on a real directory. */
#include "fixture.h"

#include "base/mem.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *disk_suite(void);

static char dir[256];
static struct net *net;
static struct disk *disk;

static void setup(void)
{
    fixture_mkdir(dir, sizeof dir);
    net = fixture_loop();
    struct buf why = {0};
    ck_assert_int_eq(net_disk_open(net, dir, &disk, &why), DKV_OK);
    buf_fini(&why);
}

static void teardown(void)
{
    net_disk_close(disk);
    fixture_free(net);
    fixture_rmdir(dir);
}

/* Requests that stop the loop when the last of them is done. */
static int pending;
static dkv_err last_err;

static void one_done(dkv_err err)
{
    last_err = err;
    pending--;
    if (pending == 0) {
        net_stop(net);
    }
}

static void on_written(struct disk_write *req, dkv_err err)
{
    (void)req;
    one_done(err);
}

static void on_made(struct disk_make *req, dkv_err err)
{
    (void)req;
    one_done(err);
}

static void put_file(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(what_was_written_is_read_back)
{
    put_file("log", "");
    struct disk_file *f = NULL;
    ck_assert_int_eq(disk->ops->open(disk, "log", &f), DKV_OK);
    uint8_t bytes[4096];
    memset(bytes, 0x5a, sizeof bytes);
    struct disk_write req = {.offset = 8192, .data = slice_of(bytes, sizeof bytes), .cb = on_written};
    pending = 1;
    f->ops->write(f, &req);
    ck_assert_int_eq(pending, 1); /* never from inside the call */
    net_run(net);
    ck_assert_int_eq(last_err, DKV_OK);

    uint64_t size = 0;
    ck_assert_int_eq(f->ops->size(f, &size), DKV_OK);
    ck_assert_uint_eq(size, 8192 + sizeof bytes);
    uint8_t back[8192];
    size_t got = 0;
    ck_assert_int_eq(f->ops->read(f, 8192, back, sizeof back, &got), DKV_OK);
    ck_assert_uint_eq(got, sizeof bytes); /* short: the file ends there */
    ck_assert_mem_eq(back, bytes, sizeof bytes);
    ck_assert_int_eq(f->ops->read(f, 1u << 20, back, sizeof back, &got), DKV_OK);
    ck_assert_uint_eq(got, 0);
    f->ops->close(f);
}
END_TEST

START_TEST(files_are_made_of_zeroes_in_the_order_asked)
{
    struct disk_make req[3] = {
        {.name = "a", .bytes = (2u << 20) + 100, .cb = on_made},
        {.name = "b", .bytes = 0, .cb = on_made},
        {.name = "c", .bytes = 512, .cb = on_made},
    };
    pending = 3;
    for (int i = 0; i < 3; i++) {
        disk->ops->make(disk, &req[i]);
    }
    net_run(net);
    ck_assert_int_eq(last_err, DKV_OK);
    for (int i = 0; i < 3; i++) {
        struct disk_file *f = NULL;
        ck_assert_int_eq(disk->ops->open(disk, req[i].name, &f), DKV_OK);
        uint64_t size = 1;
        ck_assert_int_eq(f->ops->size(f, &size), DKV_OK);
        ck_assert_uint_eq(size, req[i].bytes);
        uint8_t last[100] = {1};
        size_t got = 0;
        if (size > 0) {
            ck_assert_int_eq(f->ops->read(f, size - sizeof last, last, sizeof last, &got), DKV_OK);
            ck_assert_uint_eq(got, sizeof last);
            ck_assert_uint_eq(last[0] | last[99], 0);
        }
        f->ops->close(f);
    }
}
END_TEST

START_TEST(a_file_that_is_there_is_not_made_again)
{
    put_file("a", "precious");
    struct disk_make req = {.name = "a", .bytes = 4096, .cb = on_made};
    pending = 1;
    disk->ops->make(disk, &req);
    net_run(net);
    ck_assert_int_eq(last_err, DKV_IO);
    struct disk_file *f = NULL;
    ck_assert_int_eq(disk->ops->open(disk, "a", &f), DKV_OK);
    char back[16];
    size_t got = 0;
    ck_assert_int_eq(f->ops->read(f, 0, back, sizeof back, &got), DKV_OK);
    ck_assert_mem_eq(back, "precious", 8);
    f->ops->close(f);
}
END_TEST

static void limit_file_size(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {bytes, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_write_that_fails_half_way_is_reported_once)
{
    put_file("log", "");
    struct disk_file *f = NULL;
    ck_assert_int_eq(disk->ops->open(disk, "log", &f), DKV_OK);
    limit_file_size(1000); /* the kernel takes 1000 bytes, then refuses: a short write, then an error */
    uint8_t bytes[4096] = {0};
    struct disk_write req = {.data = slice_of(bytes, sizeof bytes), .cb = on_written};
    pending = 1;
    f->ops->write(f, &req);
    net_run(net);
    ck_assert_int_eq(pending, 0);
    ck_assert_int_eq(last_err, DKV_IO);
    f->ops->close(f);
}
END_TEST

START_TEST(a_file_that_could_not_be_made_whole_is_gone)
{
    limit_file_size(1000);
    struct disk_make req = {.name = "a", .bytes = 4096, .cb = on_made};
    pending = 1;
    disk->ops->make(disk, &req);
    net_run(net);
    ck_assert_int_eq(last_err, DKV_IO);
    struct disk_file *f = NULL;
    ck_assert_int_eq(disk->ops->open(disk, "a", &f), DKV_NOT_FOUND);
}
END_TEST

START_TEST(a_write_pending_at_the_stop_is_finished)
{
    put_file("log", "");
    struct disk_file *f = NULL;
    ck_assert_int_eq(disk->ops->open(disk, "log", &f), DKV_OK);
    struct disk_write req = {.data = slice_of("x", 1), .cb = on_written};
    pending = 1;
    last_err = DKV_MORE;
    f->ops->write(f, &req);
    net_stop(net);
    net_run(net);
    ck_assert_int_eq(last_err, DKV_OK);
    f->ops->close(f);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    char path[512];
    put_file("plain", "");
    snprintf(path, sizeof path, "%s/folder", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/link", dir);
    ck_assert_int_eq(symlink("plain", path), 0);
    snprintf(path, sizeof path, "%s/pipe", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    static const struct {
        const char *name;
        dkv_err err;
    } cases[] = {
        {"plain", DKV_OK}, {"missing", DKV_NOT_FOUND}, {"folder", DKV_IO}, {"link", DKV_IO}, {"pipe", DKV_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct disk_file *f = NULL;
        ck_assert_msg(disk->ops->open(disk, cases[i].name, &f) == cases[i].err, "%s", cases[i].name);
        if (f != NULL) {
            f->ops->close(f);
        }
    }
}
END_TEST

START_TEST(the_list_names_what_is_there_and_not_what_was_removed)
{
    put_file("one", "");
    put_file("two", "");
    ck_assert_int_eq(disk->ops->remove(disk, "one"), DKV_OK);
    ck_assert_int_eq(disk->ops->remove(disk, "one"), DKV_NOT_FOUND);
    struct buf names = {0};
    ck_assert_int_eq(disk->ops->list(disk, &names), DKV_OK);
    ck_assert_uint_eq(names.len, 4);
    ck_assert_mem_eq(names.data, "two", 4); /* with its NUL */
    buf_fini(&names);
}
END_TEST

START_TEST(a_missing_directory_is_made_for_its_owner_alone)
{
    char path[512];
    snprintf(path, sizeof path, "%s/new", dir);
    struct disk *made = NULL;
    struct buf why = {0};
    ck_assert_int_eq(net_disk_open(net, path, &made, &why), DKV_OK);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    net_disk_close(made);
    ck_assert_uint_eq(why.len, 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be_had_is_explained)
{
    char path[512];
    put_file("file", "");
    static const char *const bad[] = {"no/parent", "file"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, bad[i]);
        struct disk *made = NULL;
        struct buf why = {0};
        ck_assert_int_eq(net_disk_open(net, path, &made, &why), DKV_IO);
        ck_assert_uint_gt(why.len, strlen(path));
        buf_fini(&why);
    }
}
END_TEST

START_TEST(no_memory_opens_nothing)
{
    put_file("a", "");
    struct buf why = {0};
    for (int n = 0; n < 2; n++) {
        struct disk *none = NULL;
        mem_fail_after(n);
        dkv_err err = net_disk_open(net, dir, &none, &why);
        mem_fail_after(-1);
        ck_assert_int_eq(err, DKV_NO_MEMORY);
    }
    struct disk_file *f = NULL;
    mem_fail_after(0);
    dkv_err err = disk->ops->open(disk, "a", &f);
    mem_fail_after(-1);
    ck_assert_int_eq(err, DKV_NO_MEMORY);
    buf_fini(&why);
}
END_TEST

Suite *disk_suite(void)
{
    Suite *s = suite_create("disk");
    TCase *t = tcase_create("disk");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_was_written_is_read_back);
    tcase_add_test(t, files_are_made_of_zeroes_in_the_order_asked);
    tcase_add_test(t, a_file_that_is_there_is_not_made_again);
    tcase_add_test(t, a_write_that_fails_half_way_is_reported_once);
    tcase_add_test(t, a_file_that_could_not_be_made_whole_is_gone);
    tcase_add_test(t, a_write_pending_at_the_stop_is_finished);
    tcase_add_test(t, only_regular_files_are_opened);
    tcase_add_test(t, the_list_names_what_is_there_and_not_what_was_removed);
    tcase_add_test(t, a_missing_directory_is_made_for_its_owner_alone);
    tcase_add_test(t, a_directory_that_cannot_be_had_is_explained);
    tcase_add_test(t, no_memory_opens_nothing);
    suite_add_tcase(s, t);
    return s;
}

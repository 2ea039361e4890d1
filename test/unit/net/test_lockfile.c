/* test_lockfile.c - one process at a time. */
#include "fixture.h"

#include "net/lockfile.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *lockfile_suite(void);

static char dir[256];
static char path[512];

static void setup(void)
{
    fixture_mkdir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/LOCK", dir);
}

static void teardown(void)
{
    fixture_rmdir(dir);
}

struct child {
    pid_t pid;
    int says; /* one byte: it has the lock */
};

/* A process that takes the lock, says so, and waits to be killed. */
static struct child child_start(void)
{
    int pipe_fds[2];
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct lockfile l;
        char byte = lockfile_take(&l, path) == DKV_OK ? 'y' : 'n';
        if (write(pipe_fds[1], &byte, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    close(pipe_fds[1]);
    char byte = '?';
    ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'y');
    return (struct child){pid, pipe_fds[0]};
}

static void child_kill(struct child *c)
{
    ck_assert_int_eq(kill(c->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
    close(c->says);
}

START_TEST(a_second_process_is_refused_and_told_who_has_it)
{
    struct child c = child_start();
    struct lockfile l;
    ck_assert_int_eq(lockfile_take(&l, path), DKV_LOCKED);
    ck_assert_int_lt(l.fd, 0);
    pid_t holder = 0;
    ck_assert_int_eq(lockfile_holder(path, &holder), DKV_OK);
    ck_assert_int_eq(holder, c.pid);
    child_kill(&c);
}
END_TEST

START_TEST(a_killed_process_leaves_no_lock_behind)
{
    struct child c = child_start();
    child_kill(&c);
    pid_t holder = 0;
    ck_assert_int_eq(lockfile_holder(path, &holder), DKV_NOT_FOUND); /* though the file still names it */
    struct lockfile l;
    ck_assert_int_eq(lockfile_take(&l, path), DKV_OK);
    lockfile_drop(&l);
    lockfile_drop(&l);
}
END_TEST

START_TEST(a_dropped_lock_can_be_taken)
{
    struct lockfile l;
    ck_assert_int_eq(lockfile_take(&l, path), DKV_OK);
    lockfile_drop(&l);
    struct child c = child_start();
    child_kill(&c);
}
END_TEST

START_TEST(a_holder_the_file_does_not_name_is_not_guessed)
{
    struct child c = child_start();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, "1 1\n", 4, 0), 4);
    ck_assert_int_eq(ftruncate(fd, 4), 0);
    close(fd);
    pid_t holder = 0;
    ck_assert_int_eq(lockfile_holder(path, &holder), DKV_LOCKED);
    ck_assert_int_eq(holder, 0);
    child_kill(&c);
}
END_TEST

START_TEST(nobody_holds_a_file_that_is_not_there)
{
    pid_t holder = 0;
    ck_assert_int_eq(lockfile_holder(path, &holder), DKV_NOT_FOUND);
}
END_TEST

START_TEST(a_symbolic_link_is_no_lock)
{
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    struct lockfile l;
    ck_assert_int_eq(lockfile_take(&l, path), DKV_IO);
    pid_t holder = 0;
    ck_assert_int_eq(lockfile_holder(path, &holder), DKV_IO);
}
END_TEST

Suite *lockfile_suite(void)
{
    Suite *s = suite_create("lockfile");
    TCase *t = tcase_create("lockfile");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_second_process_is_refused_and_told_who_has_it);
    tcase_add_test(t, a_killed_process_leaves_no_lock_behind);
    tcase_add_test(t, a_dropped_lock_can_be_taken);
    tcase_add_test(t, a_holder_the_file_does_not_name_is_not_guessed);
    tcase_add_test(t, nobody_holds_a_file_that_is_not_there);
    tcase_add_test(t, a_symbolic_link_is_no_lock);
    suite_add_tcase(s, t);
    return s;
}

/* fixture.c - see fixture.h. */
#include "fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct net_timer *watchdog;

static void fixture_on_late(void *ctx)
{
    (void)ctx;
    ck_abort_msg("the loop did not come to an end");
}

struct net *fixture_loop(void)
{
    struct net *n = net_new();
    ck_assert_ptr_nonnull(n);
    watchdog = net_timer_new(n, fixture_on_late, NULL);
    ck_assert_ptr_nonnull(watchdog);
    net_timer_set(watchdog, net_now_ms(n) + 10000);
    return n;
}

void fixture_free(struct net *n)
{
    net_timer_close(watchdog);
    net_free(n);
}

void fixture_port(struct address *a)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    *a = (struct address){.host = "127.0.0.1", .port = ntohs(at.sin_port)};
}

void fixture_mkdir(char *path, size_t n)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, n, "%s/dkv-net-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(path));
}

void fixture_rmdir(const char *path)
{
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(dirfd(dir), entry->d_name, 0);
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        }
    }
    closedir(dir);
    ck_assert_int_eq(rmdir(path), 0);
}

/* local_node.c - the nodes of a local cluster as processes. */
#include "base/mem.h"
#include "dkvctl/local.h"
#include "net/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCAL_OWN_FLAGS 16 /* words that every node gets */
#define LOCAL_POLL_MS   20u

void local_sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

void local_path(const struct local *l, unsigned i, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/n%u%s%s", l->dir, i, name[0] != '\0' ? "/" : "", name);
    if (len >= PATH_MAX) {
        out[0] = '\0'; /* nothing is found there, and nothing made */
    }
}

/* 'R', 'S', 'T', ... as field 3 of /proc/PID/stat tells; 0: gone. */
static char local_process_state(pid_t pid)
{
    char path[64];
    char stat[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof stat - 1);
    if (fd >= 0) {
        close(fd);
    }
    stat[n < 0 ? 0 : n] = '\0';
    const char *at = strrchr(stat, ')');
    return at != NULL && at[1] == ' ' ? at[2] : '\0';
}

/* DKV_LOCKED: held, but not signed (yet). */
static dkv_err local_holder(const struct local *l, unsigned i, pid_t *pid)
{
    char path[PATH_MAX];
    local_path(l, i, "data/LOCK", path);
    return lockfile_holder(path, pid);
}

enum local_state local_state(const struct local *l, unsigned i, pid_t *pid)
{
    if (local_holder(l, i, pid) != DKV_OK) {
        return LOCAL_DOWN;
    }
    char state = local_process_state(*pid);
    if (state == '\0' || state == 'Z' || state == 'X') {
        return LOCAL_DOWN;
    }
    return state == 'T' ? LOCAL_PAUSED : LOCAL_UP;
}

dkv_err local_signal(const struct local *l, unsigned i, int number)
{
    pid_t pid = 0;
    dkv_err err = local_holder(l, i, &pid);
    if (err == DKV_OK && kill(pid, number) < 0) {
        err = errno == ESRCH ? DKV_NOT_FOUND : DKV_IO;
    }
    return err;
}

bool local_wait_down(const struct local *l, unsigned i, uint64_t ms)
{
    for (uint64_t waited = 0;; waited += LOCAL_POLL_MS) {
        pid_t pid = 0;
        if (local_holder(l, i, &pid) == DKV_NOT_FOUND) {
            return true;
        }
        if (waited >= ms) {
            return false;
        }
        local_sleep_ms(LOCAL_POLL_MS);
    }
}

void local_program(char out[PATH_MAX])
{
    const char *given = getenv("DKVD");
    if (given != NULL && given[0] != '\0') {
        snprintf(out, PATH_MAX, "%s", given);
        return;
    }
    static const char name[] = "dkvd";
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - sizeof name);
    while (len > 0 && out[len - 1] != '/') {
        len--;
    }
    memcpy(out + (len > 0 ? len : 0), name, sizeof name);
    if (access(out, X_OK) != 0) {
        memcpy(out, name, sizeof name); /* execvp looks in PATH */
    }
}

/* ---- starting ----------------------------------------------------------------------------------------- */

/* The words of a node's command line, all in one buffer. */
struct local_command {
    struct buf text;
    size_t count;
    char *argv[LOCAL_OWN_FLAGS + LOCAL_FLAGS_MAX + 1];
};

static void local_command_end_word(struct local_command *c)
{
    buf_put_u8(&c->text, '\0');
    c->count++;
}

static void local_command_members(const struct local *l, struct local_command *c)
{
    buf_put_text(&c->text, "--initial-cluster=");
    for (unsigned k = 1; k <= l->nodes; k++) {
        buf_printf(&c->text, "%sn%u=127.0.0.1:%" PRIu64, k > 1 ? "," : "", k, l->peer_port + k - 1);
    }
    local_command_end_word(c);
}

static bool local_command_build(const struct local *l, unsigned i, struct local_command *c)
{
    char data[PATH_MAX];
    local_path(l, i, "data", data);
    buf_put_text(&c->text, "dkvd");
    local_command_end_word(c);
    buf_printf(&c->text, "--name=n%u", i);
    local_command_end_word(c);
    buf_printf(&c->text, "--data-dir=%s", data);
    local_command_end_word(c);
    buf_printf(&c->text, "--client=127.0.0.1:%" PRIu64, l->client_port + i - 1);
    local_command_end_word(c);
    buf_printf(&c->text, "--peer=127.0.0.1:%" PRIu64, l->peer_port + i - 1);
    local_command_end_word(c);
    local_command_members(l, c);
    buf_printf(&c->text, "--shards=%" PRIu64, l->shards);
    local_command_end_word(c);
    buf_printf(&c->text, "--replicas=%" PRIu64, l->replicas);
    local_command_end_word(c);
    for (size_t k = 0; k < l->flag_count; k++) {
        buf_put_text(&c->text, l->flags[k]);
        local_command_end_word(c);
    }
    if (!buf_ok(&c->text)) {
        return false;
    }
    char *word = (char *)c->text.data;
    for (size_t k = 0; k < c->count; k++) {
        c->argv[k] = word;
        word += strlen(word) + 1;
    }
    c->argv[c->count] = NULL;
    return true;
}

/* In the child: become the node. Tells errno through the pipe when it cannot. */
_Noreturn static void local_become(const char *program, char **argv, int log, int tell)
{
    setsid();
    int in = open("/dev/null", O_RDONLY);
    signal(SIGPIPE, SIG_DFL); /* an ignored signal would stay ignored */
    if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0) {
        execvp(program, argv);
    }
    int number = errno;
    ssize_t told = write(tell, &number, sizeof number);
    _exit(told == sizeof number ? 127 : 126);
}

/* Fork and wait for the exec: the pipe closes by it, or brings the errno of its failure. */
static int local_spawn(const char *program, char **argv, int log, pid_t *pid)
{
    int ends[2];
    int number = 0;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return errno;
    }
    *pid = fork();
    if (*pid == 0) {
        local_become(program, argv, log, ends[1]);
    }
    number = *pid < 0 ? errno : 0;
    close(ends[1]);
    if (*pid > 0 && read(ends[0], &number, sizeof number) == sizeof number) {
        waitpid(*pid, NULL, 0);
    }
    close(ends[0]);
    return number;
}

static dkv_err local_refuse(struct buf *why, const char *what, int number)
{
    buf_printf(why, "%s: %s", what, strerror(number));
    return DKV_IO;
}

dkv_err local_start(const struct local *l, unsigned i, pid_t *pid, struct buf *why)
{
    char path[PATH_MAX];
    char program[PATH_MAX];
    struct local_command command = {0};
    local_path(l, i, "", path);
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return local_refuse(why, path, errno);
    }
    local_path(l, i, "log", path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return local_refuse(why, path, errno);
    }
    local_program(program);
    bool built = local_command_build(l, i, &command);
    int number = built ? local_spawn(program, command.argv, log, pid) : ENOMEM;
    close(log);
    buf_fini(&command.text);
    return number == 0 ? DKV_OK : local_refuse(why, program, number);
}

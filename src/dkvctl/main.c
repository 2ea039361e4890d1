/* main.c - dkvctl, the command line of dkv. */
#include "base/buf.h"
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* A socket must never become stdout because stdout was closed: what is printed would go to the server. Opened
 * for the wrong direction, so that using it fails and is told. */
static void main_fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            int got = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            ensure(got == fd);
        }
    }
}

static int main_run(struct ctl *ctl, int argc, char **argv)
{
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse_globals(ctl, &in);
    if (code != CTL_GO) {
        return code;
    }
    char *version[] = {argv[0], "version", NULL};
    if (ctl->version) {
        return ctl_run(ctl, 2, version);
    }
    if (in.operands > 0) {
        return ctl_run(ctl, in.operands + 1, argv);
    }
    if (ctl->help || isatty(STDIN_FILENO) == 1) {
        ctl_print_help(ctl, NULL);
        return 0;
    }
    return ctl_run_batch(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.timeout_given_ms = UINT64_MAX};
    main_fill_descriptors();
    signal(SIGPIPE, SIG_IGN);
    setenv("RES_OPTIONS", "timeout:2 attempts:1",
           0); /* the process cannot end before its last lookup: 10 s if unbounded */
    int code = main_run(&ctl, argc, argv);
    session_close(&ctl);
    return out_finish(code);
}

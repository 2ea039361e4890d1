/* main.c - dkv-sim [--seed N] [--count K] [--without GUARD]... [--trace]
 *
 * Runs K seeds from N on, each in a child of its own, and prints the totals. A bad seed prints its number,
 * what went wrong and how to see it again. Exit 0 only if none was bad. --without switches a guard of
 * repl/core off, to see that its bug is found: G1 G2 G3 G5 G8 G9 G13 G14 G16 sole-voter timer commit hint. */
#include "base/log.h"
#include "base/mem.h"
#include "repl/core.h"
#include "sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_DEFAULT 20u /* what make check runs */

static const struct {
    const char *name;
    enum core_guard guard;
} guards[] = {
    {"G1", GUARD_SPLIT},        {"G2", GUARD_CONFIRM},
    {"G3", GUARD_OWN_ENTRY},    {"G5", GUARD_STALE_REJECT},
    {"G8", GUARD_HOLD},         {"G9", GUARD_VOTE_RESULT},
    {"G13", GUARD_DENIED_TERM}, {"G14", GUARD_NON_VOTER},
    {"G16", GUARD_STALE_TERM},  {"sole-voter", GUARD_SOLE_VOTER},
    {"timer", GUARD_TIMER},     {"commit", GUARD_COMMIT},
    {"hint", GUARD_HINT},
};

static bool main_parse_number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool main_parse_guard(const char *text, uint32_t *guards_off)
{
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        if (strcmp(text, guards[i].name) == 0) {
            *guards_off |= BIT(guards[i].guard);
            return true;
        }
    }
    return false;
}

static bool main_parse(int argc, char **argv, struct sim_options *options, uint64_t *count)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            options->trace = true;
            continue;
        }
        bool fine = (strcmp(argv[i], "--seed") == 0 && main_parse_number(value, &options->seed)) ||
                    (strcmp(argv[i], "--count") == 0 && main_parse_number(value, count)) ||
                    (strcmp(argv[i], "--without") == 0 && main_parse_guard(value, &options->guards_off));
        if (!fine) {
            fprintf(stderr, "usage: dkv-sim [--seed N] [--count K] [--without GUARD]... [--trace]\n");
            return false;
        }
        i++;
    }
    return true;
}

static void main_child(const struct sim_options *options, int out)
{
    struct sim_totals totals = {0};
    world_run(options, &totals);
    fflush(stdout);
    if (write(out, &totals, sizeof(totals)) != (ssize_t)sizeof(totals)) {
        exit(4);
    }
    exit(0); /* not _exit: a leak checker speaks now */
}

/* True: the seed was good. What the child says on stderr it says directly. */
static bool main_run(const struct sim_options *options, struct sim_totals *sum)
{
    int ends[2];
    struct sim_totals totals = {0};
    int status = -1;
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        main_child(options, ends[1]);
    }
    close(ends[1]);
    bool told = read(ends[0], &totals, sizeof(totals)) == (ssize_t)sizeof(totals);
    close(ends[0]);
    bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0 && told;
    sum->applied += totals.applied;
    sum->crashes += totals.crashes;
    sum->elections += totals.elections;
    sum->changes += totals.changes;
    if (!good) {
        printf("bad seed %" PRIu64 ": %s %d; again with --seed %" PRIu64 " --count 1 --trace\n",
               options->seed, WIFSIGNALED(status) ? "signal" : "exit",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), options->seed);
        fflush(stdout);
    }
    return good;
}

int main(int argc, char **argv)
{
    struct sim_options options = {.seed = 1};
    struct sim_totals sum = {0};
    uint64_t count = COUNT_DEFAULT;
    uint64_t bad = 0;
    if (!main_parse(argc, argv, &options, &count)) {
        return 2;
    }
    log_set_level(LOG_ERROR);
    mem_abort_when_out();
    for (uint64_t i = 0; i < count; i++) {
        bad += !main_run(&options, &sum);
        options.seed++;
    }
    printf("seeds=%" PRIu64 " bad=%" PRIu64 " applied=%" PRIu64 " crashes=%" PRIu64 " elections=%" PRIu64
           " snapshots=0 changes=%" PRIu64 "\n",
           count, bad, sum.applied, sum.crashes, sum.elections, sum.changes);
    return bad == 0 ? 0 : 1;
}

/* local.h - a cluster on this machine: its settings in DIR/cluster.conf, its nodes n1, n2, ... as processes.
 *
 *   DIR/cluster.conf   name=value lines; "flag" may come more than once
 *   DIR/n1/log         stderr of the node, appended
 *   DIR/n1/data        its data directory; the process that holds data/LOCK is the node
 *
 * A process is signalled only when the kernel says that it holds the lock and the start time it signed with
 * is its own, so a pid that was given to another program is never hit. */
#ifndef DKV_DKVCTL_LOCAL_H
#define DKV_DKVCTL_LOCAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#include <limits.h>
#include <sys/types.h>

#define LOCAL_FLAGS_MAX 64

struct local {
    char dir[PATH_MAX]; /* absolute */
    uint64_t nodes;
    uint64_t shards;
    uint64_t replicas;
    uint64_t client_port; /* of n1; the others follow */
    uint64_t peer_port;
    char *flags[LOCAL_FLAGS_MAX]; /* owned: passed on to every dkvd */
    size_t flag_count;
};

enum local_state { LOCAL_DOWN, LOCAL_UP, LOCAL_PAUSED };

/* ---- settings ----------------------------------------------------------------------------------------- */

/* Read DIR/cluster.conf. DKV_NOT_FOUND: there is no cluster. DKV_CONFIG: why says which line is wrong. Finish
 * it in any case. */
dkv_err local_load(const char *dir, struct local *out, struct buf *why) MUST_CHECK;

/* Parse the text of a settings file into everything but dir. DKV_CONFIG, DKV_NO_MEMORY. */
dkv_err local_parse(struct slice text, struct local *out, struct buf *why) MUST_CHECK;
void local_format(const struct local *l, struct buf *out);

/* Make DIR, fill in l->dir and write the settings, whole or not at all. DKV_IO: why. */
dkv_err local_save(const char *dir, struct local *l, struct buf *why) MUST_CHECK;

/* Remove the settings again; what nodes have left in DIR stays. */
void local_forget(const struct local *l);

/* The settings go together. DKV_CONFIG: why. */
dkv_err local_check(const struct local *l, struct buf *why) MUST_CHECK;
void local_fini(struct local *l);

/* 1 to l->nodes; 0: no such node. */
unsigned local_find(const struct local *l, const char *name);

/* ---- processes ---------------------------------------------------------------------------------------- */

/* What node i is doing; *pid is set unless it is down. */
enum local_state local_state(const struct local *l, unsigned i, pid_t *pid);

/* Start node i in a session of its own. DKV_IO: why. */
dkv_err local_start(const struct local *l, unsigned i, pid_t *pid, struct buf *why) MUST_CHECK;

/* Send a signal. DKV_NOT_FOUND: the node is down. */
dkv_err local_signal(const struct local *l, unsigned i, int number) MUST_CHECK;

/* Wait until it is down. False: it still runs after ms. */
bool local_wait_down(const struct local *l, unsigned i, uint64_t ms);

/* DIR/nI/name */
void local_path(const struct local *l, unsigned i, const char *name, char out[PATH_MAX]);

/* The program to start: $DKVD, else dkvd beside this program, else the one in PATH. */
void local_program(char out[PATH_MAX]);

/* Block for that long; a signal ends it early. */
void local_sleep_ms(unsigned ms);

#endif

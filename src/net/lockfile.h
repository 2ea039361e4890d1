/* lockfile.h - one process per data directory: a POSIX record lock on a file that also tells who holds it. */
#ifndef DKV_NET_LOCKFILE_H
#define DKV_NET_LOCKFILE_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct lockfile {
    int fd; /* private; below 0: not held */
};

/* Each process locks for itself: a forked child does not hold its parent's lock.
 *
 * Make the file if missing, lock it for this process and write "PID STARTTIME\n" into it (start time in clock
 * ticks since boot, field 22 of /proc/PID/stat). DKV_LOCKED: another process has it. */
dkv_err lockfile_take(struct lockfile *l, const char *path) MUST_CHECK;
void lockfile_drop(struct lockfile *l); /* safe on one that is not held */

/* The process that holds the lock now, as the kernel says, with the start time from the file checked against
 * /proc. DKV_NOT_FOUND: nobody does. DKV_LOCKED: somebody does, but the file does not name that process (it
 * is just starting, or in another process-id namespace). Not for the holder itself: closing any descriptor of
 * the file drops its lock. */
dkv_err lockfile_holder(const char *path, pid_t *pid) MUST_CHECK;

#endif

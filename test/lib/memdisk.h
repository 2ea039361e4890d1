/* memdisk.h - a directory of files in memory behind the file seam, for tests and the simulator.
 *
 * It keeps two images of each file: what a read sees and what is durable. Asynchronous calls stay pending
 * until the owner lets them complete one by one; only then are they durable. In a crash, or when only the
 * process is killed, what was pending is kept, lost or torn (a prefix, or any subset of its sectors of 512
 * bytes), decided by a seed. What a kill left visible and not durable the next crash may still take.
 * Everything is deterministic. */
#ifndef DKV_TEST_LIB_MEMDISK_H
#define DKV_TEST_LIB_MEMDISK_H

#include "base/disk.h"

struct memdisk; /* opaque */

#define MEMDISK_SECTOR 512u

struct memdisk *memdisk_new(void);    /* NULL: no memory */
void memdisk_free(struct memdisk *d); /* all files must be closed; NULL is fine */
struct disk *memdisk_disk(struct memdisk *d);

/* A copy of the files and of what is pending; in the copy nobody is told of that. NULL: no memory. */
struct memdisk *memdisk_clone(const struct memdisk *d);

/* Pending writes and makes. */
size_t memdisk_pending(const struct memdisk *d);

/* Complete the oldest pending one, callback included. False: there is none. */
bool memdisk_step(struct memdisk *d);

/* The power goes: what was not durable is kept, lost or torn, what is left is durable. Nothing is pending
 * afterwards, and no callback fires. The files' owner is to close them (journal_abandon). */
void memdisk_crash(struct memdisk *d, uint64_t seed);

/* The process goes, the machine stays: likewise, but what is left of pending writes is visible only. */
void memdisk_kill(struct memdisk *d, uint64_t seed);

/* After n more, one write or make completes with err; its bytes are visible and not durable. */
void memdisk_fail_write(struct memdisk *d, unsigned n, dkv_err err);

/* From now on every read fails with err; DKV_OK: no more. */
void memdisk_fail_reads(struct memdisk *d, dkv_err err);

/* Damage and repair by hand; at once and durable. The file must exist. */
void memdisk_flip(struct memdisk *d, const char *name, uint64_t bit);
void memdisk_truncate(struct memdisk *d, const char *name, size_t bytes);
void memdisk_zero(struct memdisk *d, const char *name, size_t from, size_t to);
void memdisk_rename(struct memdisk *d, const char *name, const char *to);
void memdisk_drop(struct memdisk *d, const char *name);

/* Create a file with that content, or replace it. */
void memdisk_put(struct memdisk *d, const char *name, struct slice content);

/* What a read of the file sees, until it is next changed; empty with data NULL: there is no such file. */
struct slice memdisk_get(const struct memdisk *d, const char *name);

#endif

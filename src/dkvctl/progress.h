/* progress.h - how far a long command has come, on one line of stderr.
 *
 *   [=========>          ]  45%  47123 keys  51234/s  0:12 left
 *
 * Shown only when stderr is a terminal and --quiet is not given, else every function does nothing. Rate and
 * time left are those of the whole run so far. */
#ifndef DKV_DKVCTL_PROGRESS_H
#define DKV_DKVCTL_PROGRESS_H

#include "base/buf.h"

#define PROGRESS_EVERY_MS 200u

struct ctl;

/* All zero is one that is not shown. */
struct progress {
    bool on;
    const char *unit; /* what is counted: "keys" */
    uint64_t total;   /* done when it is all; 0: not known, then without bar and time left */
    uint64_t done;    /* of total */
    uint64_t count;   /* of units */
    uint64_t begun_us;
    uint64_t shown_us; /* last time */
};

/* Begin a line; what total counts may be something else than the unit, such as bytes. */
void progress_begin(struct progress *p, const struct ctl *ctl, const char *unit, uint64_t total,
                    uint64_t now_us);

/* So far it came. Shows it, at most every PROGRESS_EVERY_MS. */
void progress_show(struct progress *p, uint64_t done, uint64_t count, uint64_t now_us);

/* Wipe the line, before other words go to stderr and at the end. */
void progress_wipe(struct progress *p);

/* The line, at most columns wide. */
void progress_format(const struct progress *p, uint64_t now_us, unsigned columns, struct buf *out);

#endif

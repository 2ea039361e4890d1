/* entry.h - one entry of a replicated log, as every layer above passes it around. */
#ifndef DKV_PROTO_ENTRY_H
#define DKV_PROTO_ENTRY_H

#include "base/slice.h"

/* The numbers are part of the journal and wire formats. */
enum entry_type {
    ENTRY_COMMAND = 1, /* data is a command (proto/command.h) */
    ENTRY_BARRIER = 2, /* a leader's first entry, nothing to apply */
    ENTRY_CHANGE = 3,  /* data is an encoded configuration; only repl/core reads it */
};

struct entry {
    uint64_t term;
    enum entry_type type;
    struct slice data;
};

#endif

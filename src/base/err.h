/* err.h - the only error type: library, server and wire.
 *
 * The numbers never change and are never reused; they travel in PROTOCOL.md's error replies. */
#ifndef DKV_BASE_ERR_H
#define DKV_BASE_ERR_H

#include "base/ensure.h"

typedef enum {
    DKV_OK = 0,

    /* nothing happened to the data */
    DKV_NO_MEMORY = 1,
    DKV_CANCELED = 2,
    DKV_NOT_FOUND = 10,
    DKV_CONDITION = 11,   /* compare-and-set and its kin: the condition is false */
    DKV_BAD_REQUEST = 20, /* understood as bytes, wrong as a request */
    DKV_TOO_LARGE = 21,   /* key, value or frame over its limit */
    DKV_LIMIT = 22,       /* a queue, table or budget is full */
    DKV_UNSUPPORTED = 23, /* unknown operation or version */
    DKV_MALFORMED = 24,   /* bytes that are no message at all: framing is lost */
    DKV_MORE = 25,        /* not an error: the bytes so far are a good beginning */
    DKV_UNAVAILABLE = 30, /* no leader, quorum or endpoint within the deadline; not applied */
    DKV_NOT_LEADER = 32,  /* asked the wrong replica; not applied, ask again elsewhere */
    DKV_WRONG_SHARD = 33, /* asked the wrong shard; not applied, refresh the map */
    DKV_REFUSED = 34,     /* a peer does not accept this node */
    DKV_AUTH = 40,

    /* the write may have happened or may yet happen */
    DKV_UNKNOWN = 31,

    /* this machine */
    DKV_IO = 50,
    DKV_CORRUPT = 51,
    DKV_LOCKED = 52, /* data directory locked, or not this node's */
    DKV_ADDRESS_IN_USE = 53,
    DKV_NO_SPACE = 54,
    DKV_CONFIG = 60 /* bad flag, file or environment */
} dkv_err;

/* One short lower-case phrase, e.g. "not found". Any number is fine. */
const char *err_text(dkv_err err);

/* The exit code of dkvctl for err (dkvctl(1): 0 done ... 10 corrupt). */
int err_exit_code(dkv_err err);

/* The error for a failed system call's errno. */
dkv_err err_from_errno(int number);

#endif

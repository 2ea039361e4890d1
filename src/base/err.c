/* err.c - how each error looks as text. */
#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    dkv_err err;
    int exit_code;
    const char *text;
} err_table[] = {
    {DKV_OK, 0, "ok"},
    {DKV_NO_MEMORY, 8, "out of memory"},
    {DKV_CANCELED, 1, "canceled"},
    {DKV_NOT_FOUND, 3, "not found"},
    {DKV_CONDITION, 4, "condition is false"},
    {DKV_BAD_REQUEST, 2, "bad request"},
    {DKV_TOO_LARGE, 8, "too large"},
    {DKV_LIMIT, 8, "limit reached"},
    {DKV_UNSUPPORTED, 1, "unsupported operation or version"},
    {DKV_MALFORMED, 1, "malformed message"},
    {DKV_MORE, 1, "incomplete message"},
    {DKV_UNAVAILABLE, 5, "unavailable"},
    {DKV_UNKNOWN, 6, "outcome unknown"},
    {DKV_NOT_LEADER, 5, "not the leader"},
    {DKV_WRONG_SHARD, 5, "wrong shard"},
    {DKV_REFUSED, 5, "refused by the peer"},
    {DKV_AUTH, 7, "not authorized"},
    {DKV_IO, 1, "input or output failed"},
    {DKV_CORRUPT, 10, "corrupt data"},
    {DKV_LOCKED, 1, "locked, or not this node's"},
    {DKV_ADDRESS_IN_USE, 1, "address in use"},
    {DKV_NO_SPACE, 8, "no space on disk"},
    {DKV_CONFIG, 2, "bad configuration"},
};

const char *err_text(dkv_err err)
{
    for (size_t i = 0; i < sizeof err_table / sizeof err_table[0]; i++) {
        if (err_table[i].err == err) {
            return err_table[i].text;
        }
    }
    return "unknown error";
}

int err_exit_code(dkv_err err)
{
    for (size_t i = 0; i < sizeof err_table / sizeof err_table[0]; i++) {
        if (err_table[i].err == err) {
            return err_table[i].exit_code;
        }
    }
    return 1;
}

dkv_err err_from_errno(int number)
{
    switch (number) {
    case 0:
        return DKV_OK;
    case ENOMEM:
        return DKV_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
        return DKV_NO_SPACE;
    case EADDRINUSE:
        return DKV_ADDRESS_IN_USE;
    case EACCES:
    case EAGAIN:
        return DKV_LOCKED;
    default:
        return DKV_IO;
    }
}

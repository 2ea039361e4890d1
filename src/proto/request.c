/* request.c - the names of the operations. */
#include "proto/request.h"

static const char *const op_names[OPS_END] = {
    [OP_HELLO] = "hello",           [OP_GET] = "get",   [OP_PUT] = "put",
    [OP_DELETE] = "delete",         [OP_SCAN] = "scan", [OP_STATUS] = "status",
    [OP_MEMBERS] = "members",       [OP_RING] = "ring", [OP_HEALTH] = "health",
    [OP_READ_INDEX] = "read_index",
};

const char *op_name(enum op op)
{
    return (unsigned)op < OPS_END ? op_names[op] : NULL;
}

enum op op_find(struct slice name)
{
    for (unsigned i = OP_HELLO; i < OPS_END; i++) {
        if (slice_eq(name, slice_str(op_names[i]))) {
            return (enum op)i;
        }
    }
    return (enum op)0;
}

bool op_is_write(enum op op)
{
    return op == OP_PUT || op == OP_DELETE;
}

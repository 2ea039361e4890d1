/* ensure.c - the last words of a process that found its own bug. */
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "event=bug file=%s line=%d broken=\"%s\"\n", file, line, condition);
    abort();
}

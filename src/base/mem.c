/* mem.c - the allocator behind its door, with failures on order. */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static int fail_after = -1;
static bool abort_when_out;

static bool mem_refuses(void)
{
    if (fail_after < 0) {
        return false;
    }
    if (fail_after == 0) {
        return true;
    }
    fail_after--;
    return false;
}

static void *mem_checked(void *p)
{
    if (p == NULL && abort_when_out) {
        fprintf(stderr, "event=out_of_memory\n");
        abort();
    }
    return p;
}

void *mem_alloc(size_t len)
{
    return mem_checked(mem_refuses() ? NULL : malloc(len == 0 ? 1 : len));
}

void *mem_zalloc(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        return mem_checked(NULL);
    }
    return mem_checked(mem_refuses() ? NULL : calloc(n == 0 ? 1 : n, size == 0 ? 1 : size));
}

void *mem_realloc(void *p, size_t len)
{
    return mem_checked(mem_refuses() ? NULL : realloc(p, len == 0 ? 1 : len));
}

char *mem_text(struct slice s)
{
    char *text = mem_alloc(s.len + 1);
    if (text != NULL) {
        if (s.len > 0) {
            memcpy(text, s.data, s.len);
        }
        text[s.len] = '\0';
    }
    return text;
}

void mem_free(void *p)
{
    free(p);
}

void mem_keep_freed(void)
{
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

void mem_abort_when_out(void)
{
    abort_when_out = true;
}

void mem_fail_after(int n)
{
    fail_after = n;
}

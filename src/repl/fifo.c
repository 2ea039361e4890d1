/* fifo.c - a queue in one array, as a ring. */
#include "repl/fifo.h"

#include "base/mem.h"

#include <string.h>

#define FIFO_CAP_FIRST 16u

static uint8_t *fifo_slot(const struct fifo *f, size_t i)
{
    return f->data + ((f->head + i) & (f->cap - 1)) * f->size;
}

void fifo_fini(struct fifo *f)
{
    mem_free(f->data);
    *f = (struct fifo){.size = f->size};
}

static bool fifo_grow(struct fifo *f)
{
    size_t cap = f->cap == 0 ? FIFO_CAP_FIRST : 2 * f->cap;
    uint8_t *data = mem_alloc(cap * f->size);
    if (data == NULL) {
        return false;
    }
    for (size_t i = 0; i < f->n; i++) {
        memcpy(data + i * f->size, fifo_slot(f, i), f->size);
    }
    mem_free(f->data);
    f->data = data;
    f->cap = cap;
    f->head = 0;
    return true;
}

void *fifo_push(struct fifo *f)
{
    if (f->n == f->cap && !fifo_grow(f)) {
        return NULL;
    }
    f->n++;
    return fifo_slot(f, f->n - 1);
}

void *fifo_front(const struct fifo *f)
{
    return f->n == 0 ? NULL : fifo_slot(f, 0);
}

void *fifo_back(const struct fifo *f)
{
    return f->n == 0 ? NULL : fifo_slot(f, f->n - 1);
}

void fifo_pop_front(struct fifo *f)
{
    ensure(f->n > 0);
    f->head = (f->head + 1) & (f->cap - 1);
    f->n--;
}

void fifo_pop_back(struct fifo *f)
{
    ensure(f->n > 0);
    f->n--;
}

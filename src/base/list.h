/* list.h - intrusive doubly linked list.
 *
 * A link that is in no list points to itself or is all zero. Recover the owner with CONTAINER(). */
#ifndef DKV_BASE_LIST_H
#define DKV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next;
    struct link *prev;
};

static inline void list_init(struct link *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct link *head)
{
    return head->next == head || head->next == NULL;
}

static inline void list_push(struct link *head, struct link *item) /* at the end */
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

static inline void list_remove(struct link *item) /* fine when in no list */
{
    if (item->next != NULL) {
        item->prev->next = item->next;
        item->next->prev = item->prev;
    }
    item->next = NULL;
    item->prev = NULL;
}

/* The first item, taken out; NULL: empty. */
static inline struct link *list_pop(struct link *head)
{
    if (list_empty(head)) {
        return NULL;
    }
    struct link *item = head->next;
    list_remove(item);
    return item;
}

/* Move all of from into the empty list to, so that a caller may call out while walking it. */
static inline void list_detach(struct link *from, struct link *to)
{
    list_init(to);
    if (!list_empty(from)) {
        to->next = from->next;
        to->prev = from->prev;
        to->next->prev = to;
        to->prev->next = to;
        list_init(from);
    }
}

#endif

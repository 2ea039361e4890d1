/* queue.c - urgent before bulk. */
#include "peer/queue.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/stream.h"

/* A chunk is closed when it has grown to this; one frame more than this at most. */
#define QUEUE_CHUNK_BYTES (256u << 10)

/* Bulk waits here while the stream holds more than this unsent: at 1 Gbit/s what is ahead of an urgent frame
 * is gone in 10 ms. */
#define QUEUE_BULK_WINDOW (1u << 20)

_Static_assert(QUEUE_CHUNK_BYTES <= QUEUE_BULK_WINDOW, "no chunk would ever fit the window");

struct chunk {
    struct link link;
    struct buf data;
};

void queue_init(struct queue *q)
{
    *q = (struct queue){0};
    list_init(&q->chunks);
}

static void chunk_free(struct chunk *c)
{
    buf_fini(&c->data);
    mem_free(c);
}

void queue_drop(struct queue *q)
{
    buf_fini(&q->urgent);
    struct link *l;
    while ((l = list_pop(&q->chunks)) != NULL) {
        chunk_free(CONTAINER(l, struct chunk, link));
    }
    q->bulk_bytes = 0;
}

/* The chunk that takes the next frame. NULL: no memory. */
static struct chunk *queue_tail(struct queue *q)
{
    if (!list_empty(&q->chunks)) {
        struct chunk *last = CONTAINER(q->chunks.prev, struct chunk, link);
        if (last->data.len < QUEUE_CHUNK_BYTES) {
            return last;
        }
    }
    struct chunk *c = mem_zalloc(1, sizeof *c);
    if (c != NULL) {
        list_push(&q->chunks, &c->link);
    }
    return c;
}

static dkv_err queue_put_bulk(struct queue *q, const struct frame *f)
{
    if (q->bulk_bytes + f->body.len > LINK_QUEUE_BYTES_MAX) {
        return DKV_LIMIT;
    }
    struct chunk *c = queue_tail(q);
    if (c == NULL) {
        return DKV_NO_MEMORY;
    }
    size_t before = c->data.len;
    frame_encode(f, &c->data);
    q->bulk_bytes += c->data.len - before;
    return buf_ok(&c->data) ? DKV_OK : DKV_NO_MEMORY;
}

dkv_err queue_put(struct queue *q, const struct frame *f, bool urgent)
{
    if (!urgent) {
        return queue_put_bulk(q, f);
    }
    if (q->urgent.len + f->body.len > LINK_URGENT_BYTES_MAX) {
        return DKV_LIMIT;
    }
    frame_encode(f, &q->urgent);
    return buf_ok(&q->urgent) ? DKV_OK : DKV_NO_MEMORY;
}

static struct chunk *queue_pop(struct queue *q)
{
    struct chunk *c = CONTAINER(list_pop(&q->chunks), struct chunk, link);
    ensure(q->bulk_bytes >= c->data.len);
    q->bulk_bytes -= c->data.len;
    return c;
}

/* One write carries the urgent frames and, if it is small, the first chunk; usually that is all there is. */
static void queue_write_urgent(struct queue *q, struct stream *s)
{
    bool room = s->unsent < QUEUE_BULK_WINDOW && !list_empty(&q->chunks);
    struct chunk *first = room ? CONTAINER(q->chunks.next, struct chunk, link) : NULL;
    if (first != NULL && first->data.len <= QUEUE_CHUNK_BYTES) {
        (void)queue_pop(q);
        buf_put(&q->urgent, buf_slice(&first->data));
        chunk_free(first);
    }
    s->ops->write(s, &q->urgent);
}

void queue_flush(struct queue *q, struct stream *s)
{
    if (q->urgent.len > 0 && s->unsent < LINK_URGENT_BYTES_MAX) {
        queue_write_urgent(q, s);
    }
    while (!list_empty(&q->chunks) && s->unsent < QUEUE_BULK_WINDOW) {
        struct chunk *c = queue_pop(q);
        s->ops->write(s, &c->data);
        chunk_free(c);
    }
}

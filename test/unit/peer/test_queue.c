/* test_queue.c - urgent before bulk, and both within their bounds. */
#include "base/limits.h"
#include "base/mem.h"
#include "lib/pipe.h"
#include "peer/queue.h"

#include <check.h>

Suite *queue_suite(void);

/* The other end of the pipe: what came, as ids in order. */
struct hearer {
    struct buf bytes;
    uint64_t ids[4096];
    size_t count;
};

static struct pipe *wire;
static struct stream *out;
static struct hearer hearer;
static struct queue queue;

static void hearer_on_data(struct stream *s, struct slice bytes)
{
    struct hearer *h = s->owner;
    buf_put(&h->bytes, bytes);
    struct frame f;
    size_t used = 0;
    while (frame_decode(buf_slice(&h->bytes), &used, &f) == DKV_OK) {
        ck_assert_uint_lt(h->count, sizeof h->ids / sizeof h->ids[0]);
        h->ids[h->count++] = f.id;
        buf_consume(&h->bytes, used);
    }
}

static void hearer_on_close(struct stream *s, dkv_err err)
{
    (void)s;
    (void)err;
}

static const struct stream_events hearer_events = {.on_data = hearer_on_data, .on_close = hearer_on_close};

static void setup(void)
{
    wire = pipe_new();
    out = pipe_stream(wire, PIPE_A);
    out->events = &hearer_events;
    pipe_stream(wire, PIPE_B)->owner = &hearer;
    pipe_stream(wire, PIPE_B)->events = &hearer_events;
    hearer.count = 0;
    queue_init(&queue);
}

static void teardown(void)
{
    queue_drop(&queue);
    buf_fini(&hearer.bytes);
    pipe_free(wire);
}

static uint8_t filler[FRAME_BYTES_MAX];

static dkv_err put(uint64_t id, size_t bytes, bool urgent)
{
    struct frame f = {.kind = FRAME_RAFT, .id = id, .body = slice_of(filler, bytes)};
    return queue_put(&queue, &f, urgent);
}

START_TEST(frames_of_one_turn_go_out_urgent_first)
{
    ck_assert_int_eq(put(1, 100, false), DKV_OK);
    ck_assert_int_eq(put(2, 100, true), DKV_OK);
    ck_assert_int_eq(put(3, 100, false), DKV_OK);
    ck_assert_int_eq(put(4, 100, true), DKV_OK);
    queue_flush(&queue, out);
    pipe_run(wire);
    static const uint64_t want[] = {2, 4, 1, 3};
    ck_assert_uint_eq(hearer.count, 4);
    ck_assert_mem_eq(hearer.ids, want, sizeof want);
}
END_TEST

START_TEST(an_urgent_frame_overtakes_bulk_the_stream_has_no_room_for)
{
    enum { BULK = 100, BULK_BYTES = 100000 };
    for (uint64_t i = 0; i < BULK; i++) {
        ck_assert_int_eq(put(i, BULK_BYTES, false), DKV_OK);
    }
    queue_flush(&queue, out);
    ck_assert_uint_gt(queue.bulk_bytes, 0); /* most of it waits here */
    ck_assert_uint_lt(out->unsent, 2u << 20);
    ck_assert_int_eq(put(777, 100, true), DKV_OK);
    queue_flush(&queue, out); /* the stream is full, but urgent goes on */
    while (queue.bulk_bytes > 0) {
        pipe_deliver(wire, PIPE_B, 300000);
        queue_flush(&queue, out);
    }
    pipe_run(wire);
    ck_assert_uint_eq(hearer.count, BULK + 1);
    size_t at = 0;
    uint64_t next = 0;
    for (size_t i = 0; i < hearer.count; i++) {
        if (hearer.ids[i] == 777) {
            at = i;
        } else {
            ck_assert_uint_eq(hearer.ids[i], next++); /* bulk keeps its order */
        }
    }
    ck_assert_uint_lt(at, 20);
}
END_TEST

START_TEST(bulk_over_its_bound_is_refused_and_comes_back_when_there_is_room)
{
    uint64_t taken = 0;
    while (put(taken, 1u << 20, false) == DKV_OK) {
        taken++;
    }
    ck_assert_uint_eq(taken,
                      LINK_QUEUE_BYTES_MAX / (1u << 20) - 1); /* 64 bodies and their heads do not fit */
    ck_assert_uint_le(queue.bulk_bytes, LINK_QUEUE_BYTES_MAX);
    ck_assert_int_eq(put(1000, 100, true), DKV_OK); /* urgent has room of its own */
    queue_flush(&queue, out);
    ck_assert_int_eq(put(taken, 1u << 20, false), DKV_OK);
    ck_assert_uint_lt(out->unsent, 4u << 20);
}
END_TEST

START_TEST(urgent_over_its_bound_is_refused)
{
    uint64_t taken = 0;
    while (put(taken, 100000, true) == DKV_OK) {
        taken++;
    }
    ck_assert_uint_le(taken, LINK_URGENT_BYTES_MAX / 100000);
    queue_flush(&queue, out); /* nobody reads the other end */
    while (put(taken, 100000, true) == DKV_OK) {
        taken++;
        queue_flush(&queue, out);
    }
    ck_assert_uint_le(out->unsent, 2 * LINK_URGENT_BYTES_MAX + (1u << 20));
    pipe_run(wire);
    queue_flush(&queue, out);
    pipe_run(wire);
    ck_assert_uint_eq(hearer.count, taken);
}
END_TEST

START_TEST(a_large_frame_goes_whole)
{
    ck_assert_int_eq(put(1, FRAME_BYTES_MAX - 16, false), DKV_OK);
    ck_assert_int_eq(put(2, 1, false), DKV_OK);
    ck_assert_int_eq(put(3, 1, true), DKV_OK);
    queue_flush(&queue, out);
    pipe_run(wire);
    queue_flush(&queue, out);
    pipe_run(wire);
    static const uint64_t want[] = {3, 1, 2};
    ck_assert_uint_eq(hearer.count, 3);
    ck_assert_mem_eq(hearer.ids, want, sizeof want);
}
END_TEST

START_TEST(put_survives_every_failed_allocation)
{
    for (int urgent = 0; urgent < 2; urgent++) {
        dkv_err err = DKV_NO_MEMORY;
        for (int n = 0; err != DKV_OK; n++) {
            ck_assert_int_lt(n, 100);
            mem_fail_after(n);
            err = put(1, 1000, urgent == 1);
            mem_fail_after(-1);
            ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
            queue_drop(&queue);
        }
    }
}
END_TEST

Suite *queue_suite(void)
{
    Suite *s = suite_create("queue");
    TCase *t = tcase_create("queue");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, frames_of_one_turn_go_out_urgent_first);
    tcase_add_test(t, an_urgent_frame_overtakes_bulk_the_stream_has_no_room_for);
    tcase_add_test(t, bulk_over_its_bound_is_refused_and_comes_back_when_there_is_room);
    tcase_add_test(t, urgent_over_its_bound_is_refused);
    tcase_add_test(t, a_large_frame_goes_whole);
    tcase_add_test(t, put_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

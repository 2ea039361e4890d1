/* test_deadlines.c - clients that are slow on purpose, at the door of one node, in virtual time. */
#include "front/door.h"
#include "proto/native.h"
#include "unit/front/suites.h"
#include "world/world.h"

#define CLIENTS  2u /* a place in the simulated network where no node is */
#define LORISES  200u
#define STEP_MS  10u
#define FAST     0u /* the client that does nothing wrong */
#define SLOW_END (CONN_MESSAGE_MS + 2000u)

struct client {
    struct stream *stream; /* NULL: closed */
    size_t heard;          /* bytes */
};

static struct world *world;
static struct door *door;
static bool door_gone;
static struct client clients[1 + LORISES];

static void on_data(struct stream *s, struct slice bytes)
{
    ((struct client *)s->owner)->heard += bytes.len;
}

static void on_close(struct stream *s, dkv_err err)
{
    (void)err;
    ((struct client *)s->owner)->stream = NULL;
}

static const struct stream_events events = {.on_data = on_data, .on_close = on_close};

static void pass(uint64_t ms)
{
    uint64_t end = world->now_ms + ms;
    while (world->now_ms < end) {
        while (net_sim_deliver(world->net, CLIENTS)) {
        }
        door_turn(door);
        world_step(world, world->now_ms + STEP_MS);
        door_turn(door);
    }
}

static void call(struct client *c)
{
    struct stream *at_door = NULL;
    net_sim_pair(world->net, CLIENTS, 1, &c->stream, &at_door);
    c->stream->owner = c;
    c->stream->events = &events;
    c->heard = 0;
    door_accept(door, at_door);
}

static void send_bytes(struct client *c, struct slice bytes)
{
    struct buf copy = {0};
    buf_put(&copy, bytes);
    c->stream->ops->write(c->stream, &copy);
}

static void setup(void)
{
    world = world_new(1, 1, 1, 2);
    world_start(world, 1);
    door = door_new(world->hosts[1].router);
    door_gone = false;
    pass(1000);
}

static void on_door_gone(void *ctx)
{
    (void)ctx;
    door_gone = true;
}

static void teardown(void)
{
    door_close(door, on_door_gone, NULL);
    world->now_ms += 1000000;
    while (net_sim_deliver(world->net, 1) || net_sim_deliver(world->net, CLIENTS)) {
    }
    ck_assert(door_gone);
    world_free(world);
}

/* A put of so many bytes, as it goes over the wire. */
static void encode_put(struct buf *out, size_t value_bytes)
{
    struct buf value = {0};
    uint8_t *at = buf_extend(&value, value_bytes);
    ck_assert_ptr_nonnull(at);
    memset(at, 'v', value_bytes);
    struct request p = {.op = OP_PUT, .key = slice_str("slow"), .value = buf_slice(&value)};
    native_put_request(out, 1, &p);
    buf_fini(&value);
}

START_TEST(a_message_of_a_byte_a_second_is_cut_off_and_harms_nobody)
{
    struct buf slow = {0};
    struct buf fast = {0};
    encode_put(&slow, 1000);
    encode_put(&fast, 10);
    call(&clients[FAST]);
    for (size_t i = 1; i <= LORISES; i++) {
        call(&clients[i]);
    }
    for (uint64_t second = 0; second * 1000 < CONN_MESSAGE_MS; second++) {
        size_t heard = clients[FAST].heard;
        for (size_t i = 1; i <= LORISES; i++) {
            ck_assert_ptr_nonnull(clients[i].stream);
            send_bytes(&clients[i], slice_of(slow.data + second, 1));
        }
        send_bytes(&clients[FAST], buf_slice(&fast));
        pass(1000);
        ck_assert_uint_gt(clients[FAST].heard, heard);
    }
    pass(SLOW_END - CONN_MESSAGE_MS);
    for (size_t i = 1; i <= LORISES; i++) {
        ck_assert_ptr_null(clients[i].stream);
    }
    ck_assert_ptr_nonnull(clients[FAST].stream); /* between messages a client may rest */
    buf_fini(&slow);
    buf_fini(&fast);
}
END_TEST

START_TEST(a_message_that_claims_more_than_comes_is_cut_off)
{
    struct buf message = {0};
    encode_put(&message, 100000);
    call(&clients[1]);
    send_bytes(&clients[1], slice_of(message.data, 50000));
    pass(CONN_MESSAGE_MS + 49000);
    ck_assert_ptr_nonnull(clients[1].stream);
    pass(4000);
    ck_assert_ptr_null(clients[1].stream);
    buf_fini(&message);
}
END_TEST

START_TEST(a_large_message_over_a_thin_line_is_taken)
{
    struct buf message = {0};
    encode_put(&message, 200000);
    call(&clients[1]);
    for (size_t at = 0; at < message.len; at += 1500) {
        size_t n = message.len - at < 1500 ? message.len - at : 1500;
        ck_assert_ptr_nonnull(clients[1].stream);
        send_bytes(&clients[1], slice_of(message.data + at, n));
        pass(1000); /* 133 s for all of it */
    }
    pass(1000);
    ck_assert_uint_gt(clients[1].heard, 0);
    ck_assert_ptr_nonnull(clients[1].stream);
    buf_fini(&message);
}
END_TEST

Suite *deadlines_suite(void)
{
    Suite *s = suite_create("deadlines");
    TCase *t = tcase_create("deadlines");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_message_of_a_byte_a_second_is_cut_off_and_harms_nobody);
    tcase_add_test(t, a_message_that_claims_more_than_comes_is_cut_off);
    tcase_add_test(t, a_large_message_over_a_thin_line_is_taken);
    suite_add_tcase(s, t);
    return s;
}

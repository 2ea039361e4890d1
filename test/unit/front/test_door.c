/* test_door.c - the client port of one node of a simulated cluster, spoken to byte by byte. */
#include "front/door.h"
#include "proto/native.h"
#include "unit/front/suites.h"
#include "world/world.h"

/* A node with its door, and a client's end of a connection to it. */
struct fixture {
    struct world *world;
    struct door *door;
    struct stream *client; /* NULL: closed */
    struct buf heard;
    struct pack_doc *doc;
    bool door_gone;
};

static struct fixture f;

static void client_on_data(struct stream *s, struct slice bytes)
{
    (void)s;
    buf_put(&f.heard, bytes);
}

static void client_on_close(struct stream *s, dkv_err err)
{
    (void)s;
    (void)err;
    f.client = NULL;
}

static const struct stream_events client_events = {.on_data = client_on_data, .on_close = client_on_close};

#define CLIENT 2u /* a place in the simulated network where no node is */

/* Let virtual time pass, with everything that happens in it. */
static void pass(uint64_t ms)
{
    uint64_t end = f.world->now_ms + ms;
    while (f.world->now_ms < end) {
        while (net_sim_deliver(f.world->net, CLIENT)) {
        }
        door_turn(f.door);
        world_step(f.world, f.world->now_ms + 1);
        door_turn(f.door);
    }
}

static void call(void)
{
    struct stream *at_door = NULL;
    net_sim_pair(f.world->net, CLIENT, 1, &f.client, &at_door);
    f.client->events = &client_events;
    door_accept(f.door, at_door);
}

static void setup(void)
{
    f = (struct fixture){.world = world_new(1, 1, 1, 2), .doc = pack_doc_new()};
    world_start(f.world, 1);
    f.door = door_new(f.world->hosts[1].router);
    pass(1000);
    call();
}

static void on_door_gone(void *ctx)
{
    (void)ctx;
    f.door_gone = true;
}

static void teardown(void)
{
    door_close(f.door, on_door_gone, NULL);
    f.world->now_ms += 1000000;
    for (int i = 0; i < 1000; i++) {
        net_sim_deliver(f.world->net, 1);
        net_sim_deliver(f.world->net, CLIENT);
    }
    ck_assert(f.door_gone);
    world_free(f.world);
    pack_doc_free(f.doc);
    buf_fini(&f.heard);
}

static void send_bytes(struct slice bytes)
{
    struct buf copy = {0};
    buf_put(&copy, bytes);
    f.client->ops->write(f.client, &copy);
}

static void send_request(uint32_t id, const struct request *request)
{
    struct buf message = {0};
    native_put_request(&message, id, request);
    f.client->ops->write(f.client, &message);
}

/* The next reply, taken off what was heard; false: none has come. */
static bool take_reply(uint32_t *id, struct reply *reply)
{
    static struct buf message;
    struct pack_scan scan = {0};
    size_t len = 0;
    if (f.heard.len == 0 || pack_scan(&scan, buf_slice(&f.heard), REPLY_BYTES_MAX, &len) != DKV_OK) {
        return false;
    }
    buf_reset(&message);
    buf_put(&message, slice_of(f.heard.data, len));
    buf_consume(&f.heard, len);
    ck_assert_int_eq(native_parse_reply(f.doc, buf_slice(&message), id, reply), DKV_OK);
    return true;
}

static struct request get(const char *key)
{
    return (struct request){.op = OP_GET, .key = slice_str(key)};
}

static struct request put(const char *key, const char *value)
{
    return (struct request){.op = OP_PUT, .key = slice_str(key), .value = slice_str(value)};
}

START_TEST(a_put_is_read_back_with_its_id_and_version)
{
    struct request p = put("k", "v");
    struct request g = get("k");
    struct reply reply;
    uint32_t id = 0;
    send_request(7, &p);
    pass(100);
    ck_assert(take_reply(&id, &reply));
    ck_assert_uint_eq(id, 7);
    ck_assert_int_eq(reply.err, DKV_OK);
    ck_assert_uint_eq(reply.version, 1);
    uint64_t change = reply.id;
    send_request(8, &g);
    pass(100);
    ck_assert(take_reply(&id, &reply));
    ck_assert(slice_eq(reply.value, slice_str("v")));
    ck_assert_uint_eq(reply.id, change);
    ck_assert(slice_eq(reply.node, slice_str("n1")));
    ck_assert(slice_eq(reply.leader, slice_str("n1")));
}
END_TEST

START_TEST(a_message_that_comes_byte_by_byte_is_the_same_message)
{
    struct buf message = {0};
    struct request p = put("slow", "client");
    struct reply reply;
    uint32_t id = 0;
    native_put_request(&message, 3, &p);
    for (size_t i = 0; i < message.len; i++) {
        send_bytes(slice_of(message.data + i, 1));
        pass(1);
    }
    buf_fini(&message);
    pass(100);
    ck_assert(take_reply(&id, &reply));
    ck_assert_uint_eq(id, 3);
    ck_assert_int_eq(reply.err, DKV_OK);
}
END_TEST

START_TEST(a_thousand_pipelined_requests_are_all_answered_once)
{
    bool answered[1000] = {false};
    struct reply reply;
    uint32_t id = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct request p = put("many", "x");
        send_request(i, &p);
    }
    pass(500);
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert(take_reply(&id, &reply));
        ck_assert_int_eq(reply.err, DKV_OK);
        ck_assert(id < 1000 && !answered[id]);
        answered[id] = true;
    }
    ck_assert(!take_reply(&id, &reply));
}
END_TEST

START_TEST(a_wrong_request_is_told_so_and_the_connection_stays)
{
    /* [0, id, method, {params}] with something wrong in it */
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        dkv_err err;
    } cases[] = {
        {"unknown method", "\x94\x00\x01\xa3zap\x80", 8, DKV_UNSUPPORTED},
        {"get without a key", "\x94\x00\x01\xa3get\x80", 8, DKV_BAD_REQUEST},
        {"get with an empty key", "\x94\x00\x01\xa3get\x81\xa3key\xc4\x00", 14, DKV_BAD_REQUEST},
        {"get with a number for a key", "\x94\x00\x01\xa3get\x81\xa3key\x05", 13, DKV_BAD_REQUEST},
        {"a key twice", "\x94\x00\x01\xa3get\x82\xa3key\xa1k\xa3key\xa1k", 20, DKV_BAD_REQUEST},
        {"what only nodes ask", "\x94\x00\x01\xaaread_index\x81\xa5shard\x01", 22, DKV_UNSUPPORTED},
    };
    struct request g = get("k");
    struct reply reply;
    uint32_t id = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_bytes(slice_of(cases[i].bytes, cases[i].len));
        pass(100);
        ck_assert_msg(take_reply(&id, &reply), "%s: no answer", cases[i].what);
        ck_assert_msg(reply.err == cases[i].err, "%s: %s", cases[i].what, err_text(reply.err));
        ck_assert_uint_eq(id, 1);
        send_request(2, &g);
        pass(100);
        ck_assert_msg(take_reply(&id, &reply), "%s: the connection is lost", cases[i].what);
        ck_assert_int_eq(reply.err, DKV_NOT_FOUND);
    }
}
END_TEST

START_TEST(bytes_that_are_no_message_close_the_connection)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
    } cases[] = {
        {"another protocol", "GET / HTTP/1.1\r\n\r\n", 18},
        {"a reserved byte", "\x94\xc1", 2},
        {"a claim of four billion elements", "\x94\xdd\xff\xff\xff\xff", 6},
        {"a claim of four billion bytes", "\x94\x00\x01\xc6\xff\xff\xff\xff", 8},
        {"deeper than allowed",
         "\x94\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91", 19},
        {"a response", "\x94\x01\x01\xc0\xc0", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_bytes(slice_of(cases[i].bytes, cases[i].len));
        pass(300);
        ck_assert_msg(f.client == NULL, "%s: still open", cases[i].what);
        buf_reset(&f.heard);
        call();
    }
}
END_TEST

START_TEST(a_silent_connection_is_closed_and_one_that_spoke_is_not)
{
    struct request g = get("k");
    send_request(1, &g);
    pass(CONN_FIRST_BYTE_MS + 3000);
    ck_assert(f.client != NULL);
    f.client->ops->close(f.client, false);
    pass(100);
    call();
    pass(CONN_FIRST_BYTE_MS + 3000);
    ck_assert(f.client == NULL);
}
END_TEST

START_TEST(a_client_that_goes_in_the_middle_leaves_nothing_behind)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct request p = put("gone", "x");
        send_request(i, &p);
    }
    send_bytes(slice_of("\x94\x00", 2));
    f.client->ops->close(f.client, false);
    pass(1000);
    ck_assert(door_is_idle(f.door)); /* the sanitizer looks for what was left */
}
END_TEST

/* A client more; whether it is still there after a while. */
static bool one_more_stays(void)
{
    struct stream *client = NULL;
    struct stream *at_door = NULL;
    net_sim_pair(f.world->net, CLIENT, 1, &client, &at_door);
    struct stream *first = f.client;
    f.client = client;
    client->events = &client_events;
    door_accept(f.door, at_door);
    pass(100);
    bool stays = f.client != NULL;
    f.client = first;
    return stays;
}

START_TEST(one_connection_more_than_allowed_is_closed_and_the_others_go_on)
{
    struct request g = get("k");
    struct reply reply;
    uint32_t id = 0;
    door_set_conns_max(f.door, 2);
    ck_assert(one_more_stays());
    ck_assert(!one_more_stays());
    ck_assert(!one_more_stays());
    send_request(1, &g);
    pass(100);
    ck_assert(take_reply(&id, &reply));
    ck_assert_int_eq(reply.err, DKV_NOT_FOUND);
    door_set_conns_max(f.door, 1); /* fewer than there are: nobody is thrown out */
    ck_assert(!one_more_stays());
    send_request(2, &g);
    pass(100);
    ck_assert(take_reply(&id, &reply));
    door_set_conns_max(f.door, 3);
    ck_assert(one_more_stays());
    ck_assert(!one_more_stays());
}
END_TEST

START_TEST(a_connection_that_goes_makes_room_for_another)
{
    door_set_conns_max(f.door, 1);
    ck_assert(!one_more_stays());
    f.client->ops->close(f.client, false);
    pass(100);
    ck_assert(one_more_stays());
}
END_TEST

Suite *door_suite(void)
{
    Suite *s = suite_create("door");
    TCase *t = tcase_create("door");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_put_is_read_back_with_its_id_and_version);
    tcase_add_test(t, a_message_that_comes_byte_by_byte_is_the_same_message);
    tcase_add_test(t, a_thousand_pipelined_requests_are_all_answered_once);
    tcase_add_test(t, a_wrong_request_is_told_so_and_the_connection_stays);
    tcase_add_test(t, bytes_that_are_no_message_close_the_connection);
    tcase_add_test(t, a_silent_connection_is_closed_and_one_that_spoke_is_not);
    tcase_add_test(t, a_client_that_goes_in_the_middle_leaves_nothing_behind);
    tcase_add_test(t, one_connection_more_than_allowed_is_closed_and_the_others_go_on);
    tcase_add_test(t, a_connection_that_goes_makes_room_for_another);
    suite_add_tcase(s, t);
    return s;
}

/* test_router.c - routing in simulated clusters: leaders, followers, nodes without a replica, lost
 * majorities. */
#include "proto/pack.h"
#include "unit/front/suites.h"
#include "world/world.h"

#include <stdio.h>

struct asked {
    struct router_call call;
    bool done;
    struct reply reply; /* without its slices */
    char value[64];
    char node[NODE_NAME_MAX + 1];
    char detail[128];
    uint32_t items; /* of a page */
    char next[64];
};

static void asked_read_page(struct asked *a, struct slice body)
{
    struct pack_doc *doc = pack_doc_new();
    const struct pack_value *v = NULL;
    struct slice next;
    ck_assert_int_eq(pack_parse(doc, body, &v), DKV_OK);
    ck_assert(pack_get_array(pack_find(v, "items"), &a->items));
    if (pack_get_bytes(pack_find(v, "next"), &next)) {
        memcpy(a->next, next.data, next.len);
    }
    pack_doc_free(doc);
}

static void asked_done(struct router_call *call, const struct reply *reply)
{
    struct asked *a = CONTAINER(call, struct asked, call);
    a->done = true;
    a->reply = *reply;
    if (reply->value.len > 0 && reply->value.len < sizeof a->value) {
        memcpy(a->value, reply->value.data, reply->value.len);
    }
    if (reply->detail.len > 0 && reply->detail.len < sizeof a->detail) {
        memcpy(a->detail, reply->detail.data, reply->detail.len);
    }
    if (reply->node.len < sizeof a->node) {
        memcpy(a->node, reply->node.data, reply->node.len);
    }
    if (call->request.op == OP_SCAN && reply->err == DKV_OK) {
        asked_read_page(a, reply->value);
    }
}

/* Ask that node and let time pass until it answers. */
static void ask(struct world *w, uint32_t node, const struct request *request, struct asked *a)
{
    *a = (struct asked){.call = {.request = *request, .cb = asked_done}};
    router_submit(w->hosts[node].router, &a->call);
    for (uint64_t end = w->now_ms + 20000; !a->done && w->now_ms < end;) {
        world_step(w, w->now_ms + 1);
    }
    ck_assert(a->done);
}

static struct world *running(uint32_t nodes, uint32_t shards)
{
    struct world *w = world_new(7, nodes, nodes < 3 ? 1 : 3, shards);
    for (uint32_t i = 1; i <= nodes; i++) {
        world_start(w, i);
    }
    for (uint64_t end = w->now_ms + 5000; w->now_ms < end;) {
        world_step(w, end);
    }
    for (uint32_t shard = 0; shard <= shards; shard++) {
        ck_assert_uint_ne(world_leader(w, shard), 0);
    }
    return w;
}

static struct request put(const char *key, const char *value)
{
    return (struct request){
        .op = OP_PUT, .key = slice_str(key), .value = slice_str(value), .timeout_ms = 3000};
}

static struct request get(const char *key, enum consistency consistency)
{
    return (struct request){
        .op = OP_GET, .key = slice_str(key), .consistency = consistency, .timeout_ms = 3000};
}

static const struct map_shard *shard_of(struct world *w, const char *key)
{
    return map_shard(w->map, ring_find(node_ring(w->hosts[1].node), slice_str(key)));
}

START_TEST(any_node_takes_any_request)
{
    struct world *w = running(5, 4);
    struct asked a;
    for (uint32_t node = 1; node <= 5; node++) {
        char key[16];
        char value[16];
        snprintf(key, sizeof key, "key%u", node);
        snprintf(value, sizeof value, "value%u", node);
        struct request p = put(key, value);
        struct request g = get(key, READ_LINEARIZABLE);
        ask(w, node, &p, &a);
        ck_assert_int_eq(a.reply.err, DKV_OK);
        for (uint32_t reader = 1; reader <= 5; reader++) {
            ask(w, reader, &g, &a);
            ck_assert_int_eq(a.reply.err, DKV_OK);
            ck_assert_str_eq(a.value, value);
            bool here = map_replica_on(shard_of(w, key), reader) != NULL;
            ck_assert(a.reply.forwarded == !here); /* a follower serves it itself */
        }
    }
    world_free(w);
}
END_TEST

START_TEST(a_stale_read_at_a_node_without_a_replica_is_passed_on_and_says_so)
{
    struct world *w = running(5, 1);
    struct asked a;
    struct request p = put("k", "v");
    struct request g = get("k", READ_STALE);
    ask(w, 1, &p, &a);
    for (uint32_t node = 1; node <= 5; node++) {
        bool here = map_replica_on(shard_of(w, "k"), node) != NULL;
        ask(w, node, &g, &a);
        ck_assert_int_eq(a.reply.consistency, READ_STALE);
        ck_assert(a.reply.forwarded == !here);
        ck_assert(here == (strcmp(a.node, map_node(w->map, node)->name) == 0));
    }
    world_free(w);
}
END_TEST

START_TEST(without_a_majority_stale_reads_go_on_and_all_else_is_unavailable)
{
    struct world *w = running(3, 1);
    struct asked a;
    struct request p = put("k", "v");
    struct request stale = get("k", READ_STALE);
    struct request linearizable = get("k", READ_LINEARIZABLE);
    ask(w, 1, &p, &a);
    for (uint64_t end = w->now_ms + 1000; w->now_ms < end;) { /* the followers hear that it is committed */
        world_step(w, end);
    }
    world_kill(w, 2, false);
    world_kill(w, 3, false);
    for (uint64_t end = w->now_ms + 2000; w->now_ms < end;) {
        world_step(w, end);
    }
    ask(w, 1, &stale, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    ck_assert_str_eq(a.value, "v");
    uint64_t before = w->now_ms;
    ask(w, 1, &linearizable, &a);
    ck_assert_int_eq(a.reply.err, DKV_UNAVAILABLE);
    ask(w, 1, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_UNAVAILABLE);
    ck_assert_uint_le(w->now_ms - before, 3 * WORLD_ELECTION_MS); /* told soon, not at the deadline */
    world_free(w);
}
END_TEST

START_TEST(a_leader_that_was_cut_off_never_answers_with_an_old_value)
{
    struct world *w = running(3, 1);
    struct asked a;
    struct asked late = {0};
    struct request one = put("k", "1");
    struct request two = put("k", "2");
    struct request g = get("k", READ_LINEARIZABLE);
    ask(w, 1, &one, &a);
    uint32_t old = world_leader(w, 1);
    uint32_t other = old == 1 ? 2 : 1;
    w->hosts[old].pause_until = w->now_ms + 5000;
    for (uint64_t end = w->now_ms + 1500; w->now_ms < end;) { /* the others elect a successor */
        world_step(w, end);
    }
    ask(w, other, &two, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    ck_assert_uint_lt(w->now_ms, w->hosts[old].pause_until); /* it is still frozen, and thinks it leads */
    late.call = (struct router_call){.request = g, .cb = asked_done};
    router_submit(w->hosts[old].router, &late.call);
    for (uint64_t end = w->hosts[old].pause_until + 10000; !late.done && w->now_ms < end;) {
        world_step(w, w->now_ms + 1);
    }
    ck_assert(late.done);
    ck_assert(late.reply.err == DKV_UNAVAILABLE || strcmp(late.value, "2") == 0);
    world_free(w);
}
END_TEST

START_TEST(pages_of_all_shards_are_in_order_and_miss_nothing)
{
    enum { KEYS = 300 };
    struct world *w = running(3, 4);
    struct asked a;
    char key[16];
    char from[64] = "";
    uint32_t seen = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "p%03u", i);
        struct request p = put(key, "x");
        ask(w, 1 + i % 3, &p, &a);
        ck_assert_int_eq(a.reply.err, DKV_OK);
    }
    struct request other = put("q", "not of the prefix");
    ask(w, 1, &other, &a);
    do {
        struct request page = {
            .op = OP_SCAN, .key = slice_str("p"), .from = slice_str(from), .limit = 70, .keys_only = true};
        ask(w, 1 + seen % 3, &page, &a);
        ck_assert_int_eq(a.reply.err, DKV_OK);
        ck_assert_uint_gt(a.items, 0);
        ck_assert_uint_le(a.items, 70);
        seen += a.items;
        snprintf(key, sizeof key, "p%03u", seen);
        ck_assert_str_eq(a.next, seen == KEYS ? "" : key);
        memcpy(from, a.next, sizeof from);
    } while (from[0] != '\0');
    ck_assert_uint_eq(seen, KEYS);
    world_free(w);
}
END_TEST

START_TEST(a_lost_data_directory_under_an_old_name_is_refused)
{
    struct world *w = running(3, 1);
    world_kill(w, 2, true);
    memdisk_free(w->hosts[2].disk);
    w->hosts[2].disk = memdisk_new();
    world_start(w, 2);
    for (uint64_t end = w->now_ms + 3000; w->now_ms < end;) {
        world_step(w, end);
    }
    ck_assert_msg(strstr(w->fatal, "exit 3") != NULL, "%s", w->fatal);
    ck_assert_msg(strstr(w->fatal, "dkvctl member replace n2") != NULL, "%s", w->fatal);
    ck_assert(!node_is_voting(w->hosts[2].node));
    world_free(w);
}
END_TEST

START_TEST(a_node_that_never_ran_may_join_late)
{
    struct world *w = world_new(11, 3, 3, 1);
    struct asked a;
    struct request p = put("k", "v");
    world_start(w, 1);
    world_start(w, 2);
    for (uint64_t end = w->now_ms + 3000; w->now_ms < end;) {
        world_step(w, end);
    }
    ask(w, 1, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    world_start(w, 3);
    for (uint64_t end = w->now_ms + 3000; w->now_ms < end;) {
        world_step(w, end);
    }
    ck_assert(node_is_voting(w->hosts[3].node));
    ck_assert_uint_eq(state_keys(replica_state(node_replica(w->hosts[3].node, 1))), 1);
    world_free(w);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------------------- */

static void limit(struct world *w, uint32_t node, uint32_t key, uint32_t value, uint64_t memory)
{
    struct router_limits limits = {.key = key, .value = value, .memory = memory};
    router_set_limits(w->hosts[node].router, &limits);
}

static struct request put_bytes(struct slice key, struct slice value)
{
    return (struct request){.op = OP_PUT, .key = key, .value = value};
}

START_TEST(a_put_up_to_the_limits_is_taken_and_one_byte_more_is_refused_with_the_figures)
{
    static const uint8_t bytes[KEY_BYTES_MAX + 1] = {0};
    static const struct {
        size_t key;
        size_t value;
        dkv_err err;
        const char *detail;
    } cases[] = {
        {10, 20, DKV_OK, ""},
        {10, 0, DKV_OK, ""},
        {11, 20, DKV_TOO_LARGE, "the key has 11 bytes: allowed are up to 10 (--max-key of node n1)"},
        {10, 21, DKV_TOO_LARGE, "the value has 21 bytes: allowed are up to 20 (--max-value of node n1)"},
        {KEY_BYTES_MAX, 20, DKV_TOO_LARGE,
         "the key has 4096 bytes: allowed are up to 10 (--max-key of node n1)"},
    };
    struct world *w = running(1, 1);
    struct asked a;
    limit(w, 1, 10, 20, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request p = put_bytes(slice_of(bytes, cases[i].key), slice_of(bytes, cases[i].value));
        ask(w, 1, &p, &a);
        ck_assert_int_eq(a.reply.err, cases[i].err);
        ck_assert_str_eq(a.detail, cases[i].detail);
    }
    limit(w, 1, 0, 0, 0); /* the defaults */
    struct request p = put_bytes(slice_of(bytes, KEY_BYTES_MAX), slice_of(bytes, 21));
    ask(w, 1, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    world_free(w);
}
END_TEST

START_TEST(what_is_there_can_be_read_and_deleted_under_a_smaller_limit)
{
    struct world *w = running(1, 1);
    struct asked a;
    struct request p = put("a long key", "a long value");
    struct request g = get("a long key", READ_LINEARIZABLE);
    struct request d = {.op = OP_DELETE, .key = slice_str("a long key")};
    ask(w, 1, &p, &a);
    limit(w, 1, 3, 3, 1);
    ask(w, 1, &g, &a);
    ck_assert_str_eq(a.value, "a long value");
    ask(w, 1, &d, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    ask(w, 1, &g, &a);
    ck_assert_int_eq(a.reply.err, DKV_NOT_FOUND);
    world_free(w);
}
END_TEST

START_TEST(the_strictest_node_on_the_way_decides_over_key_and_value)
{
    struct world *w = running(3, 1);
    struct asked a;
    struct request p = put("key", "value");
    uint32_t leader = world_leader(w, 1);
    uint32_t other = leader == 1 ? 2 : 1;
    limit(w, leader, 0, 4, 0);
    ask(w, other, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_TOO_LARGE);
    limit(w, leader, 0, 0, 0);
    limit(w, other, 2, 0, 0);
    ask(w, other, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_TOO_LARGE);
    ask(w, leader, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    world_free(w);
}
END_TEST

START_TEST(over_the_memory_limit_puts_are_refused_and_all_else_is_served)
{
    static uint8_t value[10000];
    struct world *w = running(1, 1);
    struct asked a;
    struct request g = get("k0", READ_LINEARIZABLE);
    struct request d = {.op = OP_DELETE, .key = slice_str("k0")};
    char key[16];
    int taken = 0;
    limit(w, 1, 0, 0, 200000);
    do {
        snprintf(key, sizeof key, "k%d", taken);
        struct request p = put_bytes(slice_str(key), slice_of(value, sizeof value));
        ask(w, 1, &p, &a);
        taken += a.reply.err == DKV_OK;
    } while (a.reply.err == DKV_OK);
    ck_assert_int_eq(a.reply.err, DKV_LIMIT);
    ck_assert_ptr_nonnull(strstr(a.detail, "may hold 200000 (--max-memory): puts are refused"));
    ck_assert_int_eq(taken, 9); /* each takes its bytes twice: in the log and in the state */
    ck_assert_uint_le(router_memory(w->hosts[1].router), 200000);
    ask(w, 1, &g, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    ask(w, 1, &d, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    struct request small = put("k", "v"); /* what was freed is room again, without a restart */
    ask(w, 1, &small, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    world_free(w);
}
END_TEST

START_TEST(many_puts_at_once_do_not_overshoot_the_memory_limit)
{
    enum { PUTS = 100, LIMIT = 200000 };
    static uint8_t value[10000];
    static struct asked many[PUTS];
    static char keys[PUTS][16];
    struct world *w = running(1, 1);
    int taken = 0;
    limit(w, 1, 0, 0, LIMIT);
    for (int i = 0; i < PUTS; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        struct request p = put_bytes(slice_str(keys[i]), slice_of(value, sizeof value));
        many[i] = (struct asked){.call = {.request = p, .cb = asked_done}};
        router_submit(w->hosts[1].router, &many[i].call);
    }
    for (uint64_t end = w->now_ms + 2000; w->now_ms < end;) {
        world_step(w, end);
        ck_assert_uint_le(node_memory(w->hosts[1].node), LIMIT);
    }
    for (int i = 0; i < PUTS; i++) {
        ck_assert(many[i].done);
        ck_assert(many[i].reply.err == DKV_OK || many[i].reply.err == DKV_LIMIT);
        taken += many[i].reply.err == DKV_OK;
    }
    ck_assert_int_gt(taken, 0);
    ck_assert_int_lt(taken, 10);
    world_free(w);
}
END_TEST

START_TEST(the_leaders_memory_decides_and_followers_apply_whatever_was_taken)
{
    struct world *w = running(3, 1);
    struct asked a;
    struct request p = put("k", "v");
    uint32_t leader = world_leader(w, 1);
    for (uint32_t node = 1; node <= 3; node++) {
        limit(w, node, 0, 0, node == leader ? 0 : 1);
    }
    ask(w, leader == 1 ? 2 : 1, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_OK);
    for (uint64_t end = w->now_ms + 1000; w->now_ms < end;) {
        world_step(w, end);
    }
    for (uint32_t node = 1; node <= 3; node++) {
        ck_assert_uint_eq(state_keys(replica_state(node_replica(w->hosts[node].node, 1))), 1);
    }
    limit(w, leader, 0, 0, 1);
    ask(w, leader == 1 ? 2 : 1, &p, &a);
    ck_assert_int_eq(a.reply.err, DKV_LIMIT);
    world_free(w);
}
END_TEST

Suite *router_suite(void)
{
    Suite *s = suite_create("router");
    TCase *t = tcase_create("router");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, any_node_takes_any_request);
    tcase_add_test(t, a_stale_read_at_a_node_without_a_replica_is_passed_on_and_says_so);
    tcase_add_test(t, without_a_majority_stale_reads_go_on_and_all_else_is_unavailable);
    tcase_add_test(t, a_leader_that_was_cut_off_never_answers_with_an_old_value);
    tcase_add_test(t, pages_of_all_shards_are_in_order_and_miss_nothing);
    tcase_add_test(t, a_lost_data_directory_under_an_old_name_is_refused);
    tcase_add_test(t, a_node_that_never_ran_may_join_late);
    tcase_add_test(t, a_put_up_to_the_limits_is_taken_and_one_byte_more_is_refused_with_the_figures);
    tcase_add_test(t, what_is_there_can_be_read_and_deleted_under_a_smaller_limit);
    tcase_add_test(t, the_strictest_node_on_the_way_decides_over_key_and_value);
    tcase_add_test(t, over_the_memory_limit_puts_are_refused_and_all_else_is_served);
    tcase_add_test(t, many_puts_at_once_do_not_overshoot_the_memory_limit);
    tcase_add_test(t, the_leaders_memory_decides_and_followers_apply_whatever_was_taken);
    suite_add_tcase(s, t);
    return s;
}

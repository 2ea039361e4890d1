/* test_tcp.c - listening, dialing and streams, on loopback. */
#include "fixture.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

Suite *tcp_suite(void);

/* One end of a connection, with what a test wants to know of it. */
struct end {
    struct net *net;
    struct stream *stream; /* NULL: closed or not open yet */
    struct end *other;
    uint64_t got;
    uint64_t sent;
    uint64_t to_send;
    bool echo;
    bool stop_at_close;
    int closed;
    int depth; /* inside a call of ours */
    dkv_err err;
};

static struct net *net;
static struct address at;
static struct net_listener *listener;
static struct end server;
static struct end client;

/* What byte i of either direction is. */
static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

/* The next n bytes of what this end sends. */
static struct buf end_bytes(struct end *e, size_t n)
{
    struct buf b = {0};
    uint8_t *at_byte = buf_extend(&b, n);
    ck_assert_ptr_nonnull(at_byte);
    for (size_t i = 0; i < n; i++) {
        at_byte[i] = pattern(e->sent++);
    }
    return b;
}

static void end_write(struct end *e, struct buf *b)
{
    e->depth++;
    e->stream->ops->write(e->stream, b);
    e->depth--;
}

#define CHUNK 100000u

/* Send the next chunk, and wait for it to drain before the one after. */
static void end_send_more(struct end *e)
{
    while (e->to_send > 0 && e->stream != NULL && e->stream->unsent == 0) {
        size_t n = e->to_send < CHUNK ? (size_t)e->to_send : CHUNK;
        struct buf b = end_bytes(e, n);
        e->to_send -= n;
        end_write(e, &b);
        ck_assert_uint_eq(b.len, 0); /* taken */
    }
}

static void end_on_data(struct stream *s, struct slice bytes)
{
    struct end *e = s->owner;
    ck_assert_int_eq(e->depth, 0);
    bool same = true;
    for (size_t i = 0; i < bytes.len; i++) {
        same &= bytes.data[i] == pattern(e->got++);
    }
    ck_assert(same);
    if (e->echo) {
        struct buf b = {0};
        buf_put(&b, bytes);
        end_write(e, &b);
        if (s->unsent > 1u << 20) {
            s->ops->pause(s, true);
        }
    }
}

static void end_on_drain(struct stream *s)
{
    struct end *e = s->owner;
    ck_assert_int_eq(e->depth, 0);
    ck_assert_uint_eq(s->unsent, 0);
    s->ops->pause(s, false);
    end_send_more(e);
}

static void end_on_close(struct stream *s, dkv_err err)
{
    struct end *e = s->owner;
    ck_assert_int_eq(e->depth, 0);
    e->closed++;
    e->err = err;
    e->stream = NULL;
    if (e->stop_at_close) {
        net_stop(e->net);
    }
}

static const struct stream_events end_events = {
    .on_data = end_on_data,
    .on_drain = end_on_drain,
    .on_close = end_on_close,
};

static void end_take(struct end *e, struct stream *s)
{
    ck_assert_ptr_nonnull(s);
    s->owner = e;
    s->events = &end_events;
    e->stream = s;
    e->net = net;
}

/* Called when both ends are there. */
static void (*on_both)(void);

static void check_both(void)
{
    if (server.stream != NULL && client.stream != NULL && on_both != NULL) {
        on_both();
    }
}

static void on_accept(void *ctx, struct stream *s)
{
    (void)ctx;
    end_take(&server, s);
    check_both();
}

static void on_dialed(void *ctx, struct stream *s)
{
    (void)ctx;
    end_take(&client, s);
    check_both();
}

static void setup(void)
{
    net = fixture_loop();
    fixture_port(&at);
    ck_assert_int_eq(net_listen(net, &at, on_accept, NULL, &listener), DKV_OK);
    on_both = NULL;
    server = (struct end){0};
    client = (struct end){0};
}

static void teardown(void)
{
    net_listener_close(listener);
    fixture_free(net);
}

static void connect_both(void)
{
    ck_assert_int_eq(net_dial(net, &at, 5000, on_dialed, NULL), DKV_OK);
}

#define MUCH (10u << 20)

static void check_echo_done(void *ctx)
{
    (void)ctx;
    if (client.got == MUCH) {
        net_stop(net);
    }
}

static void begin_echo(void)
{
    server.echo = true;
    client.to_send = MUCH;
    end_send_more(&client);
}

START_TEST(ten_megabytes_come_back_through_backpressure)
{
    on_both = begin_echo;
    net_on_turn(net, check_echo_done, NULL);
    connect_both();
    net_run(net);
    ck_assert_uint_eq(client.got, MUCH);
    ck_assert_uint_eq(server.got, MUCH);
    ck_assert_int_eq(client.closed, 1);
    ck_assert_int_eq(client.err, DKV_CANCELED);
    ck_assert_int_eq(server.closed, 1);
}
END_TEST

static void begin_flood_of_the_deaf(void)
{
    server.stream->ops->pause(server.stream, true);
    struct buf b = end_bytes(&client, MUCH);
    end_write(&client, &b);
    ck_assert_uint_gt(client.stream->unsent, 0); /* more than the kernel holds */
    ck_assert_uint_lt(client.stream->unsent, MUCH);
}

static int turns;

static void unpause_after_some_turns(void *ctx)
{
    (void)ctx;
    turns++;
    if (turns == 20 && server.stream != NULL) {
        ck_assert_uint_eq(server.got, 0);
        server.stream->ops->pause(server.stream, false);
    }
    if (server.got == MUCH) {
        net_stop(net);
    }
}

static struct net_timer *ticker;

static void on_tick(void *ctx)
{
    (void)ctx;
    net_timer_set(ticker, net_now_ms(net) + 1);
}

START_TEST(a_paused_stream_hears_nothing_until_it_is_resumed)
{
    turns = 0;
    on_both = begin_flood_of_the_deaf;
    ticker = net_timer_new(net, on_tick, NULL);
    net_timer_set(ticker, net_now_ms(net) + 1);
    net_on_turn(net, unpause_after_some_turns, NULL);
    connect_both();
    net_run(net);
    ck_assert_uint_eq(server.got, MUCH);
    net_timer_close(ticker);
}
END_TEST

static void write_and_close_with_linger(void)
{
    struct buf b = end_bytes(&client, MUCH);
    end_write(&client, &b);
    client.stream->ops->close(client.stream, true);
    client.stream->ops->close(client.stream, true); /* twice is fine */
    ck_assert_int_eq(client.closed, 0);
    struct buf late = {0};
    buf_put_text(&late, "never sent");
    end_write(&client, &late);
    ck_assert_uint_eq(late.len, 0);
    server.to_send = 1000; /* unread bytes must not cut the other direction short */
    end_send_more(&server);
    client.stop_at_close = true;
}

START_TEST(what_was_written_before_a_lingering_close_arrives)
{
    on_both = write_and_close_with_linger;
    connect_both();
    net_run(net);
    ck_assert_uint_eq(server.got, MUCH);
    ck_assert_int_eq(server.err, DKV_OK);
    ck_assert_int_eq(client.closed, 1);
    ck_assert_uint_eq(client.got, 0);
}
END_TEST

static void close_at_once(void)
{
    client.stream->ops->close(client.stream, false);
    client.stream->ops->close(client.stream, true);
    ck_assert_int_eq(client.closed, 0); /* never from inside the call */
    server.stop_at_close = true;
}

START_TEST(the_other_end_sees_an_orderly_close)
{
    on_both = close_at_once;
    connect_both();
    net_run(net);
    ck_assert_int_eq(client.closed, 1);
    ck_assert_int_eq(client.err, DKV_CANCELED);
    ck_assert_int_eq(server.closed, 1);
    ck_assert_int_eq(server.err, DKV_OK);
}
END_TEST

static void linger_to_the_deaf(void)
{
    server.stream->ops->pause(server.stream, true);
    client.stream->ops->close(client.stream, true);
    client.stop_at_close = true;
}

START_TEST(a_lingering_close_ends_though_the_other_end_stays)
{
    on_both = linger_to_the_deaf;
    connect_both();
    net_run(net); /* two seconds, the one wait in this file */
    ck_assert_int_eq(client.closed, 1);
}
END_TEST

static void write_half_a_message(void)
{
    struct buf b = {0};
    mem_fail_after(0);
    buf_put_text(&b, "lost");
    mem_fail_after(-1);
    end_write(&client, &b);
    client.stop_at_close = true;
}

START_TEST(a_message_that_found_no_memory_closes_the_stream)
{
    on_both = write_half_a_message;
    connect_both();
    net_run(net);
    ck_assert_int_eq(client.err, DKV_NO_MEMORY);
    ck_assert_uint_eq(server.got, 0);
}
END_TEST

static void check_names(void)
{
    ck_assert(strncmp(client.stream->peer, "127.0.0.1:", 10) == 0);
    ck_assert_int_eq(atoi(client.stream->peer + 10), at.port);
    ck_assert(strncmp(server.stream->peer, "127.0.0.1:", 10) == 0);
    net_stop(net);
}

START_TEST(streams_know_their_peer)
{
    on_both = check_names;
    connect_both();
    net_run(net);
}
END_TEST

START_TEST(a_name_is_resolved)
{
    on_both = check_names;
    struct address by_name = {.host = "localhost", .port = at.port};
    ck_assert_int_eq(net_dial(net, &by_name, 5000, on_dialed, NULL), DKV_OK);
    net_run(net);
    ck_assert_ptr_null(client.stream);
    ck_assert_int_eq(client.closed, 1);
}
END_TEST

static int failed_dials;

static void on_dial_failed(void *ctx, struct stream *s)
{
    (void)ctx;
    ck_assert_ptr_null(s);
    failed_dials++;
    net_stop(net);
}

static void dial_nobody(const struct address *to, uint64_t timeout_ms)
{
    failed_dials = 0;
    ck_assert_int_eq(net_dial(net, to, timeout_ms, on_dial_failed, NULL), DKV_OK);
    ck_assert_int_eq(failed_dials, 0); /* never from inside the call */
    net_run(net);
    ck_assert_int_eq(failed_dials, 1);
}

START_TEST(a_refused_dial_is_told_once)
{
    struct address nobody;
    fixture_port(&nobody);
    dial_nobody(&nobody, 5000);
}
END_TEST

START_TEST(a_bad_name_is_a_failed_dial)
{
    struct address bad = {.host = "not a..name", .port = 1};
    dial_nobody(&bad, 1000);
}
END_TEST

/* The resolver, as libuv finds it: "slow.test" is this host, but says so only when told to. */
#define SLOW_NAME "slow.test"
typedef int (*resolve_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
static sem_t slow_answers;
static atomic_int slow_lookups;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's names are reserved ones */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *want, struct addrinfo **found)
{
    resolve_fn resolve = (resolve_fn)dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && strcmp(node, SLOW_NAME) == 0) {
        atomic_fetch_add(&slow_lookups, 1);
        while (sem_wait(&slow_answers) != 0) { /* interrupted */
        }
        node = "127.0.0.1";
    }
    return resolve(node, service, want, found);
}

static int slow_dials_left;

/* Dial again and again in less time than the lookup takes; at last let it end. */
static void slow_dial_again(void *ctx, struct stream *s)
{
    (void)ctx;
    struct address slow = {.host = SLOW_NAME, .port = at.port};
    ck_assert_ptr_null(s);
    slow_dials_left--;
    if (slow_dials_left > 0) {
        ck_assert_int_eq(net_dial(net, &slow, 10, slow_dial_again, NULL), DKV_OK);
        return;
    }
    ck_assert_int_eq(net_dial(net, &slow, 5000, on_dialed, NULL), DKV_OK);
    sem_post(&slow_answers);
}

START_TEST(a_lookup_slower_than_its_dial_serves_the_next_one)
{
    on_both = check_names;
    sem_init(&slow_answers, 0, 0);
    slow_lookups = 0;
    slow_dials_left = 5;
    struct address slow = {.host = SLOW_NAME, .port = at.port};
    ck_assert_int_eq(net_dial(net, &slow, 10, slow_dial_again, NULL), DKV_OK);
    net_run(net);
    ck_assert_int_eq(slow_lookups, 1);
    ck_assert_int_eq(client.closed, 1);
}
END_TEST

static void dial_another_name(void *ctx, struct stream *s)
{
    (void)ctx;
    ck_assert_ptr_null(s);
    slow_dials_left--;
    struct address next = {.host = SLOW_NAME, .port = at.port};
    if (slow_dials_left > 0) {
        ck_assert_int_eq(net_dial(net, &next, 10, dial_another_name, NULL), DKV_OK);
        return;
    }
    next = (struct address){.host = "localhost", .port = at.port};
    ck_assert_int_eq(net_dial(net, &next, 5000, on_dialed, NULL), DKV_OK);
}

static void check_names_and_answer(void)
{
    check_names();
    sem_post(&slow_answers); /* the loop ends only after the lookup */
}

START_TEST(a_name_nobody_answers_for_does_not_keep_others_waiting)
{
    on_both = check_names_and_answer;
    sem_init(&slow_answers, 0, 0);
    slow_lookups = 0;
    slow_dials_left = 5;
    struct address slow = {.host = SLOW_NAME, .port = at.port};
    ck_assert_int_eq(net_dial(net, &slow, 10, dial_another_name, NULL), DKV_OK);
    net_run(net);
    ck_assert_int_eq(slow_lookups, 1);
    ck_assert_int_eq(client.closed, 1);
}
END_TEST

/* A socket that listens and never accepts, its backlog full: the kernel drops further calls. */
static int deaf_listener(struct address *a, int *callers, int n)
{
    fixture_port(a);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    for (int i = 0; i < n; i++) {
        callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(callers[i], (struct sockaddr *)&to, sizeof to);
    }
    return fd;
}

START_TEST(a_dial_nobody_answers_is_given_up)
{
    int callers[4];
    struct address deaf;
    int fd = deaf_listener(&deaf, callers, 4);
    dial_nobody(&deaf, 20);
    close(fd);
    for (int i = 0; i < 4; i++) {
        close(callers[i]);
    }
}
END_TEST

START_TEST(a_dial_under_way_at_the_stop_is_told)
{
    int callers[4];
    struct address deaf;
    int fd = deaf_listener(&deaf, callers, 4);
    failed_dials = 0;
    ck_assert_int_eq(net_dial(net, &deaf, 60000, on_dial_failed, NULL), DKV_OK);
    ck_assert_int_eq(net_dial(net, &(struct address){"localhost", 1}, 60000, on_dial_failed, NULL), DKV_OK);
    net_stop(net);
    ck_assert_int_eq(failed_dials, 0);
    net_run(net);
    ck_assert_int_eq(failed_dials, 2);
    ck_assert_int_eq(net_dial(net, &deaf, 60000, on_dial_failed, NULL), DKV_CANCELED);
    close(fd);
    for (int i = 0; i < 4; i++) {
        close(callers[i]);
    }
}
END_TEST

START_TEST(an_address_in_use_is_told)
{
    struct net_listener *second = NULL;
    ck_assert_int_eq(net_listen(net, &at, on_accept, NULL, &second), DKV_ADDRESS_IN_USE);
    ck_assert_ptr_null(second);
    net_listener_close(listener);
    ck_assert_int_eq(net_listen(net, &at, on_accept, NULL, &listener), DKV_OK); /* free at once */
    struct address nowhere = {.host = "not a..name", .port = 1};
    ck_assert_int_eq(net_listen(net, &nowhere, on_accept, NULL, &second), DKV_CONFIG);
    net_listener_close(NULL);
}
END_TEST

static rlim_t old_limit;

static void allow_descriptors(rlim_t n)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    old_limit = limit.rlim_cur;
    limit.rlim_cur = n;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void count_turn(void *ctx)
{
    (void)ctx;
    turns++;
}

static void on_relief(void *ctx)
{
    (void)ctx;
    ck_assert_ptr_null(server.stream);
    ck_assert_int_lt(turns, 20); /* it rests, it does not spin */
    allow_descriptors(old_limit);
}

static void on_accept_stop(void *ctx, struct stream *s)
{
    on_accept(ctx, s);
    net_stop(net);
}

START_TEST(without_descriptors_callers_wait_and_the_loop_rests)
{
    net_listener_close(listener);
    ck_assert_int_eq(net_listen(net, &at, on_accept_stop, NULL, &listener), DKV_OK);
    int caller = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(caller, (struct sockaddr *)&to, sizeof to), 0);
    int first_free = dup(caller);
    close(first_free);
    allow_descriptors((rlim_t)first_free);
    turns = 0;
    net_on_turn(net, count_turn, NULL);
    struct net_timer *relief = net_timer_new(net, on_relief, NULL);
    net_timer_set(relief, net_now_ms(net) + 150);
    net_run(net);
    ck_assert_int_eq(server.closed, 1); /* it was accepted after all */
    net_timer_close(relief);
    close(caller);
}
END_TEST

START_TEST(no_memory_neither_listens_nor_dials)
{
    struct net_listener *none = NULL;
    mem_fail_after(0);
    dkv_err listened = net_listen(net, &at, on_accept, NULL, &none);
    dkv_err dialed = net_dial(net, &at, 100, on_dialed, NULL);
    mem_fail_after(1);
    dkv_err later = net_dial(net, &at, 100, on_dial_failed, NULL); /* the stream fails, not the dial */
    mem_fail_after(-1);
    ck_assert_int_eq(listened, DKV_NO_MEMORY);
    ck_assert_int_eq(dialed, DKV_NO_MEMORY);
    ck_assert_int_eq(later, DKV_OK);
    failed_dials = 0;
    net_run(net);
    ck_assert_int_eq(failed_dials, 1);
}
END_TEST

Suite *tcp_suite(void)
{
    Suite *s = suite_create("tcp");
    TCase *t = tcase_create("tcp");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, ten_megabytes_come_back_through_backpressure);
    tcase_add_test(t, a_paused_stream_hears_nothing_until_it_is_resumed);
    tcase_add_test(t, what_was_written_before_a_lingering_close_arrives);
    tcase_add_test(t, the_other_end_sees_an_orderly_close);
    tcase_add_test(t, a_lingering_close_ends_though_the_other_end_stays);
    tcase_add_test(t, a_message_that_found_no_memory_closes_the_stream);
    tcase_add_test(t, streams_know_their_peer);
    tcase_add_test(t, a_name_is_resolved);
    tcase_add_test(t, a_refused_dial_is_told_once);
    tcase_add_test(t, a_bad_name_is_a_failed_dial);
    tcase_add_test(t, a_lookup_slower_than_its_dial_serves_the_next_one);
    tcase_add_test(t, a_name_nobody_answers_for_does_not_keep_others_waiting);
    tcase_add_test(t, a_dial_nobody_answers_is_given_up);
    tcase_add_test(t, a_dial_under_way_at_the_stop_is_told);
    tcase_add_test(t, an_address_in_use_is_told);
    tcase_add_test(t, without_descriptors_callers_wait_and_the_loop_rests);
    tcase_add_test(t, no_memory_neither_listens_nor_dials);
    suite_add_tcase(s, t);
    return s;
}

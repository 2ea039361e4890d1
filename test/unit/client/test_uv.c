/* test_uv.c - the transport against a server on the loopback, which is a thread that misbehaves on purpose.
 */
#include "suites.h"

#include "base/mem.h"
#include "client/client.h"
#include "proto/native.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum server_mood {
    SERVER_HONEST,
    SERVER_RUBBISH,       /* answers what is no dkv protocol */
    SERVER_SILENT,        /* accepts and says nothing */
    SERVER_CLOSES,        /* greets, then closes in the middle of the answer */
    SERVER_NEVER_ACCEPTS, /* there is no server: the port is closed */
};

struct server {
    enum server_mood mood;
    int listener;
    uint16_t port;
    pthread_t thread;
    unsigned requests; /* without HELLOs; read after the join */
};

static void server_answer(struct server *s, int fd, uint32_t id, const struct request *req)
{
    struct buf body = {0};
    struct buf out = {0};
    if (req->op == OP_HELLO) {
        pack_put_map(&body, 2);
        pack_put_str(&body, "cluster");
        pack_put_u64(&body, 1);
        pack_put_str(&body, "node");
        pack_put_str(&body, "n1");
    } else {
        s->requests++;
        buf_put(&body, req->key); /* a get brings the key back */
    }
    native_put_reply(
        &out, id,
        &(struct reply){.value = buf_slice(&body), .node = slice_str("n1"), .leader = slice_str("n2")});
    bool cut = s->mood == SERVER_CLOSES && req->op != OP_HELLO;
    ck_assert_int_ge(send(fd, out.data, cut ? out.len / 2 : out.len, MSG_NOSIGNAL), 0);
    if (cut) {
        shutdown(fd, SHUT_RDWR);
    }
    buf_fini(&body);
    buf_fini(&out);
}

static void server_serve_honestly(struct server *s, int fd)
{
    uint8_t chunk[4096];
    struct buf in = {0};
    struct pack_doc *doc = pack_doc_new();
    struct pack_scan scan = {0};
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        size_t len = 0;
        buf_put(&in, slice_of(chunk, (size_t)n));
        while (in.len > 0 && pack_scan(&scan, buf_slice(&in), REQUEST_BYTES_MAX, &len) == DKV_OK) {
            uint32_t id = 0;
            struct request req;
            ck_assert_int_eq(native_parse_request(doc, slice_of(in.data, len), &id, &req, NULL), DKV_OK);
            server_answer(s, fd, id, &req);
            buf_consume(&in, len);
            scan = (struct pack_scan){0};
        }
    }
    buf_fini(&in);
    pack_doc_free(doc);
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        uint8_t ignored[4096];
        if (s->mood == SERVER_RUBBISH) {
            ck_assert_int_gt(send(fd, "-ERR unknown command\r\n", 22, MSG_NOSIGNAL), 0);
        }
        if (s->mood == SERVER_HONEST || s->mood == SERVER_CLOSES) {
            server_serve_honestly(s, fd);
        } else {
            while (read(fd, ignored, sizeof ignored) > 0) {
            }
        }
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s, enum server_mood mood)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *s = (struct server){.mood = mood, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    if (mood != SERVER_NEVER_ACCEPTS) { /* else bound and closed to everybody */
        ck_assert_int_eq(listen(s->listener, 16), 0);
        ck_assert_int_eq(pthread_create(&s->thread, NULL, server_run, s), 0);
    }
}

static void server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    if (s->mood != SERVER_NEVER_ACCEPTS) {
        pthread_join(s->thread, NULL);
    }
    close(s->listener);
}

/* What a put and a get come to when the first endpoint is in a mood and the second, if any, is honest. */
static const struct mood_case {
    enum server_mood first;
    bool second;
    dkv_err put;
    dkv_err get;
} moods[] = {
    {SERVER_HONEST, false, DKV_OK, DKV_OK},
    {SERVER_NEVER_ACCEPTS, false, DKV_UNAVAILABLE, DKV_UNAVAILABLE},
    {SERVER_NEVER_ACCEPTS, true, DKV_OK, DKV_OK},
    {SERVER_RUBBISH, false, DKV_UNAVAILABLE, DKV_UNAVAILABLE},
    {SERVER_RUBBISH, true, DKV_OK, DKV_OK},
    {SERVER_SILENT, false, DKV_UNAVAILABLE, DKV_UNAVAILABLE},
    {SERVER_SILENT, true, DKV_OK, DKV_OK},
    {SERVER_CLOSES, false, DKV_UNKNOWN, DKV_UNAVAILABLE},
    {SERVER_CLOSES, true, DKV_UNKNOWN, DKV_OK},
};

static dkv_err mood_call(const struct server *servers, size_t n, enum op op)
{
    struct address endpoints[2];
    for (size_t i = 0; i < n; i++) {
        endpoints[i] = (struct address){.port = servers[i].port};
        memcpy(endpoints[i].host, "localhost", sizeof "localhost"); /* which may be ::1 first */
    }
    const struct client_config config = {.endpoints = endpoints, .endpoint_count = n, .timeout_ms = 400};
    struct request req = {.op = op, .key = slice_str("key")};
    struct reply rep;
    struct buf keep = {0};
    dkv_err err = client_call_wait(&config, &req, &rep, &keep);
    ck_assert_int_eq(err, rep.err);
    if (err == DKV_OK) {
        ck_assert(slice_eq(rep.value, slice_str("key")));
        ck_assert(slice_eq(rep.leader, slice_str("n2")));
    } else {
        ck_assert_uint_gt(rep.detail.len, 0);
    }
    buf_fini(&keep);
    return err;
}

START_TEST(a_call_comes_to_what_the_endpoints_allow)
{
    const struct mood_case *m = &moods[_i];
    struct server servers[2];
    server_start(&servers[0], m->first);
    server_start(&servers[1], SERVER_HONEST);
    size_t n = m->second ? 2 : 1;
    ck_assert_int_eq(mood_call(servers, n, OP_PUT), m->put);
    ck_assert_int_eq(mood_call(servers, n, OP_GET), m->get);
    server_stop(&servers[0]);
    server_stop(&servers[1]);
}
END_TEST

START_TEST(an_unresolvable_name_is_unavailable)
{
    struct address nowhere = {.host = "nowhere.invalid", .port = 1};
    const struct client_config config = {.endpoints = &nowhere, .endpoint_count = 1, .timeout_ms = 300};
    struct request req = {.op = OP_PUT, .key = slice_str("key")};
    struct reply rep;
    struct buf keep = {0};
    ck_assert_int_eq(client_call_wait(&config, &req, &rep, &keep), DKV_UNAVAILABLE);
    buf_fini(&keep);
}
END_TEST

START_TEST(without_memory_a_client_is_not_made)
{
    struct address endpoint = {.host = "127.0.0.1", .port = 1};
    const struct client_config config = {.endpoints = &endpoint, .endpoint_count = 1, .timeout_ms = 50};
    for (int n = 0; n < 3; n++) {
        struct reply rep;
        struct buf keep = {0};
        struct request req = {.op = OP_GET, .key = slice_str("key")};
        mem_fail_after(n);
        dkv_err err = client_call_wait(&config, &req, &rep, &keep);
        mem_fail_after(-1);
        ck_assert_int_eq(err, DKV_NO_MEMORY);
        buf_fini(&keep);
    }
}
END_TEST

Suite *uv_suite(void)
{
    Suite *s = suite_create("uv");
    TCase *t = tcase_create("loopback");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, a_call_comes_to_what_the_endpoints_allow, 0, sizeof moods / sizeof moods[0]);
    tcase_add_test(t, an_unresolvable_name_is_unavailable);
    tcase_add_test(t, without_memory_a_client_is_not_made);
    suite_add_tcase(s, t);
    return s;
}

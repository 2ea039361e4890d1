/* test_client.c - the core: what is repeated, what is not, and when it gives up. */
#include "rig.h"
#include "suites.h"

#include "base/mem.h"
#include "proto/native.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct probe {
    struct client_call call;
    unsigned fired;
    dkv_err err;
};

static void probe_on_reply(struct client_call *call)
{
    struct probe *p = CONTAINER(call, struct probe, call);
    p->fired++;
    p->err = call->reply.err;
}

static void probe_start(struct rig *r, struct probe *p, enum op op)
{
    p->call.request =
        (struct request){.op = op, .key = slice_str("key"), .value = slice_str(op == OP_PUT ? "v" : "")};
    p->call.cb = probe_on_reply;
    client_core_call(&r->core, &p->call, r->now_ms);
    ck_assert_uint_eq(p->fired, 0);
}

/* ---- scripts ------------------------------------------------------------------------------------------ */

/* D0 D1 D2: the core dials that endpoint.   S: it sends the request.
 * c: connected and greeted.   C: connected.   o: greeted by a node of another cluster.
 * r: refused.   x: the connection breaks.   g: rubbish.   G: an answer that claims 4 GB.
 * a: answered.   b: answered byte by byte.   n u w l U f: answered NOT_LEADER UNAVAILABLE WRONG_SHARD LIMIT
 * UNKNOWN NOT_FOUND.   s: nothing for as long as its patience.   t: nothing until the deadline. */
static const struct script {
    const char *sentence;
    enum op op;
    const char *steps;
    dkv_err err;
    unsigned attempts;
} scripts[] = {
    {"a write is answered", OP_PUT, "D0 c S a", DKV_OK, 1},
    {"an answer may come byte by byte", OP_GET, "D0 c S b", DKV_OK, 1},
    {"not found is an answer", OP_GET, "D0 c S f", DKV_NOT_FOUND, 1},
    {"a limit is an answer", OP_PUT, "D0 c S l", DKV_LIMIT, 1},
    {"after a refusal comes the next endpoint", OP_PUT, "D0 r D1 r D2 r D0 c S a", DKV_OK, 1},
    {"a write not applied for want of the leader is repeated elsewhere", OP_PUT, "D0 c S n D1 c S a", DKV_OK,
     2},
    {"a write not applied as unavailable is repeated elsewhere", OP_PUT, "D0 c S u D1 c S u D2 c S a", DKV_OK,
     3},
    {"a write to the wrong shard is repeated elsewhere", OP_PUT, "D0 c S w D1 c S a", DKV_OK, 2},
    {"a sent write whose connection breaks is unknown", OP_PUT, "D0 c S x", DKV_UNKNOWN, 1},
    {"a sent delete whose connection breaks is unknown", OP_DELETE, "D0 c S x", DKV_UNKNOWN, 1},
    {"a write repeated after not-applied can still become unknown", OP_PUT, "D0 c S n D1 c S x", DKV_UNKNOWN,
     2},
    {"a read whose connection breaks is repeated", OP_GET, "D0 c S x D1 c S a", DKV_OK, 2},
    {"a write with an unknown outcome is not repeated", OP_PUT, "D0 c S U", DKV_UNKNOWN, 1},
    {"a read with an unknown outcome is repeated", OP_GET, "D0 c S U D1 c S a", DKV_OK, 2},
    {"a connection that breaks before the greeting has sent no write", OP_PUT, "D0 C x D1 c S a", DKV_OK, 1},
    {"rubbish instead of a greeting has sent no write", OP_PUT, "D0 C g D1 c S a", DKV_OK, 1},
    {"rubbish instead of an answer leaves a write unknown", OP_PUT, "D0 c S g", DKV_UNKNOWN, 1},
    {"rubbish instead of an answer repeats a read", OP_GET, "D0 c S g D1 c S a", DKV_OK, 2},
    {"an answer of 4 GB is refused at its claim", OP_GET, "D0 c S G D1 c S a", DKV_OK, 2},
    {"a node of another cluster gets no write", OP_PUT, "D0 c S n D1 C o D2 c S a", DKV_OK, 2},
    {"an endpoint that does not accept is left", OP_PUT, "D0 s D1 c S a", DKV_OK, 1},
    {"an endpoint that does not greet is left", OP_PUT, "D0 C s D1 c S a", DKV_OK, 1},
    {"a read that hangs is asked elsewhere", OP_GET, "D0 c S s D1 c S a", DKV_OK, 2},
    {"a write that hangs is waited for", OP_PUT, "D0 c S s a", DKV_OK, 1},
    {"no endpoint until the deadline is unavailable", OP_PUT, "D0 r D1 r t", DKV_UNAVAILABLE, 0},
    {"not applied until the deadline is unavailable", OP_PUT, "D0 c S n t", DKV_UNAVAILABLE, 1},
    {"a sent write at the deadline is unknown", OP_PUT, "D0 c S t", DKV_UNKNOWN, 1},
    {"a sent read at the deadline is unavailable", OP_GET, "D0 c S t", DKV_UNAVAILABLE, 1},
};

static void script_answer(struct rig *r, const char *step)
{
    static const struct {
        char letter;
        dkv_err err;
    } answers[] = {{'a', DKV_OK},    {'n', DKV_NOT_LEADER}, {'u', DKV_UNAVAILABLE}, {'w', DKV_WRONG_SHARD},
                   {'l', DKV_LIMIT}, {'U', DKV_UNKNOWN},    {'f', DKV_NOT_FOUND}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i].letter == step[0]) {
            rig_answer(r, &r->last, answers[i].err);
            return;
        }
    }
    ck_abort_msg("no such step: %s", step);
}

static void script_answer_bytewise(struct rig *r)
{
    struct buf out = {0};
    native_put_reply(&out, r->last.id, &(struct reply){.value = slice_str("value")});
    for (size_t i = 0; i < out.len; i++) {
        rig_bytes(r, r->last.conn, slice_of(out.data + i, 1));
    }
    buf_fini(&out);
}

static void script_claim(struct rig *r)
{
    struct buf out = {0};
    pack_put_array(&out, 4);
    pack_put_u64(&out, 1);
    pack_put_u64(&out, r->last.id);
    pack_put_nil(&out);
    pack_put_map(&out, 1);
    pack_put_str(&out, "value");
    buf_put(&out, slice_of("\xc6\xff\xff\xff\xff", 5));
    rig_bytes(r, r->last.conn, buf_slice(&out));
    buf_fini(&out);
}

static void script_step(struct rig *r, const char *step)
{
    unsigned conn = r->last_dialed;
    switch (step[0]) {
    case 'D':
        ck_assert(rig_until_dial(r));
        ck_assert_uint_eq(r->conns[r->last_dialed].endpoint, (size_t)(step[1] - '0'));
        break;
    case 'S':
        ck_assert(rig_until_request(r));
        ck_assert_uint_le(r->last.timeout_ms, RIG_TIMEOUT);
        break;
    case 'C':
    case 'c':
        rig_connect(r, conn);
        if (step[0] == 'c') {
            rig_greet(r, conn, RIG_CLUSTER);
        }
        break;
    case 'o':
        rig_greet(r, conn, RIG_CLUSTER + 1);
        break;
    case 'r':
    case 'x':
        rig_close(r, conn, step[0] == 'r' ? "connection refused" : "connection reset");
        break;
    case 'g':
        rig_bytes(r, conn, slice_str("HTTP/1.1 400 Bad Request\r\n"));
        break;
    case 'G':
        script_claim(r);
        break;
    case 'b':
        script_answer_bytewise(r);
        break;
    case 's':
        rig_pass(r, r->core.patience_ms - 1);
        r->now_ms++;
        break;
    case 't':
        r->now_ms = 1000 + RIG_TIMEOUT;
        rig_tick(r);
        break;
    default:
        script_answer(r, step);
        break;
    }
}

START_TEST(each_script_ends_as_its_sentence_says)
{
    const struct script *s = &scripts[_i];
    struct rig r;
    struct probe p = {0};
    rig_init(&r, RIG_ENDPOINTS, false);
    probe_start(&r, &p, s->op);
    for (const char *step = s->steps; step != NULL; step = strchr(step, ' ')) {
        step += *step == ' ';
        ck_assert_msg(p.fired == 0, "%s: ended before step %s", s->sentence, step);
        script_step(&r, step);
    }
    rig_tick(&r);
    ck_assert_msg(p.fired == 1, "%s: %u answers", s->sentence, p.fired);
    ck_assert_msg(p.err == s->err, "%s: %s", s->sentence, err_text(p.err));
    ck_assert_msg(p.call.attempts == s->attempts, "%s: sent %u times", s->sentence, p.call.attempts);
    ck_assert(!p.call.sent);
    rig_fini(&r);
    ck_assert_uint_eq(p.fired, 1);
}
END_TEST

/* ---- the rest ----------------------------------------------------------------------------------------- */

static void rig_come_up(struct rig *r)
{
    ck_assert(rig_until_dial(r));
    rig_connect(r, r->last_dialed);
    rig_greet(r, r->last_dialed, RIG_CLUSTER);
}

START_TEST(endpoints_are_learned_from_the_greeting)
{
    struct rig r;
    struct probe p = {0};
    rig_init(&r, 1, true);
    probe_start(&r, &p, OP_GET);
    rig_come_up(&r);
    ck_assert_uint_eq(r.core.endpoint_count, 5);
    ck_assert(rig_until_request(&r));
    rig_close(&r, r.last.conn, "killed");
    ck_assert(rig_until_dial(&r));
    ck_assert_uint_eq(r.conns[r.last_dialed].endpoint, 1);
    rig_fini(&r);
}
END_TEST

START_TEST(a_back_off_grows_and_stays_within_its_bounds)
{
    struct rig r;
    struct probe p = {0};
    uint64_t last_ms = 0;
    uint64_t gap_max = 0;
    rig_init(&r, RIG_ENDPOINTS, false);
    probe_start(&r, &p, OP_PUT);
    while (rig_until_dial(&r)) {
        uint64_t gap = r.now_ms - last_ms;
        ck_assert(last_ms == 0 || (gap >= CLIENT_BACKOFF_MIN_MS / 2 && gap <= CLIENT_BACKOFF_MAX_MS));
        gap_max = last_ms != 0 && gap > gap_max ? gap : gap_max;
        last_ms = r.now_ms;
        rig_close(&r, r.last_dialed, "connection refused");
    }
    ck_assert_int_eq(p.err, DKV_UNAVAILABLE);
    ck_assert_uint_gt(gap_max, CLIENT_BACKOFF_MAX_MS / 2);
    ck_assert_uint_gt(r.dials, RIG_TIMEOUT / CLIENT_BACKOFF_MAX_MS);
    rig_fini(&r);
}
END_TEST

START_TEST(calls_are_pipelined_up_to_the_limit_and_answered_in_any_order)
{
    enum { CALLS = 2 * CONN_INFLIGHT_MAX };
    static struct probe probes[CALLS];
    static struct rig_sent sent[CALLS];
    struct rig r;
    rig_init(&r, 1, false);
    for (unsigned i = 0; i < CALLS; i++) {
        probe_start(&r, &probes[i], OP_PUT);
    }
    rig_come_up(&r);
    for (unsigned round = 0; round < 2; round++) {
        rig_tick(&r);
        ck_assert_uint_eq(r.requests, (round + 1) * CONN_INFLIGHT_MAX);
        for (unsigned i = 0; i < CONN_INFLIGHT_MAX; i++) {
            sent[i] = (struct rig_sent){.id = r.last.id - i, .conn = r.last.conn}; /* the latest first */
            rig_answer(&r, &sent[i], DKV_OK);
        }
    }
    for (unsigned i = 0; i < CALLS; i++) {
        ck_assert_uint_eq(probes[i].fired, 1);
        ck_assert_int_eq(probes[i].err, DKV_OK);
    }
    rig_fini(&r);
}
END_TEST

START_TEST(bytes_in_flight_are_bounded)
{
    enum { CALLS = 20 };
    static uint8_t value[VALUE_BYTES_MAX];
    static struct probe probes[CALLS];
    struct rig r;
    rig_init(&r, 1, false);
    for (unsigned i = 0; i < CALLS; i++) {
        probes[i].call.request =
            (struct request){.op = OP_PUT, .key = slice_str("k"), .value = slice_of(value, sizeof value)};
        probes[i].call.cb = probe_on_reply;
        client_core_call(&r.core, &probes[i].call, r.now_ms);
    }
    rig_come_up(&r);
    rig_tick(&r);
    ck_assert_uint_eq(r.requests, CONN_INFLIGHT_BYTES / (sizeof value + 1));
    rig_answer(&r, &r.last, DKV_OK);
    rig_tick(&r);
    ck_assert_uint_eq(r.requests, CONN_INFLIGHT_BYTES / (sizeof value + 1) + 1);
    rig_fini(&r);
}
END_TEST

START_TEST(a_key_or_value_over_the_limit_is_refused_without_a_connection)
{
    static uint8_t big[VALUE_BYTES_MAX + 1];
    struct rig r;
    struct probe p = {0};
    rig_init(&r, 1, false);
    p.call.request =
        (struct request){.op = OP_PUT, .key = slice_str("k"), .value = slice_of(big, sizeof big)};
    p.call.cb = probe_on_reply;
    client_core_call(&r.core, &p.call, r.now_ms);
    ck_assert_uint_eq(p.fired, 0);
    rig_tick(&r);
    ck_assert_int_eq(p.err, DKV_TOO_LARGE);
    ck_assert_uint_eq(r.dials, 0);
    rig_fini(&r);
}
END_TEST

START_TEST(a_call_may_bring_a_shorter_timeout_than_those_before_it)
{
    struct rig r;
    struct probe usual = {0};
    struct probe hasty = {0};
    rig_init(&r, 1, false);
    probe_start(&r, &usual, OP_GET);
    hasty.call.request = (struct request){.op = OP_GET, .key = slice_str("k"), .timeout_ms = 50};
    hasty.call.cb = probe_on_reply;
    client_core_call(&r.core, &hasty.call, r.now_ms);
    rig_pass(&r, 50);
    ck_assert_uint_eq(hasty.fired, 1);
    ck_assert_uint_eq(usual.fired, 0);
    rig_fini(&r);
    ck_assert_int_eq(usual.err, DKV_CANCELED);
}
END_TEST

START_TEST(one_hanging_write_does_not_hold_up_later_calls)
{
    struct rig r;
    struct probe hanging = {0};
    struct probe later = {0};
    rig_init(&r, RIG_ENDPOINTS, false);
    probe_start(&r, &hanging, OP_PUT);
    rig_come_up(&r);
    ck_assert(rig_until_request(&r));
    struct rig_sent first = r.last;
    rig_pass(&r, r.core.patience_ms);
    probe_start(&r, &later, OP_PUT);
    rig_come_up(&r);
    ck_assert(rig_until_request(&r));
    ck_assert_uint_ne(r.last.conn, first.conn);
    rig_answer(&r, &r.last, DKV_OK);
    ck_assert_int_eq(later.err, DKV_OK);
    ck_assert(r.conns[first.conn].open);
    rig_answer(&r, &first, DKV_OK);
    ck_assert_uint_eq(hanging.fired, 1);
    rig_tick(&r);
    ck_assert(!r.conns[first.conn].open); /* hung up once it owed nothing */
    rig_fini(&r);
}
END_TEST

START_TEST(running_out_of_memory_anywhere_ends_the_call_and_leaks_nothing)
{
    for (int n = 0; n < 60; n++) {
        struct rig r;
        struct probe p = {0};
        rig_init(&r, RIG_ENDPOINTS, false);
        probe_start(&r, &p, OP_GET);
        for (unsigned round = 0; p.fired == 0 && round < 5 && rig_until_dial(&r); round++) {
            unsigned conn = r.last_dialed;
            mem_fail_after(n);
            rig_connect(&r, conn);
            mem_fail_after(-1);
            if (r.hello_out[conn]) {
                rig_greet(&r, conn, RIG_CLUSTER);
            }
            unsigned before = r.requests;
            mem_fail_after(n);
            rig_tick(&r);
            mem_fail_after(-1);
            if (r.requests > before) {
                rig_answer(&r, &r.last, DKV_OK);
            }
        }
        rig_pass(&r, RIG_TIMEOUT);
        ck_assert_uint_eq(p.fired, 1);
        ck_assert(p.err == DKV_OK || p.err == DKV_UNAVAILABLE);
        rig_fini(&r);
    }
}
END_TEST

/* ---- against a store that counts ---------------------------------------------------------------------- */

/* Whatever the network and the servers do: a write that is done was applied once, one that is unavailable
 * never, one that is unknown at most once; and every call ends exactly once. */

#define CHAOS_CALLS 40

struct chaos {
    struct rng rng;
    struct probe probes[CHAOS_CALLS];
    unsigned applied[CHAOS_CALLS];
    struct {
        struct rig_sent sent;
        dkv_err err;
        bool there;
    } pending[4 * CHAOS_CALLS];
    unsigned pending_count;
};

static void chaos_on_request(struct rig *r, const struct rig_sent *sent, const struct request *req)
{
    struct chaos *c = r->ctx;
    unsigned i = (unsigned)(req->value.data[0]);
    bool applies = rng_below(&c->rng, 3) > 0;
    c->applied[i] += applies;
    ck_assert_uint_lt(c->pending_count, 4 * CHAOS_CALLS);
    c->pending[c->pending_count].sent = *sent;
    c->pending[c->pending_count].err = applies ? DKV_OK : DKV_NOT_LEADER;
    c->pending[c->pending_count++].there = true;
}

static void chaos_forget(struct chaos *c, unsigned conn)
{
    for (unsigned i = 0; i < c->pending_count; i++) {
        c->pending[i].there = c->pending[i].there && c->pending[i].sent.conn != conn;
    }
}

static void chaos_answer_one(struct rig *r, struct chaos *c)
{
    unsigned i = c->pending_count == 0 ? 0 : (unsigned)rng_below(&c->rng, c->pending_count);
    if (i < c->pending_count && c->pending[i].there) {
        c->pending[i].there = false;
        rig_answer(r, &c->pending[i].sent, c->pending[i].err);
    }
}

static void chaos_conn_event(struct rig *r, struct chaos *c, unsigned conn)
{
    struct client_conn *state = &r->core.conns[conn];
    if (!r->conns[conn].open) {
        chaos_forget(c, conn);
        return;
    }
    bool breaks = rng_below(&c->rng, 12) == 0;
    if (breaks) {
        rig_close(r, conn, "broken");
        chaos_forget(c, conn);
    } else if (state->state == CONN_DIALING) {
        rig_connect(r, conn);
    } else if (state->state == CONN_GREETING && r->hello_out[conn]) {
        rig_greet(r, conn, RIG_CLUSTER);
    }
}

static void chaos_run(uint64_t seed)
{
    static struct chaos c;
    static uint8_t names[CHAOS_CALLS];
    struct rig r;
    c = (struct chaos){.rng = {.state = seed}};
    rig_init(&r, RIG_ENDPOINTS, false);
    r.on_request = chaos_on_request;
    r.ctx = &c;
    unsigned started = 0;
    for (unsigned step = 0; step < 400; step++) {
        if (started < CHAOS_CALLS && rng_below(&c.rng, 3) == 0) {
            names[started] = (uint8_t)started;
            struct probe *p = &c.probes[started];
            p->call.request =
                (struct request){.op = OP_PUT, .key = slice_str("k"), .value = slice_of(&names[started], 1)};
            p->call.cb = probe_on_reply;
            client_core_call(&r.core, &p->call, r.now_ms);
            started++;
        }
        unsigned conn = (unsigned)rng_below(&c.rng, CLIENT_CONNS);
        chaos_conn_event(&r, &c, conn);
        rig_tick(&r);
        for (unsigned i = 0; i < CLIENT_CONNS; i++) {
            if (!r.conns[i].open) {
                chaos_forget(&c, i);
            }
        }
        chaos_answer_one(&r, &c);
        r.now_ms += rng_below(&c.rng, 20);
    }
    rig_pass(&r, 2 * RIG_TIMEOUT);
    for (unsigned i = 0; i < started; i++) {
        const struct probe *p = &c.probes[i];
        ck_assert_msg(p->fired == 1, "seed %llu: call %u ended %u times", (unsigned long long)seed, i,
                      p->fired);
        bool sound = p->err == DKV_OK            ? c.applied[i] == 1
                     : p->err == DKV_UNAVAILABLE ? c.applied[i] == 0
                                                 : p->err == DKV_UNKNOWN && c.applied[i] <= 1;
        ck_assert_msg(sound, "seed %llu: call %u: %s, applied %u times", (unsigned long long)seed, i,
                      err_text(p->err), c.applied[i]);
    }
    rig_fini(&r);
}

START_TEST(no_outcome_is_ever_wrong)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        chaos_run(seed);
    }
}
END_TEST

Suite *client_suite(void)
{
    Suite *s = suite_create("client");
    TCase *t = tcase_create("core");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_script_ends_as_its_sentence_says, 0, sizeof scripts / sizeof scripts[0]);
    tcase_add_test(t, endpoints_are_learned_from_the_greeting);
    tcase_add_test(t, a_back_off_grows_and_stays_within_its_bounds);
    tcase_add_test(t, calls_are_pipelined_up_to_the_limit_and_answered_in_any_order);
    tcase_add_test(t, bytes_in_flight_are_bounded);
    tcase_add_test(t, a_key_or_value_over_the_limit_is_refused_without_a_connection);
    tcase_add_test(t, a_call_may_bring_a_shorter_timeout_than_those_before_it);
    tcase_add_test(t, one_hanging_write_does_not_hold_up_later_calls);
    tcase_add_test(t, running_out_of_memory_anywhere_ends_the_call_and_leaks_nothing);
    tcase_add_test(t, no_outcome_is_ever_wrong);
    suite_add_tcase(s, t);
    return s;
}

/* cmd_bench.c - bench: closed-loop load and what it measured.
 *
 * Happy path:
 *   1. every client gets a connection of its own and says HELLO, so that connecting is not measured;
 *   2. when the last has heard back the clock starts, and each sends its next request when it hears of the
 * last;
 *   3. answers that come within the time count; when it is over the clients stop one by one.
 *
 * What can go wrong: nobody answers the HELLO, then that is the result; a request fails and is counted. */
#include "base/mem.h"
#include "base/rng.h"
#include "dkvctl/ctl.h"
#include "dkvctl/histogram.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define BENCH_CLIENTS_MAX 4096u
#define BENCH_SECONDS_MAX 86400u
#define BENCH_KEYS_MAX    100000000u

struct bench;

struct bench_client {
    struct client_call call;
    struct client *client;
    struct bench *bench;
    struct rng rng;
    uint64_t begun_us;
    char key[32];
};

struct bench {
    struct ctl *ctl;
    const char *op;
    uint64_t clients;
    uint64_t seconds;
    uint64_t value_bytes;
    uint64_t keys;

    struct bench_client *all;
    struct buf value;
    uv_timer_t tick;
    bool running;
    uint64_t waiting; /* clients whose HELLO or last answer is out */
    uint64_t open;    /* clients that are not closed */
    uint64_t begun_us;
    uint64_t end_us;
    uint64_t ops;
    uint64_t errors;      /* surely not applied, and reads that failed */
    uint64_t unknown;     /* outcome unknown */
    uint64_t not_found;   /* of reads; no error */
    uint64_t told;        /* ops, at the last progress line */
    struct reply failure; /* of a HELLO; err OK: none */
    struct buf failure_keep;
    struct histogram latency_us;
};

/* ---- load --------------------------------------------------------------------------------------------- */

static void bench_on_answer(struct client_call *call);

static enum op bench_choose_op(struct bench_client *c)
{
    if (c->bench->op[0] == 'm') { /* mixed: half and half */
        return rng_below(&c->rng, 2) == 0 ? OP_GET : OP_PUT;
    }
    return c->bench->op[0] == 'p' ? OP_PUT : OP_GET;
}

static void bench_send(struct bench_client *c)
{
    struct bench *b = c->bench;
    int len = snprintf(c->key, sizeof c->key, "bench/%010" PRIu64, rng_below(&c->rng, b->keys));
    enum op op = bench_choose_op(c);
    c->call = (struct client_call){
        .request = {.op = op,
                    .key = slice_of(c->key, (size_t)len),
                    .value = op == OP_PUT ? buf_slice(&b->value) : (struct slice){0},
                    .consistency = b->ctl->consistency},
        .cb = bench_on_answer,
    };
    c->begun_us = session_now_us();
    client_call(c->client, &c->call);
}

static void bench_count(struct bench *b, const struct client_call *call, uint64_t us)
{
    dkv_err err = call->reply.err;
    if (err == DKV_OK || err == DKV_NOT_FOUND) {
        b->ops++;
        b->not_found += err == DKV_NOT_FOUND;
        histogram_put(&b->latency_us, us);
    } else if (err == DKV_UNKNOWN) {
        b->unknown++;
    } else {
        b->errors++;
    }
}

/* One client has nothing more to wait for. It may be at a deadline, before the loop waits. */
static void bench_done(struct bench *b)
{
    b->waiting--;
    uv_stop(session_loop(b->ctl));
}

static void bench_on_answer(struct client_call *call)
{
    struct bench_client *c = CONTAINER(call, struct bench_client, call);
    struct bench *b = c->bench;
    uint64_t now_us = session_now_us();
    if (now_us >= b->end_us) {
        bench_done(b);
        return;
    }
    bench_count(b, call, now_us - c->begun_us);
    bench_send(c);
}

static void bench_start(struct bench *b)
{
    b->running = true;
    b->begun_us = session_now_us();
    b->end_us = b->begun_us + b->seconds * 1000000u;
    b->waiting = b->clients;
    for (uint64_t i = 0; i < b->clients; i++) {
        bench_send(&b->all[i]);
    }
}

static void bench_on_hello(struct client_call *call)
{
    struct bench *b = CONTAINER(call, struct bench_client, call)->bench;
    if (call->reply.err != DKV_OK && b->failure.err == DKV_OK) {
        client_keep_reply(&call->reply, &b->failure, &b->failure_keep);
    }
    b->waiting--;
}

/* ---- begin and end ------------------------------------------------------------------------------------ */

static void bench_on_tick(uv_timer_t *timer)
{
    struct bench *b = CONTAINER(timer, struct bench, tick);
    if (b->running) {
        uint64_t second = (session_now_us() - b->begun_us) / 1000000u;
        fprintf(stderr, "\r%3" PRIu64 " s  %8" PRIu64 " ops/s  %" PRIu64 " errors   ", second,
                b->ops - b->told, b->errors + b->unknown);
        b->told = b->ops;
    }
}

/* Every client is a descriptor. */
static void bench_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool bench_connect(struct bench *b, uv_loop_t *loop)
{
    struct address endpoints[2 * NODES_MAX];
    size_t n = session_endpoints(b->ctl, endpoints, sizeof endpoints / sizeof endpoints[0]);
    struct client_config config = {
        .endpoints = endpoints, .endpoint_count = n, .timeout_ms = b->ctl->timeout_ms, .learn = false};
    for (uint64_t i = 0; i < b->clients; i++) {
        struct bench_client *c = &b->all[i];
        config.first = (size_t)i;
        c->bench = b;
        c->rng.state = i * 0x9E3779B97F4A7C15ull;
        c->client = client_uv_new(loop, &config);
        if (c->client == NULL) {
            return false;
        }
        b->open++;
        b->waiting++;
        c->call = (struct client_call){.request = {.op = OP_HELLO}, .cb = bench_on_hello};
        client_call(c->client, &c->call);
    }
    return true;
}

static void bench_on_closed(void *ctx)
{
    struct bench *b = ctx;
    b->open--;
}

static void bench_disconnect(struct bench *b, uv_loop_t *loop)
{
    b->end_us = 0; /* what is canceled does not go on */
    for (uint64_t i = 0; i < b->clients; i++) {
        if (b->all[i].client != NULL) {
            client_close(b->all[i].client, bench_on_closed, b);
        }
    }
    while (b->open > 0) {
        uv_run(loop, UV_RUN_ONCE);
    }
}

static void bench_wait(struct bench *b, uv_loop_t *loop)
{
    while (b->waiting > 0) {
        uv_run(loop, UV_RUN_ONCE);
    }
}

static bool bench_at_risk(void *ctx)
{
    const struct bench *b = ctx;
    return b->running && b->op[0] != 'g';
}

static int bench_measure(struct bench *b, uv_loop_t *loop)
{
    bool connected = bench_connect(b, loop);
    if (connected) {
        bench_wait(b, loop);
    }
    if (connected && b->failure.err == DKV_OK) {
        session_guard(b->ctl, bench_at_risk, b);
        bench_start(b);
        bench_wait(b, loop);
        session_unguard(b->ctl);
    }
    bench_disconnect(b, loop);
    if (!connected) {
        return out_no_memory();
    }
    return b->failure.err == DKV_OK ? 0 : out_failed("bench", &b->failure);
}

/* ---- result ------------------------------------------------------------------------------------------- */

#define BENCH_RESULTS 13

struct bench_result {
    const char *name;
    uint64_t number;
};

static size_t bench_results(const struct bench *b, struct bench_result *out)
{
    const struct bench_result all[] = {
        {"clients", b->clients},
        {"seconds", b->seconds},
        {"value_bytes", b->value_bytes},
        {"operations", b->ops},
        {"ops_per_second", b->ops / b->seconds},
        {"p50_us", histogram_at(&b->latency_us, 500000)},
        {"p99_us", histogram_at(&b->latency_us, 990000)},
        {"p999_us", histogram_at(&b->latency_us, 999000)},
        {"max_us", b->latency_us.max},
        {"errors", b->errors},
        {"unknown", b->unknown},
        {"not_found", b->not_found},
        {"keys", b->keys},
    };
    _Static_assert(sizeof all / sizeof all[0] == BENCH_RESULTS, "the caller's array has another size");
    memcpy(out, all, sizeof all);
    return BENCH_RESULTS;
}

static void bench_print(const struct bench *b)
{
    static const char *const headings[] = {"RESULT", "VALUE"};
    struct bench_result results[BENCH_RESULTS];
    size_t n = bench_results(b, results);
    if (b->ctl->output == OUTPUT_JSON || b->ctl->output == OUTPUT_JSONL) {
        struct json *root = json_new_object();
        json_set(root, "op", json_new_bytes(slice_str(b->op)));
        for (size_t i = 0; i < n; i++) {
            json_set(root, results[i].name, json_new_number(results[i].number));
        }
        out_json(root);
        return;
    }
    struct table t;
    table_init(&t, headings, 2);
    table_put(&t, slice_str("op"));
    table_put(&t, slice_str(b->op));
    for (size_t i = 0; i < n; i++) {
        table_put(&t, slice_str(results[i].name));
        table_printf(&t, "%" PRIu64, results[i].number);
    }
    table_print(b->ctl, &t);
    table_fini(&t);
}

static int bench_run(struct bench *b)
{
    uv_loop_t *loop = session_loop(b->ctl);
    b->all = mem_zalloc(b->clients, sizeof b->all[0]);
    uint8_t *value = buf_extend(&b->value, b->value_bytes);
    if (loop == NULL || b->all == NULL || value == NULL) {
        return out_no_memory();
    }
    struct rng rng = {.state = b->value_bytes};
    for (uint64_t i = 0; i < b->value_bytes; i++) {
        value[i] = (uint8_t)rng_next(&rng);
    }
    bool progress = isatty(STDERR_FILENO) == 1 && !b->ctl->quiet;
    bench_raise_descriptors();
    uv_timer_init(loop, &b->tick);
    if (progress) {
        uv_timer_start(&b->tick, bench_on_tick, 1000, 1000);
    }
    int code = bench_measure(b, loop);
    fputs(progress ? "\r\033[K" : "", stderr);
    uv_close((uv_handle_t *)&b->tick, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    if (code == 0) {
        bench_print(b);
    }
    return code;
}

static int bench_check(const struct bench *b)
{
    struct ctl *ctl = b->ctl;
    bool known = strcmp(b->op, "put") == 0 || strcmp(b->op, "get") == 0 || strcmp(b->op, "mixed") == 0;
    if (!known) {
        return ctl_usage_error(ctl, "--op is put, get or mixed");
    }
    if (b->clients < 1 || b->clients > BENCH_CLIENTS_MAX) {
        return ctl_usage_error(ctl, "--clients is 1 to %u", BENCH_CLIENTS_MAX);
    }
    if (b->seconds < 1 || b->seconds > BENCH_SECONDS_MAX) {
        return ctl_usage_error(ctl, "--seconds is 1 to %u", BENCH_SECONDS_MAX);
    }
    if (b->keys < 1 || b->keys > BENCH_KEYS_MAX) {
        return ctl_usage_error(ctl, "--keys is 1 to %u", BENCH_KEYS_MAX);
    }
    return b->value_bytes <= VALUE_BYTES_MAX
               ? CTL_GO
               : ctl_usage_error(ctl, "--value-size is at most %u", VALUE_BYTES_MAX);
}

int cmd_bench(struct ctl *ctl, int argc, char **argv)
{
    struct bench *b = mem_zalloc(1, sizeof *b);
    if (b == NULL) {
        return out_no_memory();
    }
    b->ctl = ctl;
    const struct arg rows[] = {
        {.name = "op",
         .kind = ARG_TEXT,
         .value = "OP",
         .preset = "put",
         .help = "put, get or mixed",
         .text = &b->op},
        {.name = "clients",
         .kind = ARG_U64,
         .value = "N",
         .preset = "64",
         .help = "connections, one request each",
         .number = &b->clients},
        {.name = "seconds",
         .kind = ARG_U64,
         .value = "N",
         .preset = "5",
         .help = "how long",
         .number = &b->seconds},
        {.name = "value-size",
         .kind = ARG_SIZE,
         .value = "BYTES",
         .preset = "256",
         .help = "of a value",
         .number = &b->value_bytes},
        {.name = "keys",
         .kind = ARG_U64,
         .value = "N",
         .preset = "100000",
         .help = "different keys",
         .number = &b->keys},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code == CTL_GO && in.operands > 0) {
        code = ctl_usage_error(ctl, "too many words");
    }
    code = code == CTL_GO ? bench_check(b) : code;
    code = code == CTL_GO ? bench_run(b) : code;
    buf_fini(&b->value);
    buf_fini(&b->failure_keep);
    mem_free(b->all);
    mem_free(b);
    return code;
}

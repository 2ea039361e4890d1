/* hammer.c - writes and reads a cluster while somebody hurts it, then says whether it kept its promises.
 *
 *   hammer -e HOST:PORT,... [--writers 8] [--readers 1] [--keys 16] [--value-bytes 64] [--for D] [--timeout
 * 5s]
 *
 * The course of a run:
 *   1. every writer puts rising numbers into its own keys, one after the other; every endpoint has its
 * readers, which ask that endpoint alone for a linearizable value of any key;
 *   2. after --for, or at SIGTERM or SIGINT, no new call begins and those in flight end;
 *   3. one reader per endpoint reads every key back, again and again until it gets an answer;
 *   4. one line tells the counts. Exit 0: no acknowledged write is missing and no read went back in time; 9:
 * a violation, each with a line on stderr; 1: it could not be judged (no writes, or no answers at the end).
 *
 * One thread and one loop, so the order of the events here is the order of one clock, as ledger.h asks for. A
 * write with an unknown outcome may take effect much later; its key is retired and the writer takes a fresh
 * one. */
#include "tools/ledger.h"

#include "base/args.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "client/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ENDPOINTS_MAX  16u
#define KEY_NAME_MAX   48u
#define VALUE_MAX      65536u
#define WORDS_MAX      20u /* violations printed; all are counted */
#define CHECK_MS       60000u
#define EXIT_VIOLATION 9
#define EXIT_USAGE     2

struct key {
    struct ledger ledger;
    char name[KEY_NAME_MAX];
};

struct writer {
    struct hammer *hammer;
    struct client *client;
    struct client_call call;
    struct key **slots; /* owned array: the keys this writer works on */
    size_t slot;        /* of the write in flight */
    struct buf value;
    uint64_t id;
    uint64_t generation; /* keys this writer has taken */
};

struct reader {
    struct hammer *hammer;
    struct client *client;
    struct client_call call;
    struct key *key; /* of the read in flight */
    uint64_t floor;
    size_t checked; /* phase CHECKING: keys done */
};

enum phase { RUNNING, DRAINING, CHECKING, CLOSING };

struct hammer {
    /* in */
    const char *endpoints_text;
    const char *prefix; /* of all keys; they must be new */
    uint64_t writer_count;
    uint64_t readers_each;
    uint64_t keys_each;
    uint64_t value_bytes;
    uint64_t for_ms;
    uint64_t timeout_ms;
    uint64_t seed;
    bool help;

    struct address endpoints[ENDPOINTS_MAX];
    size_t endpoint_count;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct writer *writers;
    struct reader *readers;
    size_t reader_count;
    struct key **keys; /* owned, all ever taken */
    size_t key_count;
    size_t key_cap;
    struct rng rng;
    enum phase phase;
    size_t in_flight;

    /* out */
    uint64_t acked, not_applied, unknown, reads, reads_failed, violations;
    uint64_t begin_ms, last_ack_ms;
    uint64_t pause_ms, pause_end_ms; /* the longest time without an acknowledgement */
    bool unanswered;                 /* a key could not be read back */
    bool shards[SHARDS_MAX + 1];
};

static void writer_next(struct writer *w);
static void reader_next(struct reader *r);
static void hammer_end_of_call(struct hammer *h);

/* ---- keys and values ---------------------------------------------------------------------------------- */

static struct key *hammer_new_key(struct hammer *h, struct writer *w)
{
    if (h->key_count == h->key_cap) {
        h->key_cap = h->key_cap == 0 ? 64 : 2 * h->key_cap;
        h->keys = mem_realloc(h->keys, h->key_cap * sizeof(struct key *));
        ensure(h->keys != NULL);
    }
    struct key *k = mem_zalloc(1, sizeof(*k));
    ensure(k != NULL);
    snprintf(k->name, sizeof(k->name), "%.24s-%" PRIu64 "-%" PRIu64, h->prefix, w->id, w->generation++);
    h->keys[h->key_count++] = k;
    return k;
}

/* "NAME NUMBER", filled up with dots: an answer also proves that it is this key's. */
static void key_put_value(const struct key *k, uint64_t number, size_t bytes, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "%s %" PRIu64, k->name, number);
    while (out->len < bytes && buf_ok(out)) {
        buf_put_u8(out, '.');
    }
    ensure(buf_ok(out));
}

static dkv_err key_parse_value(const struct key *k, struct slice value, uint64_t *number)
{
    struct slice name = slice_str(k->name);
    if (!slice_has_prefix(value, name) || value.len <= name.len || value.data[name.len] != ' ') {
        return DKV_MALFORMED;
    }
    struct slice digits = slice_of(value.data + name.len + 1, value.len - name.len - 1);
    while (digits.len > 0 && digits.data[digits.len - 1] == '.') {
        digits.len--;
    }
    return text_parse_u64(digits, number);
}

static void hammer_accuse(struct hammer *h, const struct key *k, const struct reply *rep, const char *what)
{
    h->violations++;
    if (h->violations > WORDS_MAX) {
        return;
    }
    struct buf shown = {0};
    text_escape(rep->value, 64, &shown);
    fprintf(stderr,
            "hammer: violation at %" PRIu64 " ms: key=%s shard=%u node=%.*s answer=\"%.*s\" floor=%" PRIu64
            " begun=%" PRIu64 ": %s\n",
            uv_hrtime() / 1000000 - h->begin_ms, k->name, rep->shard, (int)rep->node.len,
            (const char *)rep->node.data, (int)shown.len, (const char *)shown.data, k->ledger.floor,
            k->ledger.begun, what);
    buf_fini(&shown);
}

/* ---- writers ------------------------------------------------------------------------------------------ */

/* What an answer to a put says about the put. */
static enum ledger_outcome writer_outcome(dkv_err err)
{
    switch (err) {
    case DKV_OK:
        return LEDGER_ACKED;
    case DKV_NO_MEMORY:
    case DKV_NOT_FOUND:
    case DKV_CONDITION:
    case DKV_BAD_REQUEST:
    case DKV_TOO_LARGE:
    case DKV_LIMIT:
    case DKV_UNSUPPORTED:
    case DKV_UNAVAILABLE:
    case DKV_NOT_LEADER:
    case DKV_WRONG_SHARD:
    case DKV_REFUSED:
    case DKV_AUTH:
        return LEDGER_NOT_APPLIED;
    case DKV_CANCELED:
    case DKV_MALFORMED:
    case DKV_MORE:
    case DKV_UNKNOWN:
    case DKV_IO:
    case DKV_CORRUPT:
    case DKV_LOCKED:
    case DKV_ADDRESS_IN_USE:
    case DKV_NO_SPACE:
    case DKV_CONFIG:
        return LEDGER_UNKNOWN;
    }
    return LEDGER_UNKNOWN;
}

static void hammer_count_write(struct hammer *h, enum ledger_outcome outcome, const struct reply *rep)
{
    uint64_t now = uv_hrtime() / 1000000;
    switch (outcome) {
    case LEDGER_ACKED:
        h->acked++;
        if (now - h->last_ack_ms > h->pause_ms) {
            h->pause_ms = now - h->last_ack_ms;
            h->pause_end_ms = now - h->begin_ms;
        }
        h->last_ack_ms = now;
        if (rep->shard <= SHARDS_MAX) {
            h->shards[rep->shard] = true;
        }
        break;
    case LEDGER_NOT_APPLIED:
        h->not_applied++;
        break;
    case LEDGER_UNKNOWN:
        h->unknown++;
        break;
    }
}

static void writer_done(struct client_call *call)
{
    struct writer *w = CONTAINER(call, struct writer, call);
    struct hammer *h = w->hammer;
    struct key *k = w->slots[w->slot];
    enum ledger_outcome outcome = writer_outcome(call->reply.err);

    hammer_count_write(h, outcome, &call->reply);
    const char *wrong = ledger_write_end(&k->ledger, outcome);
    if (wrong != NULL) {
        hammer_accuse(h, k, &call->reply, wrong);
    }
    if (k->ledger.retired) {
        w->slots[w->slot] = hammer_new_key(h, w);
    }
    w->slot = (w->slot + 1) % h->keys_each;
    if (h->phase == RUNNING) {
        writer_next(w);
    }
    hammer_end_of_call(h);
}

static void writer_next(struct writer *w)
{
    struct key *k = w->slots[w->slot];
    key_put_value(k, ledger_write_begin(&k->ledger), w->hammer->value_bytes, &w->value);
    w->call = (struct client_call){
        .request = {.op = OP_PUT, .key = slice_str(k->name), .value = buf_slice(&w->value)},
        .cb = writer_done,
    };
    w->hammer->in_flight++;
    client_call(w->client, &w->call);
}

/* ---- readers ------------------------------------------------------------------------------------------ */

static void reader_judge(struct reader *r)
{
    const struct reply *rep = &r->call.reply;
    uint64_t number = 0;
    if (rep->err == DKV_OK && key_parse_value(r->key, rep->value, &number) != DKV_OK) {
        hammer_accuse(r->hammer, r->key, rep, "the value of another key, or of nobody");
        return;
    }
    const char *wrong = ledger_read_end(&r->key->ledger, r->floor, number);
    if (wrong != NULL) {
        hammer_accuse(r->hammer, r->key, rep, wrong);
    }
}

/* True when the reader has something left to do. */
static bool reader_goes_on(struct reader *r, bool answered)
{
    struct hammer *h = r->hammer;
    switch (h->phase) {
    case RUNNING:
        return true;
    case CHECKING:
        r->checked += answered ? 1 : 0;
        return r->checked < h->key_count;
    case DRAINING:
    case CLOSING:
        break;
    }
    return false;
}

static void reader_done(struct client_call *call)
{
    struct reader *r = CONTAINER(call, struct reader, call);
    bool answered = call->reply.err == DKV_OK || call->reply.err == DKV_NOT_FOUND;
    if (answered) {
        r->hammer->reads++;
        reader_judge(r);
    } else {
        r->hammer->reads_failed++;
    }
    if (reader_goes_on(r, answered)) {
        reader_next(r);
    }
    hammer_end_of_call(r->hammer);
}

static void reader_next(struct reader *r)
{
    struct hammer *h = r->hammer;
    r->key = h->keys[h->phase == CHECKING ? r->checked : rng_below(&h->rng, h->key_count)];
    r->floor = ledger_read_begin(&r->key->ledger);
    r->call = (struct client_call){
        .request = {.op = OP_GET, .key = slice_str(r->key->name), .consistency = READ_LINEARIZABLE},
        .cb = reader_done,
    };
    h->in_flight++;
    client_call(r->client, &r->call);
}

/* ---- the course of a run ------------------------------------------------------------------------------ */

static void hammer_close(struct hammer *h)
{
    h->phase = CLOSING;
    for (size_t i = 0; i < h->writer_count; i++) {
        client_close(h->writers[i].client, NULL, NULL);
    }
    for (size_t i = 0; i < h->reader_count; i++) {
        client_close(h->readers[i].client, NULL, NULL);
    }
    uv_close((uv_handle_t *)&h->timer, NULL);
    uv_close((uv_handle_t *)&h->signals[0], NULL);
    uv_close((uv_handle_t *)&h->signals[1], NULL);
}

/* Some endpoint does not answer the last reads: give the judgement up. */
static void hammer_on_check_timeout(uv_timer_t *timer)
{
    struct hammer *h = CONTAINER(timer, struct hammer, timer);
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct reader *r = &h->readers[i];
        if (r->checked < h->key_count) {
            h->unanswered = true;
            fprintf(stderr, "hammer: %s:%u gave no answer for key %s\n", h->endpoints[i].host,
                    h->endpoints[i].port, h->keys[r->checked]->name);
        }
    }
    h->phase = CLOSING; /* each call in flight ends within its timeout, the last one closes */
}

static void hammer_start_check(struct hammer *h)
{
    h->phase = CHECKING;
    uv_timer_start(&h->timer, hammer_on_check_timeout, CHECK_MS, 0);
    for (size_t i = 0; i < h->endpoint_count; i++) {
        reader_next(&h->readers[i]);
    }
}

static void hammer_end_of_call(struct hammer *h)
{
    h->in_flight--;
    if (h->in_flight > 0) {
        return;
    }
    if (h->phase == DRAINING) {
        hammer_start_check(h);
    } else {
        hammer_close(h);
    }
}

static void hammer_stop(struct hammer *h)
{
    if (h->phase == RUNNING) {
        h->phase = DRAINING;
        uv_timer_stop(&h->timer);
    }
}

static void hammer_on_timeout(uv_timer_t *timer)
{
    hammer_stop(CONTAINER(timer, struct hammer, timer));
}

static void hammer_on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    hammer_stop(handle->data);
}

static struct client *hammer_client(struct hammer *h, const struct client_config *config)
{
    struct client *c = client_uv_new(&h->loop, config);
    ensure(c != NULL);
    return c;
}

static void hammer_start_writers(struct hammer *h)
{
    h->writers = mem_zalloc(h->writer_count, sizeof(*h->writers));
    ensure(h->writers != NULL);
    for (size_t i = 0; i < h->writer_count; i++) {
        struct writer *w = &h->writers[i];
        *w = (struct writer){.hammer = h, .id = i, .slots = mem_zalloc(h->keys_each, sizeof(struct key *))};
        ensure(w->slots != NULL);
        for (size_t k = 0; k < h->keys_each; k++) {
            w->slots[k] = hammer_new_key(h, w);
        }
        w->client = hammer_client(h, &(struct client_config){.endpoints = h->endpoints,
                                                             .endpoint_count = h->endpoint_count,
                                                             .timeout_ms = h->timeout_ms,
                                                             .first = i});
        writer_next(w);
    }
}

static void hammer_start_readers(struct hammer *h)
{
    h->reader_count = h->endpoint_count * h->readers_each;
    h->readers = mem_zalloc(h->reader_count, sizeof(*h->readers));
    ensure(h->readers != NULL);
    for (size_t i = 0; i < h->reader_count; i++) {
        struct reader *r = &h->readers[i];
        r->hammer = h;
        r->client =
            hammer_client(h, &(struct client_config){.endpoints = &h->endpoints[i % h->endpoint_count],
                                                     .endpoint_count = 1,
                                                     .timeout_ms = h->timeout_ms});
        reader_next(r);
    }
}

static void hammer_run(struct hammer *h)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    ensure(uv_loop_init(&h->loop) == 0);
    ensure(uv_timer_init(&h->loop, &h->timer) == 0);
    for (size_t i = 0; i < 2; i++) {
        ensure(uv_signal_init(&h->loop, &h->signals[i]) == 0);
        h->signals[i].data = h;
        ensure(uv_signal_start(&h->signals[i], hammer_on_signal, numbers[i]) == 0);
    }
    if (h->for_ms > 0) {
        uv_timer_start(&h->timer, hammer_on_timeout, h->for_ms, 0);
    }
    h->begin_ms = uv_hrtime() / 1000000;
    h->last_ack_ms = h->begin_ms;
    hammer_start_writers(h);
    hammer_start_readers(h);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    ensure(uv_loop_close(&h->loop) == 0);
}

static int hammer_report(const struct hammer *h)
{
    unsigned shards = 0;
    for (size_t i = 0; i <= SHARDS_MAX; i++) {
        shards += h->shards[i] ? 1 : 0;
    }
    printf("hammer: %" PRIu64 " writers, %zu readers at %zu endpoints, %zu keys in %u shards: "
           "%" PRIu64 " writes acknowledged, %" PRIu64 " not applied, %" PRIu64 " unknown; "
           "%" PRIu64 " reads, %" PRIu64 " failed; longest pause %" PRIu64 " ms, up to ms %" PRIu64
           "; %" PRIu64 " violations\n",
           h->writer_count, h->reader_count, h->endpoint_count, h->key_count, shards, h->acked,
           h->not_applied, h->unknown, h->reads, h->reads_failed, h->pause_ms, h->pause_end_ms,
           h->violations);
    if (h->violations > 0) {
        return EXIT_VIOLATION;
    }
    return h->unanswered || h->acked == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void hammer_fini(struct hammer *h)
{
    for (size_t i = 0; i < h->key_count; i++) {
        ledger_fini(&h->keys[i]->ledger);
        mem_free(h->keys[i]);
    }
    for (size_t i = 0; i < h->writer_count; i++) {
        buf_fini(&h->writers[i].value);
        mem_free(h->writers[i].slots);
    }
    mem_free(h->keys);
    mem_free(h->writers);
    mem_free(h->readers);
}

/* ---- flags -------------------------------------------------------------------------------------------- */

static dkv_err hammer_parse_endpoints(struct hammer *h, struct buf *why)
{
    struct slice left = slice_str(h->endpoints_text == NULL ? "" : h->endpoints_text);
    while (left.len > 0 && h->endpoint_count < ENDPOINTS_MAX) {
        const uint8_t *comma = memchr(left.data, ',', left.len);
        size_t len = comma == NULL ? left.len : (size_t)(comma - left.data);
        if (text_parse_address(slice_of(left.data, len), &h->endpoints[h->endpoint_count++]) != DKV_OK) {
            break;
        }
        left = comma == NULL ? slice_of(NULL, 0) : slice_of(comma + 1, left.len - len - 1);
        if (left.len == 0) {
            return DKV_OK;
        }
    }
    buf_printf(why, "--endpoints takes 1 to %u addresses HOST:PORT,HOST:PORT,...", ENDPOINTS_MAX);
    return DKV_CONFIG;
}

static dkv_err hammer_check_flags(struct hammer *h, struct buf *why)
{
    bool sane = h->writer_count >= 1 && h->writer_count <= 1024 && h->readers_each >= 1 &&
                h->readers_each <= 64 && h->keys_each >= 1 && h->keys_each <= 65536 &&
                h->value_bytes <= VALUE_MAX && h->timeout_ms >= 1;
    if (!sane) {
        buf_put_text(why,
                     "1 to 1024 writers, 1 to 64 readers, 1 to 65536 keys, values up to 64K, timeout over 0");
        return DKV_CONFIG;
    }
    return hammer_parse_endpoints(h, why);
}

static dkv_err hammer_parse(struct hammer *h, const struct arg_set *flags, struct arg_input *in,
                            struct buf *why)
{
    dkv_err err = args_parse(flags, in, why);
    if (err == DKV_OK && in->operands > 0) {
        buf_put_text(why, "hammer takes flags only");
        err = DKV_CONFIG;
    }
    if (err == DKV_OK && !h->help) {
        err = hammer_check_flags(h, why);
    }
    return err;
}

static int hammer_main(struct hammer *h, const struct arg_set *flags, struct arg_input *in)
{
    struct buf text = {0};
    int code = EXIT_SUCCESS;
    if (hammer_parse(h, flags, in, &text) != DKV_OK) {
        fprintf(stderr, "hammer: %.*s\n", (int)text.len, (const char *)text.data);
        code = EXIT_USAGE;
    } else if (h->help) {
        args_help(flags, &text);
        printf("usage: hammer -e HOST:PORT,... [flags]\n%.*s", (int)text.len, (const char *)text.data);
    } else {
        h->rng.state = h->seed;
        hammer_run(h);
        code = hammer_report(h);
        hammer_fini(h);
    }
    buf_fini(&text);
    return code;
}

int main(int argc, char **argv)
{
    static struct hammer h; /* holds the endpoints and the table of shards: too large for a stack frame */
    const struct arg rows[] = {
        {"endpoints", 'e', ARG_TEXT, "HOST:PORT,...", NULL, "client ports of the nodes",
         .text = &h.endpoints_text},
        {"writers", 0, ARG_U64, "N", "8", "writers, each with keys of its own", .number = &h.writer_count},
        {"readers", 0, ARG_U64, "N", "1", "readers at every endpoint", .number = &h.readers_each},
        {"keys", 0, ARG_U64, "N", "16", "keys per writer", .number = &h.keys_each},
        {"value-bytes", 0, ARG_SIZE, "SIZE", "64", "length of a value", .number = &h.value_bytes},
        {"for", 0, ARG_DURATION, "D", "0", "how long; 0: until SIGTERM", .number = &h.for_ms},
        {"timeout", 0, ARG_DURATION, "D", "5s", "of one call with its retries", .number = &h.timeout_ms},
        {"prefix", 0, ARG_TEXT, "TEXT", NULL, "of all keys, new to the store (default: from the clock)",
         .text = &h.prefix},
        {"seed", 0, ARG_U64, "N", "1", "of the readers' choice of keys", .number = &h.seed},
        {"help", 'h', ARG_SWITCH, NULL, NULL, "this text", .on = &h.help},
    };
    char fresh[32];
    snprintf(fresh, sizeof(fresh), "hammer%" PRIx64, uv_hrtime());
    h.prefix = fresh;
    const struct arg_set flags = {.rows = rows, .n = sizeof(rows) / sizeof(rows[0])};
    struct arg_input in = {.argc = argc, .argv = argv};
    return hammer_main(&h, &flags, &in);
}

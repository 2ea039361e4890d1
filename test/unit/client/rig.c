/* rig.c - the transport of the tests. */
#include "rig.h"

#include "base/mem.h"
#include "proto/native.h"

#include <check.h>
#include <stdio.h>

static struct address rig_address(size_t i)
{
    struct address a = {.port = (uint16_t)(5001 + i)};
    memcpy(a.host, "127.0.0.1", sizeof "127.0.0.1");
    return a;
}

void rig_init(struct rig *r, size_t endpoint_count, bool learn)
{
    struct address endpoints[RIG_ENDPOINTS];
    *r = (struct rig){.now_ms = 1000, .wake_ms = UINT64_MAX};
    for (size_t i = 0; i < endpoint_count; i++) {
        endpoints[i] = rig_address(i);
    }
    const struct client_config config = {
        .endpoints = endpoints, .endpoint_count = endpoint_count, .timeout_ms = RIG_TIMEOUT, .learn = learn};
    ck_assert_int_eq(client_core_init(&r->core, &config, 1), DKV_OK);
}

void rig_fini(struct rig *r)
{
    client_core_cancel(&r->core);
    client_core_fini(&r->core);
}

static void rig_take_request(struct rig *r, struct pack_doc *doc, unsigned conn, struct slice message)
{
    uint32_t id = 0;
    struct request req;
    ck_assert_int_eq(native_parse_request(doc, message, &id, &req, NULL), DKV_OK);
    if (req.op == OP_HELLO) {
        r->hello_out[conn] = true;
        r->hello_id[conn] = id;
        return;
    }
    ck_assert(!r->hello_out[conn]); /* nothing but HELLO before its answer */
    r->requests++;
    r->last = (struct rig_sent){.id = id, .conn = conn, .timeout_ms = req.timeout_ms};
    if (r->on_request != NULL) {
        r->on_request(r, &r->last, &req);
    }
}

static void rig_take_output(struct rig *r, unsigned conn, struct buf *data)
{
    mem_fail_after(-1); /* the test's own memory */
    struct pack_doc *doc = pack_doc_new();
    struct slice left = buf_slice(data);
    while (left.len > 0) {
        size_t len = 0;
        struct pack_scan scan = {0};
        ck_assert_int_eq(pack_scan(&scan, left, REQUEST_BYTES_MAX, &len), DKV_OK);
        rig_take_request(r, doc, conn, slice_of(left.data, len));
        left = slice_of(left.data + len, left.len - len);
    }
    buf_reset(data);
    pack_doc_free(doc);
}

void rig_tick(struct rig *r)
{
    r->wake_ms = client_core_tick(&r->core, r->now_ms);
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        struct client_output out;
        client_core_output(&r->core, i, &out);
        if (out.hangup) {
            r->conns[i].open = false;
        }
        if (out.dial != NULL) {
            ck_assert(!r->conns[i].open);
            r->conns[i] = (struct rig_conn){.open = true, .endpoint = (size_t)(out.dial->port - 5001)};
            r->hello_out[i] = false;
            r->last_dialed = i;
            r->dials++;
        }
        if (out.send->len > 0) {
            ck_assert(r->conns[i].open);
            rig_take_output(r, i, out.send);
        }
    }
}

void rig_pass(struct rig *r, uint64_t ms)
{
    uint64_t end_ms = r->now_ms + ms;
    rig_tick(r);
    while (r->wake_ms <= end_ms) {
        r->now_ms = r->wake_ms > r->now_ms ? r->wake_ms : r->now_ms;
        rig_tick(r);
    }
    r->now_ms = end_ms;
}

static bool rig_until(struct rig *r, const unsigned *counter)
{
    unsigned before = *counter;
    rig_tick(r);
    while (*counter == before && r->wake_ms != UINT64_MAX) {
        r->now_ms = r->wake_ms > r->now_ms ? r->wake_ms : r->now_ms;
        rig_tick(r);
    }
    return *counter != before;
}

bool rig_until_dial(struct rig *r)
{
    return rig_until(r, &r->dials);
}

bool rig_until_request(struct rig *r)
{
    return rig_until(r, &r->requests);
}

void rig_connect(struct rig *r, unsigned conn)
{
    client_core_on_connected(&r->core, conn, r->now_ms);
    rig_tick(r);
}

void rig_close(struct rig *r, unsigned conn, const char *why)
{
    ck_assert(r->conns[conn].open);
    r->conns[conn].open = false;
    client_core_on_closed(&r->core, conn, why, r->now_ms);
}

void rig_bytes(struct rig *r, unsigned conn, struct slice bytes)
{
    ck_assert(r->conns[conn].open);
    client_core_on_bytes(&r->core, conn, bytes, r->now_ms);
}

void rig_greet(struct rig *r, unsigned conn, uint64_t cluster)
{
    struct buf body = {0};
    struct buf out = {0};
    pack_put_map(&body, 3);
    pack_put_str(&body, "cluster");
    pack_put_u64(&body, cluster);
    pack_put_str(&body, "node");
    pack_put_str(&body, "n1");
    pack_put_str(&body, "endpoints");
    pack_put_array(&body, 6);
    pack_put_str(&body, "no address at all");
    for (unsigned i = 1; i <= 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "127.0.0.1:%u", 5000 + i);
        pack_put_str(&body, text);
    }
    native_put_reply(&out, r->hello_id[conn], &(struct reply){.value = buf_slice(&body)});
    ck_assert(r->hello_out[conn]);
    r->hello_out[conn] = false;
    rig_bytes(r, conn, buf_slice(&out));
    buf_fini(&body);
    buf_fini(&out);
}

void rig_answer(struct rig *r, const struct rig_sent *to, dkv_err err)
{
    struct buf out = {0};
    native_put_reply(&out, to->id, &(struct reply){.err = err, .value = slice_str(err == DKV_OK ? "v" : "")});
    rig_bytes(r, to->conn, buf_slice(&out));
    buf_fini(&out);
}

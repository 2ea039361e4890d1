/* session.c - one client on one loop.
 *
 * A call runs the loop until its callback has fired. Ctrl-C is watched only meanwhile; between calls it ends
 * the process by itself. */
#include "dkvctl/session.h"

#include "base/mem.h"
#include "client/hello.h"
#include "dkvctl/ctl.h"
#include "dkvctl/output.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct session {
    uv_loop_t loop;
    uv_signal_t interrupt;
    struct client *client;
    struct client_call call;
    struct reply reply;
    struct buf keep; /* of reply */
    bool done;
    uint64_t deadline_us; /* of the running command; 0: not begun */
    bool (*at_risk)(void *ctx);
    void *at_risk_ctx;
};

uint64_t session_now_us(void)
{
    return uv_hrtime() / 1000u;
}

static struct session *session_new(const struct ctl *ctl)
{
    struct session *s = mem_zalloc(1, sizeof *s);
    if (s == NULL || uv_loop_init(&s->loop) != 0) {
        mem_free(s);
        return NULL;
    }
    uv_signal_init(&s->loop, &s->interrupt);
    uv_unref((uv_handle_t *)&s->interrupt);
    s->interrupt.data = s;
    const struct client_config config = {.endpoints = ctl->endpoints,
                                         .endpoint_count = ctl->endpoint_count,
                                         .timeout_ms = ctl->timeout_ms,
                                         .learn = true};
    s->client = client_uv_new(&s->loop, &config);
    return s;
}

static void session_free(struct session *s)
{
    if (s->client != NULL) {
        client_close(s->client, NULL, NULL);
    }
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    ensure(uv_loop_close(&s->loop) == 0);
    buf_fini(&s->keep);
    mem_free(s);
}

/* The session, opened by its first use. NULL: no memory. */
static struct session *session_of(struct ctl *ctl)
{
    if (ctl->session == NULL) {
        struct session *s = session_new(ctl);
        if (s != NULL && s->client == NULL) {
            session_free(s);
            s = NULL;
        }
        ctl->session = s;
    }
    return ctl->session;
}

void session_close(struct ctl *ctl)
{
    if (ctl->session != NULL) {
        session_free(ctl->session);
        ctl->session = NULL;
    }
}

void *session_loop(struct ctl *ctl)
{
    struct session *s = session_of(ctl);
    return s == NULL ? NULL : &s->loop;
}

struct client *session_client(struct ctl *ctl)
{
    struct session *s = session_of(ctl);
    return s == NULL ? NULL : s->client;
}

void session_renew(struct ctl *ctl)
{
    if (ctl->session != NULL) {
        ctl->session->deadline_us = 0;
    }
}

static void session_on_interrupt(uv_signal_t *handle, int number)
{
    (void)number;
    struct session *s = handle->data;
    bool at_risk = s->at_risk != NULL && s->at_risk(s->at_risk_ctx);
    if (at_risk) {
        out_error("interrupted: the write may have happened or may yet happen");
    }
    fflush(stdout);
    _Exit(at_risk ? err_exit_code(DKV_UNKNOWN) : CTL_EXIT_INTERRUPT);
}

void session_guard(struct ctl *ctl, bool (*at_risk)(void *ctx), void *ctx)
{
    struct session *s = session_of(ctl);
    if (s != NULL) {
        s->at_risk = at_risk;
        s->at_risk_ctx = ctx;
        uv_signal_start(&s->interrupt, session_on_interrupt, SIGINT);
    }
}

void session_unguard(struct ctl *ctl)
{
    if (ctl->session != NULL) {
        uv_signal_stop(&ctl->session->interrupt);
    }
}

void session_trace(const struct ctl *ctl, const struct client_call *call, uint64_t begun_us)
{
    const struct reply *rep = &call->reply;
    if (ctl->trace) {
        struct buf text = {0};
        buf_printf(&text, "trace: op=%s outcome=\"%s\" endpoint=", op_name(call->request.op),
                   err_text(rep->err));
        if (call->endpoint.port != 0) {
            text_format_address(&call->endpoint, &text);
        }
        buf_put_text(&text, " node=");
        text_escape(rep->node, NODE_NAME_MAX, &text);
        buf_put_text(&text, " leader=");
        text_escape(rep->leader, NODE_NAME_MAX, &text);
        uint64_t us = session_now_us() - begun_us;
        buf_printf(&text, " shard=%u hops=%d attempts=%u index=%llu epoch=%llu latency=%llu.%03llums\n",
                   (unsigned)rep->shard, rep->forwarded ? 1 : 0, call->attempts,
                   (unsigned long long)rep->index, (unsigned long long)rep->epoch,
                   (unsigned long long)us / 1000, (unsigned long long)us % 1000);
        fwrite(text.data, 1, text.len, stderr);
        buf_fini(&text);
    } else if (ctl->verbose && call->attempts > 1) {
        out_note(ctl, "%s was answered at attempt %u, by %s:%u", op_name(call->request.op), call->attempts,
                 call->endpoint.host, (unsigned)call->endpoint.port);
    }
}

static void session_on_reply(struct client_call *call)
{
    struct session *s = CONTAINER(call, struct session, call);
    client_keep_reply(&call->reply, &s->reply, &s->keep);
    s->done = true;
    uv_stop(&s->loop); /* a call can end at its deadline, before the loop waits */
}

static bool session_call_at_risk(void *ctx)
{
    const struct client_call *call = ctx;
    return call->sent && op_is_write(call->request.op);
}

/* What is left of the command's time, at least a moment. */
static uint32_t session_left_ms(struct session *s, uint64_t timeout_ms)
{
    uint64_t now_us = session_now_us();
    if (s->deadline_us == 0) {
        s->deadline_us = now_us + timeout_ms * 1000;
    }
    uint64_t left_ms = s->deadline_us > now_us ? (s->deadline_us - now_us) / 1000 : 0;
    return left_ms < 1 ? 1 : left_ms > TIMEOUT_MS_MAX ? TIMEOUT_MS_MAX : (uint32_t)left_ms;
}

dkv_err session_call(struct ctl *ctl, const struct request *req, struct reply *rep)
{
    struct session *s = session_of(ctl);
    if (s == NULL) {
        *rep = (struct reply){.err = DKV_NO_MEMORY};
        return rep->err;
    }
    uint64_t begun_us = session_now_us();
    s->call = (struct client_call){.request = *req, .cb = session_on_reply};
    s->call.request.timeout_ms = session_left_ms(s, ctl->timeout_ms);
    s->done = false;
    session_guard(ctl, session_call_at_risk, &s->call);
    client_call(s->client, &s->call);
    while (!s->done) {
        uv_run(&s->loop, UV_RUN_ONCE);
    }
    session_unguard(ctl);
    s->call.reply = s->reply;
    session_trace(ctl, &s->call, begun_us);
    *rep = s->reply;
    return rep->err;
}

static bool session_has(const struct address *list, size_t n, const struct address *at)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].port == at->port && strcmp(list[i].host, at->host) == 0) {
            return true;
        }
    }
    return false;
}

size_t session_endpoints(struct ctl *ctl, struct address *out, size_t max)
{
    struct reply rep;
    struct hello hello = {0};
    struct pack_doc *doc = pack_doc_new();
    size_t n = 0;
    for (; n < ctl->endpoint_count && n < max; n++) {
        out[n] = ctl->endpoints[n];
    }
    bool told = doc != NULL && session_call(ctl, &(struct request){.op = OP_HELLO}, &rep) == DKV_OK &&
                hello_decode(doc, rep.value, &hello) == DKV_OK;
    for (size_t i = 0; told && i < hello.endpoint_count && n < max; i++) {
        if (!session_has(out, n, &hello.endpoints[i])) {
            out[n++] = hello.endpoints[i];
        }
    }
    pack_doc_free(doc);
    return n;
}

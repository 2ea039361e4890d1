/* cmd_import.c - import: many puts in flight, and an exact report when one fails.
 *
 * Happy path:
 *   1. lines are read while there is a free slot; each becomes a put;
 *   2. an answer frees its slot, and the next line goes.
 *
 * What can go wrong: a put fails, then no further line is read, what is in flight is waited for, and every
 * failed line is told with its outcome. A key that is in flight already holds its next line back, because a
 * retried put could overtake. A pipe that is slow is waited for in the loop, so that answers do not wait for
 * input. */
#include "base/hash.h"
#include "base/mem.h"
#include "dkvctl/ctl.h"
#include "dkvctl/input.h"
#include "dkvctl/output.h"
#include "dkvctl/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define IMPORT_WINDOW   512u
#define IMPORT_LINE_MAX (KEY_BYTES_MAX + 1 + VALUE_BYTES_MAX)

struct import;

struct import_slot {
    struct client_call call;
    struct import *import;
    bool busy;
    uint64_t line;
    uint64_t hash; /* of the key */
    uint64_t begun_us;
    struct buf text; /* key, then value */
};

struct import {
    struct ctl *ctl;
    bool lines; /* each line is a key */
    struct input in;
    bool polled; /* the input is waited for in the loop */
    bool polling;
    bool ready; /* a read will not block */
    uv_poll_t poll;
    uv_timer_t progress;
    bool has_held;
    struct slice held; /* a line read and not yet sent */
    uint64_t line;     /* number of the line read last */
    uint64_t stored;
    uint64_t begun_us;
    uint64_t told; /* stored, at the last progress line */
    unsigned busy;
    size_t bytes; /* in flight */
    int code;     /* of the failure that counts; 0: none */
    struct import_slot slots[IMPORT_WINDOW];
};

/* ---- answers ------------------------------------------------------------------------------------------ */

/* An unknown outcome outweighs what was surely not applied. */
static void import_fail(struct import *m, int code)
{
    int unknown = err_exit_code(DKV_UNKNOWN);
    m->code = m->code == 0 || code == unknown ? code : m->code;
}

static void import_on_answer(struct client_call *call)
{
    struct import_slot *slot = CONTAINER(call, struct import_slot, call);
    struct import *m = slot->import;
    session_trace(m->ctl, call, slot->begun_us);
    uv_stop(session_loop(m->ctl)); /* this may be a deadline, before the loop waits */
    slot->busy = false;
    m->busy--;
    m->bytes -= slot->text.len;
    if (call->reply.err == DKV_OK) {
        m->stored++;
        return;
    }
    char what[64];
    snprintf(what, sizeof what, "import: line %" PRIu64, slot->line);
    import_fail(m, out_failed(what, &call->reply));
}

/* ---- lines -------------------------------------------------------------------------------------------- */

static void import_refuse_line(struct import *m, const char *why)
{
    out_error("import: line %" PRIu64 ": %s", m->line, why);
    import_fail(m, CTL_EXIT_USAGE);
}

/* A slot for a key; NULL: none is free, or the key is in flight. */
static struct import_slot *import_find_slot(struct import *m, struct slice key)
{
    struct import_slot *found = NULL;
    uint64_t hash = hash64(key);
    for (unsigned i = 0; i < IMPORT_WINDOW; i++) {
        struct import_slot *slot = &m->slots[i];
        if (slot->busy && slot->hash == hash) {
            return NULL;
        }
        found = slot->busy || found != NULL ? found : slot;
    }
    if (found != NULL) {
        found->hash = hash;
    }
    return found;
}

static void import_send(struct import *m, struct import_slot *slot, struct slice key, struct slice value)
{
    buf_reset(&slot->text);
    buf_put(&slot->text, key);
    buf_put(&slot->text, value);
    if (!buf_ok(&slot->text)) {
        import_fail(m, out_no_memory());
        return;
    }
    slot->import = m;
    slot->busy = true;
    slot->line = m->line;
    slot->begun_us = session_now_us();
    slot->call = (struct client_call){
        .request = {.op = OP_PUT,
                    .key = slice_of(slot->text.data, key.len),
                    .value = slice_of(slot->text.data + key.len, value.len)},
        .cb = import_on_answer,
    };
    m->busy++;
    m->bytes += slot->text.len;
    client_call(session_client(m->ctl), &slot->call);
}

/* Make a put of the held line. False: it has to wait. */
static bool import_take_line(struct import *m)
{
    struct slice key = m->held;
    struct slice value;
    char number[24];
    if (m->lines) {
        value = slice_of(number, (size_t)snprintf(number, sizeof number, "%" PRIu64, m->line));
    } else {
        const uint8_t *tab = key.len == 0 ? NULL : memchr(key.data, '\t', key.len);
        if (tab == NULL) {
            import_refuse_line(m, "there is no tab between key and value");
            return true;
        }
        key.len = (size_t)(tab - key.data);
        value = slice_of(tab + 1, m->held.len - key.len - 1);
    }
    if (key.len == 0 || key.len > KEY_BYTES_MAX) {
        import_refuse_line(m, key.len == 0 ? "the key is empty" : "the key is too long");
        return true;
    }
    struct import_slot *slot = import_find_slot(m, key);
    bool room = m->busy == 0 || m->bytes + key.len + value.len <= CONN_INFLIGHT_BYTES;
    if (slot == NULL || !room) {
        return false;
    }
    import_send(m, slot, key, value);
    return true;
}

static void import_on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct import *m = CONTAINER(poll, struct import, poll);
    uv_poll_stop(poll); /* a read tells what happened */
    m->polling = false;
    m->ready = true;
}

/* Read on. False: nothing is there yet, the loop watches for it. */
static bool import_fill(struct import *m)
{
    if (m->polled && !m->ready) {
        if (!m->polling) {
            m->polling = uv_poll_start(&m->poll, UV_READABLE | UV_DISCONNECT, import_on_ready) == 0;
        }
        return !m->polling;
    }
    m->ready = false;
    input_fill(&m->in);
    if (m->in.failed) {
        out_error("import: %s", strerror(m->in.error));
        import_fail(m, 1);
    }
    return true;
}

/* Get the next line held. False: not now, or never. */
static bool import_next_line(struct import *m)
{
    for (;;) {
        dkv_err err = input_next_line(&m->in, IMPORT_LINE_MAX, &m->held);
        if (err == DKV_MORE && m->code == 0 && import_fill(m)) {
            continue;
        }
        if (err == DKV_TOO_LARGE) {
            m->line++;
            import_refuse_line(m, "the line is too long");
        }
        m->has_held = err == DKV_OK && m->code == 0;
        m->line += m->has_held;
        return m->has_held;
    }
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static void import_on_progress(uv_timer_t *timer)
{
    struct import *m = CONTAINER(timer, struct import, progress);
    fprintf(stderr, "\r%" PRIu64 " keys, %" PRIu64 "/s   ", m->stored, m->stored - m->told);
    m->told = m->stored;
}

static bool import_at_risk(void *ctx)
{
    const struct import *m = ctx;
    for (unsigned i = 0; i < IMPORT_WINDOW; i++) {
        if (m->slots[i].busy && m->slots[i].call.sent) {
            return true;
        }
    }
    return false;
}

static void import_loop(struct import *m, uv_loop_t *loop)
{
    bool more = true;
    while (more || m->busy > 0) {
        while (m->code == 0 && (m->has_held || import_next_line(m)) && import_take_line(m)) {
            m->has_held = false;
        }
        bool at_end = m->in.eof && !m->has_held && m->in.at == m->in.data.len;
        more = m->code == 0 && !at_end;
        if (more || m->busy > 0) {
            uv_run(loop, UV_RUN_ONCE);
        }
    }
}

static void import_print(const struct import *m)
{
    uint64_t us = session_now_us() - m->begun_us;
    uint64_t rate = us == 0 ? 0 : m->stored * 1000000u / us;
    if (m->ctl->output == OUTPUT_JSON || m->ctl->output == OUTPUT_JSONL) {
        struct json *root = json_new_object();
        json_set(root, "stored", json_new_number(m->stored));
        json_set(root, "lines", json_new_number(m->line));
        json_set(root, "milliseconds", json_new_number(us / 1000));
        json_set(root, "keys_per_second", json_new_number(rate));
        out_json(root);
    } else {
        out_printf("%" PRIu64 " keys stored in %" PRIu64 ".%02" PRIu64 " s, %" PRIu64 "/s\n", m->stored,
                   us / 1000000, us % 1000000 / 10000, rate);
    }
    if (m->code != 0) {
        out_error("import: stopped; %" PRIu64 " of the first %" PRIu64 " lines are stored", m->stored,
                  m->line);
    }
}

static int import_run(struct import *m)
{
    uv_loop_t *loop = session_loop(m->ctl);
    struct stat st;
    if (loop == NULL) {
        return out_no_memory();
    }
    /* What epoll does not take (files, devices) can be read without waiting long. */
    m->polled =
        fstat(m->in.fd, &st) == 0 && !S_ISREG(st.st_mode) && uv_poll_init(loop, &m->poll, m->in.fd) == 0;
    bool progress = isatty(STDERR_FILENO) == 1 && !m->ctl->quiet;
    uv_timer_init(loop, &m->progress);
    if (progress) {
        uv_timer_start(&m->progress, import_on_progress, 1000, 1000);
    }
    m->begun_us = session_now_us();
    session_guard(m->ctl, import_at_risk, m);
    import_loop(m, loop);
    session_unguard(m->ctl);
    fputs(progress ? "\r\033[K" : "", stderr);
    import_print(m);
    uv_close((uv_handle_t *)&m->progress, NULL);
    if (m->polled) {
        uv_close((uv_handle_t *)&m->poll, NULL);
    }
    uv_run(loop, UV_RUN_NOWAIT); /* the handles are closed before their memory goes */
    return m->code;
}

static int import_file(struct ctl *ctl, const char *path, bool lines)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        out_error("import: cannot open the file: %s", strerror(errno));
        return 1;
    }
    struct import *m = mem_zalloc(1, sizeof *m);
    int code = 0;
    if (m == NULL) {
        code = out_no_memory();
    } else {
        m->ctl = ctl;
        m->lines = lines;
        m->in.fd = fd;
        code = import_run(m);
        for (unsigned i = 0; i < IMPORT_WINDOW; i++) {
            buf_fini(&m->slots[i].text);
        }
        input_fini(&m->in);
    }
    mem_free(m);
    if (!is_stdin) {
        close(fd);
    }
    return code;
}

int cmd_import(struct ctl *ctl, int argc, char **argv)
{
    bool lines = false;
    const struct arg rows[] = {
        {.name = "lines",
         .kind = ARG_SWITCH,
         .help = "each line is a key, its value the line's number",
         .on = &lines},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, 1, &in);
    if (code != CTL_GO) {
        return code;
    }
    if (in.operands != 1) {
        return ctl_usage_error(ctl, in.operands < 1 ? "FILE is missing" : "too many words");
    }
    if (ctl->batch && strcmp(argv[1], "-") == 0) {
        return ctl_usage_error(ctl, "standard input is taken by the commands");
    }
    return import_file(ctl, argv[1], lines);
}

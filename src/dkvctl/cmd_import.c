/* cmd_import.c - import: many puts in flight, and an exact report when one fails.
 *
 * Happy path:
 *   1. lines are read while there is a free slot; each becomes a put;
 *   2. an answer frees its slot, and the next line goes.
 *
 * What can go wrong: a line is broken or a put fails, then no further line is sent, what is in flight is
 * waited for, and every line that is not stored is told with its outcome; with --keep-going the next lines
 * are sent all the same. A key that is in flight already holds its next line back, because a retried put
 * could overtake. A pipe that is slow is waited for in the loop, so that answers do not wait for input. */
#include "base/hash.h"
#include "base/mem.h"
#include "dkvctl/ctl.h"
#include "dkvctl/input.h"
#include "dkvctl/line.h"
#include "dkvctl/output.h"
#include "dkvctl/progress.h"
#include "dkvctl/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define IMPORT_WINDOW 512u

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
    struct line_reader reader;
    struct input in;
    bool polled; /* the input is waited for in the loop */
    bool polling;
    bool ready;    /* a read will not block */
    bool skipping; /* the rest of a line that is too long */
    uv_poll_t poll;
    uv_timer_t tick; /* of the progress line */
    struct progress progress;
    bool has_held;
    struct line_pair held; /* read and not yet sent */
    uint64_t line;         /* number of the line read last */
    uint64_t stored;
    uint64_t refused; /* broken lines, never sent */
    uint64_t failed;  /* surely not applied */
    uint64_t unknown;
    uint64_t begun_us;
    unsigned busy;
    size_t bytes; /* in flight */
    int code;     /* of the failure that counts; 0: none */
    bool stopped; /* by it */
    struct import_slot slots[IMPORT_WINDOW];
};

/* ---- answers ------------------------------------------------------------------------------------------ */

/* An unknown outcome outweighs what was surely not applied. */
static void import_fail(struct import *m, int code)
{
    int unknown = err_exit_code(DKV_UNKNOWN);
    m->code = m->code == 0 || code == unknown ? code : m->code;
    m->stopped = m->stopped || !m->ctl->keep_going;
}

/* What --keep-going cannot help. */
static void import_stop(struct import *m, int code)
{
    import_fail(m, code);
    m->stopped = true;
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
    m->unknown += call->reply.err == DKV_UNKNOWN;
    m->failed += call->reply.err != DKV_UNKNOWN;
    progress_wipe(&m->progress);
    import_fail(m, out_failed(what, &call->reply));
}

/* ---- lines -------------------------------------------------------------------------------------------- */

static void import_refuse_line(struct import *m, dkv_err err, const struct buf *why)
{
    progress_wipe(&m->progress);
    out_error("import: line %" PRIu64 ": %.*s", m->line, (int)why->len,
              why->len > 0 ? (const char *)why->data : "");
    m->refused++;
    import_fail(m, err == DKV_TOO_LARGE ? err_exit_code(err) : CTL_EXIT_USAGE);
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

/* Make a put of the held line. */
static void import_send(struct import *m, struct import_slot *slot)
{
    const struct line_pair *pair = &m->held;
    buf_reset(&slot->text);
    buf_put(&slot->text, pair->key);
    buf_put(&slot->text, pair->value);
    if (!buf_ok(&slot->text)) {
        import_stop(m, out_no_memory());
        return;
    }
    slot->import = m;
    slot->busy = true;
    slot->line = m->line;
    slot->begun_us = session_now_us();
    slot->call = (struct client_call){
        .request = {.op = OP_PUT,
                    .key = slice_of(slot->text.data, pair->key.len),
                    .value = slice_of(slot->text.data + pair->key.len, pair->value.len)},
        .cb = import_on_answer,
    };
    m->has_held = false;
    m->busy++;
    m->bytes += slot->text.len;
    client_call(session_client(m->ctl), &slot->call);
}

/* Send the held line. False: it has to wait. */
static bool import_try_send(struct import *m)
{
    struct import_slot *slot = import_find_slot(m, m->held.key);
    bool room = m->busy == 0 || m->bytes + m->held.key.len + m->held.value.len <= CONN_INFLIGHT_BYTES;
    if (slot == NULL || !room) {
        return false;
    }
    import_send(m, slot);
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
        progress_wipe(&m->progress);
        out_error("import: line %" PRIu64 " cannot be read: %s", m->line + 1, strerror(m->in.error));
        import_stop(m, 1);
    }
    return true;
}

/* Read a line into what is held; a broken one is told. */
static void import_read_line(struct import *m, struct slice line)
{
    struct buf why = {0};
    m->line++;
    dkv_err err = line_read(&m->reader, line, m->line, &m->held, &why);
    m->has_held = err == DKV_OK;
    if (err == DKV_NO_MEMORY) {
        import_stop(m, out_no_memory());
    } else if (err != DKV_OK) {
        import_refuse_line(m, err, &why);
    }
    buf_fini(&why);
}

static void import_refuse_long_line(struct import *m)
{
    struct buf why = {0};
    m->line++;
    m->skipping = true;
    buf_printf(&why, "the line has more than %u bytes", LINE_BYTES_MAX);
    import_refuse_line(m, DKV_TOO_LARGE, &why);
    buf_fini(&why);
}

/* Get the next line held. False: not now, or never. */
static bool import_next_line(struct import *m)
{
    while (!m->stopped && !m->has_held) {
        struct slice line;
        dkv_err err = m->skipping ? input_skip_line(&m->in) : input_next_line(&m->in, LINE_BYTES_MAX, &line);
        if (err == DKV_NOT_FOUND || (err == DKV_MORE && !import_fill(m))) {
            return false;
        }
        if (err == DKV_TOO_LARGE) {
            import_refuse_long_line(m);
        } else if (err == DKV_OK && m->skipping) {
            m->skipping = false;
        } else if (err == DKV_OK) {
            import_read_line(m, line);
        }
    }
    return m->has_held && !m->stopped;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static void import_on_tick(uv_timer_t *timer)
{
    struct import *m = CONTAINER(timer, struct import, tick);
    progress_show(&m->progress, m->in.taken, m->stored, session_now_us());
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
        while (import_next_line(m) && import_try_send(m)) {
        }
        bool at_end = m->in.eof && !m->has_held && m->in.at == m->in.data.len;
        more = !m->stopped && !at_end;
        if (more || m->busy > 0) {
            uv_run(loop, UV_RUN_ONCE);
        }
    }
}

static void import_print(const struct import *m)
{
    uint64_t us = session_now_us() - m->begun_us;
    uint64_t rate = us == 0 ? 0 : m->stored * 1000000u / us;
    uint64_t lines = m->has_held ? m->line - 1 : m->line;
    if (m->ctl->output == OUTPUT_JSON || m->ctl->output == OUTPUT_JSONL) {
        struct json *root = json_new_object();
        json_set(root, "stored", json_new_number(m->stored));
        json_set(root, "lines", json_new_number(lines));
        json_set(root, "refused", json_new_number(m->refused));
        json_set(root, "not_applied", json_new_number(m->failed));
        json_set(root, "unknown", json_new_number(m->unknown));
        json_set(root, "milliseconds", json_new_number(us / 1000));
        json_set(root, "keys_per_second", json_new_number(rate));
        out_json(root);
    } else {
        out_printf("%" PRIu64 " keys stored in %" PRIu64 ".%02" PRIu64 " s, %" PRIu64 "/s\n", m->stored,
                   us / 1000000, us % 1000000 / 10000, rate);
    }
    if (m->code != 0) {
        out_error("import: %s line %" PRIu64 "; of the lines so far %" PRIu64 " are stored, %" PRIu64
                  " broken, %" PRIu64 " not applied, %" PRIu64 " of unknown outcome",
                  m->stopped ? "stopped after" : "went on to", lines, m->stored, m->refused, m->failed,
                  m->unknown);
    }
}

/* How many bytes there are to read; 0: not known. */
static uint64_t import_size(const struct stat *st, int fd)
{
    off_t at = S_ISREG(st->st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
    return at >= 0 && st->st_size > at ? (uint64_t)(st->st_size - at) : 0;
}

static int import_run(struct import *m)
{
    uv_loop_t *loop = session_loop(m->ctl);
    struct stat st = {0};
    if (loop == NULL) {
        return out_no_memory();
    }
    /* What epoll does not take (files, devices) can be read without waiting long. */
    m->polled =
        fstat(m->in.fd, &st) == 0 && !S_ISREG(st.st_mode) && uv_poll_init(loop, &m->poll, m->in.fd) == 0;
    m->begun_us = session_now_us();
    progress_begin(&m->progress, m->ctl, "keys", import_size(&st, m->in.fd), m->begun_us);
    uv_timer_init(loop, &m->tick);
    if (m->progress.on) {
        uv_timer_start(&m->tick, import_on_tick, PROGRESS_EVERY_MS, PROGRESS_EVERY_MS);
    }
    session_guard(m->ctl, import_at_risk, m);
    import_loop(m, loop);
    session_unguard(m->ctl);
    progress_wipe(&m->progress);
    import_print(m);
    uv_close((uv_handle_t *)&m->tick, NULL);
    if (m->polled) {
        uv_close((uv_handle_t *)&m->poll, NULL);
    }
    uv_run(loop, UV_RUN_NOWAIT); /* the handles are closed before their memory goes */
    return m->code;
}

static int import_file(struct ctl *ctl, const char *path, enum line_format format)
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
        m->reader.format = format;
        m->in.fd = fd;
        code = import_run(m);
        for (unsigned i = 0; i < IMPORT_WINDOW; i++) {
            buf_fini(&m->slots[i].text);
        }
        line_reader_fini(&m->reader);
        input_fini(&m->in);
    }
    mem_free(m);
    if (!is_stdin) {
        close(fd);
    }
    return code;
}

/* What --format and --lines say together. */
static int import_choose_format(struct ctl *ctl, const char *name, bool lines, enum line_format *out)
{
    *out = lines ? LINE_KEYS : LINE_GUESS;
    if (name == NULL) {
        return CTL_GO;
    }
    if (!line_find_format(name, out)) {
        return ctl_usage_error(ctl, "--format is jsonl, tsv or lines");
    }
    return lines && *out != LINE_KEYS ? ctl_usage_error(ctl, "--lines is another format") : CTL_GO;
}

int cmd_import(struct ctl *ctl, int argc, char **argv)
{
    bool lines = false;
    const char *name = NULL;
    enum line_format format;
    const struct arg rows[] = {
        {.name = "format",
         .kind = ARG_TEXT,
         .value = "FORMAT",
         .help = "jsonl, tsv or lines [jsonl when the first byte is {, else tsv]",
         .text = &name},
        {.name = "lines",
         .kind = ARG_SWITCH,
         .help = "each line is a key, its value the line's number",
         .on = &lines},
    };
    struct arg_input in = {.argc = argc, .argv = argv};
    int code = ctl_parse(ctl, rows, sizeof rows / sizeof rows[0], &in);
    if (code == CTL_GO) {
        code = import_choose_format(ctl, name, lines, &format);
    }
    if (code != CTL_GO) {
        return code;
    }
    bool given = in.operands > 0;
    if (in.operands > 1 || (!given && isatty(STDIN_FILENO) == 1)) {
        return ctl_usage_error(ctl, given ? "too many words" : "FILE is missing");
    }
    if (ctl->batch && (!given || strcmp(argv[1], "-") == 0)) {
        return ctl_usage_error(ctl, "standard input is taken by the commands");
    }
    return import_file(ctl, given ? argv[1] : "-", format);
}

/* journal.c - writing the journal.
 *
 * Happy path:
 *   1. journal_open reads what is there (replay.c) and where it ends;
 *   2. journal_start has a first segment made, or what was found made good (replay.h): the spare segment, if
 *      there is one, then the mend;
 *   3. puts gather in the open batch (gather.c); journal_turn lets it leave: journal_pump cuts it, completes
 *      its header and writes it; journal_on_written reports it durable and pumps the next;
 *   4. a batch that does not fit the segment waits for the spare one (spare.c), which is made ready when the
 *      current one is half full; then a seal is written, and the spare becomes the current one.
 *
 * What can go wrong:
 *   - a write, a sync, the making of a segment or memory fails: journal_fail. Nothing is written or reported
 *     afterwards;
 *   - the owner closes from inside one of its callbacks, or at any step of the start: journal_settle looks
 *     after every event whether all is quiet, and only then frees. */
#include "wal/journal.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/batch.h"
#include "wal/gather.h"
#include "wal/record.h"
#include "wal/replay.h"
#include "wal/segment.h"
#include "wal/spare.h"

#include <inttypes.h>

enum journal_state {
    JOURNAL_READ,     /* opened */
    JOURNAL_STARTING, /* journal_start was called, its callback has not fired */
    JOURNAL_RUNNING,
    JOURNAL_FAILED
};
#define JOURNAL_STATES 4

struct journal {
    struct journal_config config;
    struct segment_owner owner;
    uint32_t seed; /* of checksums */
    bool is_new;
    enum journal_state state;
    dkv_err failure; /* why FAILED */

    struct disk_file *file; /* the segment being written; NULL: the first is yet to be made */
    uint64_t generation;    /* its */
    uint64_t bytes;         /* its */
    uint64_t offset;        /* where the next batch goes in it */
    uint64_t floor;         /* the oldest generation needed */
    struct spare spare;
    struct segment_header found;  /* a spare found at start-up */
    struct disk_file *found_file; /* it, until adopted; NULL: none */

    struct gather gather;
    struct gathered *flying; /* the batch being written; NULL: none */
    struct disk_write write; /* of the batch, the mend or a seal */
    bool writing;            /* write is in the seam */
    uint64_t claim;          /* synced_through of what is being written */
    struct buf mend;         /* what journal_start writes again, until it has */
    uint64_t mend_at;
    struct buf seal;

    uint64_t durable; /* highest durable batch */
    uint64_t content; /* highest durable batch that holds more than marks */
    uint64_t vouched; /* highest batch that a durable one calls durable */
    bool turned;      /* a turn has ended since something was put into the open batch */
    uint64_t marks_due_ms;

    journal_cb start_cb;
    unsigned calling; /* > 0: inside a callback that will return to us, so not to be freed */
    bool closing;
    journal_cb close_cb;
    void *close_ctx;
};

static const unsigned journal_next[JOURNAL_STATES] = {
    [JOURNAL_READ] = BIT(JOURNAL_STARTING),
    [JOURNAL_STARTING] = BIT(JOURNAL_RUNNING) | BIT(JOURNAL_FAILED),
    [JOURNAL_RUNNING] = BIT(JOURNAL_FAILED),
};

static void journal_move(struct journal *j, enum journal_state to)
{
    ensure(journal_next[j->state] & BIT(to));
    j->state = to;
}

static void journal_check(const struct journal *j)
{
    ensure(j->vouched <= j->durable);
    ensure(j->content <= j->durable);
    ensure(j->durable < j->gather.next);
    ensure(j->offset <= j->bytes);
    ensure(j->flying == NULL || j->writing);
}

static void journal_free(struct journal *j)
{
    if (j->file != NULL) {
        j->file->ops->close(j->file);
    }
    if (j->found_file != NULL) {
        j->found_file->ops->close(j->found_file);
    }
    if (j->flying != NULL) {
        gather_release(&j->gather, j->flying);
    }
    spare_fini(&j->spare);
    gather_fini(&j->gather);
    buf_fini(&j->mend);
    buf_fini(&j->seal);
    mem_free(j);
}

static bool journal_wants_marks(const struct journal *j)
{
    return j->content > j->vouched || j->gather.marked_n > 0;
}

static bool journal_is_busy(const struct journal *j)
{
    return j->writing || gather_first(&j->gather) != NULL;
}

static void journal_pump(struct journal *j);

/* After every event: when closing, write what is left, then the marks, then go. May free j. */
static void journal_settle(struct journal *j)
{
    if (!j->closing || j->calling > 0) {
        return;
    }
    if (j->state == JOURNAL_RUNNING && !j->gather.starved) {
        j->turned = true;
        journal_pump(j);
        if (!journal_is_busy(j) && journal_wants_marks(j)) {
            gather_cut(&j->gather);
            journal_pump(j);
        }
        if (journal_is_busy(j) && !j->gather.starved) {
            return;
        }
    }
    if (j->writing || j->state == JOURNAL_STARTING || spare_is_busy(&j->spare)) {
        return;
    }
    dkv_err err = j->state != JOURNAL_FAILED && j->gather.starved ? DKV_NO_MEMORY : j->failure;
    journal_cb cb = j->close_cb;
    void *ctx = j->close_ctx;
    journal_free(j);
    if (cb != NULL) {
        cb(ctx, err);
    }
}

static void journal_fail(struct journal *j, dkv_err err)
{
    if (j->state == JOURNAL_FAILED) {
        return;
    }
    bool starting = j->state == JOURNAL_STARTING;
    journal_move(j, JOURNAL_FAILED);
    j->failure = err;
    j->marks_due_ms = UINT64_MAX;
    log_error("event=journal_failed generation=%" PRIu64 " offset=%" PRIu64 " durable=%" PRIu64 " err=\"%s\"",
              j->generation, j->offset, j->durable, err_text(err));
    j->calling++;
    if (starting) {
        j->start_cb(j->config.ctx, err);
    } else if (!j->closing) {
        j->config.on_failure(j->config.ctx, err);
    }
    j->calling--;
}

static void journal_write(struct journal *j, uint64_t offset, const struct buf *data, disk_write_cb cb)
{
    ensure(!j->writing);
    j->write = (struct disk_write){.offset = offset, .data = buf_slice(data), .cb = cb};
    j->writing = true;
    j->file->ops->write(j->file, &j->write);
}

static void journal_make_spare(struct journal *j)
{
    struct segment_header h = {
        .version = SEGMENT_VERSION,
        .owner = j->owner,
        .generation = j->generation + 1,
        .bytes = j->config.segment_bytes,
        .floor = j->floor,
    };
    spare_make(&j->spare, &h);
}

/* The spare segment becomes the current one. */
static void journal_take_spare(struct journal *j)
{
    if (j->file != NULL) {
        j->file->ops->close(j->file);
    }
    j->generation = j->spare.header.generation;
    j->bytes = j->spare.header.bytes;
    j->offset = SEGMENT_HEAD_BYTES;
    j->file = spare_take(&j->spare);
}

static void journal_on_sealed(struct disk_write *req, dkv_err err)
{
    struct journal *j = CONTAINER(req, struct journal, write);
    j->writing = false;
    if (err != DKV_OK) {
        journal_fail(j, err);
    } else if (j->state == JOURNAL_RUNNING) {
        j->vouched = j->claim;
        journal_take_spare(j);
        journal_pump(j);
    }
    journal_settle(j);
}

/* The next batch does not fit: go over to the spare segment as soon as it is ready. */
static void journal_roll(struct journal *j, uint64_t number)
{
    if (j->spare.state == SPARE_NONE) {
        journal_make_spare(j);
    }
    if (j->spare.state != SPARE_READY) {
        return;
    }
    j->claim = j->durable;
    buf_reset(&j->seal);
    batch_begin(&j->seal);
    struct batch_header h = {
        .flags = BATCH_SEAL, .generation = j->generation, .number = number, .synced_through = j->claim};
    batch_finish(&j->seal, &h, j->seed);
    journal_write(j, j->offset, &j->seal, journal_on_sealed);
}

static void journal_on_written(struct disk_write *req, dkv_err err)
{
    struct journal *j = CONTAINER(req, struct journal, write);
    struct gathered *b = j->flying;
    j->writing = false;
    j->flying = NULL;
    bool well = err == DKV_OK && j->state == JOURNAL_RUNNING;
    if (well) {
        j->durable = b->number;
        j->content = b->content ? b->number : j->content;
        j->vouched = j->claim;
        j->offset += b->bytes.len;
    }
    gather_release(&j->gather, b);
    if (err != DKV_OK) {
        journal_fail(j, err);
    }
    if (well) {
        uint64_t durable = j->durable;
        if (j->offset >= j->bytes / 2 && j->spare.state == SPARE_NONE) {
            journal_make_spare(j);
        }
        journal_pump(j);
        j->calling++;
        j->config.on_durable(j->config.ctx, durable);
        j->calling--;
    }
    journal_settle(j);
}

/* Write the next batch if there is one, nothing is on its way, and it fits. */
static void journal_pump(struct journal *j)
{
    if (j->state != JOURNAL_RUNNING || j->writing) {
        return;
    }
    if (gather_first(&j->gather) == NULL && j->turned && j->gather.open != NULL) {
        gather_cut(&j->gather);
        j->turned = false;
    }
    struct gathered *b = gather_first(&j->gather);
    if (b == NULL || j->gather.starved) {
        return;
    }
    if (j->offset + b->bytes.len + BATCH_HEAD_BYTES > j->bytes) { /* a seal must fit behind it */
        journal_roll(j, b->number);
        return;
    }
    j->flying = gather_take(&j->gather);
    j->claim = j->durable;
    struct batch_header h = {.generation = j->generation, .number = b->number, .synced_through = j->claim};
    batch_finish(&b->bytes, &h, j->seed);
    journal_write(j, j->offset, &b->bytes, journal_on_written);
    journal_check(j);
}

static dkv_err journal_check_config(const struct journal_config *c, struct buf *why)
{
    if (c->segment_bytes < SEGMENT_BYTES_LEAST || c->segment_bytes > SEGMENT_BYTES_MOST ||
        c->segment_bytes % 8 != 0) {
        buf_printf(why, "segment size %" PRIu64 ": allowed are %u to %u, multiples of 8", c->segment_bytes,
                   SEGMENT_BYTES_LEAST, SEGMENT_BYTES_MOST);
        return DKV_CONFIG;
    }
    return DKV_OK;
}

static void journal_started(struct journal *j)
{
    journal_move(j, JOURNAL_RUNNING);
    journal_pump(j);
    j->calling++;
    j->start_cb(j->config.ctx, DKV_OK);
    j->calling--;
}

static void journal_on_mended(struct disk_write *req, dkv_err err)
{
    struct journal *j = CONTAINER(req, struct journal, write);
    j->writing = false;
    buf_fini(&j->mend);
    if (err != DKV_OK) {
        journal_fail(j, err);
    } else {
        journal_started(j);
    }
    journal_settle(j);
}

/* The next step of the start, after a segment became ready if one had to. */
static void journal_go_on_starting(struct journal *j)
{
    if (j->file == NULL) {
        journal_take_spare(j);
        journal_started(j);
    } else {
        journal_write(j, j->mend_at, &j->mend, journal_on_mended);
    }
}

static void journal_on_spare(struct spare *s, dkv_err err)
{
    struct journal *j = CONTAINER(s, struct journal, spare);
    if (err != DKV_OK) {
        journal_fail(j, err);
    } else if (j->state == JOURNAL_STARTING) {
        journal_go_on_starting(j);
    } else {
        journal_pump(j);
    }
    journal_settle(j);
}

/* Take over what replay found: where to go on, and what to write again first. */
static void journal_adopt(struct journal *j, struct replay_end *end)
{
    j->file = end->file;
    j->mend = end->mend;
    j->mend_at = end->mend_at;
    j->found = end->spare;
    j->found_file = end->spare_file;
    j->is_new = end->last.generation == 0;
    if (!j->is_new) {
        j->owner = end->last.owner;
        j->floor = end->floor;
    }
    j->generation = end->last.generation;
    j->bytes = end->last.bytes;
    j->offset = end->offset;
    j->durable = end->number;
    j->content = end->content;
    j->vouched = end->vouched;
    j->gather.next = end->number + 1;
    j->seed = segment_seed(&j->owner);
}

static dkv_err journal_init(struct journal *j)
{
    uint64_t room = j->config.segment_bytes - SEGMENT_HEAD_BYTES - BATCH_HEAD_BYTES;
    size_t batch_max = room < BATCH_BYTES_MAX ? (size_t)room : BATCH_BYTES_MAX;
    dkv_err err = gather_init(&j->gather, batch_max);
    if (err == DKV_OK) {
        err = spare_init(&j->spare, j->config.disk, journal_on_spare);
    }
    if (err == DKV_OK && buf_extend(&j->seal, BATCH_HEAD_BYTES) == NULL) {
        err = DKV_NO_MEMORY;
    }
    return err;
}

dkv_err journal_open(const struct journal_config *config, const struct journal_replay *replay,
                     struct journal **out, struct buf *why)
{
    *out = NULL;
    struct journal *j = mem_zalloc(1, sizeof *j);
    if (j == NULL) {
        return DKV_NO_MEMORY;
    }
    j->config = *config;
    j->config.segment_bytes = config->segment_bytes == 0 ? SEGMENT_BYTES : config->segment_bytes;
    j->owner = (struct segment_owner){.cluster = config->cluster, .node = config->node};
    memcpy(j->owner.incarnation, config->incarnation, INCARNATION_BYTES);
    j->floor = 1;
    j->marks_due_ms = UINT64_MAX;
    dkv_err err = journal_check_config(&j->config, why);
    if (err == DKV_OK) {
        err = journal_init(j);
    }
    if (err == DKV_OK) {
        struct replay_end end = {.commits = j->gather.commits};
        err = replay_run(&j->config, replay, &end, why);
        journal_adopt(j, &end);
    }
    if (err != DKV_OK) {
        journal_free(j);
        return err;
    }
    journal_check(j);
    *out = j;
    return DKV_OK;
}

bool journal_is_new(const struct journal *j)
{
    return j->is_new;
}

const uint8_t *journal_incarnation(const struct journal *j)
{
    return j->owner.incarnation;
}

void journal_start(struct journal *j, journal_cb cb)
{
    ensure(!j->closing);
    journal_move(j, JOURNAL_STARTING);
    j->start_cb = cb;
    if (j->file == NULL) {
        journal_make_spare(j);
    } else if (j->found_file != NULL) {
        struct disk_file *file = j->found_file;
        j->found_file = NULL;
        spare_adopt(&j->spare, &j->found, file);
    } else {
        journal_go_on_starting(j);
    }
}

/* Where to put a record; NULL: nowhere, for memory ran out or the journal is closing. */
static struct buf *journal_room(struct journal *j, size_t bytes)
{
    return j->closing ? NULL : gather_room(&j->gather, bytes);
}

uint64_t journal_put_vote(struct journal *j, uint32_t group, uint64_t term, uint64_t vote)
{
    ensure(group <= SHARDS_MAX);
    struct buf *b = journal_room(j, record_bytes(RECORD_VOTE, 0));
    if (b != NULL) {
        record_put_vote(b, group, term, vote);
    }
    return j->gather.next;
}

uint64_t journal_put_entries(struct journal *j, uint32_t group, uint64_t first, const struct entry *entries,
                             size_t n)
{
    ensure(group <= SHARDS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct buf *b = journal_room(j, record_bytes(RECORD_ENTRY, entries[i].data.len));
        if (b != NULL) {
            record_put_entry(b, group, first + i, &entries[i]);
        }
    }
    return j->gather.next;
}

uint64_t journal_put_truncate(struct journal *j, uint32_t group, uint64_t from)
{
    ensure(group <= SHARDS_MAX);
    struct buf *b = journal_room(j, record_bytes(RECORD_TRUNCATE, 0));
    if (b != NULL) {
        record_put_truncate(b, group, from);
    }
    return j->gather.next;
}

uint64_t journal_put_note(struct journal *j, uint32_t key, struct slice value)
{
    ensure(value.len <= NOTE_BYTES_MAX);
    struct buf *b = journal_room(j, record_bytes(RECORD_NOTE, value.len));
    if (b != NULL) {
        record_put_note(b, key, value);
    }
    return j->gather.next;
}

void journal_set_commit(struct journal *j, uint32_t group, uint64_t index)
{
    if (!j->closing) {
        gather_set_commit(&j->gather, group, index);
    }
}

/* Nothing was put: is it time for marks? */
static void journal_idle(struct journal *j, uint64_t now_ms)
{
    if (j->state != JOURNAL_RUNNING || journal_is_busy(j) || !journal_wants_marks(j)) {
        j->marks_due_ms = UINT64_MAX;
        return;
    }
    if (j->marks_due_ms == UINT64_MAX) {
        j->marks_due_ms = now_ms + JOURNAL_IDLE_MS;
        return;
    }
    if (now_ms >= j->marks_due_ms) {
        j->marks_due_ms = UINT64_MAX;
        gather_cut(&j->gather);
        journal_pump(j);
    }
}

void journal_turn(struct journal *j, uint64_t now_ms)
{
    if (j->gather.open != NULL) {
        j->turned = true;
        j->marks_due_ms = UINT64_MAX;
        journal_pump(j);
    } else {
        journal_idle(j, now_ms);
    }
    if (j->gather.starved && j->state == JOURNAL_RUNNING) {
        journal_fail(j, DKV_NO_MEMORY);
        journal_settle(j);
    }
}

uint64_t journal_deadline(const struct journal *j)
{
    return j->marks_due_ms;
}

uint64_t journal_durable(const struct journal *j)
{
    return j->durable;
}

size_t journal_backlog(const struct journal *j)
{
    return gather_backlog(&j->gather);
}

void journal_close(struct journal *j, journal_cb cb, void *ctx)
{
    ensure(!j->closing);
    j->closing = true;
    j->close_cb = cb;
    j->close_ctx = ctx;
    journal_settle(j);
}

void journal_abandon(struct journal *j)
{
    ensure(j->calling == 0);
    journal_free(j);
}

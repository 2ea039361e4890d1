/* replay.c - reading a journal back at start-up. */
#include "wal/replay.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/text.h"
#include "wal/batch.h"
#include "wal/record.h"

#include <inttypes.h>
#include <stdlib.h>

struct replay {
    const struct journal_config *config;
    const struct journal_replay *to;
    struct replay_end *end;
    struct buf *why;

    uint64_t *generations; /* of the segments in the directory, sorted */
    size_t count;

    struct buf image;              /* the segment being read */
    char name[SEGMENT_NAME_BYTES]; /* its file */
    uint32_t seed;                 /* of the owner's checksums */

    /* About the segment end->last. */
    uint64_t unit_at;  /* where its last batch is, or else its header, */
    uint64_t unit_len; /* and how long */
    uint64_t used;     /* all behind is zero */
    bool sealed;       /* it was read up to its seal */
    bool ended;        /* it was read up to something that is no batch: the journal ends here */
};

static dkv_err replay_fails(struct replay *r, dkv_err err)
{
    buf_printf(r->why, "%s: %s", r->name[0] == '\0' ? "journal directory" : r->name, err_text(err));
    return err;
}

/* Something that was durable is gone: say where, what, and the way out. */
static dkv_err replay_corrupt(struct replay *r, uint64_t offset, const char *what)
{
    buf_printf(r->why,
               "%s: offset %" PRIu64
               ": %s; \"dkvctl member replace NODE\" brings this node back from its peers, "
               "or restore the file",
               r->name, offset, what);
    return DKV_CORRUPT;
}

static void replay_warn_of_stranger(const char *name)
{
    struct buf text = {0};
    text_escape(slice_str(name), 256, &text);
    buf_put_u8(&text, '\0');
    if (buf_ok(&text)) {
        log_warn("event=journal_stranger file=\"%s\" what=\"ignored: not the name of a segment\"",
                 (char *)text.data);
    }
    buf_fini(&text);
}

static int replay_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The segments, sorted, without a gap. */
static dkv_err replay_collect(struct replay *r, const struct buf *names)
{
    size_t most = 0;
    for (size_t i = 0; i < names->len; i++) {
        most += names->data[i] == '\0';
    }
    r->generations = mem_zalloc(most, sizeof *r->generations);
    if (r->generations == NULL) {
        return replay_fails(r, DKV_NO_MEMORY);
    }
    const char *name = (const char *)names->data;
    for (size_t i = 0; i < most; i++, name += strlen(name) + 1) {
        if (segment_parse_name(name, &r->generations[r->count])) {
            r->count++;
        } else {
            replay_warn_of_stranger(name);
        }
    }
    qsort(r->generations, r->count, sizeof *r->generations, replay_order);
    for (size_t i = 1; i < r->count; i++) {
        if (r->generations[i] != r->generations[i - 1] + 1) {
            segment_name(r->generations[i - 1] + 1, r->name);
            return replay_corrupt(r, 0, "the segment is missing");
        }
    }
    return DKV_OK;
}

static dkv_err replay_list(struct replay *r)
{
    struct buf names = {0};
    dkv_err err = r->config->disk->ops->list(r->config->disk, &names);
    if (err == DKV_OK && !buf_ok(&names)) {
        err = DKV_NO_MEMORY;
    }
    err = err == DKV_OK ? replay_collect(r, &names) : replay_fails(r, err);
    buf_fini(&names);
    return err;
}

/* Read len bytes at offset into out, all of them. */
static dkv_err replay_read(struct disk_file *file, uint64_t offset, size_t len, struct buf *out)
{
    if (len == 0) {
        return DKV_OK;
    }
    uint8_t *into = buf_extend(out, len);
    if (into == NULL) {
        return DKV_NO_MEMORY;
    }
    size_t got = 0;
    dkv_err err = file->ops->read(file, offset, into, len, &got);
    return err == DKV_OK && got < len ? DKV_IO : err;
}

/* Read a whole segment into image. */
static dkv_err replay_load(struct replay *r, uint64_t generation)
{
    struct disk *disk = r->config->disk;
    struct disk_file *file = NULL;
    uint64_t bytes = 0;
    segment_name(generation, r->name);
    buf_reset(&r->image);
    dkv_err err = disk->ops->open(disk, r->name, &file);
    if (err != DKV_OK) {
        return replay_fails(r, err);
    }
    err = file->ops->size(file, &bytes);
    if (err == DKV_OK && bytes <= SEGMENT_BYTES_MOST) {
        err = replay_read(file, 0, (size_t)bytes, &r->image);
    }
    file->ops->close(file);
    if (err != DKV_OK) {
        return replay_fails(r, err);
    }
    return bytes <= SEGMENT_BYTES_MOST ? DKV_OK : replay_corrupt(r, 0, "the file is too large for a segment");
}

/* An intact header of the segment at position i: is it of this journal, this place and this size? */
static dkv_err replay_check_header(struct replay *r, const struct segment_header *h, size_t i)
{
    if (h->version != SEGMENT_VERSION) {
        buf_printf(r->why, "%s: version %" PRIu32 " of the format, this program knows %u", r->name,
                   h->version, SEGMENT_VERSION);
        return DKV_UNSUPPORTED;
    }
    const struct segment_owner *owner = &h->owner;
    if (owner->cluster != r->config->cluster || owner->node != r->config->node) {
        buf_printf(r->why,
                   "%s: belongs to node %" PRIu32 " of cluster %016" PRIx64 ", this is node %" PRIu32
                   " of cluster %016" PRIx64,
                   r->name, owner->node, owner->cluster, r->config->node, r->config->cluster);
        return DKV_LOCKED;
    }
    if (i > 0 && !segment_owner_eq(owner, &r->end->last.owner)) {
        buf_printf(r->why, "%s: belongs to another incarnation of this node than the segments before it",
                   r->name);
        return DKV_LOCKED;
    }
    if (h->generation != r->generations[i]) {
        return replay_corrupt(r, 0, "the header is that of another segment");
    }
    if (h->bytes != r->image.len) {
        return replay_corrupt(r, r->image.len, "the file has not the length that its header says");
    }
    if (h->bytes < SEGMENT_BYTES_LEAST) {
        return replay_corrupt(r, r->image.len, "the file is smaller than any segment");
    }
    if (h->floor < r->generations[0]) {
        segment_name(h->floor, r->name);
        return replay_corrupt(r, 0, "the segment is missing");
    }
    return DKV_OK;
}

static dkv_err replay_record(struct replay *r, const struct record *record)
{
    const struct journal_replay *to = r->to;
    switch (record->kind) {
    case RECORD_ENTRY:
        return to->entry(to->ctx, record->group, record->index, &record->entry);
    case RECORD_VOTE:
        return to->vote(to->ctx, record->group, record->term, record->vote);
    case RECORD_TRUNCATE:
        return to->truncate(to->ctx, record->group, record->index);
    case RECORD_NOTE:
        return to->note(to->ctx, record->group, record->value);
    case RECORD_COMMIT:
        if (record->index > r->end->commits[record->group]) {
            r->end->commits[record->group] = record->index;
        }
        return to->commit(to->ctx, record->group, record->index);
    }
    return DKV_UNSUPPORTED;
}

/* An intact batch: hand its records out. */
static dkv_err replay_batch(struct replay *r, const struct batch_header *h, uint64_t at)
{
    if (at + h->length + BATCH_HEAD_BYTES > r->image.len) {
        return replay_corrupt(r, at, "the batch is whole, and leaves no room for a seal");
    }
    struct reader in = reader_of(slice_of(r->image.data + at, h->length));
    reader_bytes(&in, BATCH_HEAD_BYTES);
    while (in.in.len > 0) {
        struct record record;
        dkv_err err = record_decode(&in, &record);
        if (err == DKV_UNSUPPORTED) {
            buf_printf(r->why, "%s: offset %" PRIu64 ": record of kind %d, which this program does not know",
                       r->name, at, (int)record.kind);
            return err;
        }
        if (err != DKV_OK || (record.kind != RECORD_NOTE && record.group > SHARDS_MAX)) {
            return replay_corrupt(r, at, "the batch is whole, its records make no sense");
        }
        if (record.kind != RECORD_COMMIT) {
            r->end->content = h->number;
        }
        err = replay_record(r, &record);
        if (err == DKV_CORRUPT) {
            return replay_corrupt(r, at, "the batch is whole, its records contradict those before");
        }
        if (err != DKV_OK) {
            return err;
        }
    }
    return DKV_OK;
}

/* Does the segment hold the intact header of a batch, from offset from on, that calls a batch of that number
 * or above durable? */
static bool replay_has_claim(const struct replay *r, uint64_t generation, uint64_t from, uint64_t number)
{
    for (uint64_t at = from; at + BATCH_HEAD_BYTES <= r->image.len; at += 8) {
        struct batch_header h;
        struct slice rest = slice_of(r->image.data + at, r->image.len - at);
        if (batch_decode(rest, r->seed, generation, &h) && h.synced_through >= number) {
            return true;
        }
    }
    return false;
}

/* No batch at end->offset. An error if anything behind it knows that there was one. */
static dkv_err replay_tail(struct replay *r)
{
    const struct replay_end *end = r->end;
    if (replay_has_claim(r, end->last.generation, end->offset, end->number + 1)) {
        return replay_corrupt(r, end->offset,
                              "the batch here is damaged, and a later one says that it was durable");
    }
    r->ended = true;
    return DKV_OK;
}

static dkv_err replay_batches(struct replay *r)
{
    struct replay_end *end = r->end;
    while (!r->sealed && !r->ended) {
        struct batch_header h;
        struct slice rest = slice_of(r->image.data + end->offset, r->image.len - end->offset);
        bool whole = batch_decode(rest, r->seed, end->last.generation, &h) && batch_has_body(rest, &h) &&
                     h.number == end->number + 1;
        if (!whole) {
            return replay_tail(r);
        }
        end->vouched = h.synced_through;
        if ((h.flags & BATCH_SEAL) != 0) {
            r->sealed = true;
            return DKV_OK;
        }
        dkv_err err = replay_batch(r, &h, end->offset);
        if (err != DKV_OK) {
            return err;
        }
        end->number = h.number;
        r->unit_at = end->offset;
        r->unit_len = h.length;
        end->offset += h.length;
    }
    return DKV_OK;
}

/* A segment whose header is not intact. Only a crash while it was being made excuses that, before which
 * nothing was ever written to it. */
static dkv_err replay_unmade(struct replay *r, size_t i, bool blank)
{
    bool last = i + 1 == r->count;
    bool first = i == 0 && r->generations[0] == 1;
    if (!last || !blank || !(first || r->ended)) {
        return replay_corrupt(r, 0, "the segment's header is damaged");
    }
    log_warn("event=journal_segment_unmade file=%s what=\"removed: a crash cut its making short\"", r->name);
    dkv_err err = r->config->disk->ops->remove(r->config->disk, r->name);
    return err == DKV_OK ? DKV_OK : replay_fails(r, err);
}

/* Read the segment at position i. */
static dkv_err replay_segment(struct replay *r, size_t i)
{
    dkv_err err = replay_load(r, r->generations[i]);
    if (err != DKV_OK) {
        return err;
    }
    struct segment_header h;
    bool intact = segment_decode(buf_slice(&r->image), &h);
    uint64_t used = segment_used(buf_slice(&r->image));
    if (!intact) {
        return replay_unmade(r, i, used <= SEGMENT_HEAD_BYTES);
    }
    err = replay_check_header(r, &h, i);
    if (err != DKV_OK) {
        return err;
    }
    struct replay_end *end = r->end;
    bool last = i + 1 == r->count;
    bool begun = i > 0 && replay_has_claim(r, h.generation, SEGMENT_HEAD_BYTES, 0);
    if (r->ended && (begun || !last)) {
        segment_name(end->last.generation, r->name);
        return replay_corrupt(r, end->offset, "the batch here is damaged, and a later segment was begun");
    }
    if (last && !begun && i > 0) {
        end->spare = h; /* the segment before goes on; its seal, if it has one, is zeroed like a tail */
        return DKV_OK;
    }
    end->last = h;
    end->offset = SEGMENT_HEAD_BYTES;
    r->seed = segment_seed(&h.owner);
    r->unit_at = 0;
    r->unit_len = SEGMENT_HEAD_BYTES;
    r->used = used;
    r->sealed = false;
    return replay_batches(r);
}

/* Gather what is to be written again: the last unit, and zeroes over the tail, at least over a header. */
static dkv_err replay_gather_mend(struct replay *r, uint64_t tail)
{
    struct replay_end *end = r->end;
    uint64_t rest = end->last.bytes - end->offset;
    uint64_t most = tail > BATCH_HEAD_BYTES ? tail : BATCH_HEAD_BYTES;
    size_t zeroes = (size_t)(most < rest ? most : rest);
    end->mend_at = r->unit_at;
    dkv_err err = replay_read(end->file, r->unit_at, (size_t)r->unit_len, &end->mend);
    if (err != DKV_OK || zeroes == 0) {
        return err;
    }
    uint8_t *into = buf_extend(&end->mend, zeroes);
    if (into == NULL) {
        return DKV_NO_MEMORY;
    }
    memset(into, 0, zeroes);
    return DKV_OK;
}

/* Open the segments that go on. */
static dkv_err replay_reopen(struct replay *r)
{
    struct replay_end *end = r->end;
    struct disk *disk = r->config->disk;
    if (end->spare.generation != 0) {
        segment_name(end->spare.generation, r->name);
        dkv_err err = disk->ops->open(disk, r->name, &end->spare_file);
        if (err != DKV_OK) {
            return replay_fails(r, err);
        }
    }
    uint64_t tail = r->used > end->offset ? r->used - end->offset : 0;
    segment_name(end->last.generation, r->name);
    dkv_err err = disk->ops->open(disk, r->name, &end->file);
    if (err == DKV_OK) {
        err = replay_gather_mend(r, tail);
    }
    if (err != DKV_OK) {
        return replay_fails(r, err);
    }
    if (tail > 0 && r->ended) {
        log_warn("event=journal_tail_cut file=%s offset=%" PRIu64 " bytes=%" PRIu64 " after_batch=%" PRIu64,
                 r->name, end->offset, tail, end->number);
    }
    return DKV_OK;
}

static dkv_err replay_all(struct replay *r)
{
    dkv_err err = replay_list(r);
    for (size_t i = 0; err == DKV_OK && i < r->count; i++) {
        err = replay_segment(r, i);
    }
    if (err != DKV_OK || r->end->last.generation == 0) {
        return err;
    }
    if (r->sealed && r->end->spare.generation == 0) {
        segment_name(r->end->last.generation + 1, r->name);
        return replay_corrupt(r, 0, "the segment is missing");
    }
    r->end->floor = r->generations[0];
    return replay_reopen(r);
}

dkv_err replay_run(const struct journal_config *config, const struct journal_replay *to,
                   struct replay_end *end, struct buf *why)
{
    struct replay r = {.config = config, .to = to, .end = end, .why = why};
    dkv_err err = replay_all(&r);
    buf_fini(&r.image);
    mem_free(r.generations);
    return err;
}

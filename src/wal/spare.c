/* spare.c - the next segment of a journal.
 *
 * The file is opened between making and heading with a blocking call: an open of a file that was just made,
 * once in a segment. */
#include "wal/spare.h"

#include "wal/batch.h"

#define SPARE_HEAD_BYTES (SEGMENT_HEAD_BYTES + BATCH_HEAD_BYTES)

static const unsigned spare_next[SPARE_STATES] = {
    [SPARE_NONE] = BIT(SPARE_MAKING) | BIT(SPARE_HEADING),
    [SPARE_MAKING] = BIT(SPARE_HEADING) | BIT(SPARE_NONE),
    [SPARE_HEADING] = BIT(SPARE_READY) | BIT(SPARE_NONE),
    [SPARE_READY] = BIT(SPARE_NONE),
};

static void spare_move(struct spare *s, enum spare_state to)
{
    ensure(spare_next[s->state] & BIT(to));
    s->state = to;
}

dkv_err spare_init(struct spare *s, struct disk *disk, spare_cb cb)
{
    *s = (struct spare){.disk = disk, .cb = cb};
    if (buf_extend(&s->head, SPARE_HEAD_BYTES) == NULL) {
        return DKV_NO_MEMORY;
    }
    return DKV_OK;
}

static void spare_close_file(struct spare *s)
{
    if (s->file != NULL) {
        s->file->ops->close(s->file);
        s->file = NULL;
    }
}

void spare_fini(struct spare *s)
{
    spare_close_file(s);
    buf_fini(&s->head);
    *s = (struct spare){0};
}

static void spare_fail(struct spare *s, dkv_err err)
{
    spare_close_file(s);
    spare_move(s, SPARE_NONE);
    s->cb(s, err);
}

static void spare_on_head(struct disk_write *req, dkv_err err)
{
    struct spare *s = CONTAINER(req, struct spare, write);
    if (err != DKV_OK) {
        spare_fail(s, err);
        return;
    }
    spare_move(s, SPARE_READY);
    s->cb(s, DKV_OK);
}

static void spare_head(struct spare *s)
{
    spare_move(s, SPARE_HEADING);
    buf_reset(&s->head);
    segment_encode(&s->header, &s->head);
    uint8_t *zeroes = buf_extend(&s->head, BATCH_HEAD_BYTES);
    ensure(zeroes != NULL); /* it was this long before */
    memset(zeroes, 0, BATCH_HEAD_BYTES);
    s->write = (struct disk_write){.data = buf_slice(&s->head), .cb = spare_on_head};
    s->file->ops->write(s->file, &s->write);
}

static void spare_on_make(struct disk_make *req, dkv_err err)
{
    struct spare *s = CONTAINER(req, struct spare, make);
    if (err == DKV_OK) {
        err = s->disk->ops->open(s->disk, s->name, &s->file);
    }
    if (err != DKV_OK) {
        spare_fail(s, err);
        return;
    }
    spare_head(s);
}

void spare_make(struct spare *s, const struct segment_header *header)
{
    spare_move(s, SPARE_MAKING);
    s->header = *header;
    segment_name(header->generation, s->name);
    s->make = (struct disk_make){.name = s->name, .bytes = header->bytes, .cb = spare_on_make};
    s->disk->ops->make(s->disk, &s->make);
}

void spare_adopt(struct spare *s, const struct segment_header *header, struct disk_file *file)
{
    ensure(s->state == SPARE_NONE);
    s->header = *header;
    s->file = file;
    spare_head(s);
}

bool spare_is_busy(const struct spare *s)
{
    return s->state == SPARE_MAKING || s->state == SPARE_HEADING;
}

struct disk_file *spare_take(struct spare *s)
{
    ensure(s->state == SPARE_READY);
    spare_move(s, SPARE_NONE);
    struct disk_file *file = s->file;
    s->file = NULL;
    return file;
}

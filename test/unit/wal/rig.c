/* rig.c - a journal on a disk in memory, and its naive twin. */
#include "unit/wal/rig.h"

#include "base/mem.h"
#include "wal/segment.h"

#include <check.h>
#include <inttypes.h>

/* Where a line ends in put, and its batch. */
struct rig_mark {
    size_t end;
    uint64_t batch;
};

static void rig_on_durable(void *ctx, uint64_t batch)
{
    struct rig *r = ctx;
    r->durable_went_back = r->durable_went_back || batch < r->durable || batch != journal_durable(r->journal);
    r->durable = batch;
    r->durables++;
}

static void rig_on_failure(void *ctx, dkv_err err)
{
    struct rig *r = ctx;
    r->failures++;
    r->failure = err;
}

static void rig_on_start(void *ctx, dkv_err err)
{
    struct rig *r = ctx;
    r->starts++;
    r->start_err = err;
}

static void rig_on_close(void *ctx, dkv_err err)
{
    struct rig *r = ctx;
    r->closes++;
    r->close_err = err;
    r->journal = NULL;
}

void rig_init(struct rig *r, uint64_t segment_bytes)
{
    *r = (struct rig){.disk = memdisk_new()};
    ck_assert_ptr_nonnull(r->disk);
    r->config = (struct journal_config){
        .disk = memdisk_disk(r->disk),
        .cluster = 0xC0FFEE,
        .node = 7,
        .incarnation = "an incarnation",
        .segment_bytes = segment_bytes,
        .ctx = r,
        .on_durable = rig_on_durable,
        .on_failure = rig_on_failure,
    };
}

void rig_fini(struct rig *r)
{
    if (r->journal != NULL) {
        rig_crash(r, 1);
    }
    memdisk_free(r->disk);
    buf_fini(&r->put);
    buf_fini(&r->marks);
    buf_fini(&r->seen);
    buf_fini(&r->why);
}

static void rig_line_entry(struct buf *b, uint32_t group, uint64_t index, const struct entry *e)
{
    buf_printf(b, "entry %" PRIu32 " %" PRIu64 " %" PRIu64 " %d ", group, index, e->term, (int)e->type);
    buf_put(b, e->data);
    buf_put_text(b, "\n");
}

static dkv_err rig_see(struct rig *r)
{
    return buf_ok(&r->seen) ? DKV_OK : DKV_NO_MEMORY;
}

static dkv_err rig_see_vote(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    struct rig *r = ctx;
    buf_printf(&r->seen, "vote %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", group, term, vote);
    return rig_see(r);
}

static dkv_err rig_see_entry(void *ctx, uint32_t group, uint64_t index, const struct entry *e)
{
    struct rig *r = ctx;
    rig_line_entry(&r->seen, group, index, e);
    r->seen_last[group] = index;
    return rig_see(r);
}

static dkv_err rig_see_truncate(void *ctx, uint32_t group, uint64_t from)
{
    struct rig *r = ctx;
    buf_printf(&r->seen, "truncate %" PRIu32 " %" PRIu64 "\n", group, from);
    r->seen_last[group] = from - 1;
    return rig_see(r);
}

static dkv_err rig_see_note(void *ctx, uint32_t key, struct slice value)
{
    struct rig *r = ctx;
    buf_printf(&r->seen, "note %" PRIu32 " ", key);
    buf_put(&r->seen, value);
    buf_put_text(&r->seen, "\n");
    return rig_see(r);
}

static dkv_err rig_see_commit(void *ctx, uint32_t group, uint64_t index)
{
    struct rig *r = ctx;
    r->commit_too_early = r->commit_too_early || index > r->seen_last[group];
    r->seen_commit[group] = index > r->seen_commit[group] ? index : r->seen_commit[group];
    return DKV_OK;
}

dkv_err rig_open(struct rig *r)
{
    struct journal_replay replay = {
        .ctx = r,
        .vote = rig_see_vote,
        .entry = rig_see_entry,
        .truncate = rig_see_truncate,
        .commit = rig_see_commit,
        .note = rig_see_note,
    };
    buf_reset(&r->seen);
    buf_reset(&r->why);
    memset(r->seen_last, 0, sizeof r->seen_last);
    memset(r->seen_commit, 0, sizeof r->seen_commit);
    r->starts = 0;
    r->closes = 0;
    dkv_err err = journal_open(&r->config, &replay, &r->journal, &r->why);
    buf_put_u8(&r->why, '\0');
    return err;
}

void rig_start(struct rig *r)
{
    journal_start(r->journal, rig_on_start);
    ck_assert_uint_eq(r->starts, 0); /* never from inside */
    while (r->starts == 0 && memdisk_step(r->disk)) {
    }
    ck_assert_uint_eq(r->starts, 1);
    if (r->start_err == DKV_OK) {
        r->durable = journal_durable(r->journal);
    }
}

void rig_close(struct rig *r)
{
    journal_close(r->journal, rig_on_close, r);
    rig_drain(r);
    ck_assert_uint_eq(r->closes, 1);
}

void rig_crash(struct rig *r, uint64_t seed)
{
    memdisk_crash(r->disk, seed);
    journal_abandon(r->journal);
    r->journal = NULL;
}

void rig_kill(struct rig *r, uint64_t seed)
{
    memdisk_kill(r->disk, seed);
    journal_abandon(r->journal);
    r->journal = NULL;
}

static void rig_mark(struct rig *r, uint64_t batch)
{
    struct rig_mark mark = {.end = r->put.len, .batch = batch};
    buf_put(&r->marks, slice_of(&mark, sizeof mark));
    ck_assert(buf_ok(&r->put) && buf_ok(&r->marks));
}

static struct rig_mark rig_mark_at(const struct rig *r, size_t i)
{
    struct rig_mark mark;
    memcpy(&mark, r->marks.data + i * sizeof mark, sizeof mark);
    return mark;
}

static size_t rig_mark_count(const struct rig *r)
{
    return r->marks.len / sizeof(struct rig_mark);
}

void rig_entries(struct rig *r, uint32_t group, uint64_t first, size_t n, size_t len)
{
    static const enum entry_type types[] = {ENTRY_COMMAND, ENTRY_BARRIER, ENTRY_CHANGE};
    uint8_t data[8192];
    struct entry entries[64];
    ck_assert(n <= sizeof entries / sizeof entries[0] && len <= sizeof data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)('a' + (first + i + r->put.len) % 26);
    }
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct entry){.term = first + i + r->now_ms, .type = types[(first + i) % 3]};
        entries[i].data = slice_of(data, len - (len == 0 ? 0 : i % len)); /* of several lengths */
    }
    uint64_t batch = journal_put_entries(r->journal, group, first, entries, n);
    for (size_t i = 0; i < n; i++) {
        rig_line_entry(&r->put, group, first + i, &entries[i]);
        rig_mark(r, batch);
    }
    r->last[group] = first + n - 1;
}

void rig_vote(struct rig *r, uint32_t group, uint64_t term, uint64_t vote)
{
    uint64_t batch = journal_put_vote(r->journal, group, term, vote);
    buf_printf(&r->put, "vote %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", group, term, vote);
    rig_mark(r, batch);
}

void rig_truncate(struct rig *r, uint32_t group, uint64_t from)
{
    uint64_t batch = journal_put_truncate(r->journal, group, from);
    buf_printf(&r->put, "truncate %" PRIu32 " %" PRIu64 "\n", group, from);
    rig_mark(r, batch);
    r->last[group] = from - 1;
}

void rig_note(struct rig *r, uint32_t key, const char *value)
{
    uint64_t batch = journal_put_note(r->journal, key, slice_str(value));
    buf_printf(&r->put, "note %" PRIu32 " %s\n", key, value);
    rig_mark(r, batch);
}

void rig_commit(struct rig *r, uint32_t group, uint64_t index)
{
    journal_set_commit(r->journal, group, index);
    r->committed[group] = index > r->committed[group] ? index : r->committed[group];
}

void rig_turn(struct rig *r)
{
    r->now_ms++;
    journal_turn(r->journal, r->now_ms);
}

void rig_drain(struct rig *r)
{
    while (memdisk_step(r->disk)) {
    }
}

void rig_write(struct rig *r)
{
    rig_turn(r);
    rig_drain(r);
}

void rig_idle(struct rig *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rig_write(r);
    }
}

bool rig_is_sound(const struct rig *r)
{
    if (r->seen.len > r->put.len || !slice_has_prefix(buf_slice(&r->put), buf_slice(&r->seen))) {
        return false;
    }
    bool at_line = r->seen.len == 0;
    for (size_t i = 0; i < rig_mark_count(r); i++) {
        struct rig_mark mark = rig_mark_at(r, i);
        if (mark.batch <= r->durable && mark.end > r->seen.len) {
            return false;
        }
        at_line = at_line || mark.end == r->seen.len;
    }
    for (size_t g = 0; g < RIG_GROUPS; g++) {
        if (r->seen_commit[g] > r->committed[g]) {
            return false;
        }
    }
    return at_line && !r->commit_too_early && !r->durable_went_back;
}

void rig_forget_unseen(struct rig *r)
{
    size_t n = 0;
    while (n < rig_mark_count(r) && rig_mark_at(r, n).end <= r->seen.len) {
        n++;
    }
    r->marks.len = n * sizeof(struct rig_mark);
    r->put.len = r->seen.len;
    memcpy(r->last, r->seen_last, sizeof r->last);
    memcpy(r->committed, r->seen_commit, sizeof r->committed);
}

void rig_must_open(struct rig *r)
{
    dkv_err err = rig_open(r);
    ck_assert_msg(err == DKV_OK, "%s: %s", err_text(err), (const char *)r->why.data);
    ck_assert(rig_is_sound(r));
    rig_forget_unseen(r);
    rig_start(r);
    ck_assert_int_eq(r->start_err, DKV_OK);
}

const char *rig_segment(uint64_t n)
{
    static char name[SEGMENT_NAME_BYTES];
    segment_name(n, name);
    return name;
}

/* node.c - searching and rearranging the records of one or two nodes. */
#include "store/node.h"

#include "base/mem.h"

static size_t node_size_at(uint16_t level)
{
    size_t children = level == 0 ? 0 : NODE_RECORDS_MAX + 1;
    return sizeof(struct node) + children * sizeof(struct node *);
}

struct node *node_new(uint16_t level)
{
    struct node *n = mem_alloc(node_size_at(level));
    if (n != NULL) {
        n->item = (struct reclaim_item){0};
        n->level = level;
        n->count = 0;
        n->skip = 0;
    }
    return n;
}

struct node *node_copy(const struct node *n)
{
    struct node *copy = node_new(n->level);
    if (copy == NULL) {
        return NULL;
    }
    copy->count = n->count;
    copy->skip = n->skip;
    memcpy(copy->heads, n->heads, n->count * sizeof n->heads[0]);
    memcpy(copy->records, n->records, n->count * sizeof(struct record *));
    if (n->level > 0) {
        memcpy(copy->children, n->children, (n->count + 1u) * sizeof(struct node *));
    }
    return copy;
}

size_t node_size(const struct node *n)
{
    return node_size_at(n->level);
}

/* Eight bytes of key from skip on (key.len >= skip), so that numbers compare as the bytes do. */
static uint64_t node_head(struct slice key, size_t skip)
{
    uint8_t bytes[8] = {0};
    size_t len = key.len - skip;
    if (len > 0) {
        memcpy(bytes, key.data + skip, len < 8 ? len : 8);
    }
    uint64_t head;
    memcpy(&head, bytes, sizeof head);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(head) : head;
}

static uint16_t node_common(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    size_t i = 0;
    while (i < n && a.data[i] == b.data[i]) {
        i++;
    }
    return (uint16_t)i;
}

/* What the first and the last key share, all between them share. */
static uint16_t node_shared(const struct node *n)
{
    return n->count == 0 ? 0 : node_common(record_key(n->records[0]), record_key(n->records[n->count - 1]));
}

/* Make skip as long as it can be, and the heads with it. Touches every record. */
static void node_index(struct node *n)
{
    n->skip = node_shared(n);
    for (unsigned i = 0; i < n->count; i++) {
        n->heads[i] = node_head(record_key(n->records[i]), n->skip);
    }
}

/* The first head not below head, or count. No branches: mispredicting them costs more than all the rest. */
static unsigned node_seek_head(const struct node *n, uint64_t head)
{
    const uint64_t *base = n->heads;
    unsigned left = n->count;
    while (left > 1) {
        unsigned half = left / 2;
        base += base[half - 1] < head ? half : 0;
        left -= half;
    }
    unsigned at = (unsigned)(base - n->heads);
    return left == 1 && *base < head ? at + 1 : at;
}

/* node_seek() for a key that is not shorter than what the node's keys share. */
static unsigned node_seek_key(const struct node *n, struct slice key, bool *found)
{
    uint64_t head = node_head(key, n->skip);
    unsigned low = node_seek_head(n, head);
    unsigned high = low;
    while (high < n->count && n->heads[high] == head) {
        high++;
    }
    while (low < high) { /* as a rule one key, sometimes none */
        unsigned mid = (low + high) / 2;
        int order = slice_cmp(record_key(n->records[mid]), key);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = false;
    return low;
}

unsigned node_seek(const struct node *n, struct slice key, bool *found)
{
    *found = false;
    if (n->count == 0) {
        return 0;
    }
    struct slice begin = slice_of(key.data, key.len < n->skip ? key.len : n->skip);
    int order = slice_cmp(begin, slice_of(n->records[0]->bytes, n->skip));
    if (order != 0) {
        return order < 0 ? 0 : n->count;
    }
    return node_seek_key(n, key, found);
}

/* Whether key shares the common beginning is not asked: in a leaf a key that does not is in no child either,
 * and the one record that is compared in full says so. That saves reading the first record. */
const struct record *node_find(const struct node *leaf, struct slice key)
{
    if (key.len < leaf->skip) {
        return NULL;
    }
    bool found;
    unsigned at = node_seek_key(leaf, key, &found);
    return found ? leaf->records[at] : NULL;
}

/* Record at is new: index it alone if its key shares what the others share. */
static void node_index_one(struct node *n, unsigned at)
{
    struct slice key = record_key(n->records[at]);
    const struct record *other = n->records[at == 0 ? n->count - 1u : 0];
    if (n->count > 1 && key.len >= n->skip && memcmp(key.data, other->bytes, n->skip) == 0) {
        n->heads[at] = node_head(key, n->skip);
    } else {
        node_index(n);
    }
}

void node_insert(struct node *n, unsigned at, struct record *r, struct node *right)
{
    ensure(n->count < NODE_RECORDS_MAX);
    ensure(at <= n->count);
    ensure((right != NULL) == (n->level > 0));
    size_t behind = n->count - at;
    memmove(n->heads + at + 1, n->heads + at, behind * sizeof n->heads[0]);
    memmove(n->records + at + 1, n->records + at, behind * sizeof(struct record *));
    n->records[at] = r;
    if (n->level > 0) {
        memmove(n->children + at + 2, n->children + at + 1, behind * sizeof(struct node *));
        n->children[at + 1] = right;
    }
    n->count++;
    node_index_one(n, at);
    ensure_slow(node_is_sound(n));
}

void node_remove(struct node *n, unsigned at)
{
    ensure(at < n->count);
    size_t behind = n->count - at - 1u;
    memmove(n->heads + at, n->heads + at + 1, behind * sizeof n->heads[0]);
    memmove(n->records + at, n->records + at + 1, behind * sizeof(struct record *));
    if (n->level > 0) {
        memmove(n->children + at + 1, n->children + at + 2, behind * sizeof(struct node *));
    }
    n->count--;
    ensure_slow(node_is_sound(n));
}

void node_update(struct node *n, unsigned at, struct record *r)
{
    ensure(at < n->count);
    ensure(slice_eq(record_key(n->records[at]), record_key(r)));
    n->records[at] = r;
}

void node_replace(struct node *n, unsigned at, struct record *r)
{
    ensure(at < n->count);
    n->records[at] = r;
    node_index_one(n, at);
    ensure_slow(node_is_sound(n));
}

void node_split(struct node *parent, unsigned at, unsigned mid, struct node *right)
{
    struct node *left = parent->children[at];
    ensure(mid < left->count);
    ensure(right->level == left->level);
    ensure(right->count == 0);
    unsigned behind = left->count - mid - 1u;
    memcpy(right->records, left->records + mid + 1, behind * sizeof(struct record *));
    if (left->level > 0) {
        memcpy(right->children, left->children + mid + 1, (behind + 1u) * sizeof(struct node *));
    }
    right->count = (uint16_t)behind;
    left->count = (uint16_t)mid;
    node_index(left);
    node_index(right);
    node_insert(parent, at, left->records[mid], right);
}

/* Two neighbours and the record between them, in one row. */
struct node_row {
    unsigned count; /* of records; an inner row has count + 1 children */
    struct record *records[2 * NODE_RECORDS_MAX + 1];
    struct node *children[2 * NODE_RECORDS_MAX + 2];
};

static void node_gather(struct node_row *row, const struct node *n)
{
    memcpy(row->records + row->count, n->records, n->count * sizeof(struct record *));
    if (n->level > 0) {
        memcpy(row->children + row->count, n->children, (n->count + 1u) * sizeof(struct node *));
    }
    row->count += n->count;
}

static void node_deal(const struct node_row *row, unsigned from, unsigned count, struct node *n)
{
    ensure(from + count <= row->count);
    ensure(count <= NODE_RECORDS_MAX);
    memcpy(n->records, row->records + from, count * sizeof(struct record *));
    if (n->level > 0) {
        memcpy(n->children, row->children + from, (count + 1) * sizeof(struct node *));
    }
    n->count = (uint16_t)count;
    node_index(n);
}

struct node *node_balance(struct node *parent, unsigned at)
{
    ensure(at < parent->count);
    struct node *left = parent->children[at];
    struct node *right = parent->children[at + 1];
    struct node_row row;
    row.count = 0;
    node_gather(&row, left);
    row.records[row.count++] = parent->records[at];
    node_gather(&row, right);

    if (row.count <= NODE_RECORDS_MAX) {
        node_deal(&row, 0, row.count, left);
        node_remove(parent, at);
        right->count = 0;
        return right;
    }
    unsigned half = row.count / 2;
    node_deal(&row, 0, half, left);
    node_deal(&row, half + 1, row.count - half - 1, right);
    node_replace(parent, at, row.records[half]);
    return NULL;
}

bool node_is_sound(const struct node *n)
{
    if (n->count > NODE_RECORDS_MAX || (n->count > 0 && n->skip > node_shared(n))) {
        return false;
    }
    for (unsigned i = 0; i < n->count; i++) {
        struct slice key = record_key(n->records[i]);
        if (n->heads[i] != node_head(key, n->skip)) {
            return false;
        }
        if (i > 0 && slice_cmp(record_key(n->records[i - 1]), key) >= 0) {
            return false;
        }
    }
    return true;
}

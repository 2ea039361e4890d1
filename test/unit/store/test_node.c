/* test_node.c - searching one node, whatever its keys have in common. */
#include "base/mem.h"
#include "store/node.h"

#include <check.h>
#include <stdlib.h>

Suite *node_suite(void);

/* Sets of keys in ascending order that are unkind to eight-byte heads; NUL bytes come as \0 with their
 * length. */
#define K(text)                                                                                              \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }
static const struct {
    struct slice keys[12];
    size_t n;
} sets[] = {
    {{K("a")}, 1},
    {{K(""), K("\0"), K("\0\0"), K("a"), K("a\0"), K("a\0\0\0\0\0\0\0\0\0"), K("b")}, 7},
    {{K("aaaaaaaa"), K("aaaaaaaaa"), K("aaaaaaaab"), K("aaaaaaaac"), K("b")}, 5},
    {{K("commoncommoncommon1"), K("commoncommoncommon10"), K("commoncommoncommon2")}, 3},
    {{K("prefix"), K("prefixa"), K("prefixb"), K("prefixb\0"), K("prefixc")}, 5},
    {{K("\x7f"), K("\x80"), K("\xff"), K("\xff\xff\xff\xff\xff\xff\xff\xff"),
      K("\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
     5},
    {{K("x11111111a"), K("x11111111b"), K("x11111111c"), K("x11111111d"), K("x22222222a"), K("x22222222b")},
     6},
};

static struct record *record_of(struct slice key)
{
    struct record *r = record_new(key, (struct slice){0});
    ck_assert_ptr_nonnull(r);
    return r;
}

static unsigned naive_seek(const struct node *n, struct slice key)
{
    unsigned at = 0;
    while (at < n->count && slice_cmp(record_key(n->records[at]), key) < 0) {
        at++;
    }
    return at;
}

static void assert_seeks(const struct node *n, struct slice key)
{
    bool found = false;
    unsigned at = naive_seek(n, key);
    bool there = at < n->count && slice_eq(record_key(n->records[at]), key);
    ck_assert_uint_eq(node_seek(n, key, &found), at);
    ck_assert(found == there);
    ck_assert_ptr_eq(node_find(n, key), there ? n->records[at] : NULL);
}

/* Every key of every set, what stands just before and behind it, and its beginnings. */
static void assert_seeks_all(const struct node *n)
{
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        for (size_t i = 0; i < sets[s].n; i++) {
            struct slice key = sets[s].keys[i];
            uint8_t text[64];
            memcpy(text, key.data, key.len);
            text[key.len] = 0;
            assert_seeks(n, slice_of(text, key.len + 1));
            for (size_t len = 0; len <= key.len; len++) {
                assert_seeks(n, slice_of(text, len));
            }
            if (key.len > 0) {
                text[key.len - 1]--;
                assert_seeks(n, slice_of(text, key.len));
                text[key.len - 1] = (uint8_t)(text[key.len - 1] + 2);
                assert_seeks(n, slice_of(text, key.len));
            }
        }
    }
}

static void node_empty(struct node *n)
{
    while (n->count > 0) {
        struct record *r = n->records[n->count / 2];
        node_remove(n, n->count / 2u);
        ck_assert(node_is_sound(n));
        record_free(r);
    }
    mem_free(n);
}

START_TEST(seeking_agrees_with_comparing_one_key_after_the_other)
{
    struct node *forward = node_new(0);
    struct node *backward = node_new(0);
    for (size_t i = 0; i < sets[_i].n; i++) {
        node_insert(forward, (unsigned)i, record_of(sets[_i].keys[i]), NULL);
        node_insert(backward, 0, record_of(sets[_i].keys[sets[_i].n - 1 - i]), NULL);
        ck_assert(node_is_sound(forward));
        ck_assert(node_is_sound(backward));
        assert_seeks_all(forward);
        assert_seeks_all(backward);
    }
    node_empty(forward);
    node_empty(backward);
}
END_TEST

START_TEST(a_copy_shares_the_records_and_nothing_else)
{
    struct node *n = node_new(0);
    for (size_t i = 0; i < sets[1].n; i++) {
        node_insert(n, (unsigned)i, record_of(sets[1].keys[i]), NULL);
    }
    struct node *copy = node_copy(n);
    struct record *gone = copy->records[0];
    node_remove(copy, 0);
    ck_assert(node_is_sound(n));
    ck_assert(node_is_sound(copy));
    ck_assert_uint_eq(n->count, sets[1].n);
    ck_assert_ptr_eq(n->records[0], gone);
    ck_assert_ptr_eq(n->records[1], copy->records[0]);
    mem_free(copy);
    node_empty(n);
}
END_TEST

Suite *node_suite(void)
{
    Suite *s = suite_create("node");
    TCase *t = tcase_create("node");
    tcase_add_loop_test(t, seeking_agrees_with_comparing_one_key_after_the_other, 0,
                        (int)(sizeof sets / sizeof sets[0]));
    tcase_add_test(t, a_copy_shares_the_records_and_nothing_else);
    suite_add_tcase(s, t);
    return s;
}

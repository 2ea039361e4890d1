/* map_nodes.c - reads "n1=host:7000,n2=host:7000" strictly. */
#include "topo/map_internal.h"

#include <stdlib.h>
#include <strings.h>

#define MAP_SHOWN_BYTES_MAX 80u /* of wrong text in a message */

/* Cut the beginning of *text up to the first mark off, and the mark. *found is false, and all is cut off,
 * when there is none. */
static struct slice map_cut(struct slice *text, char mark, bool *found)
{
    const uint8_t *at = text->len == 0 ? NULL : memchr(text->data, mark, text->len);
    *found = at != NULL;
    struct slice head = *text;
    if (at == NULL) {
        *text = (struct slice){0};
        return head;
    }
    head.len = (size_t)(at - text->data);
    *text = slice_of(at + 1, text->len - head.len - 1);
    return head;
}

size_t map_count_nodes(struct slice text)
{
    size_t n = 0;
    for (bool more = text.len > 0; more; n++) {
        (void)map_cut(&text, ',', &more);
    }
    return n;
}

static dkv_err map_refuse(struct slice shown, const char *allowed, struct buf *why)
{
    buf_put_text(why, "initial cluster: \"");
    text_escape(shown, MAP_SHOWN_BYTES_MAX, why);
    buf_printf(why, "\" %s", allowed);
    return DKV_CONFIG;
}

static dkv_err map_parse_node(struct slice item, struct map_node *node, struct buf *why)
{
    bool found;
    struct slice address = item;
    struct slice name = map_cut(&address, '=', &found);
    if (!found) {
        return map_refuse(item, "is not NAME=HOST:PORT", why);
    }
    if (!text_is_name(name)) {
        return map_refuse(
            name,
            "is no node name: 1 to 63 letters, digits, '-', '_' and '.' are allowed, a letter or "
            "digit first",
            why);
    }
    if (text_parse_address(address, &node->peer) != DKV_OK) {
        return map_refuse(
            address, "is no address: HOST:PORT or [IPV6]:PORT is allowed, with a port of 1 to 65535", why);
    }
    memcpy(node->name, name.data, name.len); /* the map was zeroed, so a NUL follows */
    return DKV_OK;
}

static int map_name_order(const void *a, const void *b)
{
    return strcmp(((const struct map_node *)a)->name, ((const struct map_node *)b)->name);
}

/* Host names do not know upper from lower case. */
static bool map_same_address(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* Quadratic; at most 64 nodes. */
static dkv_err map_check_distinct(const struct map *map, struct buf *why)
{
    for (uint32_t i = 0; i < map->node_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct map_node *a = &map->nodes[j];
            const struct map_node *b = &map->nodes[i];
            if (strcmp(a->name, b->name) == 0) {
                return map_refuse(slice_str(a->name), "names two nodes: each needs a name of its own", why);
            }
            if (map_same_address(&a->peer, &b->peer)) {
                buf_printf(why, "initial cluster: %s and %s have the same address: each needs one of its own",
                           a->name, b->name);
                return DKV_CONFIG;
            }
        }
    }
    return DKV_OK;
}

dkv_err map_parse_nodes(struct slice text, struct map *map, struct buf *why)
{
    for (uint32_t i = 0; i < map->node_count; i++) {
        bool more;
        struct slice item = map_cut(&text, ',', &more);
        dkv_err err = map_parse_node(item, &map->nodes[i], why);
        if (err != DKV_OK) {
            return err;
        }
    }
    ensure(text.len == 0);
    qsort(map->nodes, map->node_count, sizeof map->nodes[0], map_name_order);
    for (uint32_t i = 0; i < map->node_count; i++) {
        map->nodes[i].id = i + 1;
    }
    return map_check_distinct(map, why);
}

void map_put_node(const struct map_node *node, struct buf *out)
{
    buf_put_blob(out, slice_str(node->name));
    size_t at = out->len;
    buf_put_u32(out, 0); /* the length, known only behind the text */
    text_format_address(&node->peer, out);
    buf_patch_u32(out, at, (uint32_t)(out->len - at - 4));
}

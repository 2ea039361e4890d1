/* hello.c - reads the body of a HELLO answer. */
#include "client/hello.h"

static void hello_take_endpoints(const struct pack_value *list, struct hello *out)
{
    uint32_t n = 0;
    if (!pack_get_array(list, &n)) {
        return;
    }
    for (uint32_t i = 0; i < n && out->endpoint_count < NODES_MAX; i++) {
        struct slice text;
        if (pack_get_bytes(pack_at(list, i), &text) &&
            text_parse_address(text, &out->endpoints[out->endpoint_count]) == DKV_OK) {
            out->endpoint_count++;
        }
    }
}

dkv_err hello_decode(struct pack_doc *doc, struct slice body, struct hello *out)
{
    *out = (struct hello){0};
    const struct pack_value *map = NULL;
    dkv_err err = pack_parse(doc, body, &map);
    if (err != DKV_OK) {
        return err;
    }
    if (!pack_map_is_sound(map) || !pack_get_u64(pack_find(map, "cluster"), &out->cluster) ||
        !pack_get_bytes(pack_find(map, "node"), &out->node)) {
        return DKV_MALFORMED;
    }
    if (!pack_get_bytes(pack_find(map, "version"), &out->version)) {
        out->version = (struct slice){0};
    }
    hello_take_endpoints(pack_find(map, "endpoints"), out);
    return DKV_OK;
}

/* shard_view.c - reads STATUS answers. */
#include "dkvctl/shard_view.h"

#include "dkvctl/ctl.h"
#include "dkvctl/session.h"

dkv_err status_view_read(struct status_view *s, const struct reply *rep)
{
    const struct pack_value *root = NULL;
    if (s->doc == NULL) {
        s->doc = pack_doc_new();
    }
    dkv_err err = s->doc == NULL ? DKV_NO_MEMORY : pack_parse(s->doc, rep->value, &root);
    if (err != DKV_OK) {
        return err;
    }
    s->shards = pack_find(root, "shards");
    if (!pack_get_bytes(pack_find(root, "node"), &s->node)) {
        s->node = rep->node;
    }
    bool ok = pack_get_array(s->shards, &s->count) && pack_get_u64(pack_find(root, "epoch"), &s->epoch);
    return ok ? DKV_OK : DKV_MALFORMED;
}

dkv_err status_view_fetch(struct ctl *ctl, struct status_view *s, struct reply *rep)
{
    if (session_call(ctl, &(struct request){.op = OP_STATUS}, rep) == DKV_OK) {
        rep->err = status_view_read(s, rep);
    }
    return rep->err;
}

static void shard_view_number(const struct pack_value *v, const char *name, uint64_t *out)
{
    if (!pack_get_u64(pack_find(v, name), out)) {
        *out = 0;
    }
}

static void shard_view_replicas(const struct pack_value *list, struct shard_view *out)
{
    while (out->replica_count < REPLICAS_MAX &&
           pack_get_bytes(pack_at(list, (uint32_t)out->replica_count), &out->replicas[out->replica_count])) {
        out->replica_count++;
    }
}

bool status_view_at(const struct status_view *s, uint32_t i, struct shard_view *out)
{
    *out = (struct shard_view){0};
    const struct pack_value *v = pack_at(s->shards, i);
    if (!pack_get_u64(pack_find(v, "id"), &out->id)) {
        return false;
    }
    if (!pack_get_bytes(pack_find(v, "leader"), &out->leader)) {
        out->leader = (struct slice){0};
    }
    shard_view_number(v, "term", &out->term);
    shard_view_number(v, "commit", &out->commit);
    shard_view_number(v, "applied", &out->applied);
    shard_view_number(v, "last", &out->last);
    shard_view_number(v, "lag", &out->lag);
    shard_view_number(v, "keys", &out->keys);
    shard_view_number(v, "bytes", &out->bytes);
    shard_view_replicas(pack_find(v, "replicas"), out);
    return true;
}

bool status_view_find(const struct status_view *s, uint64_t shard, struct shard_view *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (status_view_at(s, i, out) && out->id == shard) {
            return true;
        }
    }
    return false;
}

void status_view_fini(struct status_view *s)
{
    pack_doc_free(s->doc);
    *s = (struct status_view){0};
}

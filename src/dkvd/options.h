/* options.h - what dkvd is started with: flags over environment (DKVD_...) over defaults. */
#ifndef DKV_DKVD_OPTIONS_H
#define DKV_DKVD_OPTIONS_H

#include "base/log.h"
#include "base/text.h"
#include "topo/map.h"

struct options {
    char name[NODE_NAME_MAX + 1];
    const char *data_dir;
    struct address client;
    struct address peer;
    char advertise_client[ADDRESS_MAX + 8];
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    enum log_level log_level;
    struct map *map; /* epoch 1, owned */
    uint32_t self;   /* this node's id in it */
    bool help;       /* asked for; the rest is unset */
    bool version;    /* asked for; the rest is unset */
};

/* DKV_CONFIG: why says in one line what is wrong and what is allowed. */
dkv_err options_parse(int argc, char **argv, struct options *out, struct buf *why) MUST_CHECK;
void options_fini(struct options *o);

/* The text of --help. */
void options_help(struct buf *out);

#endif

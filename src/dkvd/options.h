/* options.h - what dkvd is started with: flags over environment (DKVD_...) over settings file over defaults.
 *
 * One table says what there is. Log level and limits can change while the node runs (SIGHUP reads everything
 * again); all else needs a restart. */
#ifndef DKV_DKVD_OPTIONS_H
#define DKV_DKVD_OPTIONS_H

#include "base/args.h"
#include "base/log.h"
#include "base/text.h"
#include "topo/map.h"

/* As given, each value of the right kind and in its range. */
struct settings {
    bool help;
    bool version;
    bool check_config;
    bool print_config;
    bool insecure;
    const char *config;
    const char *name;
    const char *data_dir;
    const char *client;
    const char *peer;
    const char *advertise_client;
    const char *initial_cluster;
    const char *token;
    const char *log_level;
    uint64_t shards;
    uint64_t replicas;
    uint64_t vnodes;
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t max_conns;
    uint64_t max_memory; /* 0: MEMORY_PERCENT of the machine's */
    uint64_t max_key;
    uint64_t max_value;
};

struct options {
    struct settings settings; /* effective: what is given by another setting is filled in */
    char name[NODE_NAME_MAX + 1];
    struct address client;
    struct address peer;
    char advertise_client[ADDRESS_MAX + 8];
    enum log_level log_level;
    bool conns_given; /* --max-conns is not the default */
    struct map *map;  /* epoch 1, owned */
    uint32_t self;    /* this node's id in it */
    char *file;       /* private: text of the settings file, owned */
    char host[256];   /* private: the host's name */
};

/* Of --help, --version: the rest is unset. DKV_CONFIG: why says in one line what is wrong and what is
 * allowed. out is not moved afterwards, and is ended by options_fini() in any case. argv is borrowed. */
dkv_err options_parse(int argc, char **argv, struct options *out, struct buf *why) MUST_CHECK;
void options_fini(struct options *o);

/* The text of --help. */
void options_help(struct buf *out);

/* A settings file that makes the same options. */
void options_print(const struct options *o, struct buf *out);

/* Take over from fresh what can change while the node runs. changed: "name=value ..." of it; kept: names of
 * what differs but needs a restart, with commas. Both empty: all is as it was. */
void options_adopt(struct options *o, const struct options *fresh, struct buf *changed, struct buf *kept);

/* One line for each DKVD_ variable that means nothing. */
void options_strangers(struct buf *out);

#endif

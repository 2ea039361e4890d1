/* server.c - see server.h.
 *
 * Start, in steps: lock the data directory; replay the journal; listen on the client and the peer port; run.
 *
 * The end on SIGTERM or SIGINT, in steps (a second signal ends at once):
 *   1. STOP_HAND_OVER  every local leadership goes to another node; requests are still taken
 *   2. STOP_DRAIN      what is in flight is answered, what comes is answered "unavailable, not applied"
 *   3. STOP_CLOSE      connections, links and journal close; the process ends with 0
 * Each step has a time limit, so that a cluster that lost its majority can be stopped, too. */
#include "dkvd/server.h"

#include "base/deadline.h"
#include "base/mem.h"
#include "dkvd/machine.h"
#include "front/door.h"
#include "net/lockfile.h"
#include "net/net.h"
#include "shard/node.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_ERROR  1
#define EXIT_CONFIG 2
#define EXIT_IN_USE 5

#define MEMORY_PERCENT 80u /* of the machine's memory, when --max-memory does not say */
#define FILES_RESERVED 64u /* open files that are neither a client's connection nor a link */
#define FILES_PER_NODE 8u  /* links in both directions, and those that are just being made */

#define DIAL_TIMEOUT_MS 1000u
#define DRAIN_MS_MIN    100u /* requests on their way to us still get an answer */
#define DRAIN_MS_MAX    2000u
#define TURN_ROUNDS_MAX 8 /* router and node feed each other; then the loop looks at the world again */

enum stop { STOP_NOT, STOP_HAND_OVER, STOP_DRAIN, STOP_CLOSE };

struct server {
    struct options *options;
    int argc; /* to read the options again */
    char **argv;
    uint32_t conns; /* that the process may have, at its start */
    struct net *net;
    struct disk *disk;
    struct lockfile lock;
    struct node *node;
    struct router *router;
    struct door *door;
    struct net_timer *timer;
    struct net_listener *clients;
    struct net_listener *peers;
    enum stop stop;
    uint64_t stop_since_ms; /* when the present step began */
    unsigned closing;       /* parts not closed yet */
};

/* ---- what the node is handed -------------------------------------------------------------------------- */

static uint64_t server_now(void *ctx)
{
    const struct server *s = ctx;
    return net_now_ms(s->net);
}

struct dialing {
    struct server *server;
    uint32_t node;
};

static void server_on_dialed(void *ctx, struct stream *stream)
{
    struct dialing *d = ctx;
    node_dialed(d->server->node, d->node, stream); /* also while closing: the node waits for it */
    mem_free(d);
}

static void server_dial(void *ctx, uint32_t node, const struct address *to)
{
    struct server *s = ctx;
    struct dialing *d = mem_alloc(sizeof *d);
    ensure(d != NULL); /* mem_abort_when_out() */
    *d = (struct dialing){.server = s, .node = node};
    dkv_err err = net_dial(s->net, to, DIAL_TIMEOUT_MS, server_on_dialed, d);
    ensure(err == DKV_OK); /* fails for want of memory only */
}

static void server_on_request(void *ctx, uint32_t from, uint64_t id, struct slice body)
{
    struct server *s = ctx;
    router_forwarded(s->router, from, id, body);
}

static void server_on_change(void *ctx)
{
    struct server *s = ctx;
    if (s->router != NULL) {
        router_changed(s->router);
    }
}

static void server_on_fatal(void *ctx, enum fatal code, const char *why)
{
    const struct server *s = ctx;
    log_error("event=fatal node=%s exit=%d reason=\"%s\"", s->options->name, (int)code, why);
    _exit((int)code); /* at once: nothing may be acknowledged any more */
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void server_part_closed(void *ctx)
{
    struct server *s = ctx;
    if (--s->closing == 0) {
        net_timer_close(s->timer);
        net_stop(s->net);
    }
}

static void server_close(struct server *s)
{
    s->closing = 2;
    net_listener_close(s->clients);
    net_listener_close(s->peers);
    door_close(s->door, server_part_closed, s);
    node_close(s->node, server_part_closed, s);
}

static void server_stop_move(struct server *s, enum stop to)
{
    static const char *const names[] = {"running", "hand_over", "drain", "close"};
    s->stop = to;
    s->stop_since_ms = net_now_ms(s->net);
    log_info("event=stopping step=%s", names[to]);
}

static void server_stop_step(struct server *s)
{
    uint64_t age = net_now_ms(s->net) - s->stop_since_ms;
    switch (s->stop) {
    case STOP_NOT:
    case STOP_CLOSE:
        break;
    case STOP_HAND_OVER:
        if (node_hand_over(s->node) || age > s->options->settings.election_ms) {
            server_stop_move(s, STOP_DRAIN);
            router_stop(s->router);
        }
        break;
    case STOP_DRAIN:
        if (age > DRAIN_MS_MAX ||
            (age >= DRAIN_MS_MIN && router_is_idle(s->router) && door_is_idle(s->door))) {
            server_stop_move(s, STOP_CLOSE);
            server_close(s);
        }
        break;
    }
}

/* ---- limits ------------------------------------------------------------------------------------------- */

/* How many connections the process may have: as many as asked for if given, else as many of them as the limit
 * of open files allows. 0: too few; why is in the log. */
static uint32_t server_fit_conns(const struct options *o)
{
    uint64_t wanted = o->settings.max_conns;
    uint64_t other = FILES_RESERVED + (uint64_t)FILES_PER_NODE * o->map->node_count;
    uint64_t files = machine_files(wanted + other);
    if (files >= wanted + other) {
        return (uint32_t)wanted;
    }
    if (o->conns_given || files <= other) {
        log_error("event=config_refused reason=\"max-conns: %llu: the limit of open files, %llu, allows %llu "
                  "(ulimit -Hn, LimitNOFILE=)\"",
                  (unsigned long long)wanted, (unsigned long long)files,
                  (unsigned long long)(files <= other ? 0 : files - other));
        return 0;
    }
    log_warn("event=conns_fewer max_conns=%llu reason=\"the limit of open files is %llu\"",
             (unsigned long long)(files - other), (unsigned long long)files);
    return (uint32_t)(files - other);
}

static uint64_t server_fit_memory(const struct options *o)
{
    uint64_t machine = machine_memory();
    if (o->settings.max_memory == 0) {
        return machine == UINT64_MAX ? UINT64_MAX : machine / 100 * MEMORY_PERCENT;
    }
    if (o->settings.max_memory > machine) {
        log_warn("event=memory_exceeds max_memory=%llu machine=%llu reason=\"the kernel may end this process "
                 "before the limit is reached\"",
                 (unsigned long long)o->settings.max_memory, (unsigned long long)machine);
    }
    return o->settings.max_memory;
}

/* Put the limits of the options into force, with that many connections. */
static void server_limit(struct server *s, uint32_t conns)
{
    const struct settings *settings = &s->options->settings;
    struct router_limits limits = {
        .key = (uint32_t)settings->max_key,
        .value = (uint32_t)settings->max_value,
        .memory = server_fit_memory(s->options),
    };
    router_set_limits(s->router, &limits);
    door_set_conns_max(s->door, conns);
    log_info("event=limits max_conns=%u max_memory=%llu max_key=%u max_value=%u", conns,
             (unsigned long long)limits.memory, limits.key, limits.value);
}

static void server_adopt(struct server *s, const struct options *fresh, uint32_t conns)
{
    struct buf changed = {0};
    struct buf kept = {0};
    enum log_level before = s->options->log_level;
    options_adopt(s->options, fresh, &changed, &kept);
    /* The more talkative level tells of the change. */
    log_set_level(fresh->log_level > before ? fresh->log_level : before);
    if (changed.len > 0) {
        log_info("event=reloaded %.*s", (int)changed.len, (const char *)changed.data);
        server_limit(s, conns);
    } else {
        log_info("event=reloaded note=\"nothing has changed\"");
    }
    if (kept.len > 0) {
        log_warn("event=reload_ignored settings=%.*s reason=\"they change with a restart only\"",
                 (int)kept.len, (const char *)kept.data);
    }
    log_set_level(fresh->log_level);
    buf_fini(&changed);
    buf_fini(&kept);
}

/* All or nothing: whatever is wrong leaves the settings as they were. */
static void server_reload(struct server *s)
{
    struct options fresh;
    struct buf why = {0};
    struct buf shown = {0};
    uint32_t conns = 0;
    if (options_parse(s->argc, s->argv, &fresh, &why) != DKV_OK) {
        text_escape(buf_slice(&why), SIZE_MAX, &shown);
        log_error("event=reload_failed reason=\"%.*s\"", (int)shown.len, (const char *)shown.data);
    } else {
        conns = server_fit_conns(&fresh); /* says itself what is wrong */
    }
    if (conns > 0) {
        server_adopt(s, &fresh, conns);
    }
    options_fini(&fresh);
    buf_fini(&why);
    buf_fini(&shown);
}

static void server_on_signal(void *ctx, int number)
{
    struct server *s = ctx;
    if (number == SIGHUP) {
        server_reload(s);
        return;
    }
    if (s->stop != STOP_NOT) {
        log_warn("event=stopping step=now reason=\"second signal\"");
        _exit(EXIT_ERROR);
    }
    server_stop_move(s, STOP_HAND_OVER);
}

/* ---- turns -------------------------------------------------------------------------------------------- */

static void server_on_turn(void *ctx)
{
    struct server *s = ctx;
    if (s->stop == STOP_CLOSE) {
        return;
    }
    bool more = true;
    for (int i = 0; more && i < TURN_ROUNDS_MAX; i++) {
        more = router_turn(s->router);
        node_turn(s->node);
        more = more || router_deadline(s->router) == 0;
    }
    door_turn(s->door);
    server_stop_step(s);
    if (s->stop == STOP_CLOSE) {
        return;
    }
    uint64_t at = deadline_earlier(node_deadline(s->node),
                                   deadline_earlier(router_deadline(s->router), door_deadline(s->door)));
    if (s->stop != STOP_NOT) {
        at = deadline_earlier(at, net_now_ms(s->net) + 10);
    }
    net_timer_set(s->timer, at);
}

static void server_on_timer(void *ctx)
{
    (void)ctx; /* it only ends the loop's wait: the turn does the work */
}

/* ---- start -------------------------------------------------------------------------------------------- */

static void server_on_client(void *ctx, struct stream *stream)
{
    struct server *s = ctx;
    door_accept(s->door, stream);
}

static void server_on_peer(void *ctx, struct stream *stream)
{
    struct server *s = ctx;
    node_accepted(s->node, stream);
}

static int server_lock(struct server *s)
{
    struct buf path = {0};
    if (mkdir(s->options->settings.data_dir, 0700) != 0 && errno != EEXIST) {
        log_error("event=start_failed reason=\"cannot make the data directory %s\"",
                  s->options->settings.data_dir);
        return EXIT_ERROR;
    }
    buf_printf(&path, "%s/LOCK", s->options->settings.data_dir);
    buf_put_u8(&path, 0);
    dkv_err err = lockfile_take(&s->lock, (const char *)path.data);
    buf_fini(&path);
    if (err == DKV_LOCKED) {
        log_error("event=start_failed reason=\"another dkvd uses the data directory %s\"",
                  s->options->settings.data_dir);
        return FATAL_LOCKED;
    }
    if (err != DKV_OK) {
        log_error("event=start_failed reason=\"cannot lock the data directory %s: %s\"",
                  s->options->settings.data_dir, err_text(err));
        return EXIT_ERROR;
    }
    return 0;
}

static int server_open_disk(struct server *s)
{
    struct buf path = {0};
    struct buf why = {0};
    buf_printf(&path, "%s/journal", s->options->settings.data_dir);
    buf_put_u8(&path, 0);
    dkv_err err = net_disk_open(s->net, (const char *)path.data, &s->disk, &why);
    if (err != DKV_OK) {
        log_error("event=start_failed reason=\"%.*s\"", (int)why.len, (const char *)why.data);
    }
    buf_fini(&path);
    buf_fini(&why);
    return err == DKV_OK ? 0 : FATAL_STORAGE;
}

static int open_exit_code(dkv_err err)
{
    return err == DKV_LOCKED ? FATAL_LOCKED : FATAL_STORAGE;
}

static int server_open_node(struct server *s)
{
    const struct options *o = s->options;
    struct buf why = {0};
    struct node_config config = {
        .self = o->self,
        .map = o->map,
        .disk = s->disk,
        .election_ms = o->settings.election_ms,
        .heartbeat_ms = o->settings.heartbeat_ms,
        .client_address = o->advertise_client,
        .ctx = s,
        .now_ms = server_now,
        .dial = server_dial,
        .on_request = server_on_request,
        .on_change = server_on_change,
        .on_fatal = server_on_fatal,
    };
    if (net_random(&config.seed, sizeof config.seed) != DKV_OK ||
        net_random(&config.boot, sizeof config.boot) != DKV_OK ||
        net_random(config.incarnation, sizeof config.incarnation) != DKV_OK) {
        log_error("event=start_failed reason=\"the kernel gives no random numbers\"");
        return EXIT_ERROR;
    }
    dkv_err err = node_open(&config, &s->node, &why);
    if (err != DKV_OK) {
        log_error("event=start_failed err=\"%s\" reason=\"%.*s\"", err_text(err), (int)why.len,
                  (const char *)why.data);
    }
    buf_fini(&why);
    return err == DKV_OK ? 0 : open_exit_code(err);
}

static int server_open_doors(struct server *s)
{
    struct router_config config = {
        .node = s->node,
        .election_ms = s->options->settings.election_ms,
        .version = DKV_VERSION,
        .ctx = s,
        .now_ms = server_now,
    };
    s->router = router_new(&config);
    s->door = s->router == NULL ? NULL : door_new(s->router);
    s->timer = net_timer_new(s->net, server_on_timer, s);
    if (s->door == NULL || s->timer == NULL) {
        return EXIT_ERROR;
    }
    server_limit(s, s->conns);
    return 0;
}

static int server_listen_on(struct server *s, const char *what, const struct address *at,
                            struct net_listener **out)
{
    bool clients = out == &s->clients;
    dkv_err err = net_listen(s->net, at, clients ? server_on_client : server_on_peer, s, out);
    if (err == DKV_OK) {
        return 0;
    }
    log_error("event=start_failed reason=\"cannot listen on --%s %s:%u: %s\"", what, at->host, at->port,
              err_text(err));
    return err == DKV_ADDRESS_IN_USE ? EXIT_IN_USE : err == DKV_CONFIG ? EXIT_CONFIG : EXIT_ERROR;
}

static int server_start(struct server *s)
{
    int code = server_lock(s);
    if (code == 0) {
        code = server_open_disk(s);
    }
    if (code == 0) {
        code = server_open_node(s);
    }
    if (code == 0) {
        code = server_open_doors(s);
    }
    if (code == 0) {
        code = server_listen_on(s, "client", &s->options->client, &s->clients);
    }
    if (code == 0) {
        code = server_listen_on(s, "peer", &s->options->peer, &s->peers);
    }
    return code;
}

static void server_fini(struct server *s)
{
    router_free(s->router);
    if (s->disk != NULL) {
        net_disk_close(s->disk);
    }
    net_free(s->net);
    lockfile_drop(&s->lock);
}

static void server_nothing_closed(void *ctx)
{
    (void)ctx;
}

/* A start that was refused: nothing is under way yet, so everything closes within these calls. */
static void server_give_up(struct server *s)
{
    net_listener_close(s->clients);
    net_timer_close(s->timer);
    if (s->door != NULL) {
        door_close(s->door, server_nothing_closed, NULL);
    }
    if (s->node != NULL) {
        node_abandon(s->node, server_nothing_closed, NULL);
    }
    server_fini(s);
}

static bool server_is_wildcard(const char *address)
{
    struct address at;
    return text_parse_address(slice_str(address), &at) == DKV_OK &&
           (strcmp(at.host, "0.0.0.0") == 0 || strcmp(at.host, "::") == 0);
}

/* What is allowed, but should be known. */
static void server_warn(const struct options *o)
{
    struct buf strangers = {0};
    options_strangers(&strangers);
    for (size_t at = 0; at < strangers.len;) {
        const char *line = (const char *)strangers.data + at;
        size_t len = (size_t)((const char *)memchr(line, '\n', strangers.len - at) - line);
        log_warn("event=config_ignored reason=\"%.*s\"", (int)len, line);
        at += len + 1;
    }
    buf_fini(&strangers);
    if (!text_is_loopback(&o->client) || !text_is_loopback(&o->peer)) {
        log_warn("event=insecure reason=\"whoever reaches these ports can read and write all data\"");
    }
    if (server_is_wildcard(o->advertise_client)) {
        log_warn("event=advertise reason=\"clients are told %s, which is no address of this host: give "
                 "--advertise-client\"",
                 o->advertise_client);
    }
}

int server_run(int argc, char **argv, struct options *options)
{
    struct server s = {.options = options, .argc = argc, .argv = argv, .lock = {.fd = -1}};
    log_set_level(options->log_level);
    server_warn(options);
    s.conns = server_fit_conns(options);
    if (s.conns == 0) {
        return EXIT_CONFIG;
    }
    s.net = net_new();
    if (s.net == NULL) {
        return EXIT_ERROR;
    }
    int code = server_start(&s);
    if (code != 0) {
        server_give_up(&s);
        return code;
    }
    log_info("event=started node=%s client=%s:%u peer=%s:%u shards=%u cluster=%016llx version=%s",
             options->name, options->client.host, options->client.port, options->peer.host,
             options->peer.port, options->map->shard_count - 1, (unsigned long long)options->map->cluster,
             DKV_VERSION);
    net_on_signal(s.net, server_on_signal, &s);
    net_on_turn(s.net, server_on_turn, &s);
    node_start(s.node);
    net_run(s.net);
    server_fini(&s);
    log_info("event=stopped node=%s", options->name);
    return 0;
}

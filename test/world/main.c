/* main.c - dkv-world: whole clusters under faults, one per seed, every answer checked.
 *
 *   dkv-world [--seed N] [--count K] [--nodes N] [--trace]
 *
 * Writers own keys and write 1, 2, 3, ... to them at any node; a key whose write ended "unknown" is left
 * alone from then on, so that a late arrival of that write cannot be taken for a step back. Checked at every
 * answer:
 *
 *   - a linearizable read sees no less than what was acknowledged or read before it began;
 *   - no read sees what was never written, or what was answered "not applied".
 *
 * At the end, without faults: every shard has a leader and takes writes, every node reads every acknowledged
 * value, and all replicas of a shard are equal. Last line: seeds=K bad=B writes=N reads=N kills=N cuts=N.
 * Exit 0: bad=0. */
#include "base/log.h"
#include "base/mem.h"
#include "world/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS    6u
#define READERS    6u
#define KEYS_MAX   4096u
#define VALUES_MAX 4096u
#define FAULTS_MS  15000u
#define CALM_MS    8000u
#define CALL_MS    1500u

/* One key: written by one writer only. */
struct key {
    char name[32];
    uint32_t tried;   /* highest value sent */
    uint32_t floor;   /* highest value acknowledged, or read by a linearizable read */
    uint8_t *refused; /* refused[v]: the write of v was answered "not applied" */
};

struct actor {
    struct router_call call;
    struct run *run;
    bool busy;
    bool writer;
    uint32_t host;
    uint32_t key;
    uint32_t value; /* writer: being written */
    uint32_t floor; /* reader: of the key when it asked */
    uint64_t again_ms;
    char text[16];
};

struct stats {
    uint64_t writes;
    uint64_t reads;
    uint64_t stale;
    uint64_t unknown;
    uint64_t refused;
    uint64_t kills;
    uint64_t cuts;
};

struct run {
    struct world *world;
    uint64_t seed;
    bool trace;
    struct key *keys;
    uint32_t key_count;
    struct actor actors[WRITERS + READERS];
    struct stats stats;
    uint64_t next_fault_ms;
    uint64_t heal_ms;
};

__attribute__((format(printf, 2, 3))) static void run_trace(const struct run *r, const char *format, ...)
{
    if (r->trace) {
        va_list args;
        va_start(args, format);
        fprintf(stderr, "%8llu ", (unsigned long long)r->world->now_ms);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
    }
}

__attribute__((format(printf, 2, 3))) static void run_violation(const struct run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("seed %llu at %llu ms: ", (unsigned long long)r->seed, (unsigned long long)r->world->now_ms);
    vprintf(format, args);
    printf("\n  replay: dkv-world --seed %llu --nodes %u --trace\n", (unsigned long long)r->seed,
           r->world->node_count);
    va_end(args);
    fflush(stdout);
    _exit(1);
}

/* ---- clients ------------------------------------------------------------------------------------------ */

static uint32_t run_new_key(struct run *r, uint32_t writer)
{
    ensure(r->key_count < KEYS_MAX);
    struct key *k = &r->keys[r->key_count];
    snprintf(k->name, sizeof k->name, "w%u-%u", writer, r->key_count);
    k->refused = mem_zalloc(VALUES_MAX, 1);
    ensure(k->refused != NULL);
    return r->key_count++;
}

static void on_written(struct run *r, struct actor *a, const struct reply *reply)
{
    struct key *k = &r->keys[a->key];
    run_trace(r, "write %s=%u at n%u: %s", k->name, a->value, a->host, err_text(reply->err));
    if (reply->err == DKV_OK) {
        r->stats.writes++;
        k->floor = a->value > k->floor ? a->value : k->floor;
    } else if (reply->err == DKV_UNKNOWN) {
        r->stats.unknown++;
        a->key = run_new_key(r, (uint32_t)(a - r->actors));
    } else { /* every other answer says that nothing happened */
        r->stats.refused++;
        k->refused[a->value] = 1;
    }
}

static void on_read(struct run *r, struct actor *a, const struct reply *reply)
{
    struct key *k = &r->keys[a->key];
    uint32_t value = 0;
    bool linearizable = a->call.request.consistency == READ_LINEARIZABLE;
    if (reply->err != DKV_OK && reply->err != DKV_NOT_FOUND) {
        return;
    }
    if (reply->err == DKV_OK) {
        char text[16] = "";
        memcpy(text, reply->value.data, reply->value.len < 15 ? reply->value.len : 15);
        value = (uint32_t)strtoul(text, NULL, 10);
    }
    run_trace(r, "read%s %s at n%u: %u (floor %u)", linearizable ? "" : " stale", k->name, a->host, value,
              a->floor);
    if (value > k->tried || (value > 0 && k->refused[value])) {
        run_violation(r, "read of %s at node %u saw %u, which was never written or was not applied", k->name,
                      a->host, value);
    }
    if (linearizable && value < a->floor) {
        run_violation(r, "read of %s at node %u went back in time: %u after %u", k->name, a->host, value,
                      a->floor);
    }
    if (linearizable) {
        r->stats.reads++;
        k->floor = value > k->floor ? value : k->floor;
    } else {
        r->stats.stale++;
    }
}

static void on_answer(struct router_call *call, const struct reply *reply)
{
    struct actor *a = CONTAINER(call, struct actor, call);
    struct run *r = a->run;
    a->busy = false;
    a->again_ms = r->world->now_ms + rng_below(&r->world->rng, 20);
    if (a->writer) {
        on_written(r, a, reply);
    } else {
        on_read(r, a, reply);
    }
}

static void actor_act(struct run *r, struct actor *a)
{
    struct rng *rng = &r->world->rng;
    struct host *h = &r->world->hosts[1 + rng_below(rng, r->world->node_count)];
    if (!h->up || h->pause_until > r->world->now_ms) {
        return;
    }
    if (!a->writer) {
        /* mostly a key that is still written */
        a->key = rng_below(rng, 4) > 0 ? r->actors[rng_below(rng, WRITERS)].key
                                       : (uint32_t)rng_below(rng, r->key_count);
    }
    struct key *k = &r->keys[a->key];
    a->host = h->id;
    a->floor = k->floor;
    a->call = (struct router_call){.cb = on_answer};
    a->call.request = (struct request){.op = OP_GET, .key = slice_str(k->name), .timeout_ms = CALL_MS};
    if (a->writer) {
        if (k->tried + 1 >= VALUES_MAX) {
            return;
        }
        a->value = ++k->tried;
        snprintf(a->text, sizeof a->text, "%u", a->value);
        a->call.request.op = OP_PUT;
        a->call.request.value = slice_str(a->text);
    } else if (rng_below(rng, 5) == 0) {
        a->call.request.consistency = READ_STALE;
    }
    a->busy = true;
    router_submit(h->router, &a->call);
}

/* ---- faults ------------------------------------------------------------------------------------------- */

static void fault_cut(struct run *r)
{
    struct world *w = r->world;
    uint32_t victim = 1 + (uint32_t)rng_below(&w->rng, w->node_count);
    uint64_t kind = rng_below(&w->rng, 3);
    for (uint32_t i = 1; i <= w->node_count; i++) {
        for (uint32_t j = 1; j <= w->node_count; j++) {
            bool isolated = kind == 0 && (i == victim || j == victim);
            bool one_way = kind == 1 && i == victim;
            bool random = kind == 2 && rng_below(&w->rng, 3) == 0;
            net_sim_cut(w->net, i, j, i != j && (isolated || one_way || random));
        }
    }
    r->stats.cuts++;
    r->heal_ms = w->now_ms + 50 + rng_below(&w->rng, 1500);
    run_trace(r, "cut kind %llu victim n%u until %llu", (unsigned long long)kind, victim,
              (unsigned long long)r->heal_ms);
}

static void fault_kill(struct run *r, uint32_t id)
{
    struct world *w = r->world;
    if (w->hosts[id].up) {
        bool power = rng_below(&w->rng, 2) == 0;
        run_trace(r, "kill n%u%s", id, power ? " (power)" : "");
        w->hosts[id].restart_ms = w->now_ms + 20 + rng_below(&w->rng, 1500);
        world_kill(w, id, power);
        r->stats.kills++;
    }
}

static void run_fault(struct run *r)
{
    struct world *w = r->world;
    uint32_t id = 1 + (uint32_t)rng_below(&w->rng, w->node_count);
    uint32_t other = 1 + (uint32_t)rng_below(&w->rng, w->node_count);
    switch (rng_below(&w->rng, 7)) {
    case 0:
        fault_cut(r);
        break;
    case 1:
        net_sim_reset(w->net, id, other);
        run_trace(r, "reset n%u n%u", id, other);
        break;
    case 2:
        w->hosts[id].pause_until = w->now_ms + 10 + rng_below(&w->rng, 700);
        run_trace(r, "pause n%u until %llu", id, (unsigned long long)w->hosts[id].pause_until);
        break;
    case 3:
        w->slow_disks = !w->slow_disks;
        break;
    case 4: /* the leader of some shard */
        id = world_leader(w, 1 + (uint32_t)rng_below(&w->rng, w->map->shard_count - 1));
        if (id != 0) {
            fault_kill(r, id);
        }
        break;
    case 5:
        if (rng_below(&w->rng, 6) == 0) { /* everything at once */
            for (uint32_t i = 1; i <= w->node_count; i++) {
                fault_kill(r, i);
            }
        }
        break;
    default:
        fault_kill(r, id);
        break;
    }
    r->next_fault_ms = w->now_ms + 50 + rng_below(&w->rng, 1200);
}

static void run_restart(struct run *r)
{
    struct world *w = r->world;
    for (uint32_t i = 1; i <= w->node_count; i++) {
        if (!w->hosts[i].up && (w->calm || w->now_ms >= w->hosts[i].restart_ms)) {
            run_trace(r, "start n%u", i);
            world_start(w, i);
        }
    }
    if (w->fatal[0] != '\0') {
        run_violation(r, "%s", w->fatal);
    }
}

/* ---- one seed ----------------------------------------------------------------------------------------- */

static void run_until(struct run *r, uint64_t until_ms)
{
    struct world *w = r->world;
    while (w->now_ms < until_ms) {
        for (size_t i = 0; i < WRITERS + READERS; i++) {
            struct actor *a = &r->actors[i];
            if (!a->busy && w->now_ms >= a->again_ms) {
                actor_act(r, a);
            }
        }
        if (r->heal_ms != 0 && w->now_ms >= r->heal_ms) {
            net_sim_heal(w->net);
            r->heal_ms = 0;
            run_trace(r, "heal");
        }
        if (!w->calm && w->now_ms >= r->next_fault_ms) {
            run_fault(r);
        }
        run_restart(r);
        world_step(w, w->now_ms + 1 < until_ms ? w->now_ms + 1 : until_ms);
    }
}

static void check_alive(struct run *r, const uint64_t *writes_before)
{
    for (uint32_t shard = 0; shard < r->world->map->shard_count; shard++) {
        if (world_leader(r->world, shard) == 0) {
            run_violation(r, "shard %u has no leader %u ms after the last fault", shard, CALM_MS);
        }
    }
    if (r->stats.writes == *writes_before) {
        run_violation(r, "no write was acknowledged in %u ms without faults", CALM_MS);
    }
}

static void check_replicas(const struct run *r, const struct map_shard *shard)
{
    uint64_t hash = 0;
    uint64_t index = 0;
    for (uint32_t i = 0; i < shard->replica_count; i++) {
        struct replica *replica = node_replica(r->world->hosts[shard->replicas[i].node].node, shard->id);
        const struct state *state = replica_state(replica);
        if (i == 0) {
            hash = state_hash(state);
            index = state_index(state);
        } else if (state_index(state) != index || state_hash(state) != hash) {
            run_violation(r, "replicas of shard %u differ: node %u at %llu, node %u at %llu", shard->id,
                          shard->replicas[0].node, (unsigned long long)index, shard->replicas[i].node,
                          (unsigned long long)state_index(state));
        }
    }
}

/* Every acknowledged value is in every replica of its shard. */
static void check_values(const struct run *r)
{
    for (uint32_t i = 0; i < r->key_count; i++) {
        const struct key *k = &r->keys[i];
        struct slice key = slice_str(k->name);
        struct node *any = r->world->hosts[1].node;
        const struct map_shard *shard = map_shard(r->world->map, ring_find(node_ring(any), key));
        struct replica *replica = node_replica(r->world->hosts[shard->replicas[0].node].node, shard->id);
        struct state_item item = {0};
        char text[16] = "";
        if (state_get(replica_state(replica), key, &item) == DKV_OK) {
            memcpy(text, item.value.data, item.value.len < 15 ? item.value.len : 15);
        }
        uint32_t value = (uint32_t)strtoul(text, NULL, 10);
        if (value < k->floor || value > k->tried || (value > 0 && k->refused[value])) {
            run_violation(r, "%s ends as %u, acknowledged was %u", k->name, value, k->floor);
        }
    }
}

static struct stats run_seed(uint64_t seed, uint32_t nodes, bool trace)
{
    struct run r = {.seed = seed, .trace = trace};
    struct rng pick = {.state = seed};
    uint32_t n = nodes != 0 ? nodes : rng_below(&pick, 3) == 0 ? 5 : 3;
    r.world = world_new(rng_next(&pick), n, 3, 2);
    r.keys = mem_zalloc(KEYS_MAX, sizeof *r.keys);
    ensure(r.keys != NULL);
    for (uint32_t i = 0; i < WRITERS + READERS; i++) {
        r.actors[i] = (struct actor){.run = &r, .writer = i < WRITERS};
        if (i < WRITERS) {
            r.actors[i].key = run_new_key(&r, i);
        }
    }
    r.next_fault_ms = r.world->now_ms + 500 + rng_below(&pick, 1500);
    run_until(&r, r.world->now_ms + FAULTS_MS);
    net_sim_heal(r.world->net);
    r.world->calm = true;
    r.world->slow_disks = false;
    r.heal_ms = 0;
    uint64_t writes = r.stats.writes;
    run_until(&r, r.world->now_ms + CALM_MS);
    check_alive(&r, &writes);
    for (size_t i = 0; i < WRITERS + READERS; i++) { /* no new requests: let the followers catch up */
        r.actors[i].again_ms = UINT64_MAX;
    }
    for (uint64_t end = r.world->now_ms + 2000; r.world->now_ms < end;) {
        for (size_t i = 0; i < WRITERS + READERS; i++) {
            r.actors[i].again_ms = UINT64_MAX;
        }
        world_step(r.world, end);
    }
    for (uint32_t i = 1; i < r.world->map->shard_count; i++) {
        check_replicas(&r, &r.world->map->shards[i]);
    }
    check_values(&r);
    struct stats stats = r.stats;
    world_free(r.world);
    for (uint32_t i = 0; i < r.key_count; i++) {
        mem_free(r.keys[i].refused);
    }
    mem_free(r.keys);
    return stats;
}

/* Each seed in a process of its own, so that one that aborts does not end the others. False: bad. */
static bool run_child(uint64_t seed, uint32_t nodes, bool trace, struct stats *total)
{
    int fds[2];
    struct stats stats = {0};
    int status = 0;
    if (pipe(fds) != 0) {
        perror("pipe");
        exit(2);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        stats = run_seed(seed, nodes, trace);
        exit(write(fds[1], &stats, sizeof stats) == sizeof stats ? 0 : 2);
    }
    close(fds[1]);
    ssize_t got = read(fds[0], &stats, sizeof stats);
    close(fds[0]);
    waitpid(pid, &status, 0);
    if (status != 0) {
        printf("seed %llu: bad (status %d)\n", (unsigned long long)seed, status);
        return false;
    }
    ensure(got == sizeof stats);
    total->writes += stats.writes;
    total->reads += stats.reads;
    total->stale += stats.stale;
    total->unknown += stats.unknown;
    total->refused += stats.refused;
    total->kills += stats.kills;
    total->cuts += stats.cuts;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t count = 1;
    uint64_t bad = 0;
    uint32_t nodes = 0;
    bool trace = false;
    struct stats total = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--count") == 0) {
            count = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--nodes") == 0) {
            nodes = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: dkv-world [--seed N] [--count K] [--nodes N] [--trace]\n");
            return 2;
        }
    }
    log_set_level(trace ? LOG_DEBUG : LOG_ERROR);
    for (uint64_t i = 0; i < count; i++) {
        bad += !run_child(seed + i, nodes, trace, &total);
    }
    printf("seeds=%llu bad=%llu writes=%llu reads=%llu stale=%llu unknown=%llu refused=%llu kills=%llu "
           "cuts=%llu\n",
           (unsigned long long)count, (unsigned long long)bad, (unsigned long long)total.writes,
           (unsigned long long)total.reads, (unsigned long long)total.stale,
           (unsigned long long)total.unknown, (unsigned long long)total.refused,
           (unsigned long long)total.kills, (unsigned long long)total.cuts);
    return bad == 0 ? 0 : 1;
}

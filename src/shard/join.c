/* join.c - verdicts on other nodes, and the count of those who know this one. */
#include "shard/join.h"

void join_init(struct join *j, const struct map *map, uint32_t self)
{
    *j = (struct join){.map = map, .self = self};
}

void join_remember(struct join *j, uint32_t node, const uint8_t incarnation[PEER_INCARNATION_BYTES])
{
    if (node == 0 || node > j->map->node_count) {
        return; /* a node of a later map than this one */
    }
    j->nodes[node].known = true;
    memcpy(j->nodes[node].incarnation, incarnation, PEER_INCARNATION_BYTES);
}

enum join_verdict join_judge(const struct join *j, const struct peer_identity *who)
{
    if (who->cluster != j->map->cluster) {
        return JOIN_OTHER_CLUSTER;
    }
    const struct map_node *node = map_node(j->map, who->node);
    if (node == NULL || who->node == j->self || strcmp(node->name, who->name) != 0) {
        return JOIN_UNKNOWN_NODE;
    }
    if (j->nodes[who->node].known) {
        bool same = memcmp(j->nodes[who->node].incarnation, who->incarnation, PEER_INCARNATION_BYTES) == 0;
        return same ? JOIN_WELCOME : JOIN_IMPOSTOR;
    }
    return who->voting || !j->voting ? JOIN_RECORD : JOIN_WELCOME;
}

bool join_hears(const struct join *j, uint32_t node)
{
    return node != 0 && node <= j->map->node_count && j->nodes[node].known;
}

void join_answered(struct join *j, const struct peer_identity *who, bool knows_us)
{
    enum join_answer answer = !who->voting ? JOIN_NEW : knows_us ? JOIN_KNOWS_US : JOIN_STRANGER;
    j->nodes[who->node].answer = answer;
}

void join_link(struct join *j, uint32_t node, bool up)
{
    j->nodes[node].up = up;
}

bool join_may_vote(const struct join *j)
{
    uint32_t answered = 1; /* this node */
    bool stranger = false; /* someone reachable votes and has never heard of us */
    for (uint32_t id = 1; id <= j->map->node_count; id++) {
        if (id == j->self || j->nodes[id].answer == JOIN_SILENT) {
            continue;
        }
        answered++;
        stranger = stranger || (j->nodes[id].up && j->nodes[id].answer == JOIN_STRANGER);
    }
    if (answered == j->map->node_count) {
        return true; /* one that knew another incarnation would have refused us */
    }
    return !stranger && answered > j->map->node_count / 2;
}

/* test_join.c - who is let in, and when an empty directory may vote. */
#include "shard/join.h"

#include "unit/shard/suites.h"

static struct map *three_nodes(void)
{
    struct buf why = {0};
    struct map *map = NULL;
    struct map_plan plan = {"n1=127.0.0.1:7000,n2=127.0.0.1:7001,n3=127.0.0.1:7002", "", 1, 3, 16};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    buf_fini(&why);
    return map;
}

static struct peer_identity node(const struct map *map, uint32_t id, uint8_t incarnation, bool voting)
{
    struct peer_identity who = {.cluster = map->cluster, .node = id, .voting = voting};
    memcpy(who.name, map_node(map, id)->name, sizeof who.name);
    memset(who.incarnation, incarnation, sizeof who.incarnation);
    return who;
}

START_TEST(a_caller_is_judged_by_cluster_name_and_incarnation)
{
    static const struct {
        const char *what;
        uint32_t id;
        uint8_t incarnation;
        bool voting; /* the caller */
        bool other_cluster;
        bool wrong_name;
        bool known; /* with incarnation 7 */
        bool we_vote;
        enum join_verdict verdict;
    } cases[] = {
        {"known, same directory", 2, 7, true, false, false, true, true, JOIN_WELCOME},
        {"known, other directory", 2, 8, false, false, false, true, true, JOIN_IMPOSTOR},
        {"known, other directory, says it votes", 2, 8, true, false, false, true, true, JOIN_IMPOSTOR},
        {"known, other directory, we are new ourselves", 2, 8, false, false, false, true, false,
         JOIN_IMPOSTOR},
        {"unknown and new, we are new too", 2, 7, false, false, false, false, false, JOIN_RECORD},
        {"unknown and new, we vote: never recorded", 2, 7, false, false, false, false, true, JOIN_WELCOME},
        {"unknown and voting", 2, 7, true, false, false, false, true, JOIN_RECORD},
        {"another cluster", 2, 7, true, true, false, true, true, JOIN_OTHER_CLUSTER},
        {"another name for that id", 2, 7, true, false, true, true, true, JOIN_UNKNOWN_NODE},
        {"our own id", 1, 7, true, false, false, false, true, JOIN_UNKNOWN_NODE},
        {"an id nobody has", 4, 7, true, false, false, false, true, JOIN_UNKNOWN_NODE},
    };
    struct map *map = three_nodes();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct join j;
        uint8_t seven[PEER_INCARNATION_BYTES];
        memset(seven, 7, sizeof seven);
        join_init(&j, map, 1);
        j.voting = cases[i].we_vote;
        if (cases[i].known) {
            join_remember(&j, 2, seven);
        }
        struct peer_identity who =
            node(map, cases[i].id > 3 ? 3 : cases[i].id, cases[i].incarnation, cases[i].voting);
        who.node = cases[i].id;
        who.cluster += cases[i].other_cluster;
        who.name[0] = cases[i].wrong_name ? 'x' : who.name[0];
        ck_assert_msg(join_judge(&j, &who) == cases[i].verdict, "%s", cases[i].what);
    }
    map_free(map);
}
END_TEST

START_TEST(a_new_directory_votes_only_when_nobody_can_have_known_a_former_self)
{
    enum { S = JOIN_SILENT, N = JOIN_NEW, K = JOIN_KNOWS_US, X = JOIN_STRANGER };
    static const struct {
        int second, third; /* answers of nodes 2 and 3 */
        bool third_up;
        bool may;
    } cases[] = {
        {S, S, false, false}, /* nobody answered */
        {N, S, false, true},  /* a majority is new */
        {K, S, false, true},  /* it knows this very directory */
        {X, S, false, false}, /* it votes and never heard of us: the silent one might have */
        {X, N, true, true},   /* all have answered, none knew another */
        {X, X, true, true},   {N, X, true, true}, {K, X, false, true},
    };
    struct map *map = three_nodes();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct join j;
        join_init(&j, map, 1);
        j.nodes[2].answer = (enum join_answer)cases[i].second;
        j.nodes[2].up = true;
        j.nodes[3].answer = (enum join_answer)cases[i].third;
        j.nodes[3].up = cases[i].third_up;
        ck_assert_msg(join_may_vote(&j) == cases[i].may, "case %zu", i);
    }
    map_free(map);
}
END_TEST

START_TEST(an_answer_is_new_known_or_a_strangers)
{
    struct map *map = three_nodes();
    struct join j;
    join_init(&j, map, 1);
    struct peer_identity fresh = node(map, 2, 7, false);
    struct peer_identity voter = node(map, 3, 8, true);
    join_answered(&j, &fresh, true);
    ck_assert_int_eq(j.nodes[2].answer, JOIN_NEW);
    join_answered(&j, &voter, true);
    ck_assert_int_eq(j.nodes[3].answer, JOIN_KNOWS_US);
    join_answered(&j, &voter, false);
    ck_assert_int_eq(j.nodes[3].answer, JOIN_STRANGER);
    map_free(map);
}
END_TEST

START_TEST(raft_is_heard_only_from_recorded_nodes)
{
    struct map *map = three_nodes();
    struct join j;
    uint8_t incarnation[PEER_INCARNATION_BYTES] = {1};
    join_init(&j, map, 1);
    ck_assert(!join_hears(&j, 2));
    join_remember(&j, 2, incarnation);
    ck_assert(join_hears(&j, 2));
    ck_assert(!join_hears(&j, 0));
    ck_assert(!join_hears(&j, 4));
    map_free(map);
}
END_TEST

Suite *join_suite(void)
{
    Suite *s = suite_create("join");
    TCase *t = tcase_create("join");
    tcase_add_test(t, a_caller_is_judged_by_cluster_name_and_incarnation);
    tcase_add_test(t, a_new_directory_votes_only_when_nobody_can_have_known_a_former_self);
    tcase_add_test(t, an_answer_is_new_known_or_a_strangers);
    tcase_add_test(t, raft_is_heard_only_from_recorded_nodes);
    suite_add_tcase(s, t);
    return s;
}

/* test_group.c - a group's replica: effects, holding, admission, restarts. */
#include "unit/repl/cluster.h"
#include "unit/repl/suites.h"

#include "base/limits.h"
#include "base/mem.h"

#include <check.h>

static struct group_status status_of(const struct cluster *c, uint64_t id)
{
    struct group_status status;
    group_status(c->nodes[id].group, &status);
    return status;
}

START_TEST(three_replicas_elect_a_leader_and_apply_alike)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    ck_assert_int_eq(cluster_propose(c, leader, "hello", 100), DKV_OK);
    cluster_run(c, 500);
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_uint_eq(status_of(c, id).leader, leader);
        ck_assert_uint_ge(status_of(c, id).applied, 101);
        ck_assert_uint_eq(status_of(c, id).applied, status_of(c, leader).last);
        ck_assert_uint_gt(c->nodes[id].roles, 0);
    }
    cluster_free(c);
}
END_TEST

START_TEST(one_replica_alone_leads_and_commits)
{
    struct cluster *c = cluster_new(1);
    ck_assert_uint_eq(cluster_elect(c), 1);
    ck_assert_int_eq(cluster_propose(c, 1, "alone", 10), DKV_OK);
    ck_assert_uint_eq(status_of(c, 1).applied, status_of(c, 1).last);
    ck_assert_uint_ge(status_of(c, 1).applied, 11);
    cluster_free(c);
}
END_TEST

START_TEST(nothing_commits_before_a_majority_has_stored_it)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    uint64_t before = status_of(c, leader).commit;
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = id != leader;
    }
    ck_assert_int_eq(cluster_propose(c, leader, "x", 1), DKV_OK);
    cluster_run(c, 300);
    ck_assert_uint_eq(status_of(c, leader).commit, before);
    uint64_t other = leader == 1 ? 2 : 1;
    c->nodes[other].slow = false;
    cluster_drain(c, other);
    cluster_run(c, 300);
    ck_assert_uint_eq(status_of(c, leader).commit, before + 1);
    cluster_free(c);
}
END_TEST

START_TEST(no_message_leaves_before_term_and_vote_are_durable) /* G8 */
{
    struct cluster *c = cluster_new(3);
    cluster_run(c, 1); /* entry 1 and term 1 are durable everywhere */
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = true;
        c->nodes[id].sent = 0;
    }
    /* pre-votes need no term; with all disks stuck no vote may follow */
    cluster_run(c, 5000);
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_int_ne(status_of(c, id).role, ROLE_LEADER);
    }
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = false;
        cluster_drain(c, id);
    }
    cluster_elect(c);
    cluster_free(c);
}
END_TEST

/* A vote is given; how many messages leave before its batch is durable, and after. */
static void count_sent(uint32_t guards_off, unsigned *before, unsigned *after)
{
    uint64_t ids[] = {1, 2, 3};
    struct group_config config = {.id = 1,
                                  .self = 2,
                                  .voters = ids,
                                  .voter_count = 3,
                                  .election_ms = 1000,
                                  .heartbeat_ms = 100,
                                  .guards_off = guards_off};
    struct group_saved saved = {0};
    struct message request = {.kind = MESSAGE_VOTE,
                              .group = 1,
                              .from = 1,
                              .to = 2,
                              .term = 2,
                              .vote = {.candidate = 1, .last_index = 1, .last_term = 1}};
    struct group *g = group_new(&config, &saved, 0);
    group_receive(g, 1, &request);
    *before = 0;
    *after = 0;
    struct effect e;
    while (group_next(g, &e)) {
        *before += e.kind == EFFECT_SEND;
        if (e.kind == EFFECT_VOTE || e.kind == EFFECT_ENTRIES) {
            group_saved_in(g, 8);
        }
    }
    group_durable(g, 2, 7);
    while (group_next(g, &e)) {
        *before += e.kind == EFFECT_SEND;
    }
    group_durable(g, 3, 8);
    while (group_next(g, &e)) {
        *after += e.kind == EFFECT_SEND;
    }
    group_free(g);
}

START_TEST(a_vote_is_told_when_its_batch_is_durable_and_not_before) /* G8 */
{
    unsigned before;
    unsigned after;
    count_sent(0, &before, &after);
    ck_assert_uint_eq(before, 0);
    ck_assert_uint_eq(after, 1);
    count_sent(BIT(8), &before, &after);
    ck_assert_uint_eq(before, 1);
}
END_TEST

START_TEST(a_follower_is_not_proposed_to_and_a_full_leader_refuses)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    uint64_t other = leader == 1 ? 2 : 1;
    ck_assert_int_eq(cluster_propose(c, other, "x", 1), DKV_NOT_LEADER);
    ck_assert_int_eq(cluster_propose(c, leader, "x", GROUP_INFLIGHT_ENTRIES + 1), DKV_LIMIT);
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = true;
    }
    ck_assert_int_eq(cluster_propose(c, leader, "x", GROUP_INFLIGHT_ENTRIES), DKV_OK);
    ck_assert_int_eq(cluster_propose(c, leader, "x", 1), DKV_LIMIT);
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = false;
        cluster_drain(c, id);
    }
    cluster_run(c, 500);
    ck_assert_int_eq(cluster_propose(c, leader, "x", 1), DKV_OK);
    cluster_free(c);
}
END_TEST

START_TEST(bytes_in_flight_are_bounded_and_appends_are_split)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    char *text = mem_alloc(VALUE_BYTES_MAX / 2 + 1);
    memset(text, 'v', VALUE_BYTES_MAX / 2);
    text[VALUE_BYTES_MAX / 2] = '\0';
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = true;
    }
    ck_assert_int_eq(cluster_propose(c, leader, text, 2 * (GROUP_INFLIGHT_BYTES / VALUE_BYTES_MAX)), DKV_OK);
    ck_assert_int_eq(cluster_propose(c, leader, text, 1), DKV_LIMIT);
    for (uint64_t id = 1; id <= 3; id++) {
        c->nodes[id].slow = false;
        cluster_drain(c, id);
    }
    cluster_run(c, 500);
    ck_assert_uint_eq(status_of(c, leader).commit, status_of(c, leader).last);
    ck_assert_uint_le(c->nodes[leader].longest_send, FRAME_BYTES_MAX);
    mem_free(text);
    cluster_free(c);
}
END_TEST

START_TEST(a_new_leader_overrules_what_the_old_one_had_not_committed)
{
    struct cluster *c = cluster_new(3);
    uint64_t old = cluster_elect(c);
    c->nodes[old].cut = true;
    ck_assert_int_eq(cluster_propose(c, old, "lost", 20), DKV_OK);
    uint64_t leader = cluster_elect(c);
    ck_assert_uint_ne(leader, old);
    ck_assert_int_eq(cluster_propose(c, leader, "kept", 5), DKV_OK);
    c->nodes[old].cut = false;
    cluster_run(c, 3000);
    leader = cluster_elect(c);
    cluster_run(c, 1000);
    ck_assert_uint_eq(status_of(c, old).applied, status_of(c, leader).last);
    ck_assert_uint_eq(c->nodes[old].entries_n, c->nodes[leader].entries_n);
    for (size_t i = 0; i < c->nodes[old].entries_n; i++) {
        ck_assert(slice_eq(c->nodes[old].entries[i].data, c->nodes[leader].entries[i].data));
    }
    cluster_free(c);
}
END_TEST

START_TEST(a_restarted_replica_applies_up_to_the_saved_commit_index)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    ck_assert_int_eq(cluster_propose(c, leader, "x", 50), DKV_OK);
    cluster_run(c, 500);
    uint64_t commit = status_of(c, leader).commit;
    cluster_crash(c, leader);
    cluster_restart(c, leader, commit);
    ck_assert_uint_eq(c->nodes[leader].applied, commit);
    uint64_t next = cluster_elect(c);
    ck_assert_int_eq(cluster_propose(c, next, "y", 1), DKV_OK);
    cluster_run(c, 500);
    ck_assert_uint_eq(status_of(c, leader).applied, status_of(c, next).last);
    cluster_free(c);
}
END_TEST

START_TEST(a_lone_restarted_replica_leads_in_a_higher_term)
{
    struct cluster *c = cluster_new(1);
    cluster_elect(c);
    uint64_t term = status_of(c, 1).term;
    cluster_crash(c, 1);
    cluster_restart(c, 1, 1);
    ck_assert_uint_gt(status_of(c, 1).term, term);
    cluster_free(c);
}
END_TEST

START_TEST(leadership_is_handed_over)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    uint64_t to = leader == 3 ? 1 : 3;
    ck_assert_int_eq(group_transfer(c->nodes[leader].group, c->now, 99), DKV_NOT_FOUND);
    ck_assert_int_eq(group_transfer(c->nodes[to].group, c->now, leader), DKV_NOT_LEADER);
    ck_assert_int_eq(group_transfer(c->nodes[leader].group, c->now, to), DKV_OK);
    ck_assert(status_of(c, leader).transferring);
    ck_assert_int_eq(cluster_propose(c, leader, "x", 1), DKV_NOT_LEADER);
    cluster_drain(c, leader);
    cluster_run(c, 100);
    ck_assert_uint_eq(cluster_elect(c), to);
    ck_assert(group_confirms(c->nodes[leader].group, status_of(c, to).term, to));
    ck_assert(!group_confirms(c->nodes[leader].group, status_of(c, to).term - 1, to));
    cluster_free(c);
}
END_TEST

START_TEST(followers_learn_soon_what_an_idle_leader_has_committed)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    cluster_run(c, 305);
    ck_assert_int_eq(cluster_propose(c, leader, "x", 1), DKV_OK);
    cluster_run(c, 5); /* far below a heartbeat */
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_uint_eq(status_of(c, id).applied, status_of(c, leader).last);
    }
    cluster_free(c);
}
END_TEST

START_TEST(a_member_that_is_away_long_catches_up)
{
    struct cluster *c = cluster_new(3);
    uint64_t leader = cluster_elect(c);
    uint64_t away = leader == 3 ? 1 : 3;
    c->nodes[away].cut = true;
    cluster_run(c, 2000);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cluster_propose(c, leader, "x", 200), DKV_OK);
        cluster_run(c, 2);
    }
    c->nodes[leader].sent = 0;
    cluster_run(c, 1000);
    ck_assert_uint_lt(c->nodes[leader].sent, 100); /* a silent peer gets little */
    c->nodes[away].cut = false;
    cluster_run(c, 3000);
    leader = cluster_elect(c);
    cluster_run(c, 500);
    ck_assert_uint_eq(status_of(c, away).applied, status_of(c, leader).last);
    uint64_t match;
    ck_assert(group_match(c->nodes[leader].group, away, &match));
    ck_assert_uint_eq(match, status_of(c, leader).last);
    cluster_free(c);
}
END_TEST

START_TEST(a_member_further_behind_than_the_window_catches_up_with_a_new_leader)
{
    struct cluster *c = cluster_new(3);
    uint64_t old = cluster_elect(c);
    uint64_t away = old == 3 ? 1 : 3;
    c->nodes[away].cut = true;
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(cluster_propose(c, old, "x", 500), DKV_OK);
        cluster_run(c, 2);
    }
    uint64_t next = 6 - old - away;
    ck_assert_int_eq(group_transfer(c->nodes[old].group, c->now, next), DKV_OK);
    cluster_drain(c, old);
    cluster_run(c, 200);
    c->nodes[away].cut = false;
    cluster_run(c, 5000);
    uint64_t leader = cluster_elect(c);
    cluster_run(c, 200);
    ck_assert_uint_gt(status_of(c, leader).last, 20000);
    ck_assert_uint_eq(status_of(c, away).applied, status_of(c, leader).last);
    cluster_free(c);
}
END_TEST

START_TEST(saved_state_that_contradicts_itself_is_refused)
{
    uint64_t ids[] = {1, 2, 3};
    struct group_config config = {
        .id = 1, .self = 1, .voters = ids, .voter_count = 3, .election_ms = 1000, .heartbeat_ms = 100};
    static const uint8_t members[] = {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    struct entry good[] = {{.term = 1, .type = ENTRY_CHANGE, .data = {members, sizeof(members)}},
                           {.term = 3, .type = ENTRY_COMMAND, .data = {0}}};
    struct entry falling[] = {{.term = 2, .type = ENTRY_CHANGE, .data = {members, sizeof(members)}},
                              {.term = 1, .type = ENTRY_COMMAND, .data = {0}}};
    struct entry headless[] = {{.term = 1, .type = ENTRY_COMMAND, .data = {0}}};
    struct entry broken[] = {{.term = 1, .type = ENTRY_CHANGE, .data = {members, 5}}};
    struct {
        struct group_saved saved;
        bool fine;
    } cases[] = {
        {{.term = 3, .vote = 2, .commit = 1, .entries = good, .n = 2}, true},
        {{.term = 0}, true},
        {{.term = 1}, true},
        {{.term = 0, .entries = good, .n = 1}, true},
        {{.term = 2, .entries = good, .n = 2}, false},
        {{.term = 3, .commit = 3, .entries = good, .n = 2}, false},
        {{.term = 3, .entries = falling, .n = 2}, false},
        {{.term = 3, .entries = headless, .n = 1}, false},
        {{.term = 3, .entries = broken, .n = 1}, false},
        {{.term = 5}, false},
        {{.term = 1, .vote = 3}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct group *g = group_new(&config, &cases[i].saved, 0);
        ck_assert_msg((g != NULL) == cases[i].fine, "case %zu", i);
        group_free(g);
    }
}
END_TEST

START_TEST(the_first_configuration_is_alike_whatever_the_order)
{
    uint64_t ids[][3] = {{1, 2, 3}, {3, 1, 2}};
    struct effect first[2];
    uint8_t bytes[2][64];
    for (int i = 0; i < 2; i++) {
        struct group_config config = {
            .id = 1, .self = 2, .voters = ids[i], .voter_count = 3, .election_ms = 1000, .heartbeat_ms = 100};
        struct group_saved saved = {0};
        struct group *g = group_new(&config, &saved, 0);
        while (group_next(g, &first[i]) && first[i].kind != EFFECT_ENTRIES) {
            group_saved_in(g, 1);
        }
        ck_assert_int_eq(first[i].kind, EFFECT_ENTRIES);
        ck_assert_uint_le(first[i].entries.entries[0].data.len, 64);
        memcpy(bytes[i], first[i].entries.entries[0].data.data, first[i].entries.entries[0].data.len);
        first[i].entries.first = first[i].entries.entries[0].data.len;
        group_free(g);
    }
    ck_assert_uint_eq(first[0].entries.first, first[1].entries.first);
    ck_assert_mem_eq(bytes[0], bytes[1], first[0].entries.first);
}
END_TEST

START_TEST(group_new_survives_every_failed_allocation)
{
    uint64_t ids[] = {1, 2, 3};
    struct group_config config = {
        .id = 1, .self = 1, .voters = ids, .voter_count = 3, .election_ms = 1000, .heartbeat_ms = 100};
    struct group_saved saved = {0};
    struct group *g = NULL;
    for (int n = 0; g == NULL; n++) {
        ck_assert_int_lt(n, 100);
        mem_fail_after(n);
        g = group_new(&config, &saved, 0);
        mem_fail_after(-1);
    }
    group_free(g);
}
END_TEST

Suite *group_suite(void)
{
    Suite *s = suite_create("group");
    TCase *t = tcase_create("group");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, three_replicas_elect_a_leader_and_apply_alike);
    tcase_add_test(t, one_replica_alone_leads_and_commits);
    tcase_add_test(t, nothing_commits_before_a_majority_has_stored_it);
    tcase_add_test(t, no_message_leaves_before_term_and_vote_are_durable);
    tcase_add_test(t, a_vote_is_told_when_its_batch_is_durable_and_not_before);
    tcase_add_test(t, a_follower_is_not_proposed_to_and_a_full_leader_refuses);
    tcase_add_test(t, bytes_in_flight_are_bounded_and_appends_are_split);
    tcase_add_test(t, a_new_leader_overrules_what_the_old_one_had_not_committed);
    tcase_add_test(t, a_restarted_replica_applies_up_to_the_saved_commit_index);
    tcase_add_test(t, a_lone_restarted_replica_leads_in_a_higher_term);
    tcase_add_test(t, leadership_is_handed_over);
    tcase_add_test(t, followers_learn_soon_what_an_idle_leader_has_committed);
    tcase_add_test(t, a_member_that_is_away_long_catches_up);
    tcase_add_test(t, a_member_further_behind_than_the_window_catches_up_with_a_new_leader);
    tcase_add_test(t, saved_state_that_contradicts_itself_is_refused);
    tcase_add_test(t, the_first_configuration_is_alike_whatever_the_order);
    tcase_add_test(t, group_new_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

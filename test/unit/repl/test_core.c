/* test_core.c - every guard of core.c: with it the library's bug does not show, without it the bug does.
 *
 * A bench is one core whose host keeps the log and notes what it was told. A scenario returns true when the
 * bug shows. Without the guard it runs in a child, because a library built with assertions ends there. */
#include "unit/repl/suites.h"

#include "base/log.h"
#include "repl/core.h"
#include "repl/entrylog.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELECTION_MS  1000u
#define HEARTBEAT_MS 100u
#define SENT_MAX     64u

struct bench {
    struct core *core;
    struct entrylog log;
    uint64_t now;
    uint64_t term; /* as last told to persist */
    uint64_t vote;
    struct message sent[SENT_MAX]; /* since the last forget */
    size_t sent_n;
};

static const struct entry *bench_entry(void *ctx, uint64_t index)
{
    const struct bench *b = ctx;
    return entrylog_at(&b->log, index);
}

static void bench_on_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct bench *b = ctx;
    b->term = term;
    b->vote = vote;
}

static void bench_on_entries(void *ctx, uint64_t first, const struct entry *entries, size_t n)
{
    struct bench *b = ctx;
    entrylog_cut(&b->log, first);
    ck_assert_int_eq(entrylog_append(&b->log, entries, n), DKV_OK);
}

static void bench_on_send(void *ctx, const struct message *m)
{
    struct bench *b = ctx;
    ck_assert_uint_lt(b->sent_n, SENT_MAX);
    b->sent[b->sent_n++] = *m;
}

static void bench_on_commit(void *ctx, uint64_t index)
{
    (void)ctx;
    (void)index;
}

/* "1V2V3s": voters and standbys by id; x is a spare. */
static struct members bench_members(const char *text)
{
    struct members m = {0};
    for (; *text != '\0'; text += 2) {
        enum member_role role = text[1] == 'V'   ? MEMBER_VOTER
                                : text[1] == 's' ? MEMBER_STANDBY
                                                 : MEMBER_SPARE;
        m.at[m.n++] = (struct member){.id = (uint64_t)(text[0] - '0'), .role = role};
    }
    return m;
}

/* A configuration entry; its data lives in a few static buffers used in turn. */
static struct entry change(uint64_t term, const char *text)
{
    static struct buf data[8];
    static unsigned turn;
    struct members m = bench_members(text);
    struct buf *b = &data[turn++ % 8];
    buf_reset(b);
    members_encode(&m, b);
    return (struct entry){.term = term, .type = ENTRY_CHANGE, .data = buf_slice(b)};
}

static struct entry command(uint64_t term)
{
    return (struct entry){.term = term, .type = ENTRY_COMMAND, .data = slice_str("12345678")};
}

/* Start with what the saved state says. */
static void bench_restart(struct bench *b, uint64_t self, const struct core_saved *saved, uint32_t guards_off)
{
    *b = (struct bench){.now = 1};
    ck_assert_int_eq(entrylog_append(&b->log, saved->entries, saved->n), DKV_OK);
    struct core_config config = {
        .group = 1,
        .self = self,
        .election_ms = ELECTION_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .seed = 42,
        .guards_off = guards_off,
        .host = {.ctx = b,
                 .entry = bench_entry,
                 .on_vote = bench_on_vote,
                 .on_entries = bench_on_entries,
                 .on_send = bench_on_send,
                 .on_commit = bench_on_commit},
    };
    b->core = core_new(&config, saved, b->now);
    ck_assert_ptr_nonnull(b->core);
}

static void bench_start(struct bench *b, uint64_t self, uint64_t term, const char *members,
                        uint32_t guards_off)
{
    struct entry first = change(1, members);
    struct core_saved saved = {.term = term, .commit = 1, .entries = &first, .n = 1};
    bench_restart(b, self, &saved, guards_off);
}

static void bench_end(struct bench *b)
{
    core_free(b->core);
    entrylog_fini(&b->log);
}

static void receive(struct bench *b, uint64_t from, uint64_t term, struct message m)
{
    struct core_status status;
    core_status(b->core, &status);
    m.group = 1;
    m.from = from;
    m.to = from == 2 ? 1 : 2;
    if (status.leader != 0 && status.state == CORE_LEADER) {
        m.to = status.leader;
    }
    m.term = term;
    core_receive(b->core, b->now, &m);
}

/* Prev is given as index and term. */
static struct message append(uint64_t prev_index, uint64_t prev_term, uint64_t commit,
                             const struct entry *entries, uint32_t n)
{
    return (struct message){
        .kind = MESSAGE_APPEND,
        .append = {
            .prev_index = prev_index, .prev_term = prev_term, .commit = commit, .entries = entries, .n = n}};
}

static void answer(struct bench *b, uint64_t from, uint64_t rejected, uint64_t last)
{
    struct core_status status;
    core_status(b->core, &status);
    receive(b, from, status.term,
            (struct message){.kind = MESSAGE_APPEND_RESULT,
                             .append_result = {.rejected = rejected, .last_index = last}});
}

static void grant(struct bench *b, uint64_t from, bool pre_vote)
{
    struct core_status status;
    core_status(b->core, &status);
    receive(b, from, status.term + pre_vote,
            (struct message){.kind = MESSAGE_VOTE_RESULT,
                             .vote_result = {.granted = true, .pre_vote = pre_vote}});
}

/* Make replica 1 of 1, 2, 3 the leader. */
static void lead(struct bench *b)
{
    b->now = core_deadline(b->core);
    core_tick(b->core, b->now);
    grant(b, 2, true);
    grant(b, 2, false);
    struct core_status status;
    core_status(b->core, &status);
    ck_assert_int_eq(status.state, CORE_LEADER);
}

static dkv_err submit(struct bench *b, size_t n)
{
    struct slice commands[16];
    for (size_t i = 0; i < n; i++) {
        commands[i] = slice_str("command");
    }
    return core_submit(b->core, b->now, commands, n);
}

static void tick_after(struct bench *b, uint64_t ms)
{
    b->now += ms;
    core_tick(b->core, b->now);
}

static size_t members_now(const struct bench *b)
{
    struct members m;
    core_members(b->core, &m);
    return m.n;
}

static uint64_t term_now(const struct bench *b)
{
    struct core_status status;
    core_status(b->core, &status);
    return status.term;
}

/* What was sent to that replica last; the test fails if nothing was. */
static const struct message *last_to(const struct bench *b, uint64_t to)
{
    for (size_t i = b->sent_n; i > 0; i--) {
        if (b->sent[i - 1].to == to) {
            return &b->sent[i - 1];
        }
    }
    ck_abort_msg("nothing sent");
}

typedef bool (*scenario_fn)(uint32_t guards_off);

#define EXIT_BUG 42 /* no other failure ends a child so */

/* The bug shows, as the scenario sees it or as an assertion of the library does. */
static bool bug_shows(scenario_fn scenario, enum core_guard without)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(0);
        }
        _exit(scenario(BIT(without)) ? EXIT_BUG : 0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == EXIT_BUG;
}

/* ---- the guards --------------------------------------------------------------------------------------- */

static bool change_behind_others_survives_its_cut(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    struct entry entries[] = {command(2), command(2), change(2, "1V2V3V4V")};
    struct entry other = command(3);
    struct message m = append(1, 1, 1, entries, 3);
    m.to = 2;
    receive(&b, 1, 2, m);
    core_stored(b.core, b.now, 4);
    ck_assert_uint_eq(members_now(&b), 4);
    receive(&b, 3, 3, append(3, 2, 1, &other, 1));
    bool bug = members_now(&b) != 3 || core_uncommitted_change(b.core) != 0;
    bench_end(&b);
    return bug;
}

START_TEST(a_change_that_is_cut_is_forgotten_wherever_it_stood_in_its_message) /* G1, B2 */
{
    ck_assert(!change_behind_others_survives_its_cut(0));
    ck_assert(bug_shows(change_behind_others_survives_its_cut, GUARD_SPLIT));
}
END_TEST

static bool second_change_takes_the_first_away(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    struct entry first = change(2, "1V2V3V4V");
    struct entry second = change(2, "1V2V3V4V5V");
    struct entry other = command(3);
    receive(&b, 1, 2, append(1, 1, 1, &first, 1));
    core_stored(b.core, b.now, 2);
    receive(&b, 1, 2, append(2, 2, 2, &second, 1));
    core_stored(b.core, b.now, 3);
    ck_assert_uint_eq(members_now(&b), 5);
    receive(&b, 3, 3, append(2, 2, 2, &other, 1));
    bool bug = members_now(&b) != 4;
    bench_end(&b);
    return bug;
}

START_TEST(a_second_change_that_is_cut_leaves_the_first_one_valid) /* G2, B3 */
{
    ck_assert(!second_change_takes_the_first_away(0));
    ck_assert(bug_shows(second_change_takes_the_first_away, GUARD_CONFIRM));
}
END_TEST

static bool leader_has_no_entry_of_its_term(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", guards_off);
    lead(&b);
    bool bug = entrylog_at(&b.log, b.log.last)->term != term_now(&b);
    struct members more = bench_members("1V2V3V4s");
    bug = bug || core_change(b.core, b.now, &more) != DKV_LIMIT;
    bench_end(&b);
    return bug;
}

START_TEST(a_new_leader_has_an_entry_of_its_term_and_no_change_before_it_is_committed) /* G3, B8 */
{
    ck_assert(!leader_has_no_entry_of_its_term(0));
    ck_assert(bug_shows(leader_has_no_entry_of_its_term, GUARD_OWN_ENTRY));
}
END_TEST

static bool stale_rejection_starves_a_peer(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", guards_off);
    lead(&b);
    ck_assert_int_eq(submit(&b, 9), DKV_OK);
    uint64_t match = b.log.last;
    answer(&b, 2, 0, match);
    for (int i = 0; i < 3; i++) {
        tick_after(&b, 2 * HEARTBEAT_MS); /* unheard: back to probing */
    }
    answer(&b, 2, match, 5); /* long under way */
    bool bug = true;
    for (int i = 0; i < 5; i++) {
        b.now += HEARTBEAT_MS + 50;
        b.sent_n = 0;
        ck_assert_int_eq(submit(&b, 1), DKV_OK);
        const struct message *m = last_to(&b, 2);
        bug = bug && m->append.n == 0;
        answer(&b, 2, 0, m->append.prev_index + m->append.n);
    }
    bench_end(&b);
    return bug;
}

START_TEST(a_rejection_older_than_an_acknowledgement_changes_nothing) /* G5, B5 */
{
    ck_assert(!stale_rejection_starves_a_peer(0));
    ck_assert(bug_shows(stale_rejection_starves_a_peer, GUARD_STALE_REJECT));
}
END_TEST

static bool vote_result_moves_a_follower(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    receive(&b, 1, 9, (struct message){.kind = MESSAGE_VOTE_RESULT, .vote_result = {.granted = false}});
    bool bug = term_now(&b) != 1;
    receive(&b, 1, 2, append(1, 1, 1, NULL, 0)); /* now it has a leader, so the union holds a pointer */
    receive(&b, 1, 9, (struct message){.kind = MESSAGE_VOTE_RESULT, .vote_result = {.granted = false}});
    bench_end(&b);
    return bug;
}

START_TEST(a_follower_takes_no_notice_of_vote_results) /* G9, B12 */
{
    ck_assert(!vote_result_moves_a_follower(0));
    ck_assert(bug_shows(vote_result_moves_a_follower, GUARD_VOTE_RESULT));
}
END_TEST

static struct message vote_request(uint64_t candidate, uint64_t last_index, uint64_t last_term, bool pre_vote)
{
    return (struct message){
        .kind = MESSAGE_VOTE,
        .vote = {
            .candidate = candidate, .last_index = last_index, .last_term = last_term, .pre_vote = pre_vote}};
}

/* Two of three are up: 2 in term 5, 1 in term 1 with the longer log, so only 1 can win. */
static bool denial_hides_the_term(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 5, "1V2V3V", guards_off);
    receive(&b, 1, 2, vote_request(1, 10, 1, true));
    struct message denied = *last_to(&b, 1);
    ck_assert(!denied.vote_result.granted);
    bench_end(&b);

    struct bench c;
    bench_start(&c, 1, 1, "1V2V3V", guards_off);
    c.now = core_deadline(c.core);
    core_tick(c.core, c.now);
    receive(&c, 2, denied.term, denied);
    bool bug = term_now(&c) != 5;
    bench_end(&c);
    return bug;
}

START_TEST(a_denied_pre_vote_tells_the_candidate_the_higher_term) /* G13, B6 */
{
    ck_assert(!denial_hides_the_term(0));
    ck_assert(bug_shows(denial_hides_the_term, GUARD_DENIED_TERM));
}
END_TEST

static bool standby_does_not_vote(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2s3V", guards_off);
    receive(&b, 1, 2, vote_request(1, 10, 1, false));
    bool bug = !last_to(&b, 1)->vote_result.granted || b.vote != 1 || b.term != 2;
    struct members m;
    core_members(b.core, &m);
    ck_assert_uint_eq(m.n, 3); /* its configuration is what it was */
    ck_assert_int_eq(m.at[1].role, MEMBER_STANDBY);
    bench_end(&b);
    return bug;
}

START_TEST(a_standby_votes_when_it_is_asked) /* G14, B7 */
{
    ck_assert(!standby_does_not_vote(0));
    ck_assert(bug_shows(standby_does_not_vote, GUARD_NON_VOTER));
}
END_TEST

static bool standby_keeps_a_dead_leader(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2s3V", guards_off);
    receive(&b, 3, 2, append(1, 1, 1, NULL, 0));
    b.now += ELECTION_MS - 1;
    b.sent_n = 0;
    receive(&b, 1, 3, vote_request(1, 10, 2, false));
    bool too_soon = last_to(&b, 1)->vote_result.granted; /* the leader may well be alive */
    b.now += 1;
    receive(&b, 1, 3, vote_request(1, 10, 2, false));
    bool bug = too_soon || !last_to(&b, 1)->vote_result.granted;
    bench_end(&b);
    return bug;
}

START_TEST(a_standby_forgets_a_leader_it_has_not_heard_of) /* G14, B7 */
{
    ck_assert(!standby_keeps_a_dead_leader(0));
    ck_assert(bug_shows(standby_keeps_a_dead_leader, GUARD_NON_VOTER));
}
END_TEST

static bool stale_append_is_acknowledged(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    receive(&b, 3, 5, append(1, 1, 1, NULL, 0));
    struct {
        uint64_t index, term;
    } prev[] = {{0, 0}, {1, 1}};
    bool bug = false;
    for (size_t i = 0; i < 2; i++) {
        receive(&b, 1, 3, append(prev[i].index, prev[i].term, 1, NULL, 0));
        const struct message *m = last_to(&b, 1);
        ck_assert_int_eq(m->kind, MESSAGE_APPEND_RESULT);
        ck_assert_uint_eq(m->term, 5); /* so that the old leader steps down */
        bug = bug || m->append_result.rejected == 0;
    }
    bench_end(&b);
    return bug;
}

START_TEST(an_append_of_an_old_term_is_never_acknowledged) /* G16, B0 */
{
    ck_assert(!stale_append_is_acknowledged(0));
    ck_assert(bug_shows(stale_append_is_acknowledged, GUARD_STALE_TERM));
}
END_TEST

static bool phantom_commits(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", guards_off);
    lead(&b);
    ck_assert_int_eq(submit(&b, 5), DKV_OK);
    core_stored(b.core, b.now, b.log.last);
    answer(&b, 2, 0, b.log.last + 1000); /* what a stale answer of the library can say */
    bool bug = core_commit(b.core) != 1;
    bench_end(&b);
    return bug;
}

START_TEST(nothing_commits_on_the_word_of_a_phantom) /* G16, B0 end to end */
{
    ck_assert(!phantom_commits(0));
    ck_assert(bug_shows(phantom_commits, GUARD_STALE_TERM));
}
END_TEST

static bool sole_voter_leads_its_old_term(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 7, "1V2s", guards_off);
    bool bug = term_now(&b) != 8 || b.term != 8 || b.vote != 1;
    bench_end(&b);
    return bug;
}

START_TEST(a_sole_voter_starts_in_a_new_term) /* checklist 17, B1 */
{
    ck_assert(!sole_voter_leads_its_old_term(0));
    ck_assert(bug_shows(sole_voter_leads_its_old_term, GUARD_SOLE_VOTER));
}
END_TEST

static void commit_all(struct bench *b)
{
    core_stored(b->core, b->now, b->log.last);
    answer(b, 2, 0, b->log.last);
}

static bool timer_spins(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", guards_off);
    lead(&b);
    commit_all(&b);
    struct members fewer = bench_members("1V2V3x");
    ck_assert_int_eq(core_change(b.core, b.now, &fewer), DKV_OK);
    commit_all(&b);
    ck_assert_uint_eq(core_uncommitted_change(b.core), 0);
    bool bug = false;
    for (int i = 0; i < 5; i++) {
        tick_after(&b, HEARTBEAT_MS + 50);
        answer(&b, 2, 0, b.log.last);
        bug = bug || core_deadline(b.core) <= b.now;
    }
    bench_end(&b);
    return bug;
}

START_TEST(the_timer_never_spins) /* checklist 18, B10 */
{
    ck_assert(!timer_spins(0));
    ck_assert(bug_shows(timer_spins, GUARD_TIMER));
}
END_TEST

static bool early_ticks_drop_the_pipeline(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", guards_off);
    lead(&b);
    commit_all(&b);
    answer(&b, 3, 0, b.log.last);
    tick_after(&b, 10); /* as a careless owner's periodic tick would */
    tick_after(&b, 10);
    b.sent_n = 0;
    ck_assert_int_eq(submit(&b, 1), DKV_OK);
    bool bug = b.sent_n != 2;
    bench_end(&b);
    return bug;
}

START_TEST(a_tick_before_the_deadline_does_nothing) /* checklist 18, B14 */
{
    ck_assert(!early_ticks_drop_the_pipeline(0));
}
END_TEST

static bool commit_goes_back(uint32_t guards_off)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    struct entry entries[] = {command(2), command(2), command(2), command(2)};
    receive(&b, 1, 2, append(1, 1, 5, entries, 4));
    ck_assert_uint_eq(core_commit(b.core), 5);
    receive(&b, 1, 2, append(1, 1, 9, entries, 1)); /* overtaken, but made later */
    bool bug = core_commit(b.core) != 5;
    bench_end(&b);
    return bug;
}

START_TEST(the_commit_index_never_goes_back) /* checklist 6, B9 */
{
    ck_assert(!commit_goes_back(0));
    ck_assert(bug_shows(commit_goes_back, GUARD_COMMIT));
}
END_TEST

static bool conflict_takes_a_round_trip_per_entry(uint32_t guards_off)
{
    struct bench b;
    struct entry entries[100];
    for (size_t i = 0; i < 100; i++) {
        entries[i] = command(i < 50 ? 2 : 3);
    }
    bench_start(&b, 2, 1, "1V2V3V", guards_off);
    receive(&b, 1, 3, append(1, 1, 1, entries, 100));
    receive(&b, 3, 4, append(101, 4, 1, NULL, 0));
    const struct message *m = last_to(&b, 3);
    ck_assert_uint_eq(m->append_result.rejected, 101);
    bool bug = m->append_result.last_index != 51; /* where term 2 ends */
    receive(&b, 3, 4, append(51, 1, 1, NULL, 0));
    bug = bug || last_to(&b, 3)->append_result.last_index != 1; /* never below the commit index */
    bench_end(&b);
    return bug;
}

START_TEST(a_rejection_names_where_the_conflicting_term_begins) /* B17 */
{
    ck_assert(!conflict_takes_a_round_trip_per_entry(0));
    ck_assert(bug_shows(conflict_takes_a_round_trip_per_entry, GUARD_HINT));
}
END_TEST

/* ---- beyond the guards -------------------------------------------------------------------------------- */

START_TEST(a_leader_that_contradicts_what_is_committed_stops_the_replica)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", 0);
    struct entry entries[] = {command(2), command(2)};
    struct entry other = command(3);
    receive(&b, 1, 2, append(1, 1, 3, entries, 2));
    ck_assert_uint_eq(core_commit(b.core), 3);
    receive(&b, 3, 3, append(2, 2, 3, &other, 1)); /* another entry 3: aborts */
}
END_TEST

START_TEST(what_no_correct_replica_sends_is_dropped_and_counted)
{
    static const uint8_t junk[] = {9, 9};
    struct entry falling[] = {command(2), command(1)};
    struct entry ahead = command(9);
    struct entry unreadable = {.term = 2, .type = ENTRY_CHANGE, .data = {junk, sizeof(junk)}};
    struct message vote_of_other = vote_request(3, 10, 2, false);
    struct message cases[] = {
        {.group = 2, .from = 1, .to = 2, .term = 2, .kind = MESSAGE_VOTE, .vote = {.candidate = 1}},
        {.group = 1, .from = 1, .to = 3, .term = 2, .kind = MESSAGE_VOTE, .vote = {.candidate = 1}},
        {.group = 1, .from = 2, .to = 2, .term = 2, .kind = MESSAGE_VOTE, .vote = {.candidate = 2}},
        {.group = 1, .from = 9, .to = 2, .term = 2, .kind = MESSAGE_APPEND_RESULT},
        {.group = 1, .from = 9, .to = 2, .term = 2, .kind = MESSAGE_VOTE_RESULT},
        {.group = 1, .from = 1, .to = 2, .term = UINT64_MAX, .kind = MESSAGE_VOTE, .vote = {.candidate = 1}},
        {.group = 1, .from = 3, .to = 2, .term = (1ull << 32) + 2, .kind = MESSAGE_APPEND_RESULT},
        append(1, 1, 1, falling, 2),
        append(1, 1, 1, &ahead, 1),
        append(1, 1, 1, &unreadable, 1),
        append(1, 5, 1, NULL, 0),
        append(0, 5, 1, NULL, 0),
        append(5, 0, 1, NULL, 0),
        vote_of_other,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;
        bench_start(&b, 2, 1, "1V2V3V", 0);
        struct message m = cases[i];
        if (m.group == 0) {
            m.group = 1;
            m.from = 1;
            m.to = 2;
            m.term = 2;
        }
        core_receive(b.core, b.now, &m);
        struct core_status status;
        core_status(b.core, &status);
        ck_assert_msg(status.dropped == 1 && status.term == 1 && b.log.last == 1 && b.sent_n == 0, "case %zu",
                      i);
        bench_end(&b);
    }
}
END_TEST

START_TEST(a_second_leader_of_the_same_term_is_not_believed)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V3V", 0);
    lead(&b);
    receive(&b, 2, term_now(&b), append(1, 1, 1, NULL, 0));
    struct core_status status;
    core_status(b.core, &status);
    ck_assert_int_eq(status.state, CORE_LEADER);
    ck_assert_uint_eq(status.dropped, 1);
    bench_end(&b);
}
END_TEST

START_TEST(a_change_known_committed_is_confirmed_at_start_and_another_is_not)
{
    for (uint64_t commit = 2; commit <= 3; commit++) {
        struct bench b;
        struct entry entries[] = {change(1, "1V2V3V"), command(1), change(1, "1V2V3V4s")};
        struct core_saved saved = {.term = 1, .commit = commit, .entries = entries, .n = 3};
        bench_restart(&b, 1, &saved, 0);
        ck_assert_uint_eq(core_commit(b.core), commit);
        ck_assert_uint_eq(core_uncommitted_change(b.core), commit == 3 ? 0 : 3);
        ck_assert_uint_eq(members_now(&b), 4); /* in use either way */
        bench_end(&b);
    }
}
END_TEST

START_TEST(an_append_that_does_not_fit_is_rejected_once_although_it_is_split)
{
    struct bench b;
    bench_start(&b, 2, 1, "1V2V3V", 0);
    struct entry entries[] = {command(2), change(2, "1V2V3V4s"), command(2)};
    receive(&b, 1, 2, append(5, 2, 1, entries, 3));
    ck_assert_uint_eq(b.sent_n, 1);
    ck_assert_uint_eq(last_to(&b, 1)->append_result.rejected, 5);
    ck_assert_uint_eq(last_to(&b, 1)->append_result.last_index, 1);
    ck_assert_uint_eq(b.log.last, 1);
    bench_end(&b);
}
END_TEST

START_TEST(changes_go_one_at_a_time_and_never_back_to_one_voter)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V2V", 0);
    lead(&b);
    commit_all(&b);
    struct members two_at_once = bench_members("1V2V3s4s");
    struct members one_voter = bench_members("1V2s");
    struct members same = bench_members("1V2V");
    struct members standby = bench_members("1V2V3s");
    struct members voter = bench_members("1V2V3V");
    ck_assert_int_eq(core_change(b.core, b.now, &two_at_once), DKV_BAD_REQUEST);
    ck_assert_int_eq(core_change(b.core, b.now, &one_voter), DKV_BAD_REQUEST);
    ck_assert_int_eq(core_change(b.core, b.now, &same), DKV_BAD_REQUEST);
    ck_assert_int_eq(core_change(b.core, b.now, &standby), DKV_OK);
    ck_assert_int_eq(core_change(b.core, b.now, &voter), DKV_LIMIT);
    commit_all(&b);
    ck_assert_int_eq(core_change(b.core, b.now, &voter), DKV_OK);
    commit_all(&b);
    ck_assert_uint_eq(core_uncommitted_change(b.core), 0);
    ck_assert_uint_eq(members_now(&b), 3);
    bench_end(&b);
}
END_TEST

START_TEST(one_voter_alone_grows_by_way_of_a_standby)
{
    struct bench b;
    bench_start(&b, 1, 1, "1V", 0);
    core_stored(b.core, b.now, b.log.last);
    struct members standby = bench_members("1V2s");
    ck_assert_int_eq(core_change(b.core, b.now, &standby), DKV_OK);
    core_stored(b.core, b.now, b.log.last);
    ck_assert_uint_eq(core_commit(b.core), b.log.last);
    ck_assert_uint_eq(core_uncommitted_change(b.core), 0);
    bench_end(&b);
}
END_TEST

static TCase *guards_case(void)
{
    TCase *t = tcase_create("guards");
    tcase_add_test(t, a_change_that_is_cut_is_forgotten_wherever_it_stood_in_its_message);
    tcase_add_test(t, a_second_change_that_is_cut_leaves_the_first_one_valid);
    tcase_add_test(t, a_new_leader_has_an_entry_of_its_term_and_no_change_before_it_is_committed);
    tcase_add_test(t, a_rejection_older_than_an_acknowledgement_changes_nothing);
    tcase_add_test(t, a_follower_takes_no_notice_of_vote_results);
    tcase_add_test(t, a_denied_pre_vote_tells_the_candidate_the_higher_term);
    tcase_add_test(t, a_standby_votes_when_it_is_asked);
    tcase_add_test(t, a_standby_forgets_a_leader_it_has_not_heard_of);
    tcase_add_test(t, an_append_of_an_old_term_is_never_acknowledged);
    tcase_add_test(t, nothing_commits_on_the_word_of_a_phantom);
    tcase_add_test(t, a_sole_voter_starts_in_a_new_term);
    tcase_add_test(t, the_timer_never_spins);
    tcase_add_test(t, a_tick_before_the_deadline_does_nothing);
    tcase_add_test(t, the_commit_index_never_goes_back);
    tcase_add_test(t, a_rejection_names_where_the_conflicting_term_begins);
    return t;
}

Suite *core_suite(void)
{
    Suite *s = suite_create("core");
    TCase *t = tcase_create("core");
    tcase_add_test_raise_signal(t, a_leader_that_contradicts_what_is_committed_stops_the_replica, SIGABRT);
    tcase_add_test(t, what_no_correct_replica_sends_is_dropped_and_counted);
    tcase_add_test(t, a_second_leader_of_the_same_term_is_not_believed);
    tcase_add_test(t, a_change_known_committed_is_confirmed_at_start_and_another_is_not);
    tcase_add_test(t, an_append_that_does_not_fit_is_rejected_once_although_it_is_split);
    tcase_add_test(t, changes_go_one_at_a_time_and_never_back_to_one_voter);
    tcase_add_test(t, one_voter_alone_grows_by_way_of_a_standby);
    suite_add_tcase(s, t);
    suite_add_tcase(s, guards_case());
    return s;
}

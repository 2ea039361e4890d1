/* test_ledger.c - the judge of the hammer finds every kind of lie and accuses nobody else.
 *
 * A history is text, one letter per event on one key:
 *   w begin a write   a it is acknowledged   n it was not applied   u its outcome is unknown
 *   r begin a read    0..9 the read that began first answers this number
 * and the verdict is the position of the event at which it is found wrong, or -1. */
#include "tools/ledger.h"

#include <check.h>

#define READS_MAX 8

struct history {
    struct ledger ledger;
    uint64_t floors[READS_MAX];
    size_t begun;
    size_t ended;
};

static const char *history_step(struct history *h, char event)
{
    switch (event) {
    case 'w':
        (void)ledger_write_begin(&h->ledger);
        return NULL;
    case 'a':
        return ledger_write_end(&h->ledger, LEDGER_ACKED);
    case 'n':
        return ledger_write_end(&h->ledger, LEDGER_NOT_APPLIED);
    case 'u':
        return ledger_write_end(&h->ledger, LEDGER_UNKNOWN);
    case 'r':
        ck_assert_uint_lt(h->begun, READS_MAX);
        h->floors[h->begun++] = ledger_read_begin(&h->ledger);
        return NULL;
    default:
        ck_assert_uint_lt(h->ended, h->begun);
        return ledger_read_end(&h->ledger, h->floors[h->ended++], (uint64_t)(event - '0'));
    }
}

static int history_verdict(const char *events)
{
    struct history h = {0};
    int verdict = -1;
    for (int i = 0; events[i] != '\0' && verdict < 0; i++) {
        if (history_step(&h, events[i]) != NULL) {
            verdict = i;
        }
    }
    ledger_fini(&h.ledger);
    return verdict;
}

static const struct {
    const char *events;
    int verdict;
} cases[] = {
    /* what a linearizable store may do */
    {"r0", -1},       /* nothing there yet */
    {"war1", -1},     /* read your write */
    {"wr0a", -1},     /* a read before the write took effect */
    {"wr1a", -1},     /* or after it did, before the acknowledgement */
    {"wrar01", -1},   /* an older read may be old although a later one is not */
    {"wrr10", -1},    /* two reads at once, each on its side of the write */
    {"wur0", -1},     /* unknown and not there */
    {"wur1", -1},     /* unknown and there */
    {"wur0r1r1", -1}, /* unknown, and there later */
    {"wnwar2", -1},   /* the one after a refused write */
    {"wawnr1", -1},   /* a refused write leaves the old value */
    {"rwa0", -1},     /* began before the write: may be old */
    {"rwa1", -1},     /* or new */

    /* what it may not do */
    {"war0", 3},     /* an acknowledged write is gone */
    {"wawar1", 5},   /* or the last of two */
    {"wr1r0", 4},    /* time goes back from read to read */
    {"wur1r0", 5},   /* also when the outcome was unknown */
    {"wnr1", 3},     /* a refused write is there */
    {"wr1n", 3},     /* a write was read and is called refused */
    {"wrar00", 5},   /* old for a read that began after the acknowledgement */
    {"war2", 3},     /* a number from nowhere */
    {"wawnwar2", 7}, /* a refused number between good ones */
};

START_TEST(the_ledger_finds_every_lie_and_accuses_nobody_else)
{
    ck_assert_msg(history_verdict(cases[_i].events) == cases[_i].verdict, "%s: %d instead of %d",
                  cases[_i].events, history_verdict(cases[_i].events), cases[_i].verdict);
}
END_TEST

Suite *ledger_suite(void);

Suite *ledger_suite(void)
{
    Suite *s = suite_create("ledger");
    TCase *t = tcase_create("verdicts");
    tcase_add_loop_test(t, the_ledger_finds_every_lie_and_accuses_nobody_else, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(s, t);
    return s;
}

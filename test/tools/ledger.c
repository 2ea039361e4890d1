/* ledger.c - see ledger.h. */
#include "tools/ledger.h"

#include "base/mem.h"

static void ledger_check(const struct ledger *l)
{
    ensure(l->floor <= l->begun);
    ensure(!(l->writing && l->retired));
}

void ledger_fini(struct ledger *l)
{
    mem_free(l->not_applied);
    *l = (struct ledger){0};
}

uint64_t ledger_write_begin(struct ledger *l)
{
    ensure(!l->writing);
    ensure(!l->retired);
    l->writing = true;
    l->begun++;
    ledger_check(l);
    return l->begun;
}

static void ledger_add_not_applied(struct ledger *l, uint64_t number)
{
    if (l->not_applied_count == l->not_applied_cap) {
        size_t cap = l->not_applied_cap == 0 ? 8 : 2 * l->not_applied_cap;
        uint64_t *grown = mem_realloc(l->not_applied, cap * sizeof(*grown));
        ensure(grown != NULL); /* a judge that forgets evidence is none */
        l->not_applied = grown;
        l->not_applied_cap = cap;
    }
    l->not_applied[l->not_applied_count++] = number;
}

const char *ledger_write_end(struct ledger *l, enum ledger_outcome outcome)
{
    ensure(l->writing);
    l->writing = false;
    const char *wrong = NULL;
    switch (outcome) {
    case LEDGER_ACKED:
        l->floor = l->begun;
        break;
    case LEDGER_NOT_APPLIED:
        wrong = l->floor == l->begun ? "a write that was read is said to be not applied" : NULL;
        ledger_add_not_applied(l, l->begun);
        break;
    case LEDGER_UNKNOWN:
        l->retired = true;
        break;
    }
    ledger_check(l);
    return wrong;
}

uint64_t ledger_read_begin(const struct ledger *l)
{
    return l->floor;
}

static bool ledger_was_not_applied(const struct ledger *l, uint64_t number)
{
    size_t low = 0;
    size_t high = l->not_applied_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->not_applied[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < l->not_applied_count && l->not_applied[low] == number;
}

const char *ledger_read_end(struct ledger *l, uint64_t floor, uint64_t value)
{
    ensure(floor <= l->floor);
    if (value > l->begun) {
        return "a number that was never written";
    }
    if (ledger_was_not_applied(l, value)) {
        return "a write that was not applied is there";
    }
    if (value < floor) {
        return "an older number than one acknowledged or read before: a lost write or a stale read";
    }
    if (value > l->floor) {
        l->floor = value;
    }
    ledger_check(l);
    return NULL;
}

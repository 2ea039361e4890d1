#!/usr/bin/env bash
# With two of three nodes dead a stale read is answered at once, a linearizable one is refused with exit 5, and a write
# is never reported as done.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

key=${KEY_OF[1]}
survivor=n2
expect_out OK ctl put "$key" before
# The survivor has certainly applied it once it has served it itself.
expect_out before ctl_at "$survivor" get "$key"
node_kill n1
node_kill n3

say "stale reads work without any quorum"
timed expect_out before ctl_at "$survivor" -c stale get "$key"
((TOOK < 2000)) || fail "the stale read took $TOOK ms"

say "a linearizable read is refused"
expect 5 ctl_at "$survivor" -t 1s get "$key"

say "a put is not acknowledged"
code=0
ctl_at "$survivor" -t 1s put "$key" after >"$DIR/out" 2>&1 || code=$?
[[ $code == 5 || $code == 6 ]] || fail "a put without quorum left with exit code $code: $(<"$DIR/out")"

say "health says so with exit 9"
expect 9 ctl_at "$survivor" -t 2s health

say "a survivor that starts again alone still serves what it knew"
node_stop "$survivor"
node_start "$survivor"
wait_until 10 "the stale value at $survivor after its restart" \
    eval '[[ $(ctl_at "$survivor" -t 1s -c stale get "$key" 2>/dev/null) == before ]]'

say "with the quorum back, everything works again"
node_start n1
node_start n3
cluster_wait_ready
expect 0 ctl get "$key"
[[ $OUT == before || ($OUT == after && $code == 6) ]] || fail "the value is '$OUT' after a put that left with $code"
expect_out OK ctl put "$key" again
expect_out again ctl get "$key"

#!/usr/bin/env bash
# The judge of the other tests finds what it is there to find: a value lost behind its back, and one changed.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1
REPLICAS=1
SHARDS=2
cluster_init "$@"
cluster_start

say "an untouched store is acquitted"
expect 0 "$BIN/hammer" -e "$ENDPOINTS" --writers 2 --keys 2 --for 500ms
[[ $OUT == *" 0 violations"* ]] || fail "$OUT"

# Hurt the store while a hammer runs; it must notice.
accused() { # WHAT PREFIX COMMAND...
    local what=$1 prefix=$2 hammer code=0
    shift 2
    "$BIN/hammer" -e "$ENDPOINTS" --prefix "$prefix" --writers 1 --keys 2 --for 2s >"$DIR/hammer.out" 2>"$DIR/hammer.log" &
    hammer=$!
    OTHERS+=("$hammer")
    wait_until 10 "the hammer's first write" quiet ctl get "$prefix-0-0"
    until process_is_gone "$hammer"; do
        quiet "$@"
    done
    wait "$hammer" || code=$?
    OTHERS=()
    [[ $code == 9 ]] || fail "$what: the hammer left with exit code $code: $(<"$DIR/hammer.out")"
    say "$what: $(head -n 1 "$DIR/hammer.log")"
}

accused "a key is deleted" a ctl delete a-0-0
accused "an old value comes back" b ctl put b-0-0 'b-0-0 1'
accused "a value from nowhere" c ctl put c-0-0 nonsense

#!/usr/bin/env bash
# SIGTERM: a node hands every local leader over, exits 0, and nobody notices: the next write does not wait for an
# election. An orderly restart of all nodes keeps the data.
source "$(dirname "$0")/../lib/cluster.sh"
NODE_FLAGS=(--election-timeout 3s) # so that a write that had to wait for an election would show
cluster_init "$@"
cluster_start

for shard in "${!KEY_OF[@]}"; do
    expect_out OK ctl put "${KEY_OF[$shard]}" "before $shard"
done

leads() { shard_table | awk -v name="$1" '$2 == name { print $1 }'; } # NAME

victim=$(leader_of "${KEY_OF[1]}")
read -ra led <<<"$(leads "$victim" | tr '\n' ' ')"
say "$victim leads shards ${led[*]}; it gets SIGTERM"
timed node_stop "$victim"
((TOOK < 5000)) || fail "it took $TOOK ms to leave"
for shard in "${led[@]}"; do
    [[ $shard != 0 ]] || continue
    timed expect_out OK ctl_but "$victim" put "${KEY_OF[$shard]}" "after $shard"
    ((TOOK < 2000)) || fail "the first put to shard $shard took $TOOK ms: its leader was not handed over"
done
say "all ${#led[@]} were handed over; it left after exit code 0"

node_start "$victim"
wait_until 20 "$victim to serve again" serves_itself "$victim" "${KEY_OF[1]}"

say "SIGINT does the same"
node_signal INT "$victim"
node_wait "$victim" 20
[[ $EXIT_CODE == 0 ]] || fail "exit code $EXIT_CODE after SIGINT"
node_start "$victim"
wait_until 20 "$victim to serve again" serves_itself "$victim" "${KEY_OF[1]}"

say "all nodes stop in order, all start, all data is there"
for name in "${NAMES[@]}"; do
    node_signal TERM "$name"
done
for name in "${NAMES[@]}"; do
    node_wait "$name" 20
    [[ $EXIT_CODE == 0 ]] || fail "$name left with exit code $EXIT_CODE"
done
cluster_restart_all
for shard in "${!KEY_OF[@]}"; do
    expect 0 ctl get "${KEY_OF[$shard]}"
    [[ $OUT == "after $shard" || $OUT == "before $shard" ]] || fail "shard $shard answers '$OUT'"
done
for shard in "${led[@]}"; do
    [[ $shard == 0 ]] || expect_out "after $shard" ctl get "${KEY_OF[$shard]}"
done

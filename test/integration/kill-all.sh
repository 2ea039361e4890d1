#!/usr/bin/env bash
# Stopping all nodes with SIGKILL at once and starting them again loses no acknowledged write.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

"$BIN/hammer" -e "$ENDPOINTS" >"$DIR/hammer.out" 2>"$DIR/hammer.log" &
hammer=$!
OTHERS+=("$hammer")

commits() { shard_table | awk '{ sum += $3 } END { print sum }'; }
commits_passed() { (($(commits) > $1)); }

for round in 1 2 3; do
    wait_until 20 "writes to flow" commits_passed $(($(commits) + 200))
    cluster_kill_all
    cluster_restart_all
    say "round $round: killed all $NODES nodes and started them again"
done

kill -TERM "$hammer"
wait_until 120 "the hammer's verdict" process_is_gone "$hammer"
wait "$hammer" || fail "$(cat "$DIR/hammer.out" "$DIR/hammer.log")"
OTHERS=()
say "$(<"$DIR/hammer.out")"

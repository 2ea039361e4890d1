#!/usr/bin/env bash
# One node alone is a cluster, too: put, kill -9, start again, all there.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1
REPLICAS=1
SHARDS=4
cluster_init "$@"
cluster_start

for round in 1 2 3; do
    for shard in "${!KEY_OF[@]}"; do
        expect_out OK ctl put "${KEY_OF[$shard]}" "round $round"
    done
    node_kill n1
    node_start n1
    cluster_wait_ready
    for shard in "${!KEY_OF[@]}"; do
        expect_out "round $round" ctl get "${KEY_OF[$shard]}"
    done
    say "round $round: killed, started again, all there"
done

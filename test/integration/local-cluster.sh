#!/usr/bin/env bash
# dkvctl cluster up, status, kill, pause, resume, logs, down: a local cluster by hand, also after kill -9 of everything.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_plan
here=$DIR/local

cluster() { "$BIN/dkvctl" cluster "$1" --dir "$here" "${@:2}"; } # before any "--" of the arguments

# Unlike the other tests' nodes these are not our children; the directory says which they are.
bring_down() {
    cluster down >/dev/null 2>&1 || true
    cluster_cleanup
}
trap bring_down EXIT

say "a first start that fails leaves no settings that bind the next"
expect 1 cluster up -n 1 --client-port "$PORT_BASE" --peer-port $((PORT_BASE + 16)) -- --no-such-flag
[[ $ERR == *'n1 exited with 2'*'--no-such-flag'*'no node came up'* ]] || fail "the reason is not told: $ERR"
[[ ! -e $here/cluster.conf ]] || fail "settings were left behind: $(<"$here/cluster.conf")"

say "up returns when every shard has a leader"
expect 0 cluster up -n 3 --shards "$SHARDS" --replicas 3 --client-port "$PORT_BASE" --peer-port $((PORT_BASE + 16))
every_shard_has_a_leader || fail "a shard has no leader: $(shard_table)"
cluster_find_keys
expect_out OK ctl put city Ulm

say "up again is a no-op"
expect 0 cluster up
expect_out Ulm ctl get city

say "status shows three nodes"
expect 0 cluster status
for name in n1 n2 n3; do
    [[ $OUT == *"$name"* ]] || fail "cluster status does not show $name: $OUT"
done

say "logs of a node"
expect 0 cluster logs n1
[[ $OUT == *event=* ]] || fail "no log lines of n1: $OUT"

say "kill the leader, write, up starts what is down"
leader=$(leader_of city)
expect 0 cluster kill "$leader"
wait_until 20 "a write after the kill" quiet ctl_but "$leader" -t 5s put city Augsburg
expect 0 cluster up
wait_until 20 "$leader to serve" serves_itself "$leader" city
expect_out Augsburg ctl_at "$leader" get city

say "pause and resume"
leader=$(leader_of city)
expect 0 cluster pause "$leader"
wait_until 20 "a write during the pause" quiet ctl_but "$leader" -t 5s put city Passau
expect 0 cluster resume "$leader"
wait_until 20 "$leader to serve" serves_itself "$leader" city
expect_out Passau ctl_at "$leader" get city

say "a node that does not exist: usage"
expect 2 cluster kill n9

say "down stops all, up finds the data"
expect 0 cluster down
expect 5 ctl -t 500ms get city
expect 0 cluster up
expect_out Passau ctl get city
expect 0 cluster down

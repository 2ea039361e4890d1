#!/usr/bin/env bash
# Five nodes, three replicas: any node takes any request, and a stale read at a node without the replica is forwarded
# and says so.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=5
cluster_init "$@"
cluster_start

say "every shard's key is written through one node and read through every other"
for shard in "${!KEY_OF[@]}"; do
    key=${KEY_OF[$shard]}
    writer=n$((shard % NODES + 1))
    expect_out OK ctl_at "$writer" put "$key" "by $writer"
    for name in "${NAMES[@]}"; do
        expect_out "by $writer" ctl_at "$name" get "$key"
    done
done

say "the ring spreads the shards: every shard has three different replicas"
for shard in "${!KEY_OF[@]}"; do
    read -ra replicas <<<"$(replicas_of "${KEY_OF[$shard]}")"
    [[ ${#replicas[@]} == 3 ]] || fail "shard $shard has replicas '${replicas[*]}'"
done

key=${KEY_OF[1]}
read -ra replicas <<<"$(replicas_of "$key")"
outsider=$(printf '%s\n' "${NAMES[@]}" | grep -vxF -f <(printf '%s\n' "${replicas[@]}") | head -n 1)

# The node that answered, and how many others passed the request on: HOPS, as --trace says.
stale_get() { # NAME
    expect 0 ctl_at "$1" --trace -c stale -o json get --meta "$key"
    ANSWERED_BY=$(json_field node <<<"$OUT")
    HOPS=$(sed -nE 's/.* hops=([0-9]+) .*/\1/p' <<<"$ERR")
    [[ $(json_field consistency <<<"$OUT") == stale ]] || fail "a stale read does not say so: $OUT"
}

say "a stale read at a node with the replica is answered there"
stale_get "${replicas[0]}"
[[ $ANSWERED_BY == "${replicas[0]}" && $HOPS == 0 ]] || fail "asked ${replicas[0]}: $OUT $ERR"

say "a stale read at $outsider, which has no replica, is forwarded and says so"
stale_get "$outsider"
[[ " ${replicas[*]} " == *" $ANSWERED_BY "* && $HOPS == 1 ]] || fail "asked $outsider: $OUT $ERR"

say "the leader of the key dies: all others still take the request"
leader=$(leader_of "$key")
node_kill "$leader"
for name in "${NAMES[@]}"; do
    [[ $name == "$leader" ]] && continue
    wait_until 20 "a put through $name" quiet ctl_at "$name" -t 5s put "$key" "after $name"
    expect_out "after $name" ctl_but "$leader" get "$key"
done

#!/usr/bin/env bash
# Strangers at the peer port of a working cluster: each is cut off, no leader changes, no link breaks, no write is slow.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start
key=${KEY_OF[1]}
expect_out OK ctl put "$key" before

rep() { printf "%.0s$2" $(seq "$1"); } # N HEX: N times
leaders() { shard_table | awk '{ print $1, $2 }'; }

# NAME | HEX: [4 length][1 version][1 kind][2 flags][8 id][body][4 crc32c], all of no HELLO or a broken one
head=0000000000000000
cases=(
    "length 0 | 00000000"
    "length 15 | 0f000000""010100000000000000000000000000"
    "length 2^21 + 1 | 01002000"
    "length 2^31 | 00000080"
    "length 2^32 - 1 | ffffffff"
    "version 0 | 1000000000"
    "version 2 | 1000000002"
    "version 255 | 10000000ff"
    "kind 0 | 100000000100"
    "kind 9 | 100000000109"
    "kind 255 | 1000000001ff"
    "a wrong checksum | 10000000""01010000${head}deadbeef"
    "a checksum of zeroes | 10000000""01040000${head}00000000"
    "a right frame that is no HELLO, with a wrong checksum | 2400000001040000${head}$(rep 20 01)00000000"
    "the client protocol | 940001a367657481a36b6579a16b"
    "HTTP | 474554202f20485454502f312e310d0a0d0a"
    "RESP | 2a310d0a24340d0a50494e470d0a"
    "TLS | 16030102000100"
    "64 KB of ff | $(rep 32768 ff)"
)

before=$(leaders)
for case in "${cases[@]}"; do
    IFS='|' read -r name bytes <<<"$case"
    for node in "${NAMES[@]}"; do
        out=$("$BIN/abuse" claim "$(peer_port "$node")" 1 3 "${bytes// /}") || fail "$name: $out"
        [[ $out == *' open=0 '* ]] || fail "$name: node $node keeps the connection: $out"
    done
    nodes_are_alive
done
say "${#cases[@]} cases at each node: cut off at once"

# More silent strangers than there are places for unfinished handshakes, a beginning of a frame that never goes on, and
# callers that come and go; a peer gets in all the same.
"$BIN/abuse" claim "$(peer_port n1)" 300 8 10000000 >"$DIR/silent" &
OTHERS+=("$!")
"$BIN/abuse" drip "$(peer_port n1)" 200 8 00001000010100000000 >"$DIR/slow" &
OTHERS+=("$!")
for _ in {1..10}; do
    "$BIN/abuse" claim "$(peer_port n1)" 100 0 10 >/dev/null
    timed expect_out OK ctl put "$key" meanwhile
    ((TOOK < 2000)) || fail "a put took $TOOK ms"
done
node_kill n3
node_start n3
wait_until 20 "n3 among its peers" serves_itself n3 "$key"
wait "${OTHERS[0]}" "${OTHERS[1]}"
[[ $(<"$DIR/silent") == *' open=0 '* ]] || fail "silent strangers were kept: $(<"$DIR/silent")"
[[ $(<"$DIR/slow") == *' open=0 '* ]] || fail "slow strangers were kept: $(<"$DIR/slow")"
say "300 silent, 200 slow and 1000 hasty strangers: all gone, and n3 came back meanwhile"

cluster_wait_ready
after=$(leaders)
for shard in "${!KEY_OF[@]}"; do # of shards that n3 led the leader may have changed
    was=$(awk -v s="$shard" '$1 == s { print $2 }' <<<"$before")
    is=$(awk -v s="$shard" '$1 == s { print $2 }' <<<"$after")
    [[ $was == n3 || $was == "$is" ]] || fail "shard $shard went from $was to $is"
done
grep -q 'event=peer_bad_input' "$DIR/n1.log" || fail "nothing of it is in the log"
lines=$(grep -c 'event=peer_bad_input' "$DIR/n1.log")
((lines <= 60)) || fail "$lines lines of log about bad input"
expect_out meanwhile ctl get "$key"
for name in "${NAMES[@]}"; do
    node_stop "$name"
done

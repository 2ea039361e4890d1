#!/usr/bin/env bash
# dkvd refuses to start with the exit code and the words that say why: flags (2), data directory in use (3), address in
# use (5).
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1
REPLICAS=1
cluster_init "$@"
cluster_start

# dkvd with these flags must leave with this code.
refused() { # CODE FLAG...
    local code=$1
    shift
    expect "$code" timeout 10 "$BIN/dkvd" "$@"
    [[ -n $ERR ]] || fail "dkvd $*: refused without a word"
}

ours=(--name n1 --initial-cluster "$INITIAL" --shards "$SHARDS" --replicas 1 --cluster-token "$TOKEN")
free_client=127.0.0.1:$((PORT_BASE + 9))
free_peer=127.0.0.1:$((PORT_BASE + 25))

say "bad flags: 2"
refused 2 --no-such-flag
[[ $ERR == *no-such-flag* ]] || fail "the message does not name the flag: $ERR"
refused 2 "${ours[@]}" --data-dir "$DIR/x" --shards zero
refused 2 "${ours[@]}" --data-dir "$DIR/x" --shards 0
refused 2 "${ours[@]}" --data-dir "$DIR/x" --replicas 2
refused 2 "${ours[@]}" --data-dir "$DIR/x" --replicas 3
refused 2 "${ours[@]}" --data-dir "$DIR/x" --client nowhere
refused 2 "${ours[@]}" --data-dir "$DIR/x" --initial-cluster "n2=$free_peer"
refused 2 "${ours[@]}" --data-dir "$DIR/x" --election-timeout 1
refused 2 "${ours[@]}" --data-dir "$DIR/x" --client "0.0.0.0:$((PORT_BASE + 9))"
DKVD_SHARDS=none refused 2 --name n1 --data-dir "$DIR/x"
[[ ! -e $DIR/x ]] || fail "a refused start left a data directory behind"

say "a second dkvd on the same data directory: 3"
refused 3 "${ours[@]}" --data-dir "$DIR/n1" --client "$free_client" --peer "$free_peer"

say "an address in use: 5"
refused 5 "${ours[@]}" --data-dir "$DIR/y" --client "$(client_of n1)" --peer "$free_peer"
refused 5 "${ours[@]}" --data-dir "$DIR/z" --client "$free_client" --peer "$(peer_of n1)"

say "a data directory that cannot be made: 1"
: >"$DIR/file"
refused 1 "${ours[@]}" --data-dir "$DIR/file/x" --client "$free_client" --peer "$free_peer"

say "the node was not disturbed"
expect_out OK ctl put k v
expect_out v ctl get k

say "--help and --version of both programs"
for program in dkvd dkvctl; do
    expect 0 "$BIN/$program" --help
    [[ $OUT == *--* ]] || fail "$program --help shows no flags: $OUT"
    expect 0 "$BIN/$program" --version
    [[ $OUT == *[0-9].[0-9]* ]] || fail "$program --version prints '$OUT'"
done
expect 0 "$BIN/dkvctl" version
expect 0 "$BIN/dkvctl" help

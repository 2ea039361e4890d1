#!/usr/bin/env bash
# The command lines of both programs, as people and scripts get them wrong: the exit code says what kind of trouble it was,
# one line says what, and nothing is done by halves.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1 REPLICAS=1 SHARDS=2
cluster_init "$@"
cluster_start

# dkvctl with these arguments must leave with this code and say one line, unless it is 0.
says() { # CODE ARG...
    expect "$1" ctl "${@:2}"
    [[ $1 == 0 || $(wc -l <"$DIR/stderr") -eq 1 ]] || fail "dkvctl ${*:2}: said $(wc -l <"$DIR/stderr") lines: $ERR"
}

for arguments in --no-such '--no-such get k' get 'get --no-such k' 'put k' 'put' frob '-t' '-t -1 get k' '-t 5 get k' \
    '-t 1e3s get k' '-o xml get k' '-c sometimes get k' '-e nowhere get k' '-e 127.0.0.1:0 get k' \
    '-e 127.0.0.1:65536 get k' '-e , get k' 'scan --limit x' 'scan --limit -1' 'ring locate'; do
    # shellcheck disable=SC2086  # these are words
    says 2 $arguments
done
says 2 get ''
says 2 put '' v
says 2 '' k
for arguments in --no-such '--shards' '--shards -1' '--shards 99999999999999999999' '--client 127.0.0.1' stray; do
    # shellcheck disable=SC2086
    expect 2 "$BIN/dkvd" --data-dir "$DIR/never" $arguments
    [[ -n $ERR && ! -e $DIR/never ]] || fail "dkvd $arguments: $ERR"
done
say "wrong flags, words and values: 2"

says 0 put -- --key --value
expect_out --value ctl get -- --key
says 0 put $'\xff\xfe key' $'\xc0\xaf value'
expect_out $'\xc0\xaf value' ctl -o raw get $'\xff\xfe key'
long=$(head -c 4096 /dev/zero | tr '\0' k)
says 0 put "$long" "$(head -c 100000 /dev/zero | tr '\0' v)"
[[ $(ctl get "$long" | wc -c) -ge 100000 ]] || fail "a long value came back short"
ERR=$(ctl put "${long}k" v 2>&1) && fail "a key of 4097 bytes was taken"
[[ $ERR == *"too large"* ]] || fail "a key of 4097 bytes: $ERR"
says 0 put empty ''
expect_out '' ctl get empty
expect 3 ctl get missing
say "odd keys and values: as they are; a missing one: 3"

expect 1 sh -c "'$BIN/dkvctl' -e '$ENDPOINTS' get empty --meta >/dev/full"
expect 1 sh -c "'$BIN/dkvctl' --help >&-"
expect 0 env -i "$BIN/dkvctl" -e "$ENDPOINTS" put k v # no HOME, no TERM, no locale
expect 0 sh -c "'$BIN/dkvctl' -e '$ENDPOINTS' put k v <&- 2>&-"
ctl scan 2>"$DIR/stderr" | head -n 1 >/dev/null || true
[[ ! -s $DIR/stderr ]] || fail "a reader who has seen enough is not an error: $(<"$DIR/stderr")"
say "closed, full and missing descriptors"

says 5 -e 127.0.0.1:1 -t 500ms get k            # nobody there
says 5 -e "$(peer_of n1)" -t 1s get k           # a port that speaks otherwise
node_signal STOP n1                             # there, and never answers
timed says 5 -t 700ms get k
((TOOK < 2500)) || fail "a timeout of 700 ms took $TOOK ms"
says 5 -t 700ms put k v # its greeting was not answered, so the write was never sent
node_signal CONT n1
wait_until 10 "n1 serving again" quiet ctl -t 1s get k
say "nobody, somebody else, and a node that never answers: 5"
node_stop n1

#!/usr/bin/env bash
# Memory stays bounded whatever clients and strangers send, and others are served meanwhile: 200 connections of a byte a
# second, a million pipelined requests that nobody reads the answers of, and claims of 2^32 - 1 bytes and items on both
# ports. What a sanitizer keeps for itself would hide what the node keeps, so this takes the plain build if it is given
# the other.
here=$(dirname "$0")
bin=${1:-${BIN:-$here/../../build}}
if grep -q __asan_init "$bin/dkvd"; then
    bin=$here/../../build
    [[ -x $bin/dkvd && -x $bin/abuse ]] || { echo "  skipped: needs a build without sanitizers" && exit 77; }
fi
source "$here/../lib/cluster.sh"
NODES=1 REPLICAS=1 SHARDS=4
cluster_init "$bin"
cluster_start

loris_kb=$((4 * 1024))  # 200 connections that have sent a few bytes: 20 KB for each
flood_kb=$((32 * 1024)) # 8 MiB of answers and 1.2 MiB of input, twice that for how buffers grow, and 8 MiB in flight
claim_kb=$((4 * 1024))  # 200 connections; each claims 4 GB

# Peak resident memory since the last reset, in KB.
rss_reset() { echo 5 >"/proc/${PIDS[n1]}/clear_refs"; }
rss_peak() { sed -nE 's/^VmHWM:[^0-9]*([0-9]+) kB$/\1/p' "/proc/${PIDS[n1]}/status"; }

# A client that wants nothing but to work; the longest that it ever waited, in ms, is in its file.
work_on() {
    local i longest=0
    for ((i = 0; ; i++)); do
        timed ctl -t 2s put "work" "$i" >/dev/null || exit 1
        ((TOOK <= longest)) || longest=$TOOK
        [[ $(ctl -t 2s get "work") == "$i" ]] || exit 1
        echo "$((i + 1)) $longest" >"$DIR/work.new"
        mv "$DIR/work.new" "$DIR/work" # whole at every moment
    done
}

# Run an abuse; the node's memory may grow by at most so much meanwhile, and the honest client is served.
abuse() { # KB MODE PORT N SECONDS HEX
    local before after grown worker longest rounds
    rm -f "$DIR/work"
    work_on 2>/dev/null &
    worker=$!
    OTHERS+=("$worker")
    wait_until 10 "the honest client" test -s "$DIR/work"
    rss_reset
    before=$(rss_peak)
    ABUSE=$("$BIN/abuse" "${@:2}") || fail "abuse ${*:2}: $ABUSE"
    after=$(rss_peak)
    kill -0 "$worker" 2>/dev/null || fail "a client that did nothing wrong was not served"
    kill "$worker"
    wait "$worker" 2>/dev/null || true
    nodes_are_alive
    grown=$((after - before))
    read -r rounds longest <"$DIR/work"
    say "$2 at port $3: $ABUSE; memory +$grown KB of $1; $rounds honest puts and gets, the longest put $longest ms"
    ((grown <= $1)) || fail "memory grew by $grown KB during ${*:2:2}; $1 are allowed"
}

client=$(client_port n1)
peer=$(peer_port n1)
get=940001a367657481a36b6579d940$(printf '6b%.0s' {1..64}) # [0, 1, "get", {"key": "kkk..."}]
put=940001a370757482a36b6579a16ba576616c7565               # [0, 1, "put", {"key": "k", "value":
bin32=${put}c6ffffffff                                     # ... a bin of 2^32 - 1 bytes
array32=940001a3676574ddffffffff
map32=940001a3676574dfffffffff

abuse $loris_kb drip "$client" 200 6 "${put}c600100000"
[[ $ABUSE == *" open=200 "* ]] || fail "messages that come slowly were not waited for"
abuse $loris_kb drip "$peer" 200 7 00001000010100000000
[[ $ABUSE == *" open=0 "* ]] || fail "strangers at the peer port were not sent away after 5 s"

abuse $flood_kb flood "$client" 1000000 6 "$get"
[[ $ABUSE == *" open=1 "* ]] || fail "a client that does not read was not paused but cut off"
[[ ${ABUSE##*messages=} -lt 1000000 ]] || fail "a million requests were read, and no answer was taken: nothing paused"

for hex in "$bin32" "$array32" "$map32" ddffffffff c6ffffffff; do
    abuse $claim_kb claim "$client" 200 5 "$hex"
    [[ $ABUSE == *" open=0 "* ]] || fail "a claim of 2^32 - 1 was waited for"
done
for hex in ffffffff ffffff7f 00002000ff; do
    abuse $claim_kb claim "$peer" 200 5 "$hex"
    [[ $ABUSE == *" open=0 "* ]] || fail "a length of 2^32 - 1 was waited for"
done
node_stop n1

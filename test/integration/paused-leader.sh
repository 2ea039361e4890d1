#!/usr/bin/env bash
# A leader that was paused while its successor wrote never returns the old value, not even to a get sent in between.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

key=${KEY_OF[1]}
expect_out OK ctl put "$key" old

# Send a get to one node and let whatever it answers, now or later, run into a file. Not through dkvctl, which would
# lose patience and ask another node.
ask() { # NAME FILE
    local fd
    exec {fd}<>"/dev/tcp/127.0.0.1/$(client_port "$1")"
    printf '\x94\x00\x01\xa3get\x82\xa3key\xc4\x07%s\xaatimeout_ms\xcd\x27\x10' "$key" >&"$fd"
    cat <&"$fd" >"$2" &
    OTHERS+=("$!")
    exec {fd}>&-
}

answers_are_there() {
    local i
    for i in {1..16}; do
        [[ -s $DIR/answer.$i ]] || return 1
    done
}

[[ ${#key} == 7 ]] || fail "ask() is made for keys of 7 bytes"
for round in 1 2 3; do
    old=$(leader_of "$key")
    rm -f "$DIR"/answer.*
    node_signal STOP "$old"
    begin=$(now_ms)
    wait_until 20 "a write through the successor of $old" quiet ctl_but "$old" -t 1s put "$key" "new-$round"
    took=$(($(now_ms) - begin))
    for i in {1..8}; do
        ask "$old" "$DIR/answer.$i"
    done
    wait_until 10 "3 seconds of pause" eval '(($(now_ms) - begin >= 3000))'
    node_signal CONT "$old"
    for i in {9..16}; do
        ask "$old" "$DIR/answer.$i"
    done
    wait_until 15 "16 answers of $old" answers_are_there
    new=$(grep -alF "new-$round" "$DIR"/answer.* | wc -l)
    stale=$(grep -alE "old|new-[^$round]" "$DIR"/answer.* | wc -l) || true
    [[ $stale == 0 ]] || fail "$old answered $stale of 16 gets with an old value after new-$round was acknowledged"
    ((new > 0)) || fail "$old answered no get with the value"
    say "round $round: $old paused, successor wrote after $took ms; 16 gets at $old: $new new, $((16 - new)) errors, 0 old"
done

#!/usr/bin/env bash
# Durability is real: with fdatasync delayed by 300 ms on two of three nodes every put takes at least that long; on one
# follower only it does not.
source "$(dirname "$0")/../lib/cluster.sh"
command -v strace >/dev/null || { echo "  skipped: needs strace" && exit 77; }
NODE_FLAGS=(--election-timeout 3s) # a slow disk is no reason for an election here
cluster_init "$@"
cluster_start

delay_ms=300

# Slow every later write of a running node; returns when strace holds all its threads.
slow_down() { # NAME
    strace -f -p "${PIDS[$1]}" -o "$DIR/strace.$1" -e trace=fdatasync,fsync \
        -e inject=fdatasync,fsync:delay_exit=${delay_ms}000 2>"$DIR/strace-$1.err" &
    OTHERS+=("$!")
    wait_until 10 "strace to attach to $1" grep -q attached "$DIR/strace-$1.err"
}

let_go() {
    local pid
    for pid in "${OTHERS[@]}"; do
        kill -INT "$pid"
        wait "$pid" 2>/dev/null || true
    done
    OTHERS=()
}

key=${KEY_OF[1]}
leader=$(leader_of "$key")
read -r follower other <<<"$(printf '%s\n' "${NAMES[@]}" | grep -vx "$leader" | tr '\n' ' ')"
expect 0 ctl put "$key" warm

say "one slow follower of three: a put needs only the other two"
slow_down "$follower"
for i in 1 2 3 4 5; do
    timed expect_out OK ctl put "$key" "fast-$i"
    ((TOOK < delay_ms)) || fail "put $i took $TOOK ms although only one follower is slow"
done

say "two slow nodes of three: every put waits for one of their disks"
slow_down "$other"
for i in 1 2 3 4 5; do
    timed expect_out OK ctl put "$key" "slow-$i"
    ((TOOK >= delay_ms)) || fail "put $i was acknowledged after $TOOK ms: before it was on two disks"
done

say "and again fast when the disks are"
let_go
wait_until 10 "the backlog of the slow disks to go" eval 'timed quiet ctl put "$key" fast-again; ((TOOK < delay_ms))'
expect_out fast-again ctl get "$key"

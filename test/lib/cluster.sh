# cluster.sh - clusters of real processes for test scripts; source it, it has no effect of its own.
#
# A test script begins with
#     source "$(dirname "$0")/../lib/cluster.sh"
#     cluster_init "$@"
# and may then start nodes as children of its own shell, so that their exit codes can be seen and nothing but them is
# ever signalled. Whatever happens, a trap ends the nodes, looks through their logs for what a sanitizer or a failed
# ensure() wrote, and removes the directory. Nothing here sleeps for a guessed time: it waits for a state, with a
# deadline.
#
# Variables after cluster_init:
#   BIN    directory of dkvd, dkvctl and hammer: first argument, or $BIN, or build/
#   DIR    scratch directory; node N lives in $DIR/N, its log is $DIR/N.log
#   PIDS   associative array: node name -> pid of a started node
# Settings, to be changed before cluster_plan:
#   NODES SHARDS REPLICAS TOKEN, and NODE_FLAGS (an array) for every dkvd
# shellcheck shell=bash disable=SC2034  # variables are for the scripts that source this
set -euo pipefail

NODES=3
SHARDS=8
REPLICAS=3
TOKEN='test'
NODE_FLAGS=()
declare -A PIDS=()
declare -a OTHERS=() # pids of helpers (strace, hammer) that die with the script

say() { printf '  %s\n' "$*"; }

fail() {
    printf '  FAILED: %s\n' "$*" >&2
    exit 1
}

cluster_init() { # [BIN]
    local root
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    BIN=$(cd "${1:-${BIN:-$root/build}}" && pwd)
    [[ -x $BIN/dkvd && -x $BIN/dkvctl ]] || fail "$BIN has no dkvd and dkvctl: build first (scripts/setup)"
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/dkv-test.XXXXXX")
    trap cluster_cleanup EXIT
    trap 'exit 143' TERM INT HUP
    export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:exitcode=99}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
    # Only what a test sets itself may reach the programs.
    unset "${!DKVCTL_@}" "${!DKVD_@}"
    ports_find
}

# --- ports ----------------------------------------------------------------------------------------------------

port_is_free() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# 32 consecutive free ports below the range from which the kernel serves outgoing connections: client ports from
# $PORT_BASE on, peer ports 16 above them.
ports_find() {
    local try port
    for try in {1..50}; do
        PORT_BASE=$((10000 + (RANDOM % 600) * 32))
        for ((port = PORT_BASE; port < PORT_BASE + 32; port++)); do
            port_is_free "$port" || continue 2
        done
        return 0
    done
    fail "no 32 consecutive free ports found in $try tries"
}

client_port() { echo $((PORT_BASE + ${1#n} - 1)); }
peer_port() { echo $((PORT_BASE + 16 + ${1#n} - 1)); }
client_of() { echo "127.0.0.1:$(client_port "$1")"; }
peer_of() { echo "127.0.0.1:$(peer_port "$1")"; }

# --- nodes ----------------------------------------------------------------------------------------------------

# The names, endpoints and --initial-cluster text of NODES nodes.
cluster_plan() {
    local i
    NAMES=()
    ENDPOINTS=
    INITIAL=
    for ((i = 1; i <= NODES; i++)); do
        NAMES+=("n$i")
        ENDPOINTS+=${ENDPOINTS:+,}$(client_of "n$i")
        INITIAL+=${INITIAL:+,}n$i=$(peer_of "n$i")
    done
}

# Start one node as a child; more flags may follow and win over the ones here.
node_start() { # NAME [FLAG...]
    local name=$1
    shift
    "$BIN/dkvd" --name "$name" --data-dir "$DIR/$name" --client "$(client_of "$name")" --peer "$(peer_of "$name")" \
        --initial-cluster "$INITIAL" --shards "$SHARDS" --replicas "$REPLICAS" --cluster-token "$TOKEN" \
        "${NODE_FLAGS[@]}" "$@" >>"$DIR/$name.log" 2>&1 </dev/null &
    PIDS[$name]=$!
}

node_is_up() { kill -0 "${PIDS[$1]:-0}" 2>/dev/null && [[ -n ${PIDS[$1]:-} ]]; }

node_signal() { # SIGNAL NAME
    [[ -n ${PIDS[$2]:-} ]] || fail "node $2 was not started"
    kill "-$1" "${PIDS[$2]}"
}

# SIGKILL, and wait until it is gone, so that its ports and its lock are free.
node_kill() { # NAME
    node_signal KILL "$1"
    wait "${PIDS[$1]}" 2>/dev/null || true
    unset "PIDS[$1]"
}

# The exit code of a node that ends by itself or was told to; in EXIT_CODE.
node_wait() { # NAME SECONDS
    local pid=${PIDS[$1]}
    wait_until "$2" "the end of node $1" process_is_gone "$pid"
    EXIT_CODE=0
    wait "$pid" 2>/dev/null || EXIT_CODE=$?
    unset "PIDS[$1]"
}

# A zombie is gone, too: only we keep it, until wait reads its exit code.
process_is_gone() { ! kill -0 "$1" 2>/dev/null || [[ $(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null) == [ZX] ]]; }

node_stop() { # NAME
    node_signal TERM "$1"
    node_wait "$1" 20
    [[ $EXIT_CODE == 0 ]] || fail "node $1 left with exit code $EXIT_CODE after SIGTERM: $(tail -n 3 "$DIR/$1.log")"
}

# Start all nodes and wait until every shard takes writes.
cluster_start() {
    local name
    cluster_plan
    for name in "${NAMES[@]}"; do
        node_start "$name"
    done
    cluster_wait_ready
    cluster_find_keys
}

cluster_kill_all() {
    local name
    kill -KILL "${PIDS[@]}"
    for name in "${!PIDS[@]}"; do
        wait "${PIDS[$name]}" 2>/dev/null || true
    done
    PIDS=()
}

cluster_restart_all() {
    local name
    for name in "${NAMES[@]}"; do
        node_start "$name"
    done
    cluster_wait_ready
}

cluster_wait_ready() {
    wait_until 30 "a leader for every shard" every_shard_has_a_leader
}

every_shard_has_a_leader() {
    local leaders
    nodes_are_alive
    leaders=$(shard_table 2>/dev/null | awk '$1 > 0 && $2 != "-"' | wc -l) || return 1
    [[ $leaders -ge $SHARDS ]]
}

# A node that ended while we wait for the cluster will not come back: say so at once.
nodes_are_alive() {
    local name
    for name in "${!PIDS[@]}"; do
        if process_is_gone "${PIDS[$name]}"; then
            fail "node $name has ended: $(tail -n 3 "$DIR/$name.log")"
        fi
    done
}

cluster_cleanup() {
    local code=$? name pid
    trap - EXIT TERM INT HUP
    set +e
    for pid in "${OTHERS[@]}" "${PIDS[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null # one by one: else bash tells of each that was killed
    done
    if grep -lE 'ERROR: (Address|Leak)Sanitizer|runtime error:|ensure failed|^ensure' "$DIR"/*.log 2>/dev/null; then
        grep -hE -A 12 'ERROR: (Address|Leak)Sanitizer|runtime error:|ensure failed|^ensure' "$DIR"/*.log | head -n 60
        printf '  FAILED: a program reported a bug of its own, see above\n' >&2
        code=1
    fi
    if [[ $code != 0 && $code != 77 && -n ${KEEP:-} ]]; then
        printf '  kept: %s\n' "$DIR" >&2
    else
        rm -rf "$DIR"
    fi
    exit "$code"
}

# --- asking ---------------------------------------------------------------------------------------------------

ctl() { "$BIN/dkvctl" -e "$ENDPOINTS" "$@"; }                     # any node
ctl_at() { "$BIN/dkvctl" -e "$(client_of "$1")" "${@:2}"; }       # NAME ARGS...: this node first
ctl_but() { "$BIN/dkvctl" -e "$(endpoints_but "$1")" "${@:2}"; }  # NAME ARGS...: through all others

endpoints_but() { # NAME
    local name list=
    for name in "${NAMES[@]}"; do
        [[ $name == "$1" ]] || list+=${list:+,}$(client_of "$name")
    done
    echo "$list"
}

# dkvctl learns of other nodes and asks them when the first is silent; this fails unless NAME itself has served the key.
# A linearizable read that it serves itself needs all that was committed when the read began: it has caught up.
serves_itself() { # NAME KEY
    [[ $(ctl_at "$1" -t 2s -o json get --meta "$2" 2>/dev/null | json_field node) == "$1" ]]
}

# One field of a flat JSON object on stdin: json_field leader.
json_field() { sed -nE 's/.*"'"$1"'":("([^"]*)"|([^,}]*)).*/\2\3/p' | head -n 1; }

# "SHARD LEADER COMMIT" per line; LEADER is - when there is none.
shard_table() {
    ctl -t 2s status -o json | sed 's/{"id":/\n&/g' |
        sed -nE 's/^\{"id":([0-9]+),"leader":("([^"]*)"|null)?.*"commit":([0-9]+).*/\1 \3 \4/p' |
        awk 'NF == 3 { print } NF == 2 { print $1, "-", $2 }'
}

shard_of() { ctl ring locate "$1" -o json | json_field shard; } # KEY
leader_of() { ctl ring locate "$1" -o json | json_field leader; } # KEY
replicas_of() { ctl ring locate "$1" -o json | sed -nE 's/.*"replicas":\[([^]]*)\].*/\1/p' | tr -d '"' | tr ',' ' '; }

# One key per shard: KEY_OF[SHARD]. Where a key lives never changes in these tests.
cluster_find_keys() {
    local i shard
    declare -gA KEY_OF=()
    for ((i = 0; ${#KEY_OF[@]} < SHARDS && i < 64 * SHARDS; i++)); do
        shard=$(shard_of "probe-$i")
        [[ -n $shard ]] || fail "ring locate probe-$i says no shard"
        [[ -n ${KEY_OF[$shard]:-} ]] || KEY_OF[$shard]=probe-$i
    done
    [[ ${#KEY_OF[@]} -eq SHARDS ]] || fail "keys were found for ${#KEY_OF[@]} of $SHARDS shards only"
}

# --- expecting ------------------------------------------------------------------------------------------------

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# Try COMMAND every 20 ms until it succeeds.
wait_until() { # SECONDS WHAT COMMAND...
    local deadline=$(($(now_ms) + $1 * 1000)) what=$2
    shift 2
    until "$@"; do
        (($(now_ms) < deadline)) || fail "waited in vain for $what"
        sleep 0.02
    done
}

quiet() { "$@" >/dev/null 2>&1; }

# The command must leave with this code; its output is in OUT, its words in ERR.
expect() { # CODE COMMAND...
    local want=$1 code=0
    shift
    OUT=$("$@" 2>"$DIR/stderr") || code=$?
    ERR=$(<"$DIR/stderr")
    [[ $code == "$want" ]] || fail "$(without_path "$@"): exit code $code instead of $want; it said: $OUT $ERR"
}

without_path() { printf '%s' "$*" | sed "s|$BIN/||g"; }

expect_out() { # TEXT COMMAND...
    local want=$1
    shift
    expect 0 "$@"
    [[ $OUT == "$want" ]] || fail "$(without_path "$@"): printed '$OUT' instead of '$want'"
}

# The command's duration in milliseconds, in TOOK.
timed() { # COMMAND...
    local begin
    begin=$(now_ms)
    "$@"
    TOOK=$(($(now_ms) - begin))
}

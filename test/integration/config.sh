#!/usr/bin/env bash
# Settings come from a file, the environment and flags; what is wrong is refused in one line with its place; limits hold
# and change with SIGHUP, and a bad file leaves them as they were.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1
REPLICAS=1
SHARDS=2
cluster_init "$@"
cluster_plan
conf=$DIR/dkv.conf

# dkvd --check-config with these settings must refuse with exactly this one line and nothing on stdout.
refused() { # LINE FLAG...
    local want=$1
    shift
    expect 2 timeout 10 "$BIN/dkvd" --name n1 --check-config "$@"
    [[ $ERR == "$want" ]] || fail "dkvd $*: said '$ERR' instead of '$want'"
    [[ -z $OUT ]] || fail "dkvd $*: printed '$OUT'"
}

refused_file() { # LINE CONTENT (as printf takes it)
    # shellcheck disable=SC2059  # the content is a format on purpose
    printf "$2" >"$conf"
    refused "$conf$1" --config "$conf"
}

say "a wrong file is refused with file, line and what is allowed"
refused_file ':2: shrads: unknown key; did you mean shards?' '\nshrads = 3\n'
refused_file ':2: shards: set in line 1 already; allowed is once' 'shards = 3\nshards = 3\n'
refused_file ':1: shards: "x" is not a whole number' 'shards = x\n'
refused_file ':1: shards: "0": allowed are 1 to 4095' 'shards = 0\n'
refused_file ':1: config: not allowed in a file, only as --config' "config = $conf\n"
refused_file ':1: the last line has no newline, so the file may have been cut off: end it with one' 'shards = 3'
refused_file ':1: the line ends with CR LF: allowed is LF alone' 'shards = 3\r\n'
refused_file ':1: the file begins with a byte order mark: allowed is UTF-8 without one' '\xef\xbb\xbfshards = 3\n'
refused_file ':1: there is a control character, 0x00: allowed is text' 'shards = 3\0\n'
refused_file ':1: this is not UTF-8: nothing else is allowed' 'cluster-token = \xff\n'
head -c 10485760 /dev/zero | tr '\0' x >"$conf"
refused "$conf: has 10485760 bytes: allowed are up to 1048576" --config "$conf"
head -c 100000 "$conf" >"$conf.long"
refused "$conf.long:1: the line has 100000 bytes: allowed are up to 32768" --config "$conf.long"
refused "$DIR: is a directory: allowed is a regular file" --config "$DIR"
mkfifo "$DIR/fifo"
refused "$DIR/fifo: is no regular file: nothing else is allowed" --config "$DIR/fifo"
refused "$DIR/none: cannot be read: No such file or directory" --config "$DIR/none"
refused '--max-value: "2M": allowed are 1 to 1M' --max-value 2M
DKVD_MAX_VALUE=2M refused 'DKVD_MAX_VALUE: "2M": allowed are 1 to 1M'

say "flag over environment over file over default; what is printed can be fed back"
printf 'shards = 2\nvnodes = 2\nmax-key = 2K\n' >"$conf"
DKVD_VNODES=3 DKVD_MAX_KEY=3K expect 0 "$BIN/dkvd" --name n1 --config "$conf" --max-key 1K --print-config
printf '%s\n' "$OUT" >"$DIR/printed"
for line in 'shards = 2' 'vnodes = 3' 'max-key = 1K' 'max-value = 1M'; do
    grep -qx -- "$line" "$DIR/printed" || fail "--print-config does not print '$line': $OUT"
done
expect_out "$OUT" "$BIN/dkvd" --config "$DIR/printed" --print-config
expect_out '' "$BIN/dkvd" --config "$DIR/printed" --check-config
: >"$conf"
expect_out '' "$BIN/dkvd" --name n1 --config "$conf" --check-config

say "a host that does not resolve: 2; more connections than descriptors: 2"
expect 2 timeout 60 "$BIN/dkvd" --name n1 --data-dir "$DIR/x" --insecure --client "no-such-host.invalid:$(client_port n1)" \
    --peer "$(peer_of n1)"
[[ $ERR == *no-such-host.invalid* ]] || fail "the message does not name the host: $ERR"
few_files() { (ulimit -n 200 && exec timeout 10 "$BIN/dkvd" --name n1 --data-dir "$DIR/y" "$@"); }
expect 2 few_files --max-conns 1000
[[ $ERR == *"max-conns: 1000: the limit of open files, 200, allows 128"* ]] || fail "said: $ERR"
[[ ! -e $DIR/y ]] || fail "a refused start left a data directory behind"

say "limits from the file hold"
settings() { # the node's file, and a line of it for each argument
    printf '%s\n' "$@" >"$conf.new"
    mv "$conf.new" "$conf"
}
settings 'max-value = 64K' 'max-key = 10' 'log-level = info'
DKVD_MAX_VALU=1M node_start n1 --config "$conf"
cluster_wait_ready
cluster_find_keys
log=$DIR/n1.log
logged() { grep -qF -- "$1" "$log"; }
logged 'DKVD_MAX_VALU: unknown variable; did you mean DKVD_MAX_VALUE?' || fail "an unknown variable is not warned of"
bytes() { head -c "$1" /dev/zero | tr '\0' v; }
put_bytes() { ctl put "$1" - < <(bytes "$2"); } # KEY N
expect_out OK put_bytes k 65536
expect 8 put_bytes k 65537
[[ $ERR == *'the value has 65537 bytes: allowed are up to 65536 (--max-value of node n1)'* ]] || fail "said: $ERR"
expect 8 ctl put elevenbytes v
[[ $ERR == *'the key has 11 bytes: allowed are up to 10 (--max-key of node n1)'* ]] || fail "said: $ERR"

reload() { # WORDS: SIGHUP, and wait until they are in the log once more
    local before
    before=$(grep -cF -- "$1" "$log" || true)
    node_signal HUP n1
    wait_until 10 "'$1' in the log" more_than "$before" "$1"
}
more_than() { (($(grep -cF -- "$2" "$log" || true) > $1)); }

say "SIGHUP changes limits and log level, and says what needs a restart"
settings 'max-value = 128K' 'max-memory = 1M' 'log-level = debug' 'vnodes = 7'
reload 'event=reloaded max-memory=1M max-key=4K max-value=128K log-level=debug'
wait_until 10 "the warning" logged 'event=reload_ignored settings=vnodes reason="they change with a restart only"'
expect_out OK put_bytes k 131072
expect_out OK ctl put elevenbytes v

say "over --max-memory puts are refused with 8, reads and deletes served, until there is room"
fill() { local i; for ((i = 0; i < 20; i++)); do put_bytes "m$i" 100000 || return; done; }
expect 8 fill
[[ $ERR == *'may hold 1048576 (--max-memory): puts are refused'* ]] || fail "said: $ERR"
expect 0 ctl get k
expect 0 ctl delete k
settings 'max-memory = 100M' 'max-conns = 50'
reload 'event=reloaded max-conns=50 max-memory=100M max-value=1M log-level=info'
expect_out OK put_bytes m 100000

say "a bad file changes nothing, and the node goes on"
settings 'max-memory = 1M' 'max-value = 1KiB'
reload "event=reload_failed reason=\"$conf:2: max-value: \\\"1KiB\\\" is not a size"
settings 'max-conns = 1000000'
hard=$(awk '/Max open files/ { print $5 }' "/proc/${PIDS[n1]}/limits")
if [[ $hard != unlimited && $hard -lt 1000072 ]]; then
    reload 'event=config_refused reason="max-conns: 1000000: the limit of open files'
fi
rm "$conf"
reload "event=reload_failed reason=\"$conf: cannot be read: No such file or directory\""
expect_out OK put_bytes m 100000
settings 'max-memory = 100M' 'max-conns = 50'
reload 'event=reloaded note="nothing has changed"'

settings 'max-memory = 1000000G' 'max-conns = 50'
reload 'event=memory_exceeds max_memory=1073741824000000 '

say "one connection over --max-conns is closed at once, the others go on"
descriptors=()
for ((i = 0; i < 50; i++)); do
    exec {fd}<>"/dev/tcp/127.0.0.1/$(client_port n1)"
    descriptors+=("$fd")
done
exec {fd}<>"/dev/tcp/127.0.0.1/$(client_port n1)"
descriptors+=("$fd")
read -r -t 10 -u "$fd" && fail "the 51st connection got an answer"
(($? <= 128)) || fail "the 51st connection is still open after 10 seconds"
logged 'event=conns_limit conns=50 max_conns=50' || fail "the log does not say that connections are turned away"
for fd in "${descriptors[@]}"; do
    exec {fd}>&-
done
wait_until 10 "room for a connection" quiet ctl get elevenbytes
node_stop n1

say "a data directory of 2 shards does not start with 3: 3"
expect 3 timeout 20 "$BIN/dkvd" --name n1 --data-dir "$DIR/n1" --client "$(client_of n1)" --peer "$(peer_of n1)" \
    --initial-cluster "$INITIAL" --shards 3 --replicas 1 --cluster-token "$TOKEN"
[[ $ERR == *"belongs to node"* ]] || fail "said: $ERR"

say "a start on a public address is warned of, each time"
for _ in 1 2; do
    : >"$log"
    node_start n1 --insecure --client "0.0.0.0:$(client_port n1)"
    wait_until 10 "the warning" logged 'event=insecure reason="whoever reaches these ports can read and write all data"'
    wait_until 10 "the other warning" logged "event=advertise reason=\"clients are told 0.0.0.0:$(client_port n1),"
    cluster_wait_ready
    node_stop n1
done

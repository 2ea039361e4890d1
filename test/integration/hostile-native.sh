#!/usr/bin/env bash
# The client port of a real node, case by case: what is no message loses the connection, what is only a wrong request is
# told so and the connection goes on. Each case is sent with a good request behind it, which must be answered, or must not.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1 REPLICAS=1 SHARDS=2
cluster_init "$@"
cluster_start
port=$(client_port n1)

hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
rep() { printf "%.0s$2" $(seq "$1"); } # N HEX: N times
# [0, 1, METHOD, with the params to follow
call() { printf '940001a%x%s' ${#1} "$(hex "$1")"; }

key=a3$(hex key)
value=a5$(hex value)
limit=a5$(hex limit)
timeout_ms=aa$(hex timeout_ms)
ttl=a3$(hex ttl)
health=94007ea6$(hex health)80 # its answer has the id 7e
lost='lost'                    # whatever is said, the good request is not answered
bad=14 large=15 unsupported=17 # codes of errors, in hex

# NAME | HEX | the code of the error, or ok, or lost
cases=(
    "the reserved byte | 94c1 | $lost"
    "an extension type | 94000ad60000000000 | $lost"
    "a timestamp as a key | $(call get)81${key}d6ff00000000 | $lost"
    "17 arrays in each other | 94$(rep 17 91)01 | $lost"
    "10,000 arrays in each other | 94$(rep 10000 91) | $lost"
    "a claim of 2^32 - 1 items | 94dd""ffffffff | $lost"
    "a claim of 2^28 pairs | 94df10000000 | $lost"
    "a claim of 2^32 - 1 bytes | 94db""ffffffff | $lost"
    "a response from a client | 940101c080 | $lost"
    "a notification | 9302a3$(hex get)80 | $lost"
    "three parts | 930001a3$(hex get) | $lost"
    "five parts | 950001a3$(hex get)80c0 | $lost"
    "a negative id | 9400ffa3$(hex get)80 | $lost"
    "an id of 2^64 - 1 | 9400cf$(rep 8 ff)a3$(hex get)80 | $lost"
    "HTTP | $(hex $'GET / HTTP/1.1\r\nHost: x\r\n\r\n') | $lost"
    "RESP | $(hex $'*1\r\n$4\r\nPING\r\n') | $lost"
    "TLS | 16030102000100 | $lost"
    "text | $(hex $'PUT k v\r\n') | $lost"
    "unknown method | $(call frob)80 | $unsupported"
    "what only nodes ask | $(call read_index)80 | $unsupported"
    "a method that is a number | 94000105""80 | $bad"
    "no params | $(call get)80 | $bad"
    "params that are an array | $(call get)91a16b | $bad"
    "params that are nil | $(call get)c0 | $bad"
    "an empty key | $(call get)81${key}c400 | $bad"
    "a key that is a number | $(call get)81${key}05 | $bad"
    "a key that is NaN | $(call get)81${key}cb7ff8000000000000 | $bad"
    "a key twice | $(call get)82${key}a16b${key}a16b | $bad"
    "a name of a field that is no text | $(call get)820102${key}a16b | $bad"
    "65 fields | $(call health)de0041$(for i in {10..74}; do printf 'a2%sc0' "$(hex "$i")"; done) | $bad"
    "a limit of 10^9 | $(call scan)81${limit}ce3b9aca00 | $bad"
    "a limit of -1 | $(call scan)81${limit}ff | $bad"
    "a timeout of 2^63 | $(call get)82${key}a16b${timeout_ms}cf8000000000000000 | $bad"
    "a timeout of -1 | $(call get)82${key}a16b${timeout_ms}ff | $bad"
    "a key of 4097 bytes | $(call get)81${key}c51001$(rep 4097 6b) | $large"
    "a key of 4096 bytes | $(call put)82${key}c51000$(rep 4096 6b)${value}c400 | ok"
    "a key of NUL, newline and ff | $(call put)82${key}c403000aff${value}c400 | ok"
    "a key of bytes that are no UTF-8, as text | $(call put)82${key}a2c0af${value}a0 | ok"
    "numbers longer than need be | 94cf0000000000000000ce00000001a3$(hex put)82${key}a16b${value}a176 | ok"
    "a timeout of 0 | $(call put)83${key}a16b${value}a176${timeout_ms}00 | ok"
    "a field that nobody knows | $(call put)83${key}a16b${value}a176${ttl}cf$(rep 8 ff) | ok"
)

for case in "${cases[@]}"; do
    IFS='|' read -r name bytes want <<<"$case"
    want=${want// /}
    out=$("$BIN/abuse" ask "$port" 600 1 "${bytes// /}$health") || fail "$name: $out"
    out=${out%%$'\n'*}
    nodes_are_alive
    answered=no
    [[ $out != *94017ec0* ]] || answered=yes
    case $want in
    lost) [[ $answered == no ]] || fail "$name: the connection went on: $out" ;;
    ok) [[ $answered == yes && $out == *940101c0* ]] || fail "$name: was refused: $out" ;;
    *) [[ $answered == yes && $out == *9401018[23]a4$(hex code)$want* ]] || fail "$name: no error $want: $out" ;;
    esac
done
say "${#cases[@]} cases, good and bad"

# The largest value, and one byte more: told, and the connection goes on.
big() { printf '%s' "$(call put)82${key}a16b${value}c6$(printf '%08x' "$1")"; }
# An argument of the shell holds 128 KB, so these go by another way.
send_big() { # BYTES
    local fd
    exec {fd}<>"/dev/tcp/127.0.0.1/$port"
    {
        printf '%b' "$(big "$1" | sed 's/../\\x&/g')"
        head -c "$1" /dev/zero
        printf '%b' "$(printf '%s' "$health" | sed 's/../\\x&/g')"
    } >&"$fd"
    OUT=$(timeout 10 head -c 60 <&"$fd" | od -An -v -tx1 | tr -d ' \n')
    exec {fd}>&-
}
send_big $((1 << 20))
[[ $OUT == *940101c0* || $OUT == *94017ec0* ]] || fail "a value of 1 MiB: $OUT"
send_big $(((1 << 20) + 1))
[[ $OUT == *9401018[23]a4$(hex code)$large* ]] || fail "a value of 1 MiB and a byte: $OUT"
say "a value of 1 MiB is taken, one of a byte more refused, the connection stays"

expect_out OK ctl put after all
expect_out all ctl get after
node_stop n1

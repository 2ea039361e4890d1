#!/usr/bin/env bash
# A wrong frame on any port harms nobody: the nodes live on, serve at once, and keep their leaders.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start
trap '' PIPE # a node that hangs up on us is right

key=${KEY_OF[1]}
expect_out OK ctl put "$key" safe
head -c 65536 /dev/urandom >"$DIR/random"
head -c 3000000 /dev/zero >"$DIR/zeroes"
head -c 200000 /dev/zero | tr '\0' '\221' >"$DIR/nested" # one-element arrays in one-element arrays ...

# What is sent, one per line, as printf takes it; @FILE sends a file.
cat >"$DIR/client-cases" <<'END'
\x94
\x94\x00\x01
\x94\x00\x01\xa3get
\x94\x00\x01\xa3get\x81\xa3key\xa0
\x94\x00\x01\xa3get\x80
\x94\x00\x01\xa3foo\x80
\x94\x00\x01\xdb\xff\xff\xff\xff
\x94\x00\x01\xa3put\xdf\xff\xff\xff\xff
\x94\x00\x01\xa3put\x82\xa3key\xc6\xff\xff\xff\xff
\x94\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa3get\x80
\x94\x01\x01\xc0\x80
\x93\x02\xa3get\x80
\xdd\xff\xff\xff\xff
\xc1\xc1\xc1
GET / HTTP/1.1\r\nHost: x\r\n\r\n
*1\r\n$4\r\nPING\r\n
\r\n
@random
@zeroes
@nested
END
# [4 length][1 version][1 kind][2 flags][8 id][body][4 crc32c]
cat >"$DIR/peer-cases" <<'END'
\x00
\x00\x00\x00\x00
\xff\xff\xff\xff
\xff\xff\xff\x7f\x01\x01\x00\x00
\x10\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xde\xad\xbe\xef
\x10\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
\x10\x00\x00\x00\x01\xee\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
\x01\x00\x00\x00\x01
GET / HTTP/1.1\r\nHost: x\r\n\r\n
\x94\x00\x01\xa3get\x81\xa3key\xa1k
@random
@zeroes
@nested
END

# Send and hang up without reading. A node that closes first is welcome to.
send() { # PORT CASE
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
        if [[ $2 == @* ]]; then
            cat "$DIR/${2#@}" >&3
        else
            # shellcheck disable=SC2059  # the case is a format on purpose
            printf "$2" >&3
        fi
    ) 2>/dev/null || true
}

# Send, and keep the connection open for the rest of the test.
HELD=()
send_and_hold() { # PORT CASE
    local fd
    exec {fd}<>"/dev/tcp/127.0.0.1/$1" || return 0
    HELD+=("$fd")
    # shellcheck disable=SC2059
    [[ $2 == @* ]] || { printf "$2" >&"$fd"; } 2>/dev/null || true
}

leaders_before=$(shard_table | awk '{ print $1, $2 }')
for name in "${NAMES[@]}"; do
    while IFS= read -r case; do
        send "$(client_port "$name")" "$case"
        send_and_hold "$(client_port "$name")" "$case"
        nodes_are_alive
    done <"$DIR/client-cases"
    say "$name: $(wc -l <"$DIR/client-cases") wrong messages at the client port"
    while IFS= read -r case; do
        send "$(peer_port "$name")" "$case"
        send_and_hold "$(peer_port "$name")" "$case"
        nodes_are_alive
    done <"$DIR/peer-cases"
    say "$name: $(wc -l <"$DIR/peer-cases") wrong frames at the peer port"
    expect_out safe ctl_at "$name" -t 2s get "$key"
done

say "all work as before, with ${#HELD[@]} broken connections still open"
for shard in "${!KEY_OF[@]}"; do
    timed expect_out OK ctl put "${KEY_OF[$shard]}" after
    ((TOOK < 2000)) || fail "a put took $TOOK ms"
done
[[ $(shard_table | awk '{ print $1, $2 }') == "$leaders_before" ]] || fail "garbage made leaders change"

# A wrong msgpack-RPC request is answered, not dropped in silence: unknown method, request 7.
say "an unknown method gets an error reply and the connection goes on"
exec {fd}<>"/dev/tcp/127.0.0.1/$(client_port n1)"
printf '\x94\x00\x07\xa3foo\x80' >&"$fd"
reply=$(timeout 5 head -c 3 <&"$fd" | od -An -tx1)
[[ $reply == " 94 01 07" ]] || fail "the answer to an unknown method begins with '$reply'"
exec {fd}>&-

for name in "${NAMES[@]}"; do
    node_stop "$name"
done

#!/usr/bin/env bash
# What was put is got, what was deleted is not found, and the exit codes tell which: through every node.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

say "put, get, delete through each node, read at the others"
for name in "${NAMES[@]}"; do
    expect_out OK ctl_at "$name" put "city-$name" "Ulm $name"
    for other in "${NAMES[@]}"; do
        expect_out "Ulm $name" ctl_at "$other" get "city-$name"
    done
    expect_out 1 ctl_at "$name" delete "city-$name"
    for other in "${NAMES[@]}"; do
        expect 3 ctl_at "$other" get "city-$name"
        [[ -z $OUT && $ERR == NOT_FOUND ]] || fail "a missing key prints '$OUT' and says '$ERR' instead of NOT_FOUND"
    done
done
expect_out 0 ctl delete never-written

say "a put again replaces; an empty value is a value; any bytes are"
expect_out OK ctl put k one
expect_out OK ctl put k two
expect_out two ctl get k
expect_out OK ctl put empty ''
expect_out '' ctl get empty
head -c 100000 /dev/urandom >"$DIR/bytes"
expect_out OK ctl put bytes "@$DIR/bytes"
ctl get --raw bytes | cmp - "$DIR/bytes" || fail "100,000 random bytes came back changed"

say "a value from a pipe"
printf 'from a pipe' | expect_out OK ctl put piped
expect_out 'from a pipe' ctl get piped

say "several keys at once"
expect_out $'k\ttwo\npiped\tfrom a pipe' ctl get k piped
expect_out 2 ctl delete k piped

say "what is too large is refused, by name of the limit, and changes nothing"
expect_out OK ctl put big small
head -c 1048577 /dev/zero >"$DIR/too-big"
expect 8 ctl put big "@$DIR/too-big"
expect_out small ctl get big
expect 8 ctl put "$(printf 'k%.0s' {1..4097})" v

say "words and flags that do not exist"
expect 2 ctl frobnicate
expect 2 ctl get --no-such-flag k
expect 2 ctl put
expect 2 "$BIN/dkvctl" -e not-an-address get k

say "nobody there: not applied, exit 5"
expect 5 "$BIN/dkvctl" -e "127.0.0.1:$((PORT_BASE + 15))" -t 300ms put k v

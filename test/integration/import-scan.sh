#!/usr/bin/env bash
# What is imported is there, once, in order: scan over all shards, at every node, also across an orderly restart.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

count=5000
seq -f 'word-%06g' "$count" >"$DIR/words"

say "import $count lines, each with its number"
expect 0 ctl -t 60s import --lines "$DIR/words"
for name in "${NAMES[@]}"; do
    expect_out "$count" ctl_at "$name" -t 30s scan word- --count
done

say "every shard got some"
expect 0 ctl status -o json
[[ $OUT != *'"keys":0,'* ]] || fail "a shard holds no key: $OUT"

say "scan gives each key once, in order"
ctl -t 30s scan word- --keys-only >"$DIR/scanned"
cmp "$DIR/words" "$DIR/scanned" || fail "the scanned keys are not the imported ones in order"
expect_out "$(sed -n 1234p "$DIR/words" | sed 's/word-0*//')" ctl get word-001234

say "pages: --limit"
expect_out $'word-000001\nword-000002\nword-000003' ctl scan word- --keys-only --limit 3

say "import from a pipe, key and value"
printf 'a\tone\nb\ttwo\n' | expect 0 ctl import -
expect_out $'a\tone\nb\ttwo' ctl scan '' --to c

say "a broken line stops the import and is named"
printf 'c\tthree\nnonsense\n' >"$DIR/broken"
expect 2 ctl import "$DIR/broken"
[[ $ERR == *"line 2"* ]] || fail "the line is not named: $ERR"

say "all there after an orderly restart"
for name in "${NAMES[@]}"; do
    node_signal TERM "$name"
done
for name in "${NAMES[@]}"; do
    node_wait "$name" 20
done
cluster_restart_all
expect_out "$count" ctl -t 30s scan word- --count

#!/usr/bin/env bash
# A node that comes back under its old name with an empty data directory is refused (exit 3), and the message names the
# way out; the cluster goes on without it.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

expect_out OK ctl put city Ulm
node_stop n3
mv "$DIR/n3" "$DIR/n3.lost"
: >"$DIR/n3.log"

say "empty directory, old name: refused"
node_start n3
node_wait n3 20
[[ $EXIT_CODE == 3 ]] || fail "n3 left with exit code $EXIT_CODE: $(<"$DIR/n3.log")"
grep -q 'dkvctl member replace' "$DIR/n3.log" || fail "the message names no way out: $(<"$DIR/n3.log")"

say "the others work"
expect_out OK ctl_but n3 put city Augsburg
expect_out Augsburg ctl_but n3 get city

say "the right directory is taken back"
rm -rf "${DIR:?}/n3"
mv "$DIR/n3.lost" "$DIR/n3"
node_start n3
wait_until 20 "n3 to serve" serves_itself n3 city
expect_out Augsburg ctl_at n3 get city

say "another node's directory is refused"
node_stop n3
node_stop n2
mv "$DIR/n3" "$DIR/own"
mv "$DIR/n2" "$DIR/n3"
node_start n3
node_wait n3 20
[[ $EXIT_CODE == 3 ]] || fail "n3 with the directory of n2 left with exit code $EXIT_CODE: $(tail -n 3 "$DIR/n3.log")"

#!/usr/bin/env bash
# Two clusters cannot mix: a node with another cluster token at the address of a member takes no part, gets no data and
# changes none.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start
for shard in "${!KEY_OF[@]}"; do
    expect_out OK ctl put "${KEY_OF[$shard]}" ours
done

say "a stranger with an empty directory sits at n3's address"
node_stop n3
mv "$DIR/n3" "$DIR/own"
: >"$DIR/n3.log"
node_start n3 --cluster-token another
wait_until 10 "the stranger to be refused by name" grep -qiE 'cluster|refuse' "$DIR/n3.log"
for shard in "${!KEY_OF[@]}"; do
    expect_out OK ctl_but n3 put "${KEY_OF[$shard]}" "still ours"
    code=0
    OUT=$(ctl_at n3 -t 500ms -c stale get "${KEY_OF[$shard]}" 2>/dev/null) || code=$?
    [[ $code != 0 && -z $OUT ]] || fail "the stranger serves '$OUT' of our cluster"
done
if process_is_gone "${PIDS[n3]}"; then
    node_wait n3 1
    say "it has left with exit code $EXIT_CODE"
    [[ $EXIT_CODE == [123] ]] || fail "a refused stranger left with exit code $EXIT_CODE"
else
    code=0
    quiet ctl_at n3 -t 1s put "${KEY_OF[1]}" theirs || code=$?
    [[ $code == [56] ]] || fail "a put at the stranger left with exit code $code"
    node_kill n3
fi

say "our directory under the other token is refused with exit 3"
rm -rf "${DIR:?}/n3"
mv "$DIR/own" "$DIR/n3"
node_start n3 --cluster-token another
node_wait n3 10
[[ $EXIT_CODE == 3 ]] || fail "n3 left with exit code $EXIT_CODE: $(tail -n 3 "$DIR/n3.log")"

say "and it is one of us again with our own"
node_start n3
wait_until 20 "n3 to serve" serves_itself n3 "${KEY_OF[1]}"
for shard in "${!KEY_OF[@]}"; do
    expect_out "still ours" ctl_at n3 get "${KEY_OF[$shard]}"
done

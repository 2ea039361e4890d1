#!/usr/bin/env bash
# A node whose journal lost what was durable does not start: exit code 4, the file, the offset and the way out; 3 for
# segments of somebody else. What was never called durable is cut. 500 random flips in what was durable: all noticed.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1 REPLICAS=1 SHARDS=4
cluster_init "$@"
cluster_start

# 500 starts with sanitizers take minutes, and twenty of them with all of dkvd follow anyway.
plain=$BIN
if grep -q __asan_init "$BIN/flips" && [[ -x $(dirname "$0")/../../build/flips ]]; then
    plain=$(dirname "$0")/../../build
fi
flips=500
starts=20 # of them with dkvd itself
seg() { printf '%s/journal/%020d.seg' "${2:-$DIR/n1}" "$1"; } # NUMBER [DATA-DIRECTORY]

# --- the journal to be damaged: small and large batches, the third segment made ---------------------------------

expect_out OK ctl put canary alive
ctl bench --clients 8 --seconds 1 --value-size 100 --keys 1000 >/dev/null
until [[ -e $(seg 3) ]]; do
    ctl bench --clients 1 --seconds 1 --value-size 50000 --keys 50 >/dev/null
done
expect_out OK ctl put late alive
node_stop n1
mv "$DIR/n1" "$DIR/whole"

# A copy of the whole. Segments are shared with it until they are to be changed.
fresh() {
    rm -rf "$DIR/n1"
    cp -rl "$DIR/whole" "$DIR/n1"
    : >"$DIR/n1.log"
}

own() { # FILE: of its own from now on
    cp "$1" "$1.copy" && mv "$1.copy" "$1"
}

own_all() { # DATA-DIRECTORY
    local file
    for file in "$1"/journal/*.seg; do
        own "$file"
    done
}

starts_and_serves() {
    own_all "$DIR/n1"
    node_start n1
    cluster_wait_ready
    expect_out alive ctl get canary
}

# A start that is refused with this code and these words, before it has voted or served anything.
ends_with() { # CODE TEXT [FLAG...]
    node_start n1 "${@:3}"
    node_wait n1 20
    [[ $EXIT_CODE == "$1" ]] || fail "exit code $EXIT_CODE instead of $1: $(tail -n 2 "$DIR/n1.log")"
    grep -q "$2" "$DIR/n1.log" || fail "the words '$2' are missing: $(tail -n 2 "$DIR/n1.log")"
    ! grep -qE 'event=(started|voting)' "$DIR/n1.log" || fail "it began to work on a damaged journal"
}

# Likewise, for what a disk lost: the words name the way out.
refused() { # CODE TEXT
    ends_with "$@"
    grep -q 'dkvctl member replace' "$DIR/n1.log" || fail "the way out is missing: $(tail -n 2 "$DIR/n1.log")"
}

overwrite() { # FILE OFFSET BYTES: with zeroes
    own "$1"
    dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc status=none
}

# --- as it is ---------------------------------------------------------------------------------------------------

fresh
starts_and_serves
expect_out alive ctl get late
node_stop n1
say "undamaged: $("$BIN/flips" end "$DIR/whole/journal"); starts, and has what was written last"

# --- whole segments ---------------------------------------------------------------------------------------------

fresh && rm "$(seg 1)"
refused 4 '1.seg: offset 0: the segment is missing'
fresh && rm "$(seg 2)"
refused 4 '2.seg: offset 0: the segment is missing'
fresh && mv "$(seg 2)" "$(seg 2).bak"
refused 4 '2.seg: offset 0: the segment is missing'
fresh && mv "$(seg 1)" "$DIR/x" && mv "$(seg 2)" "$(seg 1)" && mv "$DIR/x" "$(seg 2)"
refused 4 '1.seg: offset 0: the header is that of another segment'
fresh && cp "$(seg 1)" "$DIR/x" && rm "$(seg 2)" && mv "$DIR/x" "$(seg 2)"
refused 4 '2.seg: offset 0: the header is that of another segment'
say "missing, renamed, swapped, doubled segments: refused with 4"

fresh && own "$(seg 1)" && truncate -s 16M "$(seg 1)"
refused 4 '1.seg: offset 16777216: the file has not the length that its header says'
fresh && own "$(seg 2)" && truncate -s 1000 "$(seg 2)"
refused 4 '2.seg: offset 1000: the file has not the length that its header says'
fresh && own "$(seg 1)" && truncate -s 0 "$(seg 1)"
refused 4 "1.seg: offset 0: the segment's header is damaged"
fresh && own "$(seg 2)" && truncate -s +8 "$(seg 2)"
refused 4 '2.seg: offset 33554440: the file has not the length that its header says'
fresh && own "$(seg 2)" && truncate -s 2G "$(seg 2)" # sparse
refused 4 '2.seg: offset 0: the file is too large for a segment'
say "truncated and lengthened segments: refused with 4"

fresh && overwrite "$(seg 1)" 0 64
refused 4 "1.seg: offset 0: the segment's header is damaged"
fresh && overwrite "$(seg 1)" 512 512
refused 4 '1.seg: offset [0-9]*: the batch here is damaged'
fresh && rm "$(seg 2)" && truncate -s 32M "$(seg 2)"
refused 4 "2.seg: offset 0: the segment's header is damaged"
fresh && overwrite "$(seg 2)" 4096 65536
refused 4 '2.seg: offset [0-9]*: the batch here is damaged'
say "zeroed headers, sectors, ranges and files: refused with 4"

fresh && rm "$(seg 2)" && mkdir "$(seg 2)"
ends_with 4 '2.seg: '
fresh && mv "$(seg 2)" "$DIR/n1/elsewhere" && ln -s ../elsewhere "$(seg 2)"
ends_with 4 '2.seg: '
fresh && rm "$(seg 2)" && mkfifo "$(seg 2)"
ends_with 4 '2.seg: '
say "a folder, a link, a pipe in the place of a segment: refused with 4"

# --- somebody else's --------------------------------------------------------------------------------------------

fresh
ends_with 3 '1.seg: belongs to node 1 of cluster' --cluster-token other
rm -rf "$DIR/n1"
node_start n1
cluster_wait_ready
node_stop n1
mv "$DIR/n1" "$DIR/stranger"
fresh && rm "$(seg 1)" && cp "$(seg 1 "$DIR/stranger")" "$(seg 1)"
ends_with 3 '2.seg: belongs to another incarnation of this node'
fresh && rm "$(seg 2)" && cp "$(seg 1 "$DIR/stranger")" "$(seg 2)"
ends_with 3 '2.seg: belongs to another incarnation of this node'
fresh
echo hello >"$DIR/n1/journal/README"
cp "$(seg 1 "$DIR/stranger")" "$DIR/n1/journal/1.seg"
starts_and_serves
node_stop n1
say "another cluster's, another life's: refused with 3; files that are no segments are left alone"

# --- the tail ---------------------------------------------------------------------------------------------------

# Killed in the midst of writing, until the last batch is one that no later one calls durable.
fresh
starts_and_serves
while :; do
    ctl bench --clients 8 --seconds 5 --value-size 1000 --keys 1000 >/dev/null 2>&1 &
    OTHERS+=("$!")
    sleep 0.3 # any moment is as good as another
    node_kill n1
    kill "${OTHERS[-1]}" 2>/dev/null || true
    wait "${OTHERS[-1]}" 2>/dev/null || true
    read -r segment durable all <<<"$("$BIN/flips" end "$DIR/n1/journal" | sed 's/[a-z]*=//g')"
    [[ $durable == "$all" ]] || break
    starts_and_serves
done
rm -rf "$DIR/killed"
mv "$DIR/n1" "$DIR/killed"

for damage in 44 $((all - durable - 8)); do # in the header and near the end of what was not called durable
    cp -r "$DIR/killed" "$DIR/n1"
    : >"$DIR/n1.log"
    printf '\xa5' | dd of="$(seg "$segment")" bs=1 seek=$((durable + damage)) conv=notrunc status=none
    starts_and_serves
    grep -q "event=journal_tail_cut file=$(basename "$(seg "$segment")") offset=$durable" "$DIR/n1.log" ||
        fail "the tail at $durable was not cut: $(grep tail "$DIR/n1.log")"
    expect_out alive ctl get late
    expect_out OK ctl put late again
    node_stop n1
    : >"$DIR/n1.log"
    starts_and_serves # what was cut stays away
    expect_out again ctl get late
    ! grep -q event=journal_tail_cut "$DIR/n1.log" || fail "a tail was cut again"
    node_stop n1
    rm -rf "$DIR/n1"
done
say "a tail of $((all - durable)) bytes that was never called durable: cut with a warning, all before it is there"

# --- random flips -----------------------------------------------------------------------------------------------

seed=$(date +%s)
say "seed $seed"
cp -r "$DIR/whole" "$DIR/twin"
"$plain/flips" check "$DIR/twin/journal" $((flips / 2)) "$seed" >"$DIR/twin.out" 2>&1 &
OTHERS+=("$!")
own_all "$DIR/whole"
out=$("$plain/flips" check "$DIR/whole/journal" $((flips / 2)) $((seed + 1)) 2>&1) || fail "$out"
wait "${OTHERS[-1]}" || fail "$(<"$DIR/twin.out")"
say "read by the journal: $out; $(<"$DIR/twin.out")"

for ((i = 0; i < starts; i++)); do
    fresh
    own_all "$DIR/n1"
    flip=$("$BIN/flips" one "$DIR/n1/journal" $((seed + i)))
    refused 4 '.seg: offset [0-9]*: '
done
say "read by dkvd: $starts flips of $starts refused, the last one $flip"

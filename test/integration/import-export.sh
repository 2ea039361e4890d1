#!/usr/bin/env bash
# Real data goes in and comes out the same: what export writes is in LC_ALL=C sort order, and importing it into an
# empty cluster and exporting again gives the same bytes. A line that fails is told exactly.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"

# A cluster without a key.
start_empty() {
    local name
    for name in "${!PIDS[@]}"; do
        node_stop "$name"
        rm -rf "${DIR:?}/$name"
    done
    cluster_start
}

# Records of packages: the name is the key, the whole record the value. The last of a name counts.
dpkg_lines() { # FILE
    LC_ALL=C perl -00 -ne '
        chomp;
        /^Package: (\S+)$/m or next;
        ($key, $value) = ($1, $_);
        $value =~ s/["\\]/\\$&/g;
        $value =~ s/\n/\\n/g;
        $value =~ s/\t/\\t/g;
        $line{$key} = qq({"key":"$key","value":"$value"}\n);
        END { print values %line }' "$1" | LC_ALL=C sort
}

word_lines() { # FILE
    LC_ALL=C perl -ne 'chomp; print qq({"key":"$_","value":"$."}\n)' "$1" | LC_ALL=C sort
}

# Keys whose lines stand in another order than they do: blanks, quotes, control characters, bytes that are no UTF-8.
nasty_lines() {
    LC_ALL=C perl -e '
        %name = ("\b" => "\\b", "\n" => "\\n", "\t" => "\\t", "\"" => "\\\"", "\\" => "\\\\", "\0" => "\\u0000",
                 "\x1f" => "\\u001f");
        @parts = (keys %name, " ", "!", "#", "[", "]", "a", "\x7f", "\xc3\xbc");
        srand 7;
        @written = map { $name{$_} // $_ } @parts;
        $key{join "", map { $written[rand @written] } 1 .. 1 + rand 5} = 1 for 1 .. 5000;
        print qq({"key":"$_","value":""}\n) for keys %key;
        print qq({"key":{"base64":"$_"},"value":{"base64":"/w=="}}\n) for qw(/w== /yD/ +v8= gICA 0wAg ICD/);' |
        LC_ALL=C sort
}

round_trip() { # FILE
    local count name
    count=$(wc -l <"$1")
    expect 0 ctl -t 60s import "$1"
    for name in "${NAMES[@]}"; do
        expect_out "$count" ctl_at "$name" -t 60s scan --count
    done
    expect 0 ctl -t 60s export --output-file "$DIR/exported"
    [[ $ERR == *"$count keys"* && $OUT == '' ]] || fail "export said: $OUT $ERR"
    cmp "$1" "$DIR/exported" || fail "the export is not what was imported"
    ctl_at n2 -t 60s -q export | cmp - "$1" || fail "the export on standard output is not what was imported"
}

say "the word list"
words=/usr/share/dict/words
if [[ ! -r $words ]]; then
    words=$DIR/words
    seq -f 'wörd-%g' 20000 >"$words"
fi
start_empty
word_lines "$words" >"$DIR/canonical"
round_trip "$DIR/canonical"

say "export of a prefix"
LC_ALL=C grep '^{"key":"w' "$DIR/canonical" >"$DIR/part"
ctl -t 60s -q export w | cmp - "$DIR/part" || fail "the export of a prefix is not the part"

say "the package records"
status=/var/lib/dpkg/status
if [[ ! -s $status ]]; then
    status=$DIR/status
    printf 'Package: p%s\nDescription: "quoted" \\ and\n\ta tab\n\n' {1..500} >"$status"
fi
start_empty
dpkg_lines "$status" >"$DIR/canonical"
round_trip "$DIR/canonical"

say "keys whose lines are ordered otherwise"
start_empty
nasty_lines >"$DIR/canonical"
round_trip "$DIR/canonical"

say "any order and any form: the last of a key counts, blanks and escapes do not"
start_empty
cat >"$DIR/loose" <<'END'
{ "value" : "old" , "key" : "b" }
{"key":"\u0061","value":{"base64":"QQ=="}}
{"key":"n","value": { "list" : [ 1.50, null ] } }
{"key":"b","value":"new","id":7,"version":1}
END
expect 0 ctl import "$DIR/loose"
expect_out '{"key":"a","value":"A"}
{"key":"b","value":"new"}
{"key":"n","value":"{\"list\":[1.50,null]}"}' ctl -q export

say "what scan prints as JSON lines can be imported"
ctl -o jsonl scan >"$DIR/scanned"
expect 0 ctl import <"$DIR/scanned"
expect_out $'a\tA\nb\tnew' ctl scan --to c

say "a flag wins over the first byte"
printf '{tag}x\tone\n' >"$DIR/tabs"
expect 2 ctl import "$DIR/tabs"
[[ $ERR == *'line 1:'*'--format'* ]] || fail "the way out is not named: $ERR"
expect 0 ctl import --format tsv "$DIR/tabs"
expect_out one ctl get '{tag}x'
expect 2 ctl import --format tsv --lines "$DIR/tabs"
expect 2 ctl import --format xml "$DIR/tabs"

say "a broken line stops the import: its number, and what became of those before it"
{
    seq -f '{"key":"s-%g","value":"x"}' 3
    printf '{"key":"s-4"\n{"key":"s-5","value":"x"}\n'
} >"$DIR/broken"
expect 2 ctl import "$DIR/broken"
[[ $ERR == *'line 4: '*'stopped after line 4;'*' 3 are stored, 1 broken, 0 not applied, 0 of unknown'* ]] ||
    fail "the report is not exact: $ERR"
expect_out 3 ctl scan s- --count

say "--keep-going goes on"
expect 2 ctl import --keep-going "$DIR/broken"
[[ $ERR == *'line 4: '*'went on to line 5;'*' 4 are stored, 1 broken'* ]] || fail "the report is not exact: $ERR"
expect_out 4 ctl scan s- --count

say "too large: exit 8, also a line without an end"
{
    printf 'k\tv\n'
    head -c 5000 /dev/zero | tr '\0' k
    printf '\tv\nl\tv\n'
} >"$DIR/large"
expect 8 ctl import "$DIR/large"
[[ $ERR == *'line 2: the key has 5000 bytes'* ]] || fail "the line is not named: $ERR"
{
    printf 'k\tv\n'
    head -c 20000000 /dev/zero | tr '\0' k
    printf '\nl\tv\n'
} >"$DIR/large"
expect 8 ctl --keep-going import - <"$DIR/large"
[[ $ERR == *'line 2: the line has more than'*'went on to line 3;'*' 2 are stored, 1 broken'* ]] ||
    fail "the line is not named: $ERR"

say "an export that cannot be written leaves the file as it was, and nothing beside it"
mkdir "$DIR/out"
echo before >"$DIR/out/file"
expect 5 "$BIN/dkvctl" -e "127.0.0.1:$((PORT_BASE + 31))" -t 300ms export --output-file "$DIR/out/file"
expect_out before cat "$DIR/out/file"
expect_out file ls "$DIR/out"
expect 1 ctl export --output-file "$DIR/nowhere/file"
expect 1 ctl export --output-file /dev/full

say "without a quorum nothing is stored, and each line is told"
node_kill n2
node_kill n3
seq -f '{"key":"q-%g","value":"x"}' 4 >"$DIR/quorum"
code=0
ctl -t 3s import "$DIR/quorum" >/dev/null 2>"$DIR/stderr" || code=$?
[[ $code == 5 || $code == 6 ]] || fail "exit code $code without a quorum"
for line in 1 2 3 4; do
    grep -q "line $line: " "$DIR/stderr" || fail "line $line is not told: $(<"$DIR/stderr")"
done
grep -Eq 'of the lines so far 0 are stored, 0 broken, [0-4] not applied, [0-4] of unknown outcome' "$DIR/stderr" ||
    fail "the outcome is not told: $(<"$DIR/stderr")"

#!/usr/bin/env bash
# What only a person at a terminal meets: bytes that are no text are not thrown at the screen, a put without a value is no
# empty write, Ctrl-C says whether a write had been sent (6) or not (130); and a disk that cannot be written says so.
source "$(dirname "$0")/../lib/cluster.sh"
cluster_init "$@"
cluster_start

# The command with a terminal of its own for stdin, stdout and stderr; what it printed is in SAID, its code in CODE.
at_terminal() { # WORDS
    CODE=0
    SAID=$(script -qec "$BIN/dkvctl -e $ENDPOINTS $1" /dev/null </dev/null) || CODE=$?
}

ctl put text 'plain words' >/dev/null
printf 'bell \a and escape \033[2J' | ctl put binary - >/dev/null
if quiet script -qec true /dev/null; then
    at_terminal 'get text'
    [[ $CODE == 0 && $SAID == 'plain words'* ]] || fail "get at a terminal: $CODE: $SAID"
    at_terminal 'get binary'
    [[ $CODE == 1 && $SAID == *--raw* && $SAID != *$'\033[2J'* ]] || fail "a binary value at a terminal: $CODE: $SAID"
    at_terminal 'get binary --raw'
    [[ $CODE == 0 && $SAID == *$'\033[2J'* ]] || fail "a binary value with --raw: $CODE: $SAID"
    at_terminal 'put text'
    [[ $CODE == 2 ]] || fail "a put without a value at a terminal: $CODE: $SAID"
    expect_out 'plain words' ctl get text
    say "a terminal gets text, and nothing is written by leaving out a value"
else
    say "NOT SHOWN: what a terminal gets needs pseudo-terminals (/dev/pts)"
fi

# Both followers are frozen: the leader takes the write into its log, and nobody can confirm it.
leader=$(leader_of text)
for name in "${NAMES[@]}"; do
    [[ $name == "$leader" ]] || node_signal STOP "$name"
done
expect 6 timeout --foreground --preserve-status -s INT 0.5 "$BIN/dkvctl" -e "$(client_of "$leader")" -t 20s put text new
expect 130 timeout --foreground --preserve-status -s INT 0.5 "$BIN/dkvctl" -e "$(client_of "$leader")" -t 20s get text
for name in "${NAMES[@]}"; do
    [[ $name == "$leader" ]] || node_signal CONT "$name"
done
say "Ctrl-C: 6 when a write was on its way, else 130"

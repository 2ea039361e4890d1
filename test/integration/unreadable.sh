#!/usr/bin/env bash
# A data directory that cannot be read or written is refused at the start, with one line that names the file, and is left as
# it was. As root, whom modes do not bind, dkvd runs as another user and on a file system of its own that is read-only.
source "$(dirname "$0")/../lib/cluster.sh"
NODES=1 REPLICAS=1 SHARDS=2
cluster_init "$@"
cluster_start
ctl put k v >/dev/null
node_stop n1
segment=$DIR/n1/journal/00000000000000000001.seg
before=$(sha256sum <"$segment")

# dkvd on the data directory $1, as a user whom modes bind.
start() {
    local flags=(--name n1 --data-dir "$1" --client "$(client_of n1)" --peer "$(peer_of n1)" --initial-cluster "$INITIAL"
        --shards "$SHARDS" --replicas "$REPLICAS" --cluster-token "$TOKEN")
    if [[ $(id -u) == 0 ]]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$DIR/dkvd" "${flags[@]}"
    else
        "$DIR/dkvd" "${flags[@]}"
    fi
}

cp "$BIN/dkvd" "$DIR/dkvd"
if [[ $(id -u) == 0 ]]; then
    chmod 711 "$DIR"
    chown -R 65534:65534 "$DIR/n1"
fi
chmod 000 "$segment"
expect 4 start "$DIR/n1"
[[ $ERR == *00000000000000000001.seg* ]] || fail "the refusal does not name the segment: $ERR"
chmod 600 "$segment"
chmod 500 "$DIR/n1/journal" "$DIR/n1"
chmod 400 "$DIR/n1/LOCK"
expect 1 start "$DIR/n1"
[[ $ERR == *"$DIR/n1"* ]] || fail "the refusal does not name the directory: $ERR"
chmod 700 "$DIR/n1" "$DIR/n1/journal"
chmod 600 "$DIR/n1/LOCK"
say "a segment that may not be read: 4; a directory that may not be written: refused"

if [[ $(id -u) != 0 ]] || ! quiet unshare -m true; then
    say "NOT SHOWN: a read-only file system needs root and mount namespaces"
else
    mkdir "$DIR/ro"
    export -f start client_of peer_of client_port peer_port
    export DIR BIN INITIAL SHARDS REPLICAS TOKEN PORT_BASE
    # shellcheck disable=SC2016  # expanded by the inner shell
    expect 1 unshare -m bash -ec '
        mount -t tmpfs none "$DIR/ro"
        cp -a "$DIR/n1/." "$DIR/ro/"
        mount -o remount,ro "$DIR/ro"
        start "$DIR/ro"'
    [[ $ERR == *"$DIR/ro"* ]] || fail "the refusal does not name the directory: $ERR"
    say "a read-only file system: refused"
fi
[[ $(id -u) != 0 ]] || chown -R 0:0 "$DIR/n1"
[[ $(sha256sum <"$segment") == "$before" ]] || fail "the segment has changed"
node_start n1
cluster_wait_ready
expect_out v ctl get k
say "and all is there as it was"

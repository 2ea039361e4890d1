# Tests with real processes: each script is one sentence of what the store promises. They find the programs in $BIN.
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = BIN='$(abs_top_builddir)'; export BIN;
integration_tests = \
	test/integration/config.sh \
	test/integration/bounded-memory.sh \
	test/integration/damaged-journal.sh \
	test/integration/five-nodes.sh \
	test/integration/garbage.sh \
	test/integration/hammer-can-fail.sh \
	test/integration/import-export.sh \
	test/integration/hostile-cli.sh \
	test/integration/hostile-native.sh \
	test/integration/hostile-peer.sh \
	test/integration/import-scan.sh \
	test/integration/kill-all.sh \
	test/integration/local-cluster.sh \
	test/integration/lost-directory.sh \
	test/integration/no-quorum.sh \
	test/integration/one-node.sh \
	test/integration/paused-leader.sh \
	test/integration/put-get-delete.sh \
	test/integration/refusals.sh \
	test/integration/sigterm.sh \
	test/integration/slow-disks.sh \
	test/integration/terminal.sh \
	test/integration/two-clusters.sh \
	test/integration/unreadable.sh
TESTS += $(integration_tests)
EXTRA_DIST += $(integration_tests) test/lib/cluster.sh

# test/fuzz/local.mk - each fuzz target as a program that replays its corpus; scripts/fuzz builds the fuzzers themselves.
fuzz_common = test/fuzz/fuzz.c test/fuzz/fuzz.h test/fuzz/replay.c
fuzz_corpus = $(abs_top_srcdir)/test/fuzz/corpus
fuzz_tests = fuzz_config fuzz_journal fuzz_native fuzz_peer

check_PROGRAMS += $(fuzz_tests) fuzz_seeds
TESTS += $(fuzz_tests)
EXTRA_DIST += scripts/fuzz test/fuzz/corpus

fuzz_config_SOURCES = test/fuzz/config.c $(fuzz_common)
fuzz_config_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/config"'
fuzz_config_LDADD = libbase.a

fuzz_journal_SOURCES = test/fuzz/journal.c $(fuzz_common)
fuzz_journal_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/journal"'
fuzz_journal_LDADD = libtest.a libwal.a libbase.a $(XXHASH_LIBS)

fuzz_native_SOURCES = test/fuzz/native.c $(fuzz_common)
fuzz_native_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/native"'
fuzz_native_LDADD = libproto.a libbase.a $(MSGPACK_LIBS)

fuzz_peer_SOURCES = test/fuzz/peer.c $(fuzz_common)
fuzz_peer_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/peer"'
fuzz_peer_LDADD = libpeer.a librepl.a libtopo.a libproto.a libbase.a $(MSGPACK_LIBS) $(XXHASH_LIBS)

fuzz_seeds_SOURCES = test/fuzz/seeds.c
fuzz_seeds_LDADD = libtest.a libpeer.a librepl.a libwal.a libtopo.a libproto.a libbase.a $(MSGPACK_LIBS) $(XXHASH_LIBS)

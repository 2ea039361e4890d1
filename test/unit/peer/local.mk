# test/unit/peer/local.mk - what makes test_peer.
check_PROGRAMS += test_peer
TESTS += test_peer
test_peer_SOURCES = \
	test/unit/peer/main.c \
	test/unit/peer/test_frame.c \
	test/unit/peer/test_greeting.c \
	test/unit/peer/test_hostile.c \
	test/unit/peer/test_peers.c \
	test/unit/peer/test_queue.c \
	test/unit/peer/world.c \
	test/unit/peer/world.h
test_peer_LDADD = libpeer.a libtest.a libbase.a $(XXHASH_LIBS) $(CHECK_LIBS)

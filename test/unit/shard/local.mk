check_PROGRAMS += test_shard
TESTS += test_shard

test_shard_SOURCES = \
	test/unit/shard/main.c \
	test/unit/shard/suites.h \
	test/unit/shard/test_join.c \
	test/unit/shard/test_meta.c
test_shard_LDADD = libshard.a librepl.a libwal.a libpeer.a libstore.a libtopo.a libproto.a libbase.a \
	$(CHECK_LIBS) $(RAFT_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

# The whole-cluster simulator: links everything but the loop and the programs.
check_PROGRAMS += dkv-world

dkv_world_SOURCES = \
	test/world/main.c \
	test/world/wire.c \
	test/world/wire.h \
	test/world/world.c \
	test/world/world.h
dkv_world_LDADD = libtest.a libfront.a libshard.a librepl.a libwal.a libpeer.a libstore.a libtopo.a libproto.a libbase.a \
	$(RAFT_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

check_PROGRAMS += test_front
TESTS += test_front

test_front_SOURCES = \
	test/unit/front/main.c \
	test/unit/front/suites.h \
	test/unit/front/test_deadlines.c \
	test/unit/front/test_door.c \
	test/unit/front/test_router.c \
	test/world/wire.c \
	test/world/wire.h \
	test/world/world.c \
	test/world/world.h
test_front_LDADD = libtest.a libfront.a libshard.a librepl.a libwal.a libpeer.a libstore.a libtopo.a libproto.a libbase.a \
	$(CHECK_LIBS) $(RAFT_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

check_PROGRAMS += test_client
TESTS += test_client
test_client_SOURCES = \
	test/unit/client/main.c test/unit/client/suites.h \
	test/unit/client/rig.c test/unit/client/rig.h \
	test/unit/client/test_client.c \
	test/unit/client/test_uv.c
test_client_LDADD = libclient.a libproto.a libbase.a $(CHECK_LIBS) $(UV_LIBS) $(MSGPACK_LIBS) $(XXHASH_LIBS) -lpthread

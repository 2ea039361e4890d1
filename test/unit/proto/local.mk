# test/unit/proto/local.mk - unit tests of proto.
check_PROGRAMS += test_proto
TESTS += test_proto
test_proto_SOURCES = \
	test/unit/proto/main.c \
	test/unit/proto/notation.c test/unit/proto/notation.h \
	test/unit/proto/suites.h \
	test/unit/proto/test_command.c \
	test/unit/proto/test_json.c \
	test/unit/proto/test_native.c \
	test/unit/proto/test_pack.c \
	test/unit/proto/test_request.c
test_proto_LDADD = libproto.a libbase.a $(CHECK_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

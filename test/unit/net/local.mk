# test/unit/net/local.mk - what makes test_net.
check_PROGRAMS += test_net
TESTS += test_net
test_net_SOURCES = \
	test/unit/net/fixture.c \
	test/unit/net/fixture.h \
	test/unit/net/main.c \
	test/unit/net/test_disk.c \
	test/unit/net/test_lockfile.c \
	test/unit/net/test_loop.c \
	test/unit/net/test_tcp.c
test_net_LDADD = libnet.a libbase.a $(UV_LIBS) $(XXHASH_LIBS) $(CHECK_LIBS)

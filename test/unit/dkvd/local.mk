check_PROGRAMS += test_dkvd
TESTS += test_dkvd

test_dkvd_SOURCES = \
	test/unit/dkvd/main.c test/unit/dkvd/suites.h \
	test/unit/dkvd/test_conf_file.c \
	test/unit/dkvd/test_machine.c \
	test/unit/dkvd/test_options.c \
	src/dkvd/conf_file.c src/dkvd/conf_file.h \
	src/dkvd/machine.c src/dkvd/machine.h \
	src/dkvd/options.c src/dkvd/options.h
test_dkvd_LDADD = libtopo.a libproto.a libbase.a $(CHECK_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

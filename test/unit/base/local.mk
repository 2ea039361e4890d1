# test/unit/base/local.mk - unit tests of base.
check_PROGRAMS += test_base
TESTS += test_base
test_base_SOURCES = \
	test/unit/base/main.c \
	test/unit/base/suites.h \
	test/unit/base/test_args.c \
	test/unit/base/test_buf.c \
	test/unit/base/test_conf.c \
	test/unit/base/test_crc32c.c \
	test/unit/base/test_err.c \
	test/unit/base/test_hash.c \
	test/unit/base/test_list.c \
	test/unit/base/test_log.c \
	test/unit/base/test_mem.c \
	test/unit/base/test_reader.c \
	test/unit/base/test_rng.c \
	test/unit/base/test_slice.c \
	test/unit/base/test_text.c
test_base_LDADD = libbase.a $(CHECK_LIBS) $(XXHASH_LIBS)

check_PROGRAMS += test_dkvctl
TESTS += test_dkvctl
test_dkvctl_SOURCES = \
	test/unit/dkvctl/main.c test/unit/dkvctl/suites.h \
	test/unit/dkvctl/test_histogram.c \
	test/unit/dkvctl/test_input.c \
	test/unit/dkvctl/test_jsonl.c \
	test/unit/dkvctl/test_line.c \
	test/unit/dkvctl/test_local.c \
	test/unit/dkvctl/test_order.c \
	test/unit/dkvctl/test_progress.c \
	test/unit/dkvctl/test_words.c \
	src/dkvctl/histogram.c src/dkvctl/histogram.h \
	src/dkvctl/input.c src/dkvctl/input.h \
	src/dkvctl/jsonl.c src/dkvctl/jsonl.h \
	src/dkvctl/line.c src/dkvctl/line.h \
	src/dkvctl/local.h src/dkvctl/local_conf.c \
	src/dkvctl/order.c src/dkvctl/order.h \
	src/dkvctl/output.c src/dkvctl/output.h \
	src/dkvctl/progress.c src/dkvctl/progress.h \
	src/dkvctl/words.c src/dkvctl/words.h
test_dkvctl_LDADD = libproto.a libbase.a $(CHECK_LIBS) $(JANSSON_LIBS) $(MSGPACK_LIBS) $(XXHASH_LIBS)

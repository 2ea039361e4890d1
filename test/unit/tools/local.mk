check_PROGRAMS += test_tools
TESTS += test_tools
test_tools_SOURCES = test/unit/tools/main.c test/unit/tools/test_ledger.c \
	test/tools/ledger.c test/tools/ledger.h
test_tools_LDADD = libbase.a $(CHECK_LIBS)

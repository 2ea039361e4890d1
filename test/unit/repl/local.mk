# test/unit/repl/local.mk - unit tests of repl.
check_PROGRAMS += test_repl
TESTS += test_repl
test_repl_SOURCES = \
	test/unit/repl/cluster.c test/unit/repl/cluster.h \
	test/unit/repl/main.c \
	test/unit/repl/suites.h \
	test/unit/repl/test_core.c \
	test/unit/repl/test_entrylog.c \
	test/unit/repl/test_group.c \
	test/unit/repl/test_members.c \
	test/unit/repl/test_message.c
test_repl_LDADD = librepl.a libbase.a $(RAFT_LIBS) $(CHECK_LIBS)

# src/repl/local.mk - the raft core behind its guards, groups, their messages.
noinst_LIBRARIES += librepl.a
librepl_a_SOURCES = \
	src/repl/core.c src/repl/core.h \
	src/repl/entrylog.c src/repl/entrylog.h \
	src/repl/fifo.c src/repl/fifo.h \
	src/repl/group.c src/repl/group.h \
	src/repl/members.c src/repl/members.h \
	src/repl/message.c src/repl/message.h

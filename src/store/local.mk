noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/node.c src/store/node.h \
	src/store/reclaim.c src/store/reclaim.h \
	src/store/record.c src/store/record.h \
	src/store/state.c src/store/state.h \
	src/store/tree.c src/store/tree.h

# Not installed and no test: its figures are in doc/notes/store.md.
noinst_PROGRAMS += bench_store
bench_store_SOURCES = test/bench/store.c
bench_store_LDADD = libstore.a libbase.a

check_PROGRAMS += test_store
TESTS += test_store
test_store_SOURCES = \
	test/unit/store/main.c \
	test/unit/store/test_node.c \
	test/unit/store/test_reclaim.c \
	test/unit/store/test_state.c \
	test/unit/store/test_tree.c
test_store_LDADD = libstore.a libtopo.a libbase.a $(XXHASH_LIBS) $(CHECK_LIBS) -lpthread

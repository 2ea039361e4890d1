check_PROGRAMS += test_topo
TESTS += test_topo
test_topo_SOURCES = \
	test/unit/topo/main.c \
	test/unit/topo/test_map.c \
	test/unit/topo/test_ring.c
test_topo_LDADD = libtopo.a libbase.a $(XXHASH_LIBS) $(CHECK_LIBS) -lm

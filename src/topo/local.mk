noinst_LIBRARIES += libtopo.a
libtopo_a_SOURCES = \
	src/topo/map.c src/topo/map.h src/topo/map_internal.h \
	src/topo/map_nodes.c \
	src/topo/ring.c src/topo/ring.h

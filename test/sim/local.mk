# test/sim/local.mk - dkv-sim: a cluster in one process on one seed.
check_PROGRAMS += dkv-sim
TESTS += dkv-sim
dkv_sim_SOURCES = \
	test/sim/main.c test/sim/sim.h \
	test/sim/net.c \
	test/sim/node.c \
	test/sim/oracle.c test/sim/oracle.h \
	test/sim/world.c
dkv_sim_LDADD = libtest.a librepl.a libwal.a libbase.a $(RAFT_LIBS)

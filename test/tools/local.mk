# hammer is made by plain `make`: scripts/kill-leaders needs it beside dkvd and dkvctl.
noinst_PROGRAMS += hammer
hammer_SOURCES = test/tools/hammer.c test/tools/ledger.c test/tools/ledger.h
hammer_LDADD = libclient.a libtopo.a libproto.a libbase.a \
	$(UV_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

# abuse is for test/integration/hostile-native.sh and its like; plain `make` makes it, too, for memory is measured
# without sanitizers.
noinst_PROGRAMS += abuse
abuse_SOURCES = test/tools/abuse.c
abuse_LDADD = libbase.a

# flips is for test/integration/damaged-journal.sh.
noinst_PROGRAMS += flips
flips_SOURCES = test/tools/flips.c
flips_LDADD = libnet.a libwal.a libbase.a $(UV_LIBS) $(XXHASH_LIBS)

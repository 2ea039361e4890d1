# hammer is made by plain `make`: scripts/kill-leaders needs it beside dkvd and dkvctl.
noinst_PROGRAMS += hammer
hammer_SOURCES = test/tools/hammer.c test/tools/ledger.c test/tools/ledger.h
hammer_LDADD = libclient.a libtopo.a libproto.a libbase.a \
	$(UV_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

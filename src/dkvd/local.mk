bin_PROGRAMS += dkvd

dkvd_SOURCES = \
	src/dkvd/conf_file.c \
	src/dkvd/conf_file.h \
	src/dkvd/machine.c \
	src/dkvd/machine.h \
	src/dkvd/main.c \
	src/dkvd/options.c \
	src/dkvd/options.h \
	src/dkvd/server.c \
	src/dkvd/server.h
dkvd_LDADD = libfront.a libshard.a librepl.a libwal.a libpeer.a libnet.a libstore.a libtopo.a libproto.a libbase.a \
	$(UV_LIBS) $(RAFT_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = \
	src/client/client.c src/client/client.h src/client/client_internal.h \
	src/client/hello.c src/client/hello.h \
	src/client/uv.c

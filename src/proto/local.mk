# src/proto/local.mk - requests, commands and their encodings.
noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/command.c src/proto/command.h \
	src/proto/entry.h \
	src/proto/json.c src/proto/json.h \
	src/proto/native.c src/proto/native.h \
	src/proto/pack.c src/proto/pack.h \
	src/proto/request.c src/proto/request.h

# src/base/local.mk - bytes, errors, text, logs, options.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/args.c src/base/args.h src/base/args_internal.h \
	src/base/args_text.c \
	src/base/buf.c src/base/buf.h \
	src/base/conf.c src/base/conf.h \
	src/base/crc32c.c src/base/crc32c.h src/base/crc32c_internal.h \
	src/base/deadline.h \
	src/base/disk.h \
	src/base/ensure.c src/base/ensure.h \
	src/base/err.c src/base/err.h \
	src/base/hash.c src/base/hash.h \
	src/base/limits.h \
	src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/mem.c src/base/mem.h \
	src/base/reader.c src/base/reader.h \
	src/base/rng.h \
	src/base/slice.h \
	src/base/stream.h \
	src/base/text.c src/base/text.h

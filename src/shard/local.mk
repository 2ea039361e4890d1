noinst_LIBRARIES += libshard.a

libshard_a_SOURCES = \
	src/shard/forward.c \
	src/shard/forward.h \
	src/shard/join.c \
	src/shard/join.h \
	src/shard/meta.c \
	src/shard/meta.h \
	src/shard/node.c \
	src/shard/node.h \
	src/shard/node_internal.h \
	src/shard/node_start.c \
	src/shard/replica.c \
	src/shard/replica.h \
	src/shard/rounds.c \
	src/shard/rounds.h

noinst_LIBRARIES += libwal.a
libwal_a_SOURCES = \
	src/wal/batch.c src/wal/batch.h \
	src/wal/gather.c src/wal/gather.h \
	src/wal/journal.c src/wal/journal.h \
	src/wal/record.c src/wal/record.h \
	src/wal/replay.c src/wal/replay.h \
	src/wal/segment.c src/wal/segment.h \
	src/wal/spare.c src/wal/spare.h

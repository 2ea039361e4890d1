check_PROGRAMS += test_wal
TESTS += test_wal
test_wal_SOURCES = \
	test/unit/wal/main.c \
	test/unit/wal/rig.c test/unit/wal/rig.h \
	test/unit/wal/test_crafted.c \
	test/unit/wal/test_crash.c \
	test/unit/wal/test_damage.c \
	test/unit/wal/test_format.c \
	test/unit/wal/test_journal.c \
	test/unit/wal/test_memdisk.c
test_wal_LDADD = libtest.a libwal.a libbase.a $(CHECK_LIBS)

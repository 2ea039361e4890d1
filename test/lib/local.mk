check_LIBRARIES += libtest.a
libtest_a_SOURCES = \
	test/lib/memdisk.c test/lib/memdisk.h \
	test/lib/pipe.c test/lib/pipe.h

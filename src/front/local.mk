noinst_LIBRARIES += libfront.a

libfront_a_SOURCES = \
	src/front/door.c \
	src/front/door.h \
	src/front/info.c \
	src/front/info.h \
	src/front/router.c \
	src/front/router.h \
	src/front/scan.c \
	src/front/scan.h \
	src/front/status.c \
	src/front/status.h

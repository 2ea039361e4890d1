# src/net/local.mk - what makes libnet.a.
noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/dial.c \
	src/net/disk.c \
	src/net/listen.c \
	src/net/lockfile.c \
	src/net/lockfile.h \
	src/net/loop.c \
	src/net/net.h \
	src/net/net_internal.h \
	src/net/tcp.c

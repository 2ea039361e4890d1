# src/peer/local.mk - what makes libpeer.a.
noinst_LIBRARIES += libpeer.a
libpeer_a_SOURCES = \
	src/peer/accepted.c \
	src/peer/dialed.c \
	src/peer/frame.c \
	src/peer/frame.h \
	src/peer/greeting.c \
	src/peer/greeting.h \
	src/peer/peers.c \
	src/peer/peers.h \
	src/peer/peers_internal.h \
	src/peer/queue.c \
	src/peer/queue.h

bin_PROGRAMS += dkvctl
dist_man_MANS += doc/dkvctl.1
dkvctl_SOURCES = \
	src/dkvctl/cmd_bench.c \
	src/dkvctl/cmd_cluster.c \
	src/dkvctl/cmd_data.c \
	src/dkvctl/cmd_export.c \
	src/dkvctl/cmd_import.c \
	src/dkvctl/cmd_ring.c \
	src/dkvctl/cmd_scan.c \
	src/dkvctl/cmd_status.c \
	src/dkvctl/ctl.c src/dkvctl/ctl.h \
	src/dkvctl/histogram.c src/dkvctl/histogram.h \
	src/dkvctl/input.c src/dkvctl/input.h \
	src/dkvctl/jsonl.c src/dkvctl/jsonl.h \
	src/dkvctl/line.c src/dkvctl/line.h \
	src/dkvctl/local.h src/dkvctl/local_conf.c src/dkvctl/local_node.c \
	src/dkvctl/main.c \
	src/dkvctl/order.c src/dkvctl/order.h \
	src/dkvctl/output.c src/dkvctl/output.h \
	src/dkvctl/pages.c src/dkvctl/pages.h \
	src/dkvctl/progress.c src/dkvctl/progress.h \
	src/dkvctl/session.c src/dkvctl/session.h \
	src/dkvctl/shard_view.c src/dkvctl/shard_view.h \
	src/dkvctl/words.c src/dkvctl/words.h
dkvctl_LDADD = libclient.a libnet.a libtopo.a libproto.a libbase.a \
	$(UV_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS)

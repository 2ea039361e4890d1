/* server.h - a running node: the loop, the ports, the node and its doors, from start to orderly end. */
#ifndef DKV_DKVD_SERVER_H
#define DKV_DKVD_SERVER_H

#include "dkvd/options.h"

/* Run until a signal ends it; returns the exit code of SURFACE's table for dkvd. */
int server_run(const struct options *options);

#endif

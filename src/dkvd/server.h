/* server.h - a running node: the loop, the ports, the node and its doors, from start to orderly end. */
#ifndef DKV_DKVD_SERVER_H
#define DKV_DKVD_SERVER_H

#include "dkvd/options.h"

/* Run until a signal ends it; returns the exit code. SIGHUP reads the options again, from the same argv. */
int server_run(int argc, char **argv, struct options *options);

#endif

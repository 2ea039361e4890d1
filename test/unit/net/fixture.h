/* fixture.h - what the tests of net share: a loop that cannot hang, a free port, a directory of one's own. */
#ifndef DKV_TEST_NET_FIXTURE_H
#define DKV_TEST_NET_FIXTURE_H

#include "net/net.h"

struct net *fixture_loop(void);       /* stops, and fails the test, after ten seconds */
void fixture_free(struct net *n);     /* stop, run to the end, free */
void fixture_port(struct address *a); /* 127.0.0.1 and a port nobody has */

/* A new empty directory; removed, with the files in it, by fixture_rmdir(). */
void fixture_mkdir(char *path, size_t n);
void fixture_rmdir(const char *path);

#endif

/* net.h - the loop, timers, sockets and files: with the programs and client/uv.c the only users of libuv.
 *
 * One loop per worker thread. All callbacks come from it. */
#ifndef DKV_NET_NET_H
#define DKV_NET_NET_H

#include "base/disk.h"
#include "base/err.h"
#include "base/stream.h"
#include "base/text.h"

struct net;          /* opaque: one loop */
struct net_listener; /* opaque */
struct net_timer;    /* opaque */

struct net *net_new(void);    /* NULL: no memory */
void net_free(struct net *n); /* after net_run returned, or if it never ran; NULL is fine */

/* Run until net_stop() and every handle is closed. */
void net_run(struct net *n);

/* Close what is left, then net_run returns: streams get on_close(DKV_CANCELED), dials their callback with
 * NULL, disk requests are finished. Timers and listeners may still be closed by name until net_free().
 * Nothing new can be opened; net_dial() returns DKV_CANCELED. Twice is fine. */
void net_stop(struct net *n);

/* Monotonic milliseconds and nanoseconds of the current turn's begin, and of now. Never go back. */
uint64_t net_now_ms(const struct net *n);
uint64_t net_clock_ns(void);

/* Called once at the end of every loop turn, before the loop waits for events. What the callback itself
 * queues counts for this turn: writes go out at once, a timer it sets and a stream it closes shorten the
 * wait. The callbacks of what the wait brings come before the next call. */
void net_on_turn(struct net *n, void (*cb)(void *ctx), void *ctx);

/* A one-shot timer that can be set again, from its own callback too. */
struct net_timer *net_timer_new(struct net *n, void (*cb)(void *ctx), void *ctx); /* NULL: no memory */
void net_timer_set(struct net_timer *t, uint64_t at_ms); /* in net_now_ms() time; UINT64_MAX: off */
void net_timer_close(struct net_timer *t);               /* frees it later; NULL is fine */

/* SIGTERM, SIGINT and SIGHUP arrive as this call. SIGPIPE is ignored. */
void net_on_signal(struct net *n, void (*cb)(void *ctx, int number), void *ctx);

/* Listen; every connection is a stream handed to on_accept, which takes it. Port 0 is not allowed here.
 * DKV_ADDRESS_IN_USE; DKV_CONFIG: the host does not resolve (blocks while it resolves). */
typedef void (*net_accept_cb)(void *ctx, struct stream *s);
dkv_err net_listen(struct net *n, const struct address *at, net_accept_cb cb, void *ctx,
                   struct net_listener **out) MUST_CHECK;
void net_listener_close(struct net_listener *l); /* NULL is fine */

/* Connect; the callback fires once: a stream, taken by the callee, or NULL. Gives up after timeout_ms. Names
 * are resolved off the loop. DKV_NO_MEMORY: the callback never fires. */
typedef void (*net_dial_cb)(void *ctx, struct stream *s);
dkv_err net_dial(struct net *n, const struct address *to, uint64_t timeout_ms, net_dial_cb cb,
                 void *ctx) MUST_CHECK;

/* The file seam on a directory, made with mode 0700 if missing. Writes are pwrite + fdatasync on the thread
 * pool. DKV_IO: why says what failed. */
dkv_err net_disk_open(struct net *n, const char *path, struct disk **out, struct buf *why) MUST_CHECK;
void net_disk_close(struct disk *d); /* no request may be pending */

/* n random bytes from the kernel. DKV_IO. */
dkv_err net_random(void *into, size_t n) MUST_CHECK;

#endif

/* net_internal.h - what the files of net share: the loop, and how a thing on it lives and dies.
 *
 * Everything that owns a libuv handle embeds a struct net_thing as its first member. Its memory goes when
 * two things are true, in either order: its handles are closed (gone), and its owner will not touch it any
 * more (dropped). So net_stop() may close a timer whose owner only later calls net_timer_close(). */
#ifndef DKV_NET_NET_INTERNAL_H
#define DKV_NET_NET_INTERNAL_H

#include "base/list.h"
#include "net/net.h"

#include <sys/socket.h>
#include <uv.h>

/* One read; shared by all streams, because the loop reads one at a time. Bulk appends of 1 MiB come in few
 * calls. */
#define NET_READ_BYTES (256u << 10)

/* How long a stream closed with linger may take to send the rest and see the other end close. */
#define NET_LINGER_MS 2000u

#define NET_BACKLOG             511
#define NET_ACCEPTS_PER_TURN    64
#define NET_ACCEPT_PAUSE_MS     100u
#define NET_ACCEPT_LOG_EVERY_MS 1000u

struct net_thing {
    struct link link;                  /* in net->things */
    void (*stop)(struct net_thing *t); /* close it, in whatever state; calls nobody back; twice is fine */
    bool gone;                         /* every handle of it is closed */
    bool dropped;                      /* no owner will call any more */
};

#define NET_SIGNALS 3

struct net {
    uv_loop_t loop;
    uv_prepare_t turn;       /* also what keeps the loop alive until net_stop() */
    uv_timer_t linger_timer; /* for the first of lingering */
    uv_signal_t signals[NET_SIGNALS];
    bool has_signals;
    bool stopped;
    bool in_timer; /* inside a timer's callback */
    struct link things;
    struct link lookups;   /* of names, in the pool; see dial.c */
    struct link lingering; /* of struct tcp; all wait equally long, so the oldest is first */
    void (*on_turn)(void *ctx);
    void *turn_ctx;
    void (*on_signal)(void *ctx, int number);
    void *signal_ctx;
    char read_bytes[NET_READ_BYTES];
};

/* Enter the loop's list. dropped: it has no owner who will close it by name. */
void net_thing_init(struct net *n, struct net_thing *t, void (*stop)(struct net_thing *t), bool dropped);
void net_thing_gone(struct net_thing *t);
void net_thing_drop(struct net_thing *t);

/* The error for a result of libuv, which is a negated errno. */
dkv_err net_error(int result);

/* tcp.c: one connection. A new one has a handle and no socket yet; on failure call tcp_close(). */
struct tcp;
struct tcp *tcp_new(struct net *n); /* NULL: no memory */
uv_tcp_t *tcp_handle(struct tcp *t);

/* As uv_tcp_connect(); cb gets a request whose data is as given. UV_ECANCELED: tcp_close() was called. */
int tcp_connect(struct tcp *t, const struct sockaddr *to, uv_connect_cb cb, void *data);

/* The handle is connected: give it its options and name and begin to read. The stream is ready to be handed
 * over to an owner, within this same callback of the loop. */
dkv_err tcp_start(struct tcp *t, struct stream **out) MUST_CHECK;
void tcp_close(struct tcp *t, dkv_err err);

#endif

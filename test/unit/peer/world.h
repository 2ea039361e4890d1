/* world.h - two nodes on pipes and a clock of their own, for the tests of peer.
 *
 * Whatever a node's owner is told is added to its log as a word or two and a ';', so that a test compares one
 * line. */
#ifndef DKV_TEST_PEER_WORLD_H
#define DKV_TEST_PEER_WORLD_H

#include "lib/pipe.h"
#include "peer/peers.h"

#define WORLD_PIPES_MAX 512

enum policy { ANSWER_OK, ANSWER_REFUSE, ANSWER_LATER };

struct side {
    struct peers *peers;
    struct peer_identity self;
    enum policy policy; /* what on_hello does */
    bool knew;
    dkv_err refuse_err;
    const char *refuse_detail;
    struct handshake *asked; /* ANSWER_LATER: the latest */
    int dials;               /* due */
    bool stop_at_frame;      /* close all when a frame comes */
    struct buf log;
};

struct world {
    struct side n1;
    struct side n2;
    uint64_t now_ms;
    struct pipe *pipes[WORLD_PIPES_MAX];
    size_t pipe_count;
};

void world_init(struct world *w); /* both nodes know each other and have asked for a connection */
void world_fini(struct world *w);

/* Let the time go on, tick who is due, deliver all. */
void world_pass(struct world *w, uint64_t ms);

/* Fulfil the dial that is due. */
struct pipe *world_connect(struct world *w, struct side *from);
void world_fail_dial(struct world *w, struct side *from);

/* Both links up, logs empty. */
void world_greet(struct world *w);

/* Flush both and deliver all. */
void world_run(struct world *w);

struct side *world_other(struct world *w, struct side *side);
bool side_send(struct world *w, struct side *from, const char *text, bool urgent);

/* Compare the log and empty it. */
#define side_says(side, want) side_check((side), (want), __LINE__)
void side_check(struct side *side, const char *want, int line);

/* Somebody who is no dkv node: an end in the test's own hands. All zero before the first call. */
struct stranger {
    struct stream *stream;
    struct pipe *pipe;
    struct buf got;
    bool closed;
};

void stranger_call(struct world *w, struct side *to, struct stranger *s);     /* on the peer port */
void stranger_answer(struct world *w, struct side *from, struct stranger *s); /* in the other node's place */
void stranger_say(struct world *w, struct stranger *s, struct slice bytes);
void stranger_forget(struct stranger *s);

#endif

/* abuse.c - a client that means ill, for tests with real processes.
 *
 *   abuse drip PORT N SECONDS HEX    N connections, each sends a byte of HEX every second, then zeroes
 *   abuse claim PORT N SECONDS HEX   N connections, each sends HEX at once, then nothing more
 *   abuse flood PORT N SECONDS HEX   one connection, sends HEX N times over and never reads
 *   abuse ask PORT N SECONDS HEX     one connection, sends HEX once and prints the first N bytes of what
 *                                    comes back, in hex
 *
 * All call 127.0.0.1 and hold what they have for so many seconds; claim and ask end early when all their
 * connections were closed, ask also when it was answered. The last line of the output tells how many
 * connections are open at the end, and how much was sent. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1000u
#define CHUNK_BYTES     65536u
#define QUIET_MS        100u /* so long without another byte, and the answer is over */

struct abuse {
    uint16_t port;
    uint64_t n;
    uint64_t seconds;
    struct buf bytes; /* HEX */
    struct pollfd fds[CONNECTIONS_MAX];
    size_t connections;
    uint64_t sent;     /* bytes, by all */
    struct buf heard;  /* the first bytes that came, */
    size_t heard_most; /* and how many are wanted */
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* False: refused. */
static bool abuse_call(struct abuse *a)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        return false;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    a->fds[a->connections++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return true;
}

static void abuse_hang_up(struct pollfd *p)
{
    close(p->fd);
    p->fd = -1; /* poll() passes over it */
}

/* Send what the socket takes. Returns how much that was. */
static size_t abuse_send(struct abuse *a, struct pollfd *p, struct slice s)
{
    ssize_t n = p->fd < 0 ? 0 : write(p->fd, s.data, s.len);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            abuse_hang_up(p);
        }
        return 0;
    }
    a->sent += (uint64_t)n;
    return (size_t)n;
}

static size_t abuse_open(const struct abuse *a)
{
    size_t open = 0;
    for (size_t i = 0; i < a->connections; i++) {
        open += a->fds[i].fd >= 0;
    }
    return open;
}

/* Has what ask waits for come? */
static bool abuse_is_answered(const struct abuse *a)
{
    return a->heard_most > 0 && a->heard.len == a->heard_most;
}

/* Read for that long; notice who was hung up on. */
static void abuse_listen(struct abuse *a, uint64_t ms)
{
    static uint8_t came[CHUNK_BYTES];
    uint64_t end = now_ms() + ms;
    for (uint64_t now = now_ms(); now < end && abuse_open(a) > 0 && !abuse_is_answered(a); now = now_ms()) {
        poll(a->fds, a->connections, (int)(end - now));
        for (size_t i = 0; i < a->connections; i++) {
            struct pollfd *p = &a->fds[i];
            if (p->fd < 0 || p->revents == 0) {
                continue;
            }
            ssize_t n = read(p->fd, came, sizeof came);
            size_t wanted = a->heard_most - a->heard.len;
            buf_put(&a->heard, slice_of(came, n < 0 ? 0 : (size_t)n < wanted ? (size_t)n : wanted));
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                abuse_hang_up(p);
            }
        }
    }
}

static void abuse_drip(struct abuse *a)
{
    static const uint8_t zero;
    for (uint64_t second = 0; second < a->seconds; second++) {
        struct slice byte = second < a->bytes.len ? slice_of(a->bytes.data + second, 1) : slice_of(&zero, 1);
        for (size_t i = 0; i < a->connections; i++) {
            abuse_send(a, &a->fds[i], byte);
        }
        abuse_listen(a, 1000);
    }
}

static void abuse_claim(struct abuse *a)
{
    for (size_t i = 0; i < a->connections; i++) {
        abuse_send(a, &a->fds[i], buf_slice(&a->bytes));
    }
    abuse_listen(a, a->seconds * 1000);
}

static void abuse_ask(struct abuse *a)
{
    struct buf text = {0};
    a->heard_most = (size_t)a->n;
    abuse_send(a, &a->fds[0], buf_slice(&a->bytes));
    size_t before = 1; /* nothing heard is no end yet */
    for (uint64_t ms = 0; ms < a->seconds * 1000 && a->heard.len != before; ms += QUIET_MS) {
        before = a->heard.len > 0 ? a->heard.len : before;
        abuse_listen(a, QUIET_MS);
    }
    text_put_hex(buf_slice(&a->heard), &text);
    printf("%.*s\n", (int)text.len, (const char *)text.data);
    buf_fini(&text);
    buf_fini(&a->heard);
}

/* Nothing is read, so answers pile up until the other end stops reading, too. */
static void abuse_flood(struct abuse *a)
{
    struct buf chunk = {0};
    uint64_t end = now_ms() + a->seconds * 1000;
    uint64_t total = a->n * a->bytes.len;
    while (chunk.len < CHUNK_BYTES) {
        buf_put(&chunk, buf_slice(&a->bytes));
    }
    for (uint64_t now = now_ms(); now < end && a->fds[0].fd >= 0; now = now_ms()) {
        struct pollfd *p = &a->fds[0];
        size_t at = (size_t)(a->sent % a->bytes.len);
        size_t n = chunk.len - at < total - a->sent ? chunk.len - at : (size_t)(total - a->sent);
        p->events = n > 0 ? POLLOUT : 0;
        poll(a->fds, a->connections, (int)(end - now));
        if ((p->revents & (POLLERR | POLLHUP)) != 0) {
            abuse_hang_up(p);
        } else if (n > 0) {
            abuse_send(a, p, slice_of(chunk.data + at, n));
        }
    }
    buf_fini(&chunk);
}

static const struct {
    const char *name;
    void (*run)(struct abuse *a);
    bool single; /* connection */
} modes[] = {
    {"drip", abuse_drip, false},
    {"claim", abuse_claim, false},
    {"flood", abuse_flood, true},
    {"ask", abuse_ask, true},
};

static bool abuse_parse(struct abuse *a, char **argv)
{
    uint64_t port = 0;
    bool good = text_parse_u64(slice_str(argv[0]), &port) == DKV_OK && port > 0 && port <= UINT16_MAX;
    good = good && text_parse_u64(slice_str(argv[1]), &a->n) == DKV_OK && a->n > 0;
    good = good && text_parse_u64(slice_str(argv[2]), &a->seconds) == DKV_OK;
    good = good && text_parse_hex(slice_str(argv[3]), &a->bytes) == DKV_OK && a->bytes.len > 0;
    a->port = (uint16_t)port;
    return good;
}

static int abuse_run(struct abuse *a, size_t mode)
{
    uint64_t connections = modes[mode].single ? 1 : a->n;
    if (connections > CONNECTIONS_MAX) {
        fprintf(stderr, "abuse: at most %u connections\n", CONNECTIONS_MAX);
        return EXIT_FAILURE;
    }
    for (uint64_t i = 0; i < connections; i++) {
        if (!abuse_call(a)) {
            return EXIT_FAILURE;
        }
    }
    modes[mode].run(a);
    printf("connections=%zu open=%zu sent=%llu messages=%llu\n", a->connections, abuse_open(a),
           (unsigned long long)a->sent, (unsigned long long)(a->sent / a->bytes.len));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct abuse a;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc == 6 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0 && abuse_parse(&a, argv + 2)) {
            int code = abuse_run(&a, i);
            buf_fini(&a.bytes);
            return code;
        }
    }
    fprintf(stderr, "usage: abuse drip|claim|flood|ask PORT N SECONDS HEX\n");
    return EXIT_FAILURE;
}

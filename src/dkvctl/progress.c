/* progress.c - the progress line. */
#include "dkvctl/progress.h"

#include "dkvctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRESS_COLUMNS 80u /* of a terminal that does not tell */
#define PROGRESS_BAR_MIN 5u
#define PROGRESS_BAR_MAX 40u

void progress_begin(struct progress *p, const struct ctl *ctl, const char *unit, uint64_t total,
                    uint64_t now_us)
{
    *p = (struct progress){.on = !ctl->quiet && isatty(STDERR_FILENO) == 1,
                           .unit = unit,
                           .total = total,
                           .begun_us = now_us,
                           .shown_us = now_us};
}

/* [====>     ] in so many columns. */
static void progress_put_bar(uint64_t done, uint64_t total, unsigned columns, struct buf *out)
{
    unsigned inside = columns - 2;
    unsigned full = (unsigned)((double)done / (double)total * inside);
    buf_put_u8(out, '[');
    for (unsigned i = 0; i < inside; i++) {
        buf_put_u8(out, i < full ? '=' : i == full ? '>' : ' ');
    }
    buf_put_u8(out, ']');
}

/* 1:02:03, or 2:03 */
static void progress_put_time(uint64_t seconds, struct buf *out)
{
    if (seconds >= 3600) {
        buf_printf(out, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60,
                   seconds % 60);
    } else {
        buf_printf(out, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
    }
}

static void progress_put_words(const struct progress *p, uint64_t done, uint64_t elapsed_us, struct buf *out)
{
    double seconds = (double)elapsed_us / 1e6;
    uint64_t rate = elapsed_us == 0 ? 0 : (uint64_t)((double)p->count / seconds);
    if (p->total != 0) {
        buf_printf(out, "%3u%%  ", (unsigned)((double)done * 100 / (double)p->total));
    }
    buf_printf(out, "%" PRIu64 " %s  %" PRIu64 "/s", p->count, p->unit, rate);
    if (p->total != 0 && done != 0) {
        buf_put_text(out, "  ");
        progress_put_time((uint64_t)((double)(p->total - done) / (double)done * seconds + 0.5), out);
        buf_put_text(out, " left");
    }
}

void progress_format(const struct progress *p, uint64_t now_us, unsigned columns, struct buf *out)
{
    struct buf words = {0};
    uint64_t done = p->done < p->total ? p->done : p->total; /* there may have come more meanwhile */
    progress_put_words(p, done, now_us - p->begun_us, &words);
    if (p->total != 0 && words.len + 3 + PROGRESS_BAR_MIN <= columns) {
        size_t room = columns - words.len - 1;
        progress_put_bar(done, p->total, room < PROGRESS_BAR_MAX ? (unsigned)room : PROGRESS_BAR_MAX, out);
        buf_put_u8(out, ' ');
    }
    buf_put(out, slice_of(words.data, words.len < columns ? words.len : columns));
    buf_fini(&words);
}

/* One less than there are: a full line makes some terminals begin the next. */
static unsigned progress_columns(void)
{
    struct winsize size;
    bool told = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return (told ? size.ws_col : PROGRESS_COLUMNS) - 1;
}

void progress_show(struct progress *p, uint64_t done, uint64_t count, uint64_t now_us)
{
    p->done = done;
    p->count = count;
    if (!p->on || now_us - p->shown_us < 1000ull * PROGRESS_EVERY_MS) {
        return;
    }
    struct buf line = {0};
    buf_put_u8(&line, '\r');
    progress_format(p, now_us, progress_columns(), &line);
    buf_put_text(&line, "\033[K");
    if (buf_ok(&line)) {
        fwrite(line.data, 1, line.len, stderr);
    }
    buf_fini(&line);
    p->shown_us = now_us;
}

void progress_wipe(struct progress *p)
{
    if (p->on && p->shown_us != p->begun_us) {
        fputs("\r\033[K", stderr);
    }
}

/* main.c - dkvd, the server: one process is one node. */
#include "base/buf.h"
#include "base/mem.h"
#include "dkvd/server.h"

#include <stdio.h>
#include <unistd.h>

#define EXIT_CONFIG 2

static int print_text(const struct buf *text)
{
    ssize_t n = text->len == 0 ? 0 : write(STDOUT_FILENO, text->data, text->len);
    return n != (ssize_t)text->len;
}

/* What is asked for instead of a running node; false: nothing. */
static bool main_answer(const struct options *options, struct buf *text)
{
    const struct settings *asked = &options->settings;
    if (asked->help) {
        options_help(text);
    } else if (asked->version) {
        buf_put_text(text, "dkvd " DKV_VERSION "\n");
    } else if (asked->print_config) {
        options_print(options, text);
    }
    return text->len > 0 || asked->check_config;
}

int main(int argc, char **argv)
{
    struct options options;
    struct buf text = {0};
    int code;
    mem_abort_when_out();
    mem_keep_freed();
    if (options_parse(argc, argv, &options, &text) != DKV_OK) {
        fprintf(stderr, "%.*s\n", (int)text.len, (const char *)text.data);
        code = EXIT_CONFIG;
    } else if (main_answer(&options, &text)) {
        code = print_text(&text);
    } else {
        code = server_run(argc, argv, &options);
    }
    buf_fini(&text);
    options_fini(&options);
    return code;
}

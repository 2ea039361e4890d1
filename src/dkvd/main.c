/* main.c - dkvd, the server: one process is one node. */
#include "base/buf.h"
#include "base/mem.h"
#include "dkvd/server.h"

#include <stdio.h>
#include <unistd.h>

#define EXIT_CONFIG 2

static int print_text(struct buf *text)
{
    ssize_t n = write(STDOUT_FILENO, text->data, text->len);
    buf_fini(text);
    return n < 0;
}

int main(int argc, char **argv)
{
    struct options options;
    struct buf text = {0};
    mem_abort_when_out();
    mem_keep_freed();
    if (options_parse(argc, argv, &options, &text) != DKV_OK) {
        fprintf(stderr, "dkvd: %.*s\n", (int)text.len, (const char *)text.data);
        buf_fini(&text);
        options_fini(&options);
        return EXIT_CONFIG;
    }
    if (options.help) {
        options_help(&text);
        return print_text(&text);
    }
    if (options.version) {
        buf_put_text(&text, "dkvd " DKV_VERSION "\n");
        return print_text(&text);
    }
    log_set_level(options.log_level);
    int code = server_run(&options);
    options_fini(&options);
    return code;
}

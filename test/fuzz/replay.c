/* replay.c - runs a fuzz target on files that are there, without libFuzzer.
 *
 * replay_NAME                 every file of the target's corpus
 * replay_NAME FILE|FOLDER...  these instead, e.g. what a fuzzer found */
#include "base/log.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static size_t replayed;

static bool replay_read(FILE *file, struct buf *out)
{
    uint8_t *at;
    size_t got = 0;
    do {
        at = buf_extend(out, 4096);
        got = at == NULL ? 0 : fread(at, 1, 4096, file);
        out->len -= at == NULL ? 0 : 4096 - got;
    } while (got > 0);
    return buf_ok(out) && ferror(file) == 0;
}

/* False: it cannot be read. A finding does not return. */
static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buf content = {0};
    bool ok = file != NULL && replay_read(file, &content);
    if (file != NULL) {
        (void)fclose(file); /* only read */
    }
    if (ok) {
        uint8_t *exact = fuzz_copy(buf_slice(&content)); /* without the room that a buf keeps */
        LLVMFuzzerTestOneInput(exact, content.len);
        mem_free(exact);
        replayed++;
    } else {
        perror(path);
    }
    buf_fini(&content);
    return ok;
}

static bool replay_folder(const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort);
    bool ok = n > 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        ok = (names[i]->d_name[0] == '.' || replay_file(file)) && ok;
        free(names[i]);
    }
    free(names);
    if (n < 0) {
        perror(path);
    }
    return ok;
}

static bool replay_path(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        perror(path);
        return false;
    }
    return S_ISDIR(about.st_mode) ? replay_folder(path) : replay_file(path);
}

int main(int argc, char **argv)
{
    bool ok = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_level(LOG_ERROR);
    for (int i = 1; i < argc; i++) {
        ok = replay_path(argv[i]) && ok;
    }
    if (argc == 1) {
        ok = replay_path(FUZZ_CORPUS);
    }
    printf("%zu inputs replayed\n", replayed);
    return ok && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

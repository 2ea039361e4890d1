/* machine.c - what the control group allows, else the kernel. */
#include "dkvd/machine.h"

#include "base/slice.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number at the beginning of a file; UINT64_MAX: there is no such file, or it says "max". */
static uint64_t machine_number(const char *path)
{
    char text[32];
    uint64_t number = UINT64_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return UINT64_MAX;
    }
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    size_t digits = 0;
    while ((ssize_t)digits < n && text[digits] >= '0' && text[digits] <= '9') {
        digits++;
    }
    return text_parse_u64(slice_of(text, digits), &number) == DKV_OK ? number : UINT64_MAX;
}

uint64_t machine_memory(void)
{
    /* A container's own group is mounted here: version 2, then version 1 of control groups. */
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        uint64_t limit = machine_number(limits[i]);
        bytes = limit < bytes ? limit : bytes;
    }
    return bytes;
}

uint64_t machine_files(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < wanted) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return before;
        }
    }
    return limit.rlim_cur;
}

/* fuzz.c - see fuzz.h. */
#include "fuzz/fuzz.h"

#include "base/mem.h"

uint8_t *fuzz_copy(struct slice s)
{
    uint8_t *copy = mem_alloc(s.len);
    ensure(copy != NULL);
    if (s.len > 0) {
        memcpy(copy, s.data, s.len);
    }
    return copy;
}

bool fuzz_is_within(struct slice s, struct slice in)
{
    if (s.len == 0) {
        return true;
    }
    return s.data >= in.data && s.len <= in.len && (size_t)(s.data - in.data) <= in.len - s.len;
}

bool fuzz_is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

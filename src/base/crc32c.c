/* crc32c.c - CRC-32C by the SSE 4.2 instruction, or by a table of half bytes. */
#include "base/crc32c.h"

#include "base/crc32c_internal.h"

/* The remainders of the 16 half bytes, for the reflected polynomial 0x82F63B78. Half bytes keep the table in
 * one cache line; the processors dkv is meant for do not come here. */
static const uint32_t crc32c_table[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

uint32_t crc32c_portable(uint32_t crc, struct slice s)
{
    crc = ~crc;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= s.data[i];
        crc = (crc >> 4) ^ crc32c_table[crc & 15];
        crc = (crc >> 4) ^ crc32c_table[crc & 15];
    }
    return ~crc;
}

#ifdef __x86_64__

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, struct slice s)
{
    uint64_t wide = (uint32_t)~crc;
    size_t i = 0;
    for (; s.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, s.data + i, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    uint32_t narrow = (uint32_t)wide;
    for (; i < s.len; i++) {
        narrow = __builtin_ia32_crc32qi(narrow, s.data[i]);
    }
    return ~narrow;
}

uint32_t crc32c_more(uint32_t crc, struct slice s)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, s) : crc32c_portable(crc, s);
}

#else

uint32_t crc32c_more(uint32_t crc, struct slice s)
{
    return crc32c_portable(crc, s);
}

#endif

uint32_t crc32c(struct slice s)
{
    return crc32c_more(0, s);
}

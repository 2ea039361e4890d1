/* crc32c.h - CRC-32C (Castagnoli), as in RFC 3720 appendix B.4. */
#ifndef DKV_BASE_CRC32C_H
#define DKV_BASE_CRC32C_H

#include "base/slice.h"

/* The checksum of s. Uses the processor's instruction where there is one; same result everywhere. */
uint32_t crc32c(struct slice s);

/* Go on from crc, the checksum of what came before: crc32c_more(crc32c(a), b) == crc32c(ab). */
uint32_t crc32c_more(uint32_t crc, struct slice s);

#endif

/* crc32c_internal.h - the two ways to compute a CRC-32C, for the tests that compare them. */
#ifndef DKV_BASE_CRC32C_INTERNAL_H
#define DKV_BASE_CRC32C_INTERNAL_H

#include "base/slice.h"

/* As crc32c_more(), with a table: for processors without the instruction. */
uint32_t crc32c_portable(uint32_t crc, struct slice s);

#endif

/* conf_file.h - a settings file, from the disk into memory. */
#ifndef DKV_DKVD_CONF_FILE_H
#define DKV_DKVD_CONF_FILE_H

#include "base/args.h"

/* Read a regular file of up to CONF_FILE_BYTES_MAX bytes; anything else (a directory, a FIFO) is refused
 * without waiting for it. The caller frees out->text with mem_free(); out->name is path. DKV_CONFIG: why says
 * "PATH: what, allowed"; DKV_NO_MEMORY. */
dkv_err conf_file_read(const char *path, struct arg_file *out, struct buf *why) MUST_CHECK;

#endif

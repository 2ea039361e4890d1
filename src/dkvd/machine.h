/* machine.h - what this machine gives a process: memory and descriptors. */
#ifndef DKV_DKVD_MACHINE_H
#define DKV_DKVD_MACHINE_H

#include <stdint.h>

/* Bytes of memory: of the machine, or what a container may use of it if that is less. UINT64_MAX: unknown. */
uint64_t machine_memory(void);

/* Raise the process's own limit of open files, as far as the hard limit lets it, so that wanted may be open.
 * Returns how many may be open: possibly fewer, possibly more. */
uint64_t machine_files(uint64_t wanted);

#endif

/* host/stream/crc.h: CRC-32C (RFC 3720, B.4), by the processor where it can. */
#ifndef PP_HOST_CRC_H
#define PP_HOST_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc` (~0 at first); not inverted at the end. */
uint32_t pp_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif

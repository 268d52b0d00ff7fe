/* CRC-32C. */
#include "crc.h"

#include <string.h>

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p,
                                                              size_t length)
{
    uint64_t wide = crc;
    uint64_t word;
    for (; length >= 8; length -= 8, p += 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    for (; length; length--)
        wide = __builtin_ia32_crc32qi((uint32_t)wide, *p++);
    return (uint32_t)wide;
}
#endif

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *p, size_t length)
{
    while (length--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & (0u - (crc & 1)));
    }
    return crc;
}

uint32_t pp_crc32c(uint32_t crc, const void *bytes, size_t length)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_fast(crc, bytes, length);
#endif
    return crc32c_plain(crc, bytes, length);
}

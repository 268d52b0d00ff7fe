/* Framing of a serial line: COBS and CRC-32. */
#include "polepair/frame.h"

size_t pp_cobs_encode(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
    PP_ASSERT(in != out || length == 0);
    if (room < length + length / 254 + 1)
        return 0;
    size_t code_at = 0;
    size_t n = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < length; i++) {
        if (in[i]) {
            out[n++] = in[i];
            code++;
        }
        if (!in[i] || (code == 255 && i + 1 < length)) {
            out[code_at] = code;
            code_at = n++;
            code = 1;
        }
    }
    out[code_at] = code;
    return n;
}

size_t pp_cobs_decode(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
    size_t n = 0;
    size_t i = 0;
    while (i < length) {
        uint8_t code = in[i++];
        if (code == 0 || (size_t)(code - 1) > length - i || (size_t)code > room - n + 1)
            return PP_COBS_BROKEN;
        for (int k = 1; k < code; k++)
            out[n++] = in[i++];
        if (code < 255 && i < length) {
            if (n >= room)
                return PP_COBS_BROKEN;
            out[n++] = 0;
        }
    }
    return n;
}

/* Half a byte at a time: a table of 16 words fits any microcontroller. */
uint32_t pp_crc32(const uint8_t *bytes, size_t length)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)bytes[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

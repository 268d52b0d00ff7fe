/* frame.h: the binary batch, COBS and CRC-32. */
#include "unit.h"

#include "polepair/frame.h"

enum { CHANNELS = 3, SAMPLES = 40, ROOM = 2048 };

static const pp_frame head = {.encoding = PP_FLOAT64,
                              .channels = CHANNELS,
                              .samples = SAMPLES,
                              .boot = 0xbeef,
                              .flags = 0x1234,
                              .seq = 0xfedcba98,
                              .dropped = 0x01020304,
                              .dt_ns = 100000,
                              .time_ns = -0x0123456789abcdef};

static double values[CHANNELS * SAMPLES], columns[CHANNELS][SAMPLES];
static double *const column[CHANNELS] = {columns[0], columns[1], columns[2]};
static uint8_t bytes[ROOM];

static void fill(void)
{
    for (int i = 0; i < CHANNELS * SAMPLES; i++)
        values[i] = 100 * (unit_random() - 0.5) * (1 + i % CHANNELS);
    values[4] = values[5] = 0;
}

TEST(headers_come_back)
{
    pp_frame f;
    fill();
    size_t length = pp_frame_write(&head, values, NULL, bytes, ROOM);
    CHECK(length == PP_FRAME_HEADER + 8 * CHANNELS * SAMPLES);
    CHECK(pp_frame_read(bytes, length, &f) == PP_REFUSED_NOT);
    CHECK(f.encoding == PP_FLOAT64 && f.channels == CHANNELS && f.samples == SAMPLES);
    CHECK(f.boot == 0xbeef && f.flags == 0x1234 && f.seq == 0xfedcba98 && f.dropped == 0x01020304);
    CHECK(f.dt_ns == 100000 && f.time_ns == head.time_ns);
    CHECK(bytes[0] == 0x50 && bytes[1] == 1 && bytes[2] == 3 && bytes[3] == CHANNELS);
    CHECK(bytes[4] == SAMPLES && bytes[5] == 0 && bytes[8] == 0x98 && bytes[11] == 0xfe);
    CHECK(bytes[24] == 4 && bytes[27] == 1 && bytes[30] == 0 && bytes[31] == 0);
}

/* Largest distance of what a frame of this encoding brings back. */
static double apart(pp_encoding encoding, const double *scale)
{
    pp_frame f = head, g;
    double worst = 0;
    f.encoding = encoding;
    size_t length = pp_frame_write(&f, values, scale, bytes, ROOM);
    CHECK(length > PP_FRAME_HEADER);
    CHECK(pp_frame_read(bytes, length, &g) == PP_REFUSED_NOT);
    CHECK(pp_frame_values(&g, bytes, length, scale, column) == PP_REFUSED_NOT);
    for (int s = 0; s < SAMPLES; s++)
        for (int c = 0; c < CHANNELS; c++)
            worst = fmax(worst, fabs(columns[c][s] - values[s * CHANNELS + c]));
    return worst;
}

TEST(values_come_back)
{
    const double scale[CHANNELS] = {0.01, 0.02, 0.005};
    fill();
    CHECK(apart(PP_FLOAT64, NULL) == 0);
    CHECK(apart(PP_FLOAT32, NULL) < 150 * 6e-8);
    double whole = apart(PP_INT16, scale), delta = apart(PP_DELTA, scale);
    CHECK(whole <= 0.0100001 && whole > 0.002 && delta == whole);
    CHECK(apart(PP_INT16, NULL) <= 0.5 && apart(PP_DELTA, NULL) <= 0.5);
    values[0] = 327.67, values[3] = -327.67; /* the ends of 16 bits, at scale 0.01 */
    CHECK(apart(PP_INT16, scale) <= 0.0100001 && fabs(columns[0][0] - 327.67) < 1e-9);
    values[0] = 1e7, values[3] = -1e7;
    CHECK(apart(PP_DELTA, scale) <= 0.0100001);
}

TEST(deltas_take_the_bytes_they_need)
{
    pp_frame f = {.encoding = PP_DELTA, .channels = 1, .samples = 4};
    const double steps[] = {1, 0, 64, 64};
    size_t length = pp_frame_write(&f, steps, NULL, bytes, ROOM);
    CHECK(length == PP_FRAME_HEADER + 5); /* +1, -1, +64 in two bytes, 0 */
    const uint8_t expected[] = {2, 1, 0x80, 1, 0};
    CHECK(memcmp(bytes + PP_FRAME_HEADER, expected, 5) == 0);
    CHECK(pp_frame_write(&f, steps, NULL, bytes, PP_FRAME_HEADER + 4) == 0);
}

TEST(what_does_not_fit_is_not_written)
{
    pp_frame f = head;
    fill();
    CHECK(pp_frame_write(&f, values, NULL, bytes, PP_FRAME_HEADER + 8 * CHANNELS * SAMPLES - 1) ==
          0);
    CHECK(pp_frame_write(&f, values, NULL, bytes, PP_FRAME_HEADER + 8 * CHANNELS * SAMPLES) > 0);
    values[7] = NAN;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    values[7] = INFINITY, f.encoding = PP_FLOAT32;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    f.encoding = PP_INT16;
    for (int sign = -1; sign <= 1; sign += 2) {
        values[7] = sign * 32769.0;
        CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
        values[7] = sign * 32767.0;
        CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) > 0);
    }
    f.encoding = PP_DELTA, values[7] = 1.1e9;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    values[7] = NAN;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    f.encoding = PP_FLOAT64;
    values[7] = 0;
    f.channels = 0;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    f.channels = PP_FRAME_CHANNELS_MAX + 1, f.samples = 1;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    f.channels = PP_FRAME_CHANNELS_MAX;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) > 0);
    f.channels = 1, f.samples = 0;
    CHECK(pp_frame_write(&f, values, NULL, bytes, ROOM) == 0);
    f.samples = 65536;
    CHECK(pp_frame_write(&f, values, NULL, bytes, (size_t)1 << 30) == 0);
}

/* What reading says when one byte of a good frame is another. */
static pp_refusal with_byte(int at, uint8_t value, size_t length)
{
    pp_frame f = {.channels = -1};
    uint8_t before = bytes[at];
    bytes[at] = value;
    pp_refusal answer = pp_frame_read(bytes, length, &f);
    bytes[at] = before;
    CHECK(answer == PP_REFUSED_NOT || f.channels == -1);
    return answer;
}

TEST(bad_headers_are_refused)
{
    fill();
    size_t length = pp_frame_write(&head, values, NULL, bytes, ROOM);
    CHECK(with_byte(0, 0x51, length) == PP_REFUSED_SYNTAX);
    CHECK(with_byte(1, 2, length) == PP_REFUSED_VERSION);
    CHECK(with_byte(2, PP_ENCODING_COUNT, length) == PP_REFUSED_VERSION);
    CHECK(with_byte(2, PP_FLOAT32, length) == PP_REFUSED_COUNT);
    CHECK(with_byte(3, 0, length) == PP_REFUSED_COUNT);
    CHECK(with_byte(4, 0, length) == PP_REFUSED_COUNT);
    CHECK(with_byte(3, CHANNELS, length) == PP_REFUSED_NOT);
    CHECK(with_byte(3, CHANNELS, length - 1) == PP_REFUSED_COUNT);
    CHECK(with_byte(3, CHANNELS, length + 1) == PP_REFUSED_COUNT);
    CHECK(with_byte(0, 0x50, PP_FRAME_HEADER - 1) == PP_REFUSED_SHORT);
    CHECK(with_byte(0, 0x50, PP_FRAME_HEADER) == PP_REFUSED_COUNT);
    bytes[2] = PP_DELTA;
    CHECK(with_byte(3, CHANNELS, PP_FRAME_HEADER + CHANNELS * SAMPLES) == PP_REFUSED_NOT);
    CHECK(with_byte(3, CHANNELS, PP_FRAME_HEADER + CHANNELS * SAMPLES - 1) == PP_REFUSED_COUNT);
    CHECK(with_byte(3, CHANNELS, PP_FRAME_HEADER + 5 * CHANNELS * SAMPLES) == PP_REFUSED_NOT);
    CHECK(with_byte(3, CHANNELS, PP_FRAME_HEADER + 5 * CHANNELS * SAMPLES + 1) == PP_REFUSED_COUNT);
    bytes[2] = PP_FLOAT64, bytes[3] = PP_FRAME_CHANNELS_MAX, bytes[4] = 1;
    CHECK(with_byte(0, 0x50, PP_FRAME_HEADER + 8 * PP_FRAME_CHANNELS_MAX) == PP_REFUSED_NOT);
    CHECK(with_byte(3, 65, PP_FRAME_HEADER + 8 * 65) == PP_REFUSED_COUNT);
}

TEST(bad_values_are_refused)
{
    pp_frame f = {.encoding = PP_FLOAT32, .channels = 1, .samples = 2};
    const double two[] = {1, 2};
    size_t length = pp_frame_write(&f, two, NULL, bytes, ROOM);
    bytes[PP_FRAME_HEADER + 7] = 0x7f, bytes[PP_FRAME_HEADER + 6] = 0x80;
    CHECK(pp_frame_values(&f, bytes, length, NULL, column) == PP_REFUSED_NUMBER);
    f.encoding = PP_DELTA;
    uint8_t *body = bytes + PP_FRAME_HEADER;
    memcpy(body, "\x02\x04\x06", 3);
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 2, NULL, column) == PP_REFUSED_NOT);
    CHECK(columns[0][0] == 1 && columns[0][1] == 3);
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 3, NULL, column) == PP_REFUSED_COUNT);
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 1, NULL, column) == PP_REFUSED_SYNTAX);
    memcpy(body, "\x02\xff\xff\xff\xff\x0f", 6);
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 6, NULL, column) == PP_REFUSED_NOT);
    CHECK(columns[0][1] == 1 - 2147483648.0);
    memcpy(body, "\x02\xff\xff\xff\xff\x1f", 6); /* 33 bits */
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 6, NULL, column) == PP_REFUSED_SYNTAX);
    memcpy(body, "\x02\xff\xff\xff\xff\xff\x01", 7); /* six bytes */
    CHECK(pp_frame_values(&f, bytes, PP_FRAME_HEADER + 7, NULL, column) == PP_REFUSED_SYNTAX);
}

TEST(refusals_have_texts)
{
    TEXT(pp_refusal_text(PP_REFUSED_NOT), "accepted");
    TEXT(pp_refusal_text((pp_refusal)PP_REFUSAL_COUNT), "unknown");
    TEXT(pp_refusal_text((pp_refusal)-1), "unknown");
    for (int i = 0; i < PP_REFUSAL_COUNT; i++)
        CHECK(strcmp(pp_refusal_text((pp_refusal)i), "unknown") != 0);
}

void unit_frame(void)
{
    headers_come_back();
    values_come_back();
    deltas_take_the_bytes_they_need();
    what_does_not_fit_is_not_written();
    bad_headers_are_refused();
    bad_values_are_refused();
    refusals_have_texts();
}

/* The encodings of the paper's definition. */
TEST(cobs_vectors)
{
    static const struct {
        size_t in, out;
        uint8_t plain[8], coded[9];
    } known[] = {
        {0, 1, {0}, {1}},
        {1, 2, {0}, {1, 1}},
        {2, 3, {0, 0}, {1, 1, 1}},
        {3, 4, {0, 0x11, 0}, {1, 2, 0x11, 1}},
        {4, 5, {0x11, 0x22, 0, 0x33}, {3, 0x11, 0x22, 2, 0x33}},
        {4, 5, {0x11, 0x22, 0x33, 0x44}, {5, 0x11, 0x22, 0x33, 0x44}},
        {4, 5, {0x11, 0, 0, 0}, {2, 0x11, 1, 1, 1}},
    };
    uint8_t out[16];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        CHECK(pp_cobs_encode(known[i].plain, known[i].in, out, sizeof out) == known[i].out);
        CHECK(memcmp(out, known[i].coded, known[i].out) == 0);
        CHECK(pp_cobs_encode(known[i].plain, known[i].in, out, known[i].in) == 0);
    }
}

TEST(cobs_round_trips)
{
    static uint8_t plain[800], coded[810], back[801];
    for (int kind = 0; kind < 3; kind++) /* no zero, some, mostly */
        for (size_t n = 0; n < 780; n += n < 250 || n > 258 ? 7 : 1) {
            for (size_t i = 0; i < n; i++) {
                int value = (int)(256 * unit_random());
                plain[i] = kind == 0   ? (uint8_t)(value | 1)
                           : kind == 1 ? (uint8_t)value
                                       : value < 40;
            }
            size_t length = pp_cobs_encode(plain, n, coded, sizeof coded);
            CHECK(length > n && length <= n + n / 254 + 1 && !memchr(coded, 0, length));
            CHECK(pp_cobs_decode(coded, length, back, n) == n && memcmp(back, plain, n) == 0);
            if (n > 0)
                CHECK(pp_cobs_decode(coded, length, back, n - 1) == PP_COBS_BROKEN);
            CHECK(pp_cobs_encode(plain, n, coded, n + n / 254) == 0);
        }
    for (int i = 0; i < 254; i++)
        plain[i] = 7;
    CHECK(pp_cobs_encode(plain, 254, coded, 800) == 255 && coded[0] == 255);
    CHECK(pp_cobs_encode(plain, 253, coded, 800) == 254 && coded[0] == 254);
    plain[254] = 0;
    CHECK(pp_cobs_encode(plain, 255, coded, 800) == 257 && coded[255] == 1 && coded[256] == 1);
}

TEST(broken_cobs_is_refused)
{
    uint8_t out[8];
    CHECK(pp_cobs_decode((const uint8_t *)"\x00", 1, out, 8) == PP_COBS_BROKEN);
    CHECK(pp_cobs_decode((const uint8_t *)"\x03\x01", 2, out, 8) == PP_COBS_BROKEN);
    CHECK(pp_cobs_decode((const uint8_t *)"\x02\x01", 2, out, 8) == 1);
    CHECK(pp_cobs_decode((const uint8_t *)"\x02\x01\x00", 3, out, 8) == PP_COBS_BROKEN);
    CHECK(pp_cobs_decode((const uint8_t *)"", 0, out, 8) == 0);
    CHECK(pp_cobs_decode((const uint8_t *)"\x01\x01\x01", 3, out, 1) == PP_COBS_BROKEN);
}

TEST(crc_check_value)
{
    CHECK(pp_crc32((const uint8_t *)"123456789", 9) == 0xcbf43926u);
    CHECK(pp_crc32((const uint8_t *)"", 0) == 0);
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    CHECK(pp_crc32(all, 256) == 0x29058c73u); /* zlib */
}

void unit_cobs(void)
{
    cobs_vectors();
    cobs_round_trips();
    broken_cobs_is_refused();
    crc_check_value();
}

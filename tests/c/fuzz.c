/* libFuzzer target over one decoder (-DDECODER=JSON, SPARKPLUG, PACKED or FRAME); built by
 * packaging/fuzz.sh with ASan and UBSan. Buffers are exactly as large as a decoder may touch. */
#include <stdlib.h>
#include <string.h>

#include "polepair/decoder.h"

enum { JSON, SPARKPLUG, PACKED, FRAME, CHANNELS = 4, ROWS = 32 };

static const pp_format formats[] = {PP_FORMAT_JSON, PP_FORMAT_SPARKPLUG, PP_FORMAT_PACKED,
                                    PP_FORMAT_FRAME};

static void add_key(pp_stream_config *config, const char *name, int target)
{
    pp_key *key = &config->keys[config->key_count++];
    strcpy(key->name, name);
    key->length = (int)strlen(name);
    key->target = target;
}

static pp_stream_config fuzz_config(void)
{
    pp_stream_config config = {0};
    config.format = formats[DECODER];
    config.channels = CHANNELS;
    config.room = ROWS;
    config.size_limit = 1 << 20;
    config.time_unit = 1e3;
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        config.alias[i] = PP_TO_NOWHERE;
    for (int i = 0; i < CHANNELS; i++)
        config.alias[i] = (int16_t)i;
    config.alias[CHANNELS] = PP_TO_TIME;
    config.alias[CHANNELS + 1] = PP_TO_SEQ;
    config.alias[CHANNELS + 2] = PP_TO_BOOT;
    for (int i = 0; i < CHANNELS; i++) {
        char name[2] = {(char)('a' + i), 0};
        add_key(&config, name, i);
        config.scale[i] = 0.5;
    }
    add_key(&config, "t", PP_TO_TIME);
    add_key(&config, "n", PP_TO_SEQ);
    add_key(&config, "boot", PP_TO_BOOT);
    add_key(&config, "dt", PP_TO_STEP);
    add_key(&config, "s", PP_TO_ROWS);
    config.layout = (pp_layout){.magic = {'P', 'K'},
                                .magic_length = 2,
                                .time = {2, 8},
                                .seq = {10, 4},
                                .step = {14, 4},
                                .samples = {18, 2},
                                .channels = {20, 1},
                                .data = 24,
                                .value = 4};
    return config;
}

static pp_refusal decode_frame(const uint8_t *data, size_t size, pp_rows *rows)
{
    uint8_t *line = malloc(size + size / 254 + 2);
    uint8_t *back = malloc(size + 1);
    size_t length = pp_cobs_encode(data, size, line, size + size / 254 + 2);
    if (pp_cobs_decode(line, length, back, size + 1) != size || memcmp(back, data, size) != 0)
        abort();
    pp_cobs_decode(data, size, back, size);
    free(line);
    free(back);
    pp_frame header;
    pp_refusal why = pp_frame_read(data, size, &header);
    if (why != PP_REFUSED_NOT || header.channels != CHANNELS || header.samples > ROWS)
        return PP_REFUSED_COUNT;
    rows->count = header.samples;
    return pp_frame_values(&header, data, size, NULL, rows->column);
}

static pp_refusal decode(pp_decoder *decoder, const uint8_t *data, size_t size, pp_rows *rows)
{
    if (DECODER == FRAME)
        return decode_frame(data, size, rows);
    return pp_decoder_read(decoder, data, size, rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pp_decoder decoder; /* goes on from input to input, as a stream does */
    if (!decoder.config.channels) {
        pp_stream_config config = fuzz_config();
        pp_decoder_start(&decoder, &config, pp_marks_new());
    }
    pp_rows rows = {0};
    rows.room = ROWS;
    rows.time = malloc(ROWS * sizeof(int64_t));
    for (int i = 0; i < CHANNELS; i++)
        rows.column[i] = malloc(ROWS * sizeof(double));
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    pp_refusal why = decode(&decoder, exact, size, &rows);
    if (why == PP_REFUSED_NOT && (rows.count < 1 || rows.count > ROWS))
        abort();
    int64_t lost;
    if (why == PP_REFUSED_NOT && DECODER != FRAME)
        pp_decoder_number(&decoder, &rows, &lost);
    if (decoder.sequence.gaps < 0 || decoder.sequence.gaps > PP_GAPS_MAX)
        abort();
    for (int i = 0; i < CHANNELS; i++)
        free(rows.column[i]);
    free(rows.time);
    free(exact);
    return 0;
}

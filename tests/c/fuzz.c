/* libFuzzer target over one decoder (-DDECODER=JSON, SPARKPLUG, PACKED or FRAME); built by packaging/fuzz.sh with ASan and
 * UBSan. Buffers are exactly as large as a decoder may touch. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/host/stream/decode.h"
#include "../../csrc/host/stream/sequence.h"

enum { JSON, SPARKPLUG, PACKED, FRAME, CHANNELS = 4, ROWS = 32 };

static void add_key(pp_stream_config *c, const char *name, int target)
{
    pp_key *k = &c->keys[c->key_count++];
    strcpy(k->name, name);
    k->length = (int)strlen(name);
    k->target = target;
}

static pp_stream_config config(void)
{
    pp_stream_config c = {0};
    c.channels = CHANNELS;
    c.time_unit = 1e3;
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        c.alias[i] = (int16_t)(i < CHANNELS       ? i
                               : i < CHANNELS + 3 ? CHANNELS - i - 1
                                                  : PP_TO_NOWHERE);
    for (int i = 0; i < CHANNELS; i++) {
        char name[2] = {(char)('a' + i), 0};
        add_key(&c, name, i);
        c.scale[i] = 0.5;
    }
    add_key(&c, "t", PP_TO_TIME);
    add_key(&c, "n", PP_TO_SEQ);
    add_key(&c, "boot", PP_TO_BOOT);
    add_key(&c, "dt", PP_TO_STEP);
    add_key(&c, "s", PP_TO_ROWS);
    c.layout = (pp_layout){{'P', 'K'}, 2, {2, 8}, {10, 4}, {14, 4}, {18, 2}, {20, 1}, 24, 4};
    return c;
}

static pp_refusal frame(const uint8_t *data, size_t size, pp_rows *rows)
{
    uint8_t *line = malloc(size + size / 254 + 2), *back = malloc(size + 1);
    size_t n = pp_cobs_encode(data, size, line, size + size / 254 + 2);
    if (pp_cobs_decode(line, n, back, size + 1) != size || memcmp(back, data, size) != 0)
        abort();
    pp_cobs_decode(data, size, back, size);
    free(line), free(back);
    pp_frame f;
    pp_refusal why = pp_frame_read(data, size, &f);
    if (why != PP_REFUSED_NOT || f.channels != CHANNELS || f.samples > ROWS)
        return PP_REFUSED_COUNT;
    rows->count = f.samples;
    return pp_frame_values(&f, data, size, NULL, rows->column);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pp_json_memory memory;
    static pp_sequence sequence;
    pp_stream_config c = config();
    pp_rows rows = {0};
    rows.room = ROWS, rows.seq = rows.boot = -1;
    rows.time = malloc(ROWS * sizeof(int64_t));
    for (int i = 0; i < CHANNELS; i++)
        rows.column[i] = malloc(ROWS * sizeof(double));
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    pp_refusal why = DECODER == JSON        ? pp_decode_json(&c, &memory, exact, size, &rows)
                     : DECODER == SPARKPLUG ? pp_decode_sparkplug(&c, exact, size, &rows)
                     : DECODER == PACKED    ? pp_decode_packed(&c, exact, size, &rows)
                                            : frame(exact, size, &rows);
    if (why == PP_REFUSED_NOT && (rows.count < 1 || rows.count > ROWS))
        abort();
    if (why == PP_REFUSED_NOT && rows.seq >= 0 && DECODER != FRAME) {
        int64_t lost;
        if (sequence.next == 0)
            pp_sequence_start(&sequence);
        pp_sequence_take(&sequence, rows.seq, 1, rows.time[0], rows.boot, &lost);
        if (sequence.gaps < 0 || sequence.gaps > PP_GAPS_MAX)
            abort();
    }
    for (int i = 0; i < CHANNELS; i++)
        free(rows.column[i]);
    free(rows.time), free(exact);
    return 0;
}

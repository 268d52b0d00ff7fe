/* CPU time of the decoders alone: decode json|spb MESSAGES NAME... (channels; FILE holds messages, each behind its length as
 * uint32). Prints the least nanoseconds per message over 30 passes. Built and run by own_live.py. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../csrc/host/stream/decode.h"

enum { MESSAGES_MAX = 4096, ROWS = 128, PASSES = 30 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void key(pp_stream_config *c, const char *name, int target)
{
    pp_key *k = &c->keys[c->key_count++];
    strncpy(k->name, name, sizeof k->name - 1);
    k->length = (int)strlen(k->name);
    k->target = target;
}

static pp_stream_config config_from(int count, char **names)
{
    static pp_stream_config c;
    c.channels = count, c.time_unit = 1;
    for (int i = 0; i < count; i++)
        key(&c, names[i], i);
    key(&c, "t", PP_TO_TIME), key(&c, "n", PP_TO_SEQ), key(&c, "s", PP_TO_ROWS);
    for (int a = 0; a < PP_ALIASES_MAX; a++)
        c.alias[a] = (int16_t)(a == 1 ? PP_TO_TIME : a == 2 ? PP_TO_SEQ : a >= 3 && a < 9 ? a - 2 : PP_TO_NOWHERE);
    return c;
}

int main(int count, char **argument)
{
    static double column[PP_STREAM_CHANNELS_MAX][ROWS];
    static int64_t time[ROWS];
    static pp_decoder decoder;
    static uint8_t *message[MESSAGES_MAX];
    static uint32_t length[MESSAGES_MAX];
    if (count < 4)
        return 2;
    pp_stream_config c = config_from(count - 3, argument + 3);
    c.format = argument[1][0] == 'j' ? PP_FORMAT_JSON : PP_FORMAT_SPARKPLUG;
    c.room = ROWS, c.size_limit = 1 << 20;
    pp_decoder_start(&decoder, &c, NULL);
    FILE *f = fopen(argument[2], "rb");
    int n = 0;
    for (; f && n < MESSAGES_MAX && fread(&length[n], 4, 1, f) == 1; n++) {
        message[n] = malloc(length[n]);
        if (!message[n] || fread(message[n], 1, length[n], f) != length[n])
            return 1;
    }
    pp_rows rows = {.room = ROWS, .time = time};
    for (int k = 0; k < c.channels; k++)
        rows.column[k] = column[k];
    double best = 1e99;
    for (int pass = 0; pass < PASSES; pass++) {
        double began = now();
        for (int i = 0; i < n; i++) {
            pp_refusal why = pp_decoder_read(&decoder, message[i], length[i], &rows);
            if (why != PP_REFUSED_NOT)
                return 1;
        }
        double spent = (now() - began) / n;
        best = spent < best ? spent : best;
    }
    printf("%.2f\n", best);
    return 0;
}

/* Checks of the host's C without Python: stream_numbers.c and those beside it, one program. */
#ifndef PP_TESTS_STREAM_H
#define PP_TESTS_STREAM_H

#include <stdio.h>
#include <string.h>

#include "polepair/decoder.h"

extern int checks, failed;

#define CHECK(what)                                           \
    do {                                                      \
        checks++;                                             \
        if (!(what)) {                                        \
            failed++;                                         \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
        }                                                     \
    } while (0)

/* JSON samples {"n":..,"t":..,"a":..,"b":..} of two channels. */
pp_stream_config json_config(void);
/* Sections; of stream_disk.c; folder: an empty one. */
void decoders(void); /* of stream_decode.c */
void segments_and_drains(void);
void journals(const char *folder);
void syncs(const char *folder); /* of stream_sync.c */

#endif

/* Checks of the host's C without Python: stream_numbers.c and those beside it, one program. */
#ifndef PP_TESTS_STREAM_H
#define PP_TESTS_STREAM_H

#include <string.h>

#include "check.h"
#include "polepair/decoder.h"

/* JSON samples {"n":..,"t":..,"a":..,"b":..} of two channels. */
pp_stream_config json_config(void);
/* Sections; of stream_disk.c; folder: an empty one. */
void decoders(void); /* of stream_decode.c */
void json(void);     /* of stream_json.c */
void segments_and_drains(void);
void journals(const char *folder);
void syncs(const char *folder); /* of stream_sync.c */

#endif

/* Checks of the host's C without Python: stream_numbers.c and those beside it, one program. */
#ifndef PP_TESTS_STREAM_H
#define PP_TESTS_STREAM_H

#include <string.h>

#include "check.h"
#include "polepair/decoder.h"

/* None yet, for two at a time; what was given at that place (0, 1) before is freed. */
pp_marks *fresh_marks(int place);
/* JSON samples {"n":..,"t":..,"a":..,"b":..} of two channels. */
pp_stream_config json_config(void);
/* Sections; of stream_disk.c; folder: an empty one. */
void decoders(void);     /* of stream_decode.c */
void descriptions(void); /* of stream_describe.c */
void json(void);     /* of stream_json.c */
void segments_and_drains(void);
void journals(const char *folder);
void syncs(const char *folder); /* of stream_sync.c */

#endif

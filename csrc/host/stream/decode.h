/* host/stream/decode.h: one message into rows, a decoder for each format that is no frame
 * (polepair/frame.h). */
#ifndef PP_HOST_DECODE_H
#define PP_HOST_DECODE_H

#include "polepair/decoder.h"

/* Decoders: rows into *rows; nothing is read beyond length. */
pp_refusal pp_decode_json(const pp_stream_config *config, pp_json_memory *memory,
                          const uint8_t *bytes, size_t length, pp_rows *rows);
/* Births teach decoder->config.alias. */
pp_refusal pp_decode_sparkplug(pp_decoder *decoder, const uint8_t *bytes, size_t length,
                               pp_rows *rows);
pp_refusal pp_decode_packed(const pp_stream_config *config, const uint8_t *bytes, size_t length,
                            pp_rows *rows);

#endif

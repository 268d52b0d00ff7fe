/* polepair/stream.h: messages of one source into columns. Host only; no thread of its own.
 *
 * pp_stream_push (from the network's thread, a serial reader's, a replay's; two at once wait for
 * each other) decodes, journals, counts and publishes. Any thread may read: rows [first, head)
 * stay readable until the ring comes round, which pp_stream_floor tells. Column memory is
 * mapped twice in a row, so every window of rows is contiguous. */
#ifndef POLEPAIR_STREAM_H
#define POLEPAIR_STREAM_H

#include "polepair/decoder.h"
#include "polepair/journal.h"

/* Counters; a stream's own since it was made. */
typedef struct pp_stream_counts {
    int64_t messages;     /* that came, refused ones included */
    int64_t rows;         /* published */
    int64_t bytes;        /* of all messages */
    int64_t lost;         /* sequence numbers that never came (so far) */
    int64_t duplicates;   /* messages dropped because their number had come already */
    int64_t out_of_order; /* messages that came late and were taken */
    int64_t restarts;     /* of the device, by its boot number or its sequence */
    int64_t retained;     /* retained messages on a data topic: old by definition, not taken */
    int64_t unjournaled;  /* taken but not journaled: the disk was full */
    int64_t device_drops; /* what the device says it dropped since boot */
    int64_t partial;      /* JSON objects that were taken and lack some of the channels */
    int64_t refused[PP_REFUSAL_COUNT]; /* messages, by the reason */
} pp_stream_counts;

typedef struct pp_stream pp_stream;

/* NULL when memory runs out. The stream starts with one reference and is freed with its last. */
pp_stream *pp_stream_new(const pp_stream_config *config);
void pp_stream_ref(pp_stream *stream);
void pp_stream_unref(pp_stream *stream);
/* Journals what is pushed from now on, in segments that begin with the stream's description and
 * these words about it (at most PP_ABOUT_MAX bytes); NULL ends it, and nothing is appended after
 * that returns. 0, or errno where the first segment cannot be made: then there is no journal. */
int pp_stream_set_journal(pp_stream *stream, pp_journal *journal, const void *about, size_t length);
/* Decodes what comes from now on as this says; the same channels. 0 or errno: EINVAL for another
 * number of channels; another where the journal could not begin a new segment. */
int pp_stream_reformat(pp_stream *stream, const pp_stream_config *config);
/* All that decoding depends on, as it is now. */
void pp_stream_copy_decoder(pp_stream *stream, pp_decoder *copy);
/* As pp_decoder_learn, and as pp_marks_learn. */
void pp_stream_learn(pp_stream *stream, const pp_decoder *from, const void *marks, size_t count);

/* How a message came: an old one that the broker keeps for everybody; once more, because it was not
 * acknowledged. */
enum { PP_PUSH_RETAINED = 1, PP_PUSH_AGAIN = 2 };
/* Takes one message. False only where a journal is set and could not take it: do not
 * acknowledge. */
bool pp_stream_push(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                    int flags);

const pp_stream_config *pp_stream_settings(const pp_stream *stream);
/* Rows published so far; rows before the floor may be overwritten at any time. */
int64_t pp_stream_head(const pp_stream *stream);
int64_t pp_stream_floor(const pp_stream *stream);
/* Waits until the head is beyond `seen`; false after `seconds`. */
bool pp_stream_wait(pp_stream *stream, int64_t seen, double seconds);
/* Memory of row `first`: columns -3 arrival, -2 sequence number, -1 time (int64, ns), 0.. values
 * (double). */
const void *pp_stream_column(const pp_stream *stream, int column, int64_t first);
pp_stream_counts pp_stream_read_counts(const pp_stream *stream);
enum { PP_EXAMPLE_MAX = 512 }; /* bytes */
/* What the newest message that was refused for this reason begins with, for PP_REFUSED_NOT the
 * newest partial one; its bytes in *example, 0: there was none. */
size_t pp_stream_example(pp_stream *stream, pp_refusal why, uint8_t example[PP_EXAMPLE_MAX]);
/* How another extension module reaches a stream: this, in a capsule of this name. */
#define PP_STREAM_HANDLE "polepair.stream"

typedef struct pp_stream_handle {
    pp_stream *stream;
    bool (*push)(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                 int flags);
    void (*ref)(pp_stream *stream);
    void (*unref)(pp_stream *stream);
} pp_stream_handle;

#endif

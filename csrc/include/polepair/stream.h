/* polepair/stream.h: messages of one source into columns. Host only; no thread of its own.
 *
 * pp_stream_push is called by one thread at a time (the network's, a serial reader's, a replay's): it checks the size,
 * journals, decodes, counts and publishes. Any thread may read: rows [first, head) stay readable until the ring comes
 * round, which pp_stream_floor tells. Column memory is mapped twice in a row, so every window of rows is contiguous. */
#ifndef POLEPAIR_STREAM_H
#define POLEPAIR_STREAM_H

#include "polepair/frame.h"

enum { PP_STREAM_CHANNELS_MAX = 64, PP_NAME_MAX = 48, PP_GAPS_MAX = 64, PP_MEMORY = 64, PP_ALIASES_MAX = 256 };

typedef enum pp_format {
    PP_FORMAT_FRAME,
    PP_FORMAT_JSON,
    PP_FORMAT_SPARKPLUG,
    PP_FORMAT_PACKED,
    PP_FORMAT_COUNT
} pp_format;

/* Where a key, metric or alias leads: a column (0..), or one of these. */
enum { PP_TO_TIME = -1, PP_TO_SEQ = -2, PP_TO_BOOT = -3, PP_TO_STEP = -4, PP_TO_ROWS = -5, PP_TO_NOWHERE = -6 };

/* A name of the payload and where it leads. */
typedef struct pp_key {
    char name[PP_NAME_MAX];
    int length, target;
} pp_key;

/* Little-endian fields of a packed struct somebody else defined; at < 0: absent. size: bytes. */
typedef struct pp_field {
    int at, size;
} pp_field;
typedef struct pp_layout {
    uint8_t magic[8];
    int magic_length;
    pp_field time, seq, step, samples, channels;
    int data, value; /* offset of the values; 4: float32, 8: float64, 2: int16 with scales */
} pp_layout;

typedef struct pp_stream_config {
    pp_format format;
    int channels;
    pp_key keys[PP_STREAM_CHANNELS_MAX + 8]; /* JSON keys and Sparkplug metric names */
    int key_count;
    int16_t alias[PP_ALIASES_MAX];        /* Sparkplug alias to target; births add to it */
    double scale[PP_STREAM_CHANNELS_MAX]; /* of INT16, DELTA and packed integers */
    pp_layout layout;
    double time_unit;    /* ns per unit of the payload's time */
    int64_t capacity;    /* rows kept; rounded up to whole pages */
    size_t size_limit;   /* bytes of a message; larger ones are refused unread */
    bool seq_per_sample; /* the sequence number counts samples, not messages */
} pp_stream_config;

/* Counters; a stream's own since it was made. */
typedef struct pp_stream_counts {
    int64_t messages, rows, bytes;
    int64_t lost;         /* sequence numbers that never came (so far) */
    int64_t duplicates;   /* messages dropped because their number had come already */
    int64_t out_of_order; /* messages that came late and were taken */
    int64_t restarts;     /* of the device, by its boot number or its sequence */
    int64_t retained;     /* retained messages on a data topic: old by definition, not taken */
    int64_t unjournaled;  /* taken but not journaled: the disk was full */
    int64_t device_drops; /* what the device says it dropped since boot */
    int64_t refused[PP_REFUSAL_COUNT];
} pp_stream_counts;

/* Time under which a number came. */
typedef struct pp_memory {
    int64_t seq, time;
} pp_memory;

/* Sequence numbers seen: everything up to next but the gaps, the newest 64 of them. */
typedef struct pp_sequence {
    int64_t next; /* -1: nothing yet */
    int64_t gap_first[PP_GAPS_MAX], gap_end[PP_GAPS_MAX];
    int gaps;
    int64_t boot, last_time;
    pp_memory memory[PP_MEMORY];
} pp_sequence;

typedef enum pp_order { PP_ORDER_NEW, PP_ORDER_LATE, PP_ORDER_DUPLICATE, PP_ORDER_RESTART } pp_order;

void pp_sequence_start(pp_sequence *s);
/* Judges numbers [seq, seq + count) of a message with that time and boot number (-1: none), and takes note of them.
 * *lost changes by the numbers now missing (less than 0 when a gap is filled). */
pp_order pp_sequence_take(pp_sequence *s, int64_t seq, int64_t count, int64_t time_ns, int64_t boot, int64_t *lost);

/* One decoded message: where its rows go and what it said. */
typedef struct pp_rows {
    int64_t *time;
    double *column[PP_STREAM_CHANNELS_MAX];
    int room;     /* rows that fit */
    int count;    /* rows written */
    int64_t seq;  /* -1: the message has none */
    int64_t boot; /* -1 likewise */
    int64_t dropped;
    bool short_seq; /* seq counts modulo 256 (Sparkplug) */
} pp_rows;

/* A key with its quotes and colon as it came, up to 16 bytes; width 0: none. */
typedef struct pp_json_head {
    uint64_t text[2], mask[2];
    int16_t width, target;
} pp_json_head;

/* Remembers what came at which place of the last message: devices repeat themselves. */
typedef struct pp_json_memory {
    pp_json_head head[PP_STREAM_CHANNELS_MAX];
} pp_json_memory;

/* Decoders: rows into *rows; nothing is read beyond length. */
pp_refusal pp_decode_json(const pp_stream_config *config, pp_json_memory *memory, const uint8_t *bytes, size_t length,
                          pp_rows *rows);
pp_refusal pp_decode_sparkplug(pp_stream_config *config, const uint8_t *bytes, size_t length, pp_rows *rows);
pp_refusal pp_decode_packed(const pp_stream_config *config, const uint8_t *bytes, size_t length, pp_rows *rows);

typedef struct pp_stream pp_stream;
typedef struct pp_journal pp_journal;

/* NULL when memory runs out. The stream starts with one reference. */
pp_stream *pp_stream_new(const pp_stream_config *config);
void pp_stream_keep(pp_stream *stream);
void pp_stream_drop(pp_stream *stream);
/* Journals what is pushed from now on under this number; NULL ends it. The journal must outlive that. */
void pp_stream_journal(pp_stream *stream, pp_journal *journal, int number);

/* How a message came. */
enum { PP_PUSH_RETAINED = 1, PP_PUSH_STORED = 2 /* from the journal: not journaled again */ };
/* Takes one message. False only where a journal is set and could not take it: do not acknowledge. */
bool pp_stream_push(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns, int flags);

const pp_stream_config *pp_stream_settings(const pp_stream *stream);
/* Rows published so far; rows before the floor may be overwritten at any time. */
int64_t pp_stream_head(const pp_stream *stream);
int64_t pp_stream_floor(const pp_stream *stream);
/* Waits until the head is beyond `seen`; false after `seconds`. */
bool pp_stream_wait(pp_stream *stream, int64_t seen, double seconds);
/* Memory of row `first`: columns -3 arrival, -2 sequence number, -1 time (int64, ns), 0.. values (double). */
const void *pp_stream_column(const pp_stream *stream, int column, int64_t first);
pp_stream_counts pp_stream_count(const pp_stream *stream);
pp_sequence pp_stream_sequence(const pp_stream *stream);
void pp_stream_resume(pp_stream *stream, const pp_sequence *sequence);

/* Append-only journal of raw messages in mapped segment files: what is appended outlives the process, not the machine
 * until pp_journal_sync. Segments are FOLDER/<number, 16 hex digits>.journal, numbered from after + 1 on. A new
 * segment leaves spare_bytes of the disk free: what empties the journal needs room too, and would be stuck without.
 * NULL on failure, errno says why. */
pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes, uint64_t after);
void pp_journal_close(pp_journal *journal);
/* False when the disk is full; appending goes on when there is space again. One thread at a time. */
bool pp_journal_append(pp_journal *journal, int number, int64_t arrival_ns, const void *bytes, size_t length);
/* Writes what was appended to the disk. 0 or errno. */
int pp_journal_sync(pp_journal *journal);

/* One record of a segment's bytes at *offset; moves *offset behind it. False at the end of what is whole. */
typedef struct pp_record_view {
    int number;
    int64_t arrival_ns;
    const uint8_t *bytes;
    size_t length;
} pp_record_view;
bool pp_journal_next(const uint8_t *segment, size_t size, uint64_t *offset, pp_record_view *record);

/* How another extension module reaches a stream: this, in a capsule of this name. */
#define PP_STREAM_HANDLE "polepair.stream"

typedef struct pp_stream_handle {
    pp_stream *stream;
    bool (*push)(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns, int flags);
    void (*keep)(pp_stream *stream);
    void (*drop)(pp_stream *stream);
} pp_stream_handle;

/* Wall clock [ns since 1970]. */
int64_t pp_now_ns(void);

#endif

/* Columns in a ring that is mapped twice, so that every window is contiguous; one writer, any
 * number of readers. */
#define _GNU_SOURCE
#include "polepair/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../clock.h"
#include "decode.h"
#include "sequence.h"

enum { ARRIVAL, SEQ, TIME, FIRST_CHANNEL, PAGE_ROWS = 512, ROOM_MAX = 65535 };

struct pp_stream {
    pp_stream_config config;
    pp_json_memory memory;
    int references;   /* atomic */
    int64_t capacity; /* rows, whole pages */
    int room;         /* rows that one message may have */
    char *column[FIRST_CHANNEL + PP_STREAM_CHANNELS_MAX];
    int64_t head; /* rows published so far; atomic */
    pp_sequence sequence;
    pp_stream_counts counts; /* atomic, each by itself */
    pp_journal *journal;     /* NULL: none; atomic */
    int number;              /* of this stream in its journal */
    int waiting;             /* readers; atomic */
    pthread_mutex_t lock;
    pthread_cond_t news; /* the head went on */
};

/* Two views of the same bytes, one behind the other; NULL where the system refuses. */
static char *map_twice(size_t bytes)
{
    int fd = memfd_create("polepair", MFD_CLOEXEC);
    char *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        at = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int access = PROT_READ | PROT_WRITE;
    for (int half = 0; half < 2 && at != MAP_FAILED; half++) {
        char *view = at + (size_t)half * bytes;
        if (mmap(view, bytes, access, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
            munmap(at, 2 * bytes);
            at = MAP_FAILED;
        }
    }
    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static size_t column_bytes(const pp_stream *stream) { return (size_t)stream->capacity * 8; }

static void free_stream(pp_stream *stream)
{
    for (int column = 0; column < FIRST_CHANNEL + stream->config.channels; column++)
        if (stream->column[column])
            munmap(stream->column[column], 2 * column_bytes(stream));
    pthread_cond_destroy(&stream->news);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

pp_stream *pp_stream_new(const pp_stream_config *config)
{
    PP_ASSERT(config->channels >= 1 && config->channels <= PP_STREAM_CHANNELS_MAX);
    PP_ASSERT(config->capacity >= 1 && config->time_unit >= 1);
    PP_ASSERT(config->key_count >= 0 && config->key_count <= PP_KEYS_MAX);
    pp_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->config = *config;
    stream->capacity = (config->capacity + PAGE_ROWS - 1) / PAGE_ROWS * PAGE_ROWS;
    stream->room = ROOM_MAX;
    if (stream->capacity / 4 < ROOM_MAX)
        stream->room = (int)(stream->capacity / 4);
    stream->references = 1;
    pp_sequence_start(&stream->sequence);
    pthread_mutex_init(&stream->lock, NULL);
    pp_monotonic(&stream->news);
    for (int column = 0; column < FIRST_CHANNEL + config->channels; column++) {
        stream->column[column] = map_twice(column_bytes(stream));
        if (!stream->column[column]) {
            free_stream(stream);
            return NULL;
        }
    }
    return stream;
}

void pp_stream_ref(pp_stream *stream)
{
    __atomic_add_fetch(&stream->references, 1, __ATOMIC_RELAXED);
}

void pp_stream_unref(pp_stream *stream)
{
    int left = __atomic_sub_fetch(&stream->references, 1, __ATOMIC_ACQ_REL);
    PP_ASSERT(left >= 0);
    if (left == 0)
        free_stream(stream);
}

void pp_stream_set_journal(pp_stream *stream, pp_journal *journal, int number)
{
    stream->number = number;
    __atomic_store_n(&stream->journal, journal, __ATOMIC_RELEASE);
}

/* A counter has one writer; readers may look at any time. */
static inline void add_to(int64_t *counter, int64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static inline char *cell_at(const pp_stream *stream, int column, int64_t row)
{
    return stream->column[column] + (row % stream->capacity) * 8;
}

static pp_refusal decode_frame(pp_stream *stream, const uint8_t *bytes, size_t length,
                               pp_rows *rows)
{
    pp_frame frame;
    pp_refusal why = pp_frame_read(bytes, length, &frame);
    if (why != PP_REFUSED_NOT)
        return why;
    if (frame.channels != stream->config.channels || frame.samples > rows->room)
        return PP_REFUSED_COUNT;
    if (frame.time_ns > INT64_MAX / 2 || frame.time_ns < INT64_MIN / 2)
        return PP_REFUSED_NUMBER;
    for (int i = 0; i < frame.samples; i++)
        rows->time[i] = frame.time_ns + (int64_t)frame.dt_ns * i;
    rows->count = frame.samples;
    rows->seq = frame.seq;
    rows->boot = frame.boot;
    rows->dropped = frame.dropped;
    return pp_frame_values(&frame, bytes, length, stream->config.scale, rows->column);
}

static pp_refusal decode_message(pp_stream *stream, const uint8_t *bytes, size_t length,
                                 pp_rows *rows)
{
    switch (stream->config.format) {
    case PP_FORMAT_JSON:
        return pp_decode_json(&stream->config, &stream->memory, bytes, length, rows);
    case PP_FORMAT_SPARKPLUG: return pp_decode_sparkplug(&stream->config, bytes, length, rows);
    case PP_FORMAT_PACKED: return pp_decode_packed(&stream->config, bytes, length, rows);
    default: return decode_frame(stream, bytes, length, rows);
    }
}

/* A sequence number that came modulo 256, nearest to the one expected. */
static int64_t full_number(const pp_stream *stream, int64_t seq)
{
    int64_t next = stream->sequence.next;
    if (next < 0)
        return seq;
    return next + (int8_t)(uint8_t)(seq - next);
}

/* Counts what the sequence number tells. False for a duplicate. */
static bool check_sequence(pp_stream *stream, pp_rows *rows)
{
    pp_stream_counts *counts = &stream->counts;
    if (rows->seq < 0)
        return true;
    if (rows->short_seq)
        rows->seq = full_number(stream, rows->seq);
    int64_t lost;
    int64_t numbers = stream->config.seq_per_sample ? rows->count : 1;
    switch (
        pp_sequence_take(&stream->sequence, rows->seq, numbers, rows->time[0], rows->boot, &lost)) {
    case PP_ORDER_DUPLICATE: add_to(&counts->duplicates, 1); return false;
    case PP_ORDER_LATE: add_to(&counts->out_of_order, 1); break;
    case PP_ORDER_RESTART: add_to(&counts->restarts, 1); break;
    default: break;
    }
    if (lost)
        add_to(&counts->lost, lost);
    return true;
}

static void wake_readers(pp_stream *stream)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&stream->waiting, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&stream->lock);
    pthread_cond_broadcast(&stream->news);
    pthread_mutex_unlock(&stream->lock);
}

static void publish(pp_stream *stream, const pp_rows *rows, int64_t arrival_ns)
{
    PP_ASSERT(rows->count >= 1 && rows->count <= stream->room);
    int64_t *arrival = (int64_t *)cell_at(stream, ARRIVAL, stream->head);
    int64_t *seq = (int64_t *)cell_at(stream, SEQ, stream->head);
    int64_t step = stream->config.seq_per_sample && rows->seq >= 0;
    for (int i = 0; i < rows->count; i++) {
        arrival[i] = arrival_ns;
        seq[i] = rows->seq + i * step;
    }
    if (rows->dropped > 0)
        __atomic_store_n(&stream->counts.device_drops, rows->dropped, __ATOMIC_RELAXED);
    add_to(&stream->counts.rows, rows->count);
    __atomic_store_n(&stream->head, stream->head + rows->count, __ATOMIC_RELEASE);
    wake_readers(stream);
}

bool pp_stream_push(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                    int flags)
{
    add_to(&stream->counts.messages, 1);
    add_to(&stream->counts.bytes, (int64_t)length);
    if (flags & PP_PUSH_RETAINED) {
        add_to(&stream->counts.retained, 1);
        return true;
    }
    pp_rows rows;
    rows.room = stream->room;
    rows.count = 0;
    rows.seq = -1;
    rows.boot = -1;
    rows.dropped = 0;
    rows.short_seq = false;
    rows.time = (int64_t *)cell_at(stream, TIME, stream->head);
    for (int channel = 0; channel < stream->config.channels; channel++)
        rows.column[channel] = (double *)cell_at(stream, FIRST_CHANNEL + channel, stream->head);
    pp_refusal why = PP_REFUSED_SIZE;
    if (length <= stream->config.size_limit)
        why = decode_message(stream, bytes, length, &rows);
    if (why != PP_REFUSED_NOT) {
        add_to(&stream->counts.refused[why], 1);
        return true;
    }
    pp_journal *journal = __atomic_load_n(&stream->journal, __ATOMIC_ACQUIRE);
    if (journal && !(flags & PP_PUSH_STORED) &&
        !pp_journal_append(journal, stream->number, arrival_ns, bytes, length)) {
        add_to(&stream->counts.unjournaled, 1);
        return false;
    }
    if (check_sequence(stream, &rows))
        publish(stream, &rows, arrival_ns);
    return true;
}

const pp_stream_config *pp_stream_settings(const pp_stream *stream) { return &stream->config; }

int64_t pp_stream_head(const pp_stream *stream)
{
    return __atomic_load_n(&stream->head, __ATOMIC_ACQUIRE);
}

int64_t pp_stream_floor(const pp_stream *stream)
{
    int64_t floor = pp_stream_head(stream) + stream->room - stream->capacity;
    return floor > 0 ? floor : 0;
}

bool pp_stream_wait(pp_stream *stream, int64_t seen, double seconds)
{
    if (pp_stream_head(stream) > seen)
        return true;
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&stream->lock);
    __atomic_add_fetch(&stream->waiting, 1, __ATOMIC_SEQ_CST);
    while (pp_stream_head(stream) <= seen && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&stream->news, &stream->lock, &until);
    __atomic_sub_fetch(&stream->waiting, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&stream->lock);
    return pp_stream_head(stream) > seen;
}

const void *pp_stream_column(const pp_stream *stream, int column, int64_t first)
{
    PP_ASSERT(column >= -FIRST_CHANNEL && column < stream->config.channels && first >= 0);
    return cell_at(stream, column + FIRST_CHANNEL, first);
}

pp_stream_counts pp_stream_read_counts(const pp_stream *stream)
{
    pp_stream_counts counts;
    const int64_t *from = (const int64_t *)&stream->counts;
    int64_t *to = (int64_t *)&counts;
    for (size_t i = 0; i < sizeof counts / 8; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    return counts;
}

pp_sequence pp_stream_sequence(const pp_stream *stream) { return stream->sequence; }

void pp_stream_resume(pp_stream *stream, const pp_sequence *sequence)
{
    PP_ASSERT(sequence->gaps >= 0 && sequence->gaps <= PP_GAPS_MAX);
    stream->sequence = *sequence;
}

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

enum { ARRIVAL, SEQ, TIME, FIRST_CHANNEL, PAGE_ROWS = 512 };

/* More are not counted. */
#define LOST_MAX ((int64_t)1 << 61)

/* What a message begins with, to be shown to whoever looks for a mistake. */
typedef struct beginning {
    size_t length;
    uint8_t bytes[PP_EXAMPLE_MAX];
} beginning;

struct pp_stream {
    pp_decoder decoder;
    int references;   /* atomic */
    int64_t capacity; /* rows, whole pages */
    int room;         /* rows that one message may have */
    int channels;
    char *column[FIRST_CHANNEL + PP_STREAM_CHANNELS_MAX];
    int64_t head;            /* rows published so far; atomic */
    pp_stream_counts counts; /* atomic, each by itself */
    beginning examples[PP_REFUSAL_COUNT];
    pp_journal *journal; /* NULL: none */
    uint8_t *about;      /* what the journal's segments say of the stream */
    size_t about_length;
    int waiting;            /* readers; atomic */
    pthread_mutex_t taking; /* one message at a time: decoder, counts' writer, journal, about */
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
    for (int column = 0; column < FIRST_CHANNEL + stream->channels; column++)
        if (stream->column[column])
            munmap(stream->column[column], 2 * column_bytes(stream));
    pthread_cond_destroy(&stream->news);
    pthread_mutex_destroy(&stream->lock);
    pthread_mutex_destroy(&stream->taking);
    pp_marks_free(stream->decoder.marks);
    free(stream->about);
    free(stream);
}

pp_stream *pp_stream_new(const pp_stream_config *config)
{
    PP_ASSERT(!pp_config_fault(config) && config->capacity >= 1);
    pp_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    pp_stream_config own = *config;
    stream->capacity = (config->capacity + PAGE_ROWS - 1) / PAGE_ROWS * PAGE_ROWS;
    if (stream->capacity / 4 < own.room)
        own.room = (int)(stream->capacity / 4);
    pp_marks *marks = pp_marks_new();
    pp_decoder_start(&stream->decoder, &own, marks);
    stream->room = own.room;
    stream->channels = own.channels;
    stream->references = 1;
    pthread_mutex_init(&stream->taking, NULL);
    pthread_mutex_init(&stream->lock, NULL);
    pp_monotonic(&stream->news);
    for (int column = 0; column < FIRST_CHANNEL + config->channels; column++) {
        stream->column[column] = map_twice(column_bytes(stream));
        if (!stream->column[column] || !marks) {
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

void pp_stream_copy_decoder(pp_stream *stream, pp_decoder *copy)
{
    pthread_mutex_lock(&stream->taking);
    *copy = stream->decoder;
    pthread_mutex_unlock(&stream->taking);
}

void pp_stream_learn(pp_stream *stream, const pp_decoder *from, const void *marks, size_t count)
{
    pthread_mutex_lock(&stream->taking);
    pp_decoder_learn(&stream->decoder, from);
    pp_marks_learn(stream->decoder.marks, marks, count);
    pthread_mutex_unlock(&stream->taking);
}

/* What a segment begins with. */
static size_t describe_segment(const void *context, uint8_t *out, size_t room)
{
    const pp_stream *stream = context;
    return pp_decoder_describe(&stream->decoder, stream->about, stream->about_length, out, room);
}

static int begin_journal(pp_stream *stream, pp_journal *journal, const void *about, size_t length)
{
    uint8_t *copy = malloc(length + 1);
    if (!copy)
        return ENOMEM;
    memcpy(copy, about, length);
    free(stream->about);
    stream->about = copy;
    stream->about_length = length;
    return pp_journal_begin(journal, describe_segment, stream) ? 0 : errno;
}

int pp_stream_set_journal(pp_stream *stream, pp_journal *journal, const void *about, size_t length)
{
    PP_ASSERT(length <= PP_ABOUT_MAX);
    pthread_mutex_lock(&stream->taking);
    int error = journal ? begin_journal(stream, journal, about, length) : 0;
    stream->journal = error ? NULL : journal;
    pthread_mutex_unlock(&stream->taking);
    return error;
}

/* The births that taught aliases are not sent again: they stay known. */
static void change_config(pp_stream *stream, const pp_stream_config *config)
{
    pp_decoder before = stream->decoder;
    pp_decoder *decoder = &stream->decoder;
    decoder->config = *config;
    decoder->config.room = before.config.room;
    decoder->config.capacity = before.config.capacity;
    memset(&decoder->memory, 0, sizeof decoder->memory);
    pp_decoder_learn_aliases(decoder, &before);
}

int pp_stream_reformat(pp_stream *stream, const pp_stream_config *config)
{
    PP_ASSERT(!pp_config_fault(config));
    if (config->channels != stream->channels)
        return EINVAL;
    pthread_mutex_lock(&stream->taking);
    change_config(stream, config);
    int error = 0;
    if (stream->journal && !pp_journal_begin(stream->journal, describe_segment, stream))
        error = errno;
    pthread_mutex_unlock(&stream->taking);
    return error;
}

/* A counter has one writer; readers may look at any time. */
static inline void add_to(int64_t *counter, int64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

/* Where a row lies in each column [bytes]. */
static inline size_t place_of(const pp_stream *stream, int64_t row)
{
    return (size_t)(row % stream->capacity) * 8;
}

/* Counts what the sequence number tells. False for a duplicate. */
static bool count_order(pp_stream *stream, pp_rows *rows)
{
    pp_stream_counts *counts = &stream->counts;
    int64_t lost;
    switch (pp_decoder_number(&stream->decoder, rows, &lost)) {
    case PP_ORDER_DUPLICATE: add_to(&counts->duplicates, 1); return false;
    case PP_ORDER_LATE: add_to(&counts->out_of_order, 1); break;
    case PP_ORDER_RESTART: add_to(&counts->restarts, 1); break;
    default: break;
    }
    int64_t before = counts->lost;
    if (lost && before + lost >= 0 && before < LOST_MAX)
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
    size_t place = place_of(stream, stream->head);
    int64_t *arrival = (int64_t *)(stream->column[ARRIVAL] + place);
    int64_t *seq = (int64_t *)(stream->column[SEQ] + place);
    int64_t step = stream->decoder.config.seq_per_sample && rows->seq >= 0;
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

static void keep_example(pp_stream *stream, pp_refusal why, const uint8_t *bytes, size_t length)
{
    beginning *kept = &stream->examples[why];
    kept->length = length < sizeof kept->bytes ? length : sizeof kept->bytes;
    memcpy(kept->bytes, bytes, kept->length);
}

/* One message, with nobody else at it. False: not journaled. */
static bool take(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                 bool again)
{
    pp_rows rows;
    size_t place = place_of(stream, stream->head);
    rows.time = (int64_t *)(stream->column[TIME] + place);
    for (int channel = 0; channel < stream->channels; channel++)
        rows.column[channel] = (double *)(stream->column[FIRST_CHANNEL + channel] + place);
    pp_refusal why = pp_decoder_read(&stream->decoder, bytes, length, &rows);
    if (why != PP_REFUSED_NOT) {
        add_to(&stream->counts.refused[why], 1);
        keep_example(stream, why, bytes, length);
        return true;
    }
    rows.again = again;
    if (stream->journal && !pp_journal_append(stream->journal, arrival_ns, again, bytes, length)) {
        pp_decoder_forget(&stream->decoder);
        add_to(&stream->counts.unjournaled, 1);
        return false;
    }
    if (rows.partial) {
        add_to(&stream->counts.partial, 1);
        keep_example(stream, PP_REFUSED_NOT, bytes, length);
    }
    if (count_order(stream, &rows))
        publish(stream, &rows, arrival_ns);
    if (stream->decoder.taught && stream->journal) /* a birth that is damaged later costs itself */
        pp_journal_describe_again(stream->journal);
    return true;
}

bool pp_stream_push(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                    int flags)
{
    pthread_mutex_lock(&stream->taking);
    add_to(&stream->counts.messages, 1);
    add_to(&stream->counts.bytes, (int64_t)length);
    bool kept = true;
    if (flags & PP_PUSH_RETAINED)
        add_to(&stream->counts.retained, 1);
    else
        kept = take(stream, bytes, length, arrival_ns, flags & PP_PUSH_AGAIN);
    pthread_mutex_unlock(&stream->taking);
    return kept;
}

const pp_stream_config *pp_stream_settings(const pp_stream *stream)
{
    return &stream->decoder.config;
}

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
    PP_ASSERT(column >= -FIRST_CHANNEL && column < stream->channels && first >= 0);
    return stream->column[column + FIRST_CHANNEL] + place_of(stream, first);
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

size_t pp_stream_example(pp_stream *stream, pp_refusal why, uint8_t example[PP_EXAMPLE_MAX])
{
    PP_ASSERT((unsigned)why < PP_REFUSAL_COUNT);
    pthread_mutex_lock(&stream->taking);
    size_t length = stream->examples[why].length;
    memcpy(example, stream->examples[why].bytes, length);
    pthread_mutex_unlock(&stream->taking);
    return length;
}

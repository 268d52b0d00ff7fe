/* Columns in a ring that is mapped twice, so that every window is contiguous; one writer, any number of readers. */
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
    int references; /* atomic */
    int64_t capacity;
    int room; /* rows that one message may have */
    char *column[FIRST_CHANNEL + PP_STREAM_CHANNELS_MAX];
    int64_t head; /* atomic */
    pp_sequence sequence;
    pp_stream_counts counts; /* atomic, each by itself */
    pp_journal *journal;
    int number;
    int waiting; /* atomic */
    pthread_mutex_t lock;
    pthread_cond_t news;
};

/* Two views of the same bytes, one behind the other; NULL where the system refuses. */
static char *map_twice(size_t bytes)
{
    int fd = memfd_create("polepair", MFD_CLOEXEC);
    char *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        at = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int half = 0; half < 2 && at != MAP_FAILED; half++)
        if (mmap(at + (size_t)half * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                 fd, 0) == MAP_FAILED) {
            munmap(at, 2 * bytes);
            at = MAP_FAILED;
        }
    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static size_t column_bytes(const pp_stream *s) { return (size_t)s->capacity * 8; }

static void release(pp_stream *s)
{
    for (int c = 0; c < FIRST_CHANNEL + s->config.channels; c++)
        if (s->column[c])
            munmap(s->column[c], 2 * column_bytes(s));
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

pp_stream *pp_stream_new(const pp_stream_config *config)
{
    pp_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = *config;
    s->capacity = (config->capacity + PAGE_ROWS - 1) / PAGE_ROWS * PAGE_ROWS;
    s->room = s->capacity / 4 < ROOM_MAX ? (int)(s->capacity / 4) : ROOM_MAX;
    s->references = 1;
    pp_sequence_start(&s->sequence);
    pthread_mutex_init(&s->lock, NULL);
    pp_monotonic(&s->news);
    for (int c = 0; c < FIRST_CHANNEL + config->channels; c++)
        if (!(s->column[c] = map_twice(column_bytes(s)))) {
            release(s);
            return NULL;
        }
    return s;
}

void pp_stream_keep(pp_stream *s) { __atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED); }

void pp_stream_drop(pp_stream *s)
{
    if (__atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) == 0)
        release(s);
}

void pp_stream_journal(pp_stream *s, pp_journal *journal, int number)
{
    s->number = number;
    __atomic_store_n(&s->journal, journal, __ATOMIC_RELEASE);
}

/* A counter has one writer; readers may look at any time. */
static inline void count(int64_t *counter, int64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static inline char *cell(const pp_stream *s, int column, int64_t row)
{
    return s->column[column] + (row % s->capacity) * 8;
}

static pp_refusal decode_frame(pp_stream *s, const uint8_t *bytes, size_t length, pp_rows *rows)
{
    pp_frame f;
    pp_refusal why = pp_frame_read(bytes, length, &f);
    if (why != PP_REFUSED_NOT)
        return why;
    if (f.channels != s->config.channels || f.samples > rows->room)
        return PP_REFUSED_COUNT;
    if (f.time_ns > INT64_MAX / 2 || f.time_ns < INT64_MIN / 2)
        return PP_REFUSED_NUMBER;
    for (int i = 0; i < f.samples; i++)
        rows->time[i] = f.time_ns + (int64_t)f.dt_ns * i;
    rows->count = f.samples;
    rows->seq = f.seq;
    rows->boot = f.boot;
    rows->dropped = f.dropped;
    return pp_frame_values(&f, bytes, length, s->config.scale, rows->column);
}

static pp_refusal decode(pp_stream *s, const uint8_t *bytes, size_t length, pp_rows *rows)
{
    switch (s->config.format) {
    case PP_FORMAT_JSON: return pp_decode_json(&s->config, &s->memory, bytes, length, rows);
    case PP_FORMAT_SPARKPLUG: return pp_decode_sparkplug(&s->config, bytes, length, rows);
    case PP_FORMAT_PACKED: return pp_decode_packed(&s->config, bytes, length, rows);
    default: return decode_frame(s, bytes, length, rows);
    }
}

/* A sequence number that came modulo 256, nearest to the one expected. */
static int64_t extend(const pp_stream *s, int64_t seq)
{
    int64_t next = s->sequence.next;
    return next < 0 ? seq : next + (int8_t)(uint8_t)(seq - next);
}

/* False for a duplicate. */
static bool in_order(pp_stream *s, pp_rows *rows)
{
    pp_stream_counts *n = &s->counts;
    if (rows->seq < 0)
        return true;
    if (rows->short_seq)
        rows->seq = extend(s, rows->seq);
    int64_t lost, numbers = s->config.seq_per_sample ? rows->count : 1;
    switch (pp_sequence_take(&s->sequence, rows->seq, numbers, rows->time[0], rows->boot, &lost)) {
    case PP_ORDER_DUPLICATE: count(&n->duplicates, 1); return false;
    case PP_ORDER_LATE: count(&n->out_of_order, 1); break;
    case PP_ORDER_RESTART: count(&n->restarts, 1); break;
    default: break;
    }
    if (lost)
        count(&n->lost, lost);
    return true;
}

static void wake(pp_stream *s)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&s->waiting, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void publish(pp_stream *s, const pp_rows *rows, int64_t arrival_ns)
{
    int64_t *arrival = (int64_t *)cell(s, ARRIVAL, s->head),
            *seq = (int64_t *)cell(s, SEQ, s->head);
    int64_t step = s->config.seq_per_sample && rows->seq >= 0;
    for (int i = 0; i < rows->count; i++) {
        arrival[i] = arrival_ns;
        seq[i] = rows->seq + i * step;
    }
    if (rows->dropped > 0)
        __atomic_store_n(&s->counts.device_drops, rows->dropped, __ATOMIC_RELAXED);
    count(&s->counts.rows, rows->count);
    __atomic_store_n(&s->head, s->head + rows->count, __ATOMIC_RELEASE);
    wake(s);
}

bool pp_stream_push(pp_stream *s, const uint8_t *bytes, size_t length, int64_t arrival_ns,
                    int flags)
{
    count(&s->counts.messages, 1);
    count(&s->counts.bytes, (int64_t)length);
    if (flags & PP_PUSH_RETAINED) {
        count(&s->counts.retained, 1);
        return true;
    }
    pp_rows rows;
    rows.room = s->room, rows.count = 0, rows.seq = rows.boot = -1, rows.dropped = 0,
    rows.short_seq = false;
    rows.time = (int64_t *)cell(s, TIME, s->head);
    for (int c = 0; c < s->config.channels; c++)
        rows.column[c] = (double *)cell(s, FIRST_CHANNEL + c, s->head);
    pp_refusal why =
        length > s->config.size_limit ? PP_REFUSED_SIZE : decode(s, bytes, length, &rows);
    if (why != PP_REFUSED_NOT) {
        count(&s->counts.refused[why], 1);
        return true;
    }
    pp_journal *journal = __atomic_load_n(&s->journal, __ATOMIC_ACQUIRE);
    if (journal && !(flags & PP_PUSH_STORED) &&
        !pp_journal_append(journal, s->number, arrival_ns, bytes, length)) {
        count(&s->counts.unjournaled, 1);
        return false;
    }
    if (in_order(s, &rows))
        publish(s, &rows, arrival_ns);
    return true;
}

const pp_stream_config *pp_stream_settings(const pp_stream *s) { return &s->config; }

int64_t pp_stream_head(const pp_stream *s) { return __atomic_load_n(&s->head, __ATOMIC_ACQUIRE); }

int64_t pp_stream_floor(const pp_stream *s)
{
    int64_t floor = pp_stream_head(s) + s->room - s->capacity;
    return floor > 0 ? floor : 0;
}

bool pp_stream_wait(pp_stream *s, int64_t seen, double seconds)
{
    if (pp_stream_head(s) > seen)
        return true;
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&s->lock);
    __atomic_add_fetch(&s->waiting, 1, __ATOMIC_SEQ_CST);
    while (pp_stream_head(s) <= seen && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&s->news, &s->lock, &until);
    __atomic_sub_fetch(&s->waiting, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&s->lock);
    return pp_stream_head(s) > seen;
}

const void *pp_stream_column(const pp_stream *s, int column, int64_t first)
{
    return cell(s, column + FIRST_CHANNEL, first);
}

pp_stream_counts pp_stream_count(const pp_stream *s)
{
    pp_stream_counts n;
    const int64_t *from = (const int64_t *)&s->counts;
    int64_t *to = (int64_t *)&n;
    for (size_t i = 0; i < sizeof n / 8; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    return n;
}

pp_sequence pp_stream_sequence(const pp_stream *s) { return s->sequence; }

void pp_stream_resume(pp_stream *s, const pp_sequence *sequence) { s->sequence = *sequence; }

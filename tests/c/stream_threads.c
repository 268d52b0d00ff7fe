/* A stream under ThreadSanitizer: one thread pushes, two read, one syncs the journal. argv[1]: a
 * folder for the journal. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "polepair/stream.h"

enum { ROWS = 20000 };

static pp_stream *stream;
static pp_journal *journal;
static int done;

static void *read_rows(void *unused)
{
    (void)unused;
    int64_t seen = 0;
    while (seen < ROWS) {
        pp_stream_wait(stream, seen, 0.1);
        int64_t head = pp_stream_head(stream);
        for (; seen < head; seen++) {
            double up = *(const double *)pp_stream_column(stream, 0, seen);
            double down = *(const double *)pp_stream_column(stream, 1, seen);
            int64_t number = *(const int64_t *)pp_stream_column(stream, -2, seen);
            if (up != (double)seen || down != -up || number != seen)
                abort();
        }
        if (pp_stream_read_counts(stream).rows < head)
            abort();
    }
    return NULL;
}

static void *sync_journal(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
        if (pp_journal_sync(journal))
            abort();
    return NULL;
}

int main(int count, char **argument)
{
    pp_stream_config config = {.format = PP_FORMAT_JSON,
                               .channels = 2,
                               .time_unit = 1,
                               .capacity = 2 * ROWS,
                               .room = PP_ROOM_MAX,
                               .size_limit = 1000};
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        config.alias[i] = PP_TO_NOWHERE;
    config.keys[config.key_count++] = (pp_key){"a", 1, 0};
    config.keys[config.key_count++] = (pp_key){"b", 1, 1};
    config.keys[config.key_count++] = (pp_key){"n", 1, PP_TO_SEQ};
    stream = pp_stream_new(&config);
    if (count > 1)
        journal = pp_journal_open(argument[1], 1 << 18, 0, 0);
    if (!stream || !journal)
        return 2;
    if (pp_stream_set_journal(stream, journal, "", 0))
        return 2;
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, read_rows, NULL);
    pthread_create(&threads[1], NULL, read_rows, NULL);
    pthread_create(&threads[2], NULL, sync_journal, NULL);
    for (int n = 0; n < ROWS; n++) {
        char text[100];
        int length = snprintf(text, sizeof text, "{\"n\":%d,\"a\":%d,\"b\":%d}", n, n, -n);
        if (!pp_stream_push(stream, (const uint8_t *)text, (size_t)length, n, 0))
            abort();
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    pthread_join(threads[2], NULL);
    pp_stream_set_journal(stream, NULL, NULL, 0);
    pp_stream_unref(stream);
    pp_journal_close(journal);
    return 0;
}

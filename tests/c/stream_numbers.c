/* The host's C that remembers: which numbers came, configurations; and, with those beside it,
 * descriptions, messages, segments and the journal. argv[1]: an empty folder. Prints how many
 * checks failed. */
#include "stream.h"

#include <limits.h>

#include "../../csrc/host/stream/sequence.h"

int checks, failed;

pp_stream_config json_config(void)
{
    pp_stream_config config = {.format = PP_FORMAT_JSON,
                               .channels = 2,
                               .time_unit = 1,
                               .capacity = 512,
                               .room = 64,
                               .size_limit = 1000,
                               .scale = {1, 0.5}};
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        config.alias[i] = PP_TO_NOWHERE;
    config.keys[config.key_count++] = (pp_key){"a", 1, 0};
    config.keys[config.key_count++] = (pp_key){"b", 1, 1};
    config.keys[config.key_count++] = (pp_key){"n", 1, PP_TO_SEQ};
    config.keys[config.key_count++] = (pp_key){"t", 1, PP_TO_TIME};
    return config;
}

pp_marks *fresh_marks(int place)
{
    static pp_marks *of[2];
    pp_marks_free(of[place]);
    of[place] = pp_marks_new();
    return of[place];
}

static pp_sequence numbers;
static pp_marks *marks;
static int64_t lost;

static void begin_numbers(void)
{
    pp_sequence_start(&numbers);
    marks = fresh_marks(0);
}

/* One message of the device with this boot number: its number, how many, its time. */
static pp_order take(int64_t seq, int64_t count, int64_t time, int64_t boot)
{
    pp_numbers message = {.seq = seq, .bits = 64, .count = count, .time_ns = time, .boot = boot};
    return pp_sequence_take(&numbers, marks, &message, &lost);
}

static void gaps_are_filled_in_any_order(void)
{
    begin_numbers();
    CHECK(take(100, 10, 0, 7) == PP_ORDER_NEW && lost == 0);
    CHECK(take(150, 10, 1, 7) == PP_ORDER_NEW && lost == 40 && numbers.gaps == 1);
    CHECK(take(120, 10, 2, 7) == PP_ORDER_LATE && lost == -10 && numbers.gaps == 2);
    CHECK(take(110, 4, 3, 7) == PP_ORDER_LATE && lost == -4); /* its beginning */
    CHECK(take(148, 2, 4, 7) == PP_ORDER_LATE && lost == -2); /* its end */
    CHECK(take(114, 6, 5, 7) == PP_ORDER_LATE && lost == -6 && numbers.gaps == 1);
    CHECK(take(130, 18, 6, 7) == PP_ORDER_LATE && lost == -18 && numbers.gaps == 0);
    CHECK(numbers.next == 160 && numbers.first == 100 && numbers.time == 1);
    CHECK(take(130, 18, 7, 7) == PP_ORDER_RESTART && lost == 0); /* came, and another message */
    CHECK(numbers.next == 148 && numbers.first == 130 && numbers.gaps == 0);
}

/* Boot numbers are only told apart: any will do. */
static void numbers_at_the_border_are_taken(void)
{
    const int64_t far = ((int64_t)1 << 62) - 1;
    begin_numbers();
    CHECK(take(far, 65535, far, INT64_MAX) == PP_ORDER_NEW && numbers.next == far + 65535);
    CHECK(take(far, 65535, far, INT64_MAX) == PP_ORDER_DUPLICATE);
    CHECK(take(0, 65535, -far, 0) == PP_ORDER_RESTART && numbers.next == 65535);
    CHECK(take(far, 65535, far, 0) == PP_ORDER_NEW && lost == far - 65535);
}

static void what_covers_more_than_a_gap_is_a_restart(void)
{
    for (int more = 0; more < 2; more++) {
        begin_numbers();
        take(0, 10, 0, 7);
        take(20, 10, 1, 7);
        CHECK(take(10 - more, 10 + more, 2, 7) == (more ? PP_ORDER_RESTART : PP_ORDER_LATE));
        begin_numbers();
        take(0, 10, 0, 7);
        take(20, 10, 1, 7);
        CHECK(take(10, 10 + more, 2, 7) == (more ? PP_ORDER_RESTART : PP_ORDER_LATE));
    }
}

static void the_oldest_gap_is_given_up(void)
{
    begin_numbers();
    for (int64_t k = 0; k <= PP_GAPS_MAX; k++) {
        CHECK(take(2 * k, 1, k, 7) == PP_ORDER_NEW && numbers.gaps == k);
        CHECK(k == 0 || (numbers.gap_first[k - 1] == 2 * k - 1 && numbers.gap_end[k - 1] == 2 * k));
    }
    int64_t next = 2 * (PP_GAPS_MAX + 1);
    CHECK(take(next, 1, 1000, 7) == PP_ORDER_NEW && numbers.gaps == PP_GAPS_MAX);
    CHECK(numbers.gap_first[0] == 3 && numbers.gap_end[PP_GAPS_MAX - 1] == next);
    for (int64_t seq = next - 1; seq > 1; seq -= 2)
        CHECK(take(seq, 1, 2000 + seq, 7) == PP_ORDER_LATE && lost == -1);
    CHECK(numbers.gaps == 0 && take(1, 1, 5000, 7) == PP_ORDER_RESTART);
}

/* Message k of some: how it stands when it comes, or comes again as its bringer says. */
static pp_order deliver(int64_t k, bool again)
{
    pp_numbers message = {.seq = k, .bits = 64, .count = 1, .time_ns = k, .again = again};
    return pp_sequence_take(&numbers, marks, &message, &lost);
}

/* Exactly so far back: a device that counts anew may say the very same as long ago, one message at
 * every turn of the tables. */
static void the_newest_messages_are_known(void)
{
    begin_numbers();
    for (int64_t k = 0; k < 5 * PP_RECENT; k++) {
        CHECK(deliver(k, false) == PP_ORDER_NEW);
        CHECK(deliver(k, false) == PP_ORDER_DUPLICATE && lost == 0);
        CHECK(k < PP_RECENT || deliver(k - PP_RECENT + 1, false) == PP_ORDER_DUPLICATE);
    }
    CHECK(deliver(4 * PP_RECENT - 1, true) == PP_ORDER_DUPLICATE);
    CHECK(deliver(4 * PP_RECENT - 1, false) == PP_ORDER_RESTART);
    CHECK(deliver(4 * PP_RECENT + 1, false) == PP_ORDER_DUPLICATE);
    CHECK(take(5 * PP_RECENT - 1, 1, 0, 7) == PP_ORDER_RESTART); /* another time: not that one */
}

/* What was sent before is known much further back, whenever it comes. */
static void what_comes_again_is_known_deeply(void)
{
    begin_numbers();
    for (int64_t k = 0; k < 3 * PP_DEEP; k++) {
        CHECK(deliver(k, false) == PP_ORDER_NEW);
        if (k % 5000 == 0 && k >= PP_DEEP)
            CHECK(deliver(k - PP_DEEP + 1, true) == PP_ORDER_DUPLICATE);
    }
    for (int64_t k = 2 * PP_DEEP; k < 3 * PP_DEEP; k++)
        CHECK(deliver(k, true) == PP_ORDER_DUPLICATE && lost == 0);
    CHECK(pp_marks_count(marks) == 3 * PP_DEEP);
    CHECK(deliver(2 * PP_DEEP - 1, true) == PP_ORDER_RESTART); /* one further: it cannot be told */
    CHECK(deliver(2 * PP_DEEP, true) != PP_ORDER_DUPLICATE);   /* pushed out by that one */
    CHECK(deliver(2 * PP_DEEP + 2, true) == PP_ORDER_DUPLICATE);
}

static void marks_go_from_one_to_another(void)
{
    static uint64_t copy[PP_DEEP];
    static uint64_t later[PP_DEEP];
    begin_numbers();
    CHECK(pp_marks_copy(marks, 0, copy) == 0);
    for (int64_t k = 0; k < PP_DEEP + 500; k++)
        deliver(k, false);
    CHECK(pp_marks_copy(marks, 0, copy) == PP_DEEP);
    CHECK(pp_marks_copy(marks, PP_DEEP + 400, later) == 100);
    CHECK(memcmp(later, copy + PP_DEEP - 100, 800) == 0);
    begin_numbers();
    pp_marks_learn(marks, copy, 40);
    pp_marks_learn(marks, copy, PP_DEEP); /* those that are known already are not taken again */
    CHECK(pp_marks_count(marks) == PP_DEEP);
    copy[0] = 0; /* no mark */
    pp_marks_learn(marks, copy, 1);
    CHECK(pp_marks_count(marks) == PP_DEEP);
    for (int64_t k = 500; k < PP_DEEP + 500; k++)
        CHECK(deliver(k, true) == PP_ORDER_DUPLICATE);
    CHECK(deliver(499, true) == PP_ORDER_NEW);
}

/* Gaps 3k + 1 to 3k + 2, filled in an order that takes them out of the middle. */
static void gaps_are_filled_from_everywhere(void)
{
    enum { GAPS = 11 };
    for (int64_t stride = 1; stride < GAPS; stride++) {
        begin_numbers();
        for (int64_t k = 0; k <= GAPS; k++)
            take(3 * k, 1, k, 7);
        CHECK(numbers.gaps == GAPS);
        for (int64_t k = 0; k < GAPS; k++) {
            int64_t gap = k * stride % GAPS;
            CHECK(take(3 * gap + 1, 2, 100 + k, 7) == PP_ORDER_LATE && lost == -2);
            CHECK(numbers.gaps == GAPS - 1 - k);
        }
    }
}

/* Messages that differ in what little a device may change are told apart. */
static void messages_that_are_alike_are_told_apart(void)
{
    for (int64_t seq = 0; seq < 64; seq++) {
        begin_numbers();
        for (int k = 0; k < 16 * 16; k++) {
            pp_numbers message = {.seq = seq, .bits = 64, .count = 1 + k % 16, .boot = -1};
            message.content = (uint64_t)(k / 16);
            CHECK(pp_sequence_take(&numbers, marks, &message, &lost) != PP_ORDER_DUPLICATE);
        }
    }
}

static void times_and_boots_tell_restarts(void)
{
    begin_numbers();
    take(50, 5, 100, -1);
    CHECK(take(40, 5, 99, -1) == PP_ORDER_LATE && lost == 0 && numbers.next == 55);
    CHECK(take(46, 5, 99, -1) == PP_ORDER_RESTART && numbers.next == 51); /* 46 to 50: one came */
    CHECK(take(0, 1, 101, -1) == PP_ORDER_RESTART && numbers.next == 1 && numbers.first == 0);
    CHECK(take(1, 1, 102, 3) == PP_ORDER_NEW && numbers.boot == -1);
    CHECK(take(0, 1, 50, 3) == PP_ORDER_RESTART && numbers.boot == 3);
    CHECK(take(1, 1, 51, -1) == PP_ORDER_NEW && numbers.boot == 3);
    CHECK(take(2, 1, 52, 4) == PP_ORDER_RESTART && numbers.boot == 4 && numbers.first == 2);
}

/* The number that a message of `bits` gets behind those up to `next`. */
static int64_t unrolled(int64_t next, int64_t seq, int bits, int64_t time)
{
    begin_numbers();
    take(next - 1, 1, 100, -1);
    pp_numbers message = {.seq = seq, .bits = bits, .count = 1, .time_ns = time, .boot = -1};
    pp_sequence_take(&numbers, marks, &message, &lost);
    return message.seq;
}

static void numbers_are_unrolled(void)
{
    const int64_t turn = (int64_t)1 << 32;
    CHECK(unrolled(256, 0, 8, 200) == 256 && unrolled(256, 127, 8, 200) == 256 + 127);
    CHECK(unrolled(256, 128, 8, 50) == 128 && unrolled(300, 40, 8, 50) == 296);
    CHECK(unrolled(turn, 0, 32, 200) == turn && unrolled(turn - 3, 5, 32, 200) == turn + 5);
    CHECK(unrolled(7 * turn + 9, 8, 32, 50) == 7 * turn + 8);
    CHECK(unrolled(10, turn - 2, 32, 50) == turn - 2);  /* nothing is below 0 */
    CHECK(unrolled(turn, 1 << 30, 32, 200) == 1 << 30); /* too far ahead */
    CHECK(unrolled(turn, (1 << 30) - 1, 32, 200) == turn + (1 << 30) - 1);
    CHECK(unrolled(turn, 1 << 20, 32, 100) == 1 << 20); /* far, and no newer time */
    CHECK(unrolled(turn, 1 << 20, 32, 101) == turn + (1 << 20));
    CHECK(unrolled(turn, (1 << 20) - 1, 32, 100) == turn + (1 << 20) - 1);
    CHECK(unrolled(turn, 5, 64, 200) == 5);
}

#define FAULT(word, statement)                                        \
    do {                                                              \
        config = good;                                                \
        statement;                                                    \
        const char *said = pp_config_fault(&config);                  \
        CHECK(*(word) ? said && strstr(said, (word)) : said == NULL); \
    } while (0)

static void configurations_have_bounds(void)
{
    pp_stream_config good = json_config(), config;
    FAULT("", (void)0);
    FAULT("format", config.format = PP_FORMAT_COUNT);
    FAULT("format", config.format = (pp_format)-1);
    FAULT("64 channels", config.channels = 0);
    FAULT("64 channels", config.channels = 65);
    FAULT("", config.channels = 64);
    FAULT("size limit", config.room = 0);
    FAULT("size limit", config.room = PP_ROOM_MAX + 1);
    FAULT("", config.room = PP_ROOM_MAX);
    FAULT("size limit", config.size_limit = 0);
    FAULT("size limit", config.size_limit = ((size_t)1 << 30) + 1);
    FAULT("", config.size_limit = (size_t)1 << 30);
    FAULT("time unit", config.time_unit = 0.5);
    FAULT("time unit", config.time_unit = 1.1e9);
    FAULT("time unit", config.time_unit = __builtin_nan(""));
    FAULT("", config.time_unit = 1e9);
    FAULT("keys", config.key_count = -1);
    FAULT("keys", config.key_count = PP_KEYS_MAX + 1);
    FAULT("keys", config.keys[0].length = 0);
    FAULT("keys", config.keys[1].length = PP_NAME_MAX);
    FAULT("", config.keys[1].length = PP_NAME_MAX - 1);
    FAULT("keys", config.keys[1].target = 2);
    FAULT("keys", config.keys[1].target = PP_TO_ROWS - 1);
    FAULT("", config.keys[1].target = PP_TO_ROWS);
    FAULT("keys", config.alias[255] = 2);
    FAULT("keys", config.alias[0] = PP_TO_STEP);
    FAULT("keys", config.alias[0] = PP_TO_NOWHERE - 1);
    FAULT("", config.alias[0] = PP_TO_BOOT);
    FAULT("scales", config.scale[1] = __builtin_inf());
    FAULT("", config.scale[2] = __builtin_inf());
}

static void layouts_have_bounds(void)
{
    pp_stream_config good = json_config(), config;
    const pp_field none = {.at = -1};
    good.format = PP_FORMAT_PACKED;
    good.layout = (pp_layout){.magic_length = 2,
                              .time = {16, 8},
                              .seq = none,
                              .step = none,
                              .samples = none,
                              .channels = none,
                              .data = 24,
                              .value = 4};
    FAULT("", (void)0);
    FAULT("layout", config.layout.data = -1);
    FAULT("", config.layout.data = 4096);
    FAULT("layout", config.layout.data = 4097);
    FAULT("layout", config.layout.magic_length = 9);
    FAULT("layout", config.layout.magic_length = -1);
    FAULT("", config.layout.magic_length = 8);
    FAULT("", (config.layout.data = 8, config.layout.time = none, config.layout.magic_length = 8));
    FAULT("layout",
          (config.layout.data = 7, config.layout.time = none, config.layout.magic_length = 8));
    FAULT("layout", config.layout.value = 3);
    FAULT("", config.layout.value = 2);
    FAULT("", config.layout.value = 8);
    pp_field *fields[] = {&config.layout.time, &config.layout.seq, &config.layout.step,
                          &config.layout.samples, &config.layout.channels};
    for (int i = 0; i < 5; i++) {
        FAULT("", *fields[i] = ((pp_field){0, 1}));
        FAULT("layout", *fields[i] = ((pp_field){0, 0}));
        FAULT("layout", *fields[i] = ((pp_field){0, 9}));
        FAULT("", *fields[i] = ((pp_field){20, 4}));
        FAULT("layout", *fields[i] = ((pp_field){21, 4}));
        FAULT("layout", *fields[i] = ((pp_field){25, 1}));
        FAULT("layout", *fields[i] = ((pp_field){INT_MAX, 8}));
    }
}

int main(int count, char **argument)
{
    gaps_are_filled_in_any_order();
    numbers_at_the_border_are_taken();
    what_covers_more_than_a_gap_is_a_restart();
    the_oldest_gap_is_given_up();
    the_newest_messages_are_known();
    what_comes_again_is_known_deeply();
    marks_go_from_one_to_another();
    gaps_are_filled_from_everywhere();
    messages_that_are_alike_are_told_apart();
    times_and_boots_tell_restarts();
    numbers_are_unrolled();
    configurations_have_bounds();
    layouts_have_bounds();
    descriptions();
    decoders();
    json();
    segments_and_drains();
    if (count > 1) {
        journals(argument[1]);
        syncs(argument[1]);
    }
    printf("%d passed, %d failed\n", checks - failed, failed);
    return failed != 0;
}

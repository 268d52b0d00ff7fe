/* Messages byte by byte: Sparkplug payloads of every wire type, packed structs, and numbers at the
 * border of what is read. */
#include "stream.h"

#include <math.h>

enum { ROWS = 8, LENGTH = 2048 };

static pp_decoder decoder;
static int64_t times[ROWS];
static double columns[2][ROWS];
static pp_rows rows;
static uint8_t message[LENGTH];
static size_t length;

static pp_refusal read_message(void)
{
    rows = (pp_rows){.time = times, .column = {columns[0], columns[1]}};
    for (int i = 0; i < ROWS; i++)
        columns[0][i] = columns[1][i] = -77;
    return pp_decoder_read(&decoder, message, length, &rows);
}

static void put(const void *bytes, size_t count)
{
    memcpy(message + length, bytes, count);
    length += count;
}

static void varint(uint64_t value)
{
    for (; value > 127; value >>= 7)
        message[length++] = (uint8_t)(value & 127) | 128;
    message[length++] = (uint8_t)value;
}

static void sparkplug(void)
{
    pp_stream_config config = json_config();
    config.format = PP_FORMAT_SPARKPLUG;
    config.time_unit = 1000;
    config.room = ROWS;
    config.alias[1] = 0;
    config.alias[2] = 1;
    config.alias[3] = PP_TO_TIME;
    config.alias[4] = PP_TO_SEQ;
    config.alias[5] = PP_TO_BOOT;
    pp_decoder_start(&decoder, &config, NULL);
    length = 0;
}

/* A metric: alias, datatype, and a value of a field with so many bytes. */
static void metric(uint64_t alias, uint64_t type, int field, const void *value, size_t count)
{
    uint8_t body[64];
    size_t before = length;
    varint(2 << 3);
    varint(alias);
    varint(4 << 3);
    varint(type);
    varint((uint64_t)field);
    put(value, count);
    size_t made = length - before;
    memcpy(body, message + before, made);
    length = before;
    varint(2 << 3 | 2);
    varint(made);
    put(body, made);
}

static void whole(uint64_t alias, uint64_t type, int field, uint64_t value)
{
    uint8_t keep[LENGTH];
    size_t before = length;
    memcpy(keep, message, length);
    length = 0;
    varint(value);
    uint8_t bytes[16];
    size_t count = length;
    memcpy(bytes, message, count);
    memcpy(message, keep, before);
    length = before;
    metric(alias, type, field << 3, bytes, count);
}

/* What a metric of this datatype gives. */
static double value_of(uint64_t type, int field, uint64_t value)
{
    sparkplug();
    whole(1, type, field, value);
    CHECK(read_message() == PP_REFUSED_NOT && rows.count == 1 && isnan(columns[1][0]));
    return columns[0][0];
}

static void sparkplug_numbers_have_signs(void)
{
    CHECK(value_of(3, 10, 0xffffffff) == -1);                    /* Int32 */
    CHECK(value_of(1, 10, 0xffffff80) == -128);                  /* Int8 */
    CHECK(value_of(2, 10, 0xffff8000) == -32768);                /* Int16 */
    CHECK(value_of(4, 11, UINT64_MAX - 4) == -5);                /* Int64 */
    CHECK(value_of(5, 10, 200) == 200);                          /* UInt8 */
    CHECK(value_of(7, 10, 0xffffffff) == 4294967295.0);          /* UInt32 */
    CHECK(value_of(8, 11, (uint64_t)1 << 63) == 0x1p63);         /* UInt64 */
    CHECK(value_of(0, 10, 0xffffffff) == 4294967295.0);          /* not said */
    CHECK(value_of(11, 14, 1) == 1 && value_of(11, 14, 0) == 0); /* Boolean */
}

static void sparkplug_reals_times_and_numbers(void)
{
    sparkplug();
    metric(1, 10, 13 << 3 | 1, &(double){0.1}, 8);
    metric(2, 9, 12 << 3 | 5, &(float){0.5f}, 4);
    whole(3, 8, 11, 5000);
    whole(4, 8, 11, 600);
    whole(5, 8, 11, 9);
    varint(1 << 3);
    varint(77);
    varint(3 << 3);
    varint(5);
    CHECK(read_message() == PP_REFUSED_NOT && columns[0][0] == 0.1 && columns[1][0] == 0.5);
    CHECK(times[0] == 5000000 && rows.seq == 600 && rows.seq_bits == 64 && rows.boot == 9);
    sparkplug();
    varint(1 << 3);
    varint(77);
    varint(3 << 3);
    varint(0x105);
    metric(1, 9, 12 << 3 | 5, &(float){2}, 4);
    CHECK(read_message() == PP_REFUSED_NOT && times[0] == 77000000 && columns[0][0] == 2);
    CHECK(rows.seq == 5 && rows.seq_bits == 8 && rows.boot == -1);
}

static void sparkplug_nulls_and_strangers(void)
{
    sparkplug();
    put("\x12\x06\x10\x01\x38\x01\x20\x0a", 8);      /* null: missing */
    put("\x12\x09\x10\x63\x20\x0a\x65\0\0\0\0", 11); /* an alias that nobody told */
    put("\x12\x04\x10\x01\x20\x0a", 6);              /* no value: as if not there */
    put("\x21"
        "12345678"
        "\x2a\x03"
        "abc"
        "\x35"
        "1234"
        "\x38\x05",
        21); /* fields of every type */
    CHECK(read_message() == PP_REFUSED_NOT && isnan(columns[0][0]) && isnan(columns[1][0]));
    CHECK(rows.seq == -1 && times[0] == 0);
}

/* Teaches by a name beside its alias; the alias alone follows. */
static void sparkplug_births_teach(void)
{
    sparkplug();
    put("\x12\x0c\x0a\x01"
        "b"
        "\x10\x07\x20\x0a\x65\0\0\x80\x3f",
        14);
    CHECK(read_message() == PP_REFUSED_NOT && decoder.taught && columns[1][0] == 1);
    CHECK(decoder.config.alias[7] == 1);
    pp_decoder_forget(&decoder);
    CHECK(decoder.config.alias[7] == PP_TO_NOWHERE && !decoder.taught);
    length = 0;
    metric(7, 9, 12 << 3 | 5, &(float){2}, 4);
    CHECK(read_message() == PP_REFUSED_KEYS); /* nothing that is known */
}

static void bad_sparkplug_is_refused(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        pp_refusal why;
    } bad[] = {
        {"\x80", 1, PP_REFUSED_SYNTAX}, /* a number that is cut */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, PP_REFUSED_SYNTAX}, /* too long */
        {"\x12\x05\x10", 3, PP_REFUSED_SYNTAX}, /* a part that is cut */
        {"\x0b", 1, PP_REFUSED_SYNTAX},         /* a group */
        {"\x21"
         "1234567",
         8, PP_REFUSED_SYNTAX}, /* seven of eight bytes */
        {"\x35"
         "123",
         4, PP_REFUSED_SYNTAX},                                 /* three of four */
        {"\x12\x05\x10\x01\x65\x01\x02", 7, PP_REFUSED_SYNTAX}, /* a float that is cut */
        {"\x12\x05\x10\x01\x69\x01\x02", 7, PP_REFUSED_SYNTAX}, /* a double */
        {"\x12\x01\x80", 3, PP_REFUSED_SYNTAX},
        {"\x08", 1, PP_REFUSED_SYNTAX},
        {"\x18", 1, PP_REFUSED_SYNTAX},
        {"\x18\x01", 2, PP_REFUSED_KEYS},                                    /* no metric */
        {"\x12\x09\x10\x01\x20\x0a\x65\0\0\x80\x7f", 11, PP_REFUSED_NUMBER}, /* infinite */
        {"\x12\x09\x10\x03\x20\x0a\x65\0\0\x80\x3f", 11, PP_REFUSED_NUMBER}, /* time as a float */
        {"\x12\x09\x10\x01\x20\x0a\x65\0\0\0\0\x12\x09\x10\x01\x20\x0a\x65\0\0\0\0", 22,
         PP_REFUSED_TWICE}, /* a channel twice */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x09\x10\x01\x20\x0a\x65\0\0\0\0", 22,
         PP_REFUSED_SYNTAX}, /* a time below 0 */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x12\x09\x10\x01\x20\x0a\x65\0\0\0\0", 21,
         PP_REFUSED_NUMBER}, /* beyond nanoseconds */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sparkplug();
        put(bad[i].bytes, bad[i].size);
        CHECK(read_message() == bad[i].why);
    }
}

static void packed(int value)
{
    pp_stream_config config = json_config();
    config.format = PP_FORMAT_PACKED;
    config.room = ROWS;
    config.layout = (pp_layout){.magic = {'P', 'K'},
                                .magic_length = 2,
                                .time = {2, 8},
                                .seq = {10, 4},
                                .step = {14, 2},
                                .samples = {16, 2},
                                .channels = {18, 1},
                                .data = 20,
                                .value = value};
    pp_decoder_start(&decoder, &config, NULL);
    length = 0;
}

static void packed_head(int64_t time, uint32_t seq, uint16_t step, uint16_t samples)
{
    length = 0;
    put("PK", 2);
    put(&time, 8);
    put(&seq, 4);
    put(&step, 2);
    put(&samples, 2);
    put("\2\0", 2);
}

static void packed_values_of_every_size(void)
{
    packed(2);
    packed_head(100, 0xfffffff0, 7, 2);
    put((int16_t[]){3, -4, -32768, 32767}, 8);
    CHECK(read_message() == PP_REFUSED_NOT && rows.count == 2 && times[1] == 107);
    CHECK(columns[0][0] == 3 && columns[1][0] == -2 && columns[0][1] == -32768);
    CHECK(columns[1][1] == 16383.5 && rows.seq == 0xfffffff0 && rows.seq_bits == 32);
    packed(4);
    packed_head(-100, 1, 7, 1);
    put((float[]){0.5f, -1e30f}, 8);
    CHECK(read_message() == PP_REFUSED_NOT && times[0] == -100 && columns[0][0] == 0.5);
    CHECK(columns[1][0] == (double)-1e30f);
    packed(8);
    packed_head(0, 1, 7, 1);
    put((double[]){0.1, -1e300}, 16);
    CHECK(read_message() == PP_REFUSED_NOT && columns[0][0] == 0.1 && columns[1][0] == -1e300);
    packed(8); /* without fields: one row after the other, unnumbered */
    decoder.config.layout = (pp_layout){.time.at = -1,
                                        .seq.at = -1,
                                        .step.at = -1,
                                        .samples.at = -1,
                                        .channels.at = -1,
                                        .value = 8};
    put((double[]){1, 2, 3, 4}, 32);
    CHECK(read_message() == PP_REFUSED_NOT && rows.count == 2 && rows.seq == -1 && times[1] == 0);
    CHECK(columns[0][1] == 3 && columns[1][0] == 2);
}

static void bad_packed_is_refused(void)
{
    const double two[] = {1, NAN};
    packed(8);
    packed_head(0, 1, 7, 1);
    put(two, 16);
    CHECK(read_message() == PP_REFUSED_NUMBER);
    length--;
    CHECK(read_message() == PP_REFUSED_COUNT);
    length = 19;
    CHECK(read_message() == PP_REFUSED_SHORT);
    length = 36;
    message[0] = 'p';
    CHECK(read_message() == PP_REFUSED_SYNTAX);
    message[0] = 'P';
    message[18] = 3;
    CHECK(read_message() == PP_REFUSED_COUNT);
    for (int samples = 0; samples <= ROWS + 1; samples += ROWS + 1) {
        packed_head(0, 1, 7, (uint16_t)samples);
        for (int i = 0; i < samples; i++)
            put((double[]){1, 2}, 16);
        CHECK(read_message() == PP_REFUSED_COUNT);
    }
    const int64_t far[] = {INT64_MAX, (int64_t)1 << 62, -((int64_t)1 << 62), INT64_MIN};
    for (int i = 0; i < 4; i++) {
        packed_head(far[i], 1, 7, 1);
        put((double[]){1, 2}, 16);
        CHECK(read_message() == PP_REFUSED_NUMBER);
    }
    packed_head(((int64_t)1 << 62) - 1, 1, 7, 1);
    put((double[]){1, 2}, 16);
    CHECK(read_message() == PP_REFUSED_NOT);
    decoder.config.time_unit = 1e9;
    CHECK(read_message() == PP_REFUSED_NUMBER);
}

/* {"a":DIGITS}: what reading says. */
static pp_refusal number(const char *digits)
{
    length = 0;
    put("{\"a\":", 5);
    put(digits, strlen(digits));
    put("}", 1);
    return read_message();
}

static void long_numbers_are_read_up_to_a_bound(void)
{
    pp_stream_config config = json_config();
    char digits[500];
    pp_decoder_start(&decoder, &config, NULL);
    for (int count = 395; count < 410; count++) {
        memset(digits, '0', sizeof digits);
        memcpy(digits, "0.5", 3);
        digits[count] = 0;
        CHECK(number(digits) == (count < 400 ? PP_REFUSED_NOT : PP_REFUSED_NUMBER));
        CHECK(count >= 400 || columns[0][0] == 0.5);
    }
    CHECK(number("1e308") == PP_REFUSED_NOT && number("1e309") == PP_REFUSED_NUMBER);
    CHECK(number("-") != PP_REFUSED_NOT && number("1e") != PP_REFUSED_NOT);
}

/* Rows from TIME (or none) on, DT apart: what reading says. */
static pp_refusal stepped(const char *time, const char *step)
{
    static const char rest[] = ",\"s\":[[1,2],[3,4],[5,6]]}";
    char text[200];
    length = 0;
    put(text, (size_t)snprintf(text, sizeof text, "{\"n\":2%s,\"dt\":%s%s", time, step, rest));
    return read_message();
}

/* In nanoseconds, of the last row as well as of the first, also where no row has a time. */
static void rows_end_within_the_times_that_there_are(void)
{
    pp_stream_config config = json_config();
    config.time_unit = 1000;
    config.keys[config.key_count++] = (pp_key){"dt", 2, PP_TO_STEP};
    config.keys[config.key_count++] = (pp_key){"s", 1, PP_TO_ROWS};
    pp_decoder_start(&decoder, &config, NULL);
    CHECK(stepped("", "5") == PP_REFUSED_NOT && times[2] == 10000);
    CHECK(stepped(",\"t\":-7", "5e-1") == PP_REFUSED_NOT && times[2] == -6000);
    const char *const far[] = {"5555555555555100", "2305843009213693", "4e15", "9e15", "1e300"};
    for (int i = 0; i < 5; i++) {
        CHECK(stepped("", far[i]) == PP_REFUSED_NUMBER);
        CHECK(stepped(",\"t\":-4611686018427387", far[i]) == PP_REFUSED_NUMBER);
        CHECK(stepped(",\"t\":1.5", far[i]) == PP_REFUSED_NUMBER);
    }
    CHECK(stepped("", "500000000000000") == PP_REFUSED_NOT && times[2] == 1000000000000000000);
}

/* {"x":[[..]],"a":1}: what nobody asked for is passed over, so deep and no deeper. */
static void nesting_has_a_bound(void)
{
    enum { DEPTH = 16 };
    pp_stream_config config = json_config();
    pp_decoder_start(&decoder, &config, NULL);
    for (int deep = 1; deep < 2 * DEPTH; deep++)
        for (int kind = 0; kind < 2; kind++) {
            length = 0;
            put("{\"x\":", 5);
            for (int i = 0; i < deep; i++)
                put(kind ? "[" : "{\"y\":", kind ? 1 : 5);
            put("\"\"", 2);
            for (int i = 0; i < deep; i++)
                put(kind ? "]" : "}", 1);
            put(",\"a\":1}", 7);
            CHECK((read_message() == PP_REFUSED_NOT) == (deep <= DEPTH));
        }
}

/* The content of a message of `rows` rows with these bits turned; nothing else tells it. */
static uint64_t content_with(int count, size_t one, size_t other)
{
    packed(8);
    packed_head(0, 1, 7, (uint16_t)count);
    for (int i = 0; i < 2 * count; i++)
        put(&(double){i % 3}, 8);
    size_t body = length - 20;
    message[20 + one / 8 % body] ^= (uint8_t)(1 << one % 8);
    message[20 + other / 8 % body] ^= (uint8_t)(1 << other % 8);
    CHECK(read_message() == PP_REFUSED_NOT);
    return decoder.content;
}

/* Every bit of a message counts, and no two of them, such as signs, make up for each other. */
static void every_bit_tells_messages_apart(void)
{
    for (int count = 1; count <= ROWS; count++) {
        uint64_t plain = content_with(count, 0, 0);
        for (size_t one = 0; one < (size_t)count * 128; one++) {
            if (one % 64 >= 52 && one % 64 < 63)
                continue; /* exponents: what is not finite is refused */
            CHECK(content_with(count, one, (one + 64) % ((size_t)count * 128)) != plain);
            if (one > 0)
                CHECK(content_with(count, 0, one) != plain);
        }
    }
}

static void messages_have_sizes(void)
{
    pp_stream_config config = json_config();
    pp_decoder_start(&decoder, &config, NULL);
    length = 0;
    CHECK(read_message() == PP_REFUSED_SHORT);
    put("{\"a\":1}", 7);
    memset(message + length, ' ', sizeof message - length);
    length = 1000;
    CHECK(read_message() == PP_REFUSED_NOT && rows.count == 1 && rows.seq == -1);
    length = 1001;
    CHECK(read_message() == PP_REFUSED_LARGE && rows.count == 0);
}

void decoders(void)
{
    sparkplug_numbers_have_signs();
    sparkplug_reals_times_and_numbers();
    sparkplug_nulls_and_strangers();
    sparkplug_births_teach();
    bad_sparkplug_is_refused();
    packed_values_of_every_size();
    bad_packed_is_refused();
    long_numbers_are_read_up_to_a_bound();
    rows_end_within_the_times_that_there_are();
    nesting_has_a_bound();
    every_bit_tells_messages_apart();
    messages_have_sizes();
}

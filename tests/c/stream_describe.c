/* A decoder as bytes: what is written comes back, and what no decoder writes is refused. */
#include "stream.h"

#include "../../csrc/host/stream/sequence.h"

static pp_decoder decoder, again;
static int64_t lost;
static uint8_t words[PP_DESCRIPTION_MAX], back[PP_DESCRIPTION_MAX];

/* A decoder that has seen gaps, and so many messages. */
static void begin_decoder(int messages)
{
    pp_stream_config config = json_config();
    pp_decoder_start(&decoder, &config, fresh_marks(0));
    for (int k = 0; k < messages; k++) {
        pp_numbers message = {.seq = 3 * k / 2, .bits = 64, .count = 1, .time_ns = k, .boot = 9};
        pp_sequence_take(&decoder.sequence, decoder.marks, &message, &lost);
    }
}

static const char *read_back(const uint8_t *bytes, size_t length)
{
    const uint8_t *about;
    size_t about_length;
    const char *why = pp_decoder_from(bytes, length, NULL, &again, &about, &about_length);
    CHECK(why || (about_length == 5 && memcmp(about, "about", 5) == 0));
    return why;
}

static void decoders_come_back(void)
{
    const int counts[] = {0, 1, 2, 70, 500};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        begin_decoder(counts[i]);
        size_t length = pp_decoder_describe(&decoder, "about", 5, words, sizeof words);
        CHECK(length > 0 && read_back(words, length) == NULL);
        CHECK(pp_decoder_describe(&again, "about", 5, back, sizeof back) == length);
        CHECK(memcmp(words, back, length) == 0);
        CHECK(again.sequence.next == decoder.sequence.next && again.config.room == 64);
        CHECK(pp_decoder_describe(&decoder, "about", 5, back, length) == length);
        CHECK(pp_decoder_describe(&decoder, "about", 5, back, length - 1) == 0);
        CHECK(read_back(words, length - 1) && read_back(words, length + 1));
    }
    CHECK(pp_decoder_describe(&decoder, words, PP_ABOUT_MAX, back, sizeof back) > 0);
    CHECK(pp_decoder_describe(&decoder, words, PP_ABOUT_MAX + 1, back, sizeof back) == 0);
}

/* As stores of version 2 had them: a count and so many, at the end. */
static void marks_of_earlier_writers_are_learnt(void)
{
    const uint8_t *about;
    size_t about_length;
    begin_decoder(5);
    uint64_t old[7] = {0};
    CHECK(pp_marks_copy(decoder.marks, 0, old) == 5);
    size_t length = pp_decoder_describe(&decoder, "about", 5, words, sizeof words);
    int32_t count = 5;
    memcpy(words + length - 4, &count, 4);
    memcpy(words + length, old, 40);
    CHECK(pp_decoder_from(words, length + 40, fresh_marks(0), &again, &about, &about_length) ==
          NULL);
    CHECK(pp_marks_count(again.marks) == 5);
    CHECK(read_back(words, length + 40) == NULL && read_back(words, length + 39));
    count = 2 * PP_RECENT + 1;
    memcpy(words + length - 4, &count, 4);
    CHECK(read_back(words, length + 8 * (size_t)count));
}

/* What reading says of the decoder after a change that no decoder makes. */
static const char *described(void)
{
    size_t length = pp_decoder_describe(&decoder, "about", 5, words, sizeof words);
    CHECK(length > 0);
    return read_back(words, length);
}

static void impossible_numbers_are_refused(void)
{
    begin_decoder(10);
    CHECK(decoder.sequence.gaps > 1 && described() == NULL);
    decoder.sequence.gap_first[1] = -1;
    CHECK(strstr(described(), "numbers"));
    decoder.sequence.gap_first[1] = decoder.sequence.gap_end[1];
    CHECK(strstr(described(), "numbers"));
    begin_decoder(10);
    decoder.sequence.gap_end[1] = decoder.sequence.next;
    CHECK(described() == NULL);
    decoder.sequence.gap_end[1] = decoder.sequence.next + 1;
    CHECK(strstr(described(), "numbers"));
    begin_decoder(10);
    decoder.sequence.first = -1;
    CHECK(strstr(described(), "numbers"));
    begin_decoder(0);
    decoder.sequence.next = -2;
    CHECK(strstr(described(), "numbers"));
    decoder.sequence.next = INT64_MAX;
    CHECK(strstr(described(), "numbers"));
    begin_decoder(1);
    decoder.sequence.boot = -2;
    CHECK(strstr(described(), "numbers"));
    begin_decoder(1);
    decoder.config.time_unit = 0;
    CHECK(strstr(described(), "time unit"));
    begin_decoder(1);
    described();
    words[0]++;
    CHECK(strstr(read_back(words, 500), "another version"));
}

/* Bytes of any kind: refused, or a decoder that comes back. */
static void any_byte_may_be_wrong(void)
{
    begin_decoder(10);
    size_t length = pp_decoder_describe(&decoder, "about", 5, words, sizeof words);
    const uint8_t *about;
    size_t about_length;
    for (size_t at = 0; at < length; at++)
        for (int bit = 0; bit < 8; bit += 7) {
            words[at] ^= (uint8_t)(1 << bit);
            if (!pp_decoder_from(words, length, NULL, &again, &about, &about_length)) {
                size_t now = pp_decoder_describe(&again, about, about_length, back, sizeof back);
                CHECK(now > 0 && !pp_decoder_from(back, now, NULL, &again, &about, &about_length));
            }
            words[at] ^= (uint8_t)(1 << bit);
        }
}

void descriptions(void)
{
    decoders_come_back();
    marks_of_earlier_writers_are_learnt();
    impossible_numbers_are_refused();
    any_byte_may_be_wrong();
}

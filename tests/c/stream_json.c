/* JSON that is refused, and why. */
#include "stream.h"

#include <math.h>

static pp_decoder decoder;
static int64_t times[8];
static double columns[2][8];
static pp_rows rows;

static pp_refusal read_text(const char *text)
{
    rows = (pp_rows){.time = times, .column = {columns[0], columns[1]}};
    return pp_decoder_read(&decoder, (const uint8_t *)text, strlen(text), &rows);
}

/* Who looks for a mistake is told what it is. */
static void bad_json_is_told_apart(void)
{
    static const struct {
        const char *text;
        pp_refusal why;
    } bad[] = {
        {"3.2", PP_REFUSED_RECORD},
        {" \"on\"", PP_REFUSED_RECORD},
        {"[1,2]", PP_REFUSED_RECORD},
        {"on", PP_REFUSED_SYNTAX},
        {"[1,", PP_REFUSED_SYNTAX},
        {"{\"a\":1", PP_REFUSED_SYNTAX},
        {"{\"a\":", PP_REFUSED_SYNTAX},
        {"{\"a\":x}", PP_REFUSED_SYNTAX},
        {"{\"a\":\"1\"}", PP_REFUSED_VALUE},
        {"{\"a\":[1]}", PP_REFUSED_VALUE},
        {"{\"s\":[[1,{}]]}", PP_REFUSED_VALUE},
        {"{\"a\":nan}", PP_REFUSED_NUMBER},
        {"{\"a\":Infinity}", PP_REFUSED_NUMBER},
        {"{\"a\":-inf}", PP_REFUSED_NUMBER},
        {"{\"a\":1e999}", PP_REFUSED_NUMBER},
        {"{\"s\":[[1]]}", PP_REFUSED_COUNT},
        {"{\"s\":[[1,2,3]]}", PP_REFUSED_COUNT},
        {"{\"A\":1}", PP_REFUSED_KEYS},
        {"{}", PP_REFUSED_KEYS},
        {"{ } x", PP_REFUSED_SYNTAX},
        {"{\"a\":1,\"a\":1}", PP_REFUSED_TWICE},
        {"{\"a\":1,\"s\":[[1,2]]}", PP_REFUSED_TWICE},
    };
    pp_stream_config config = json_config();
    config.keys[config.key_count++] = (pp_key){"s", 1, PP_TO_ROWS};
    pp_decoder_start(&decoder, &config, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(read_text(bad[i].text) == bad[i].why);
    }
}

static void what_an_object_lacks_is_noted(void)
{
    pp_stream_config config = json_config();
    pp_decoder_start(&decoder, &config, NULL);
    CHECK(read_text("{\"b\":1}") == PP_REFUSED_NOT && rows.partial && isnan(columns[0][0]));
    CHECK(read_text("{\"b\":1,\"a\":null}") == PP_REFUSED_NOT && !rows.partial);
}

void json(void)
{
    bad_json_is_told_apart();
    what_an_object_lacks_is_noted();
}

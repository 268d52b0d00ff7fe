/* What a stream's configuration may be. */
#include "polepair/format.h"

static bool field_fits(pp_field field, int data)
{
    if (field.at < 0)
        return true;
    return field.size >= 1 && field.size <= 8 && field.at <= data && field.size <= data - field.at;
}

static bool layout_fits(const pp_layout *layout)
{
    int data = layout->data;
    return data >= 0 && data <= 4096 && layout->magic_length >= 0 &&
           layout->magic_length <= (int)sizeof layout->magic && layout->magic_length <= data &&
           (layout->value == 2 || layout->value == 4 || layout->value == 8) &&
           field_fits(layout->time, data) && field_fits(layout->seq, data) &&
           field_fits(layout->step, data) && field_fits(layout->samples, data) &&
           field_fits(layout->channels, data);
}

static bool targets_fit(const pp_stream_config *config)
{
    bool fit = config->key_count >= 0 && config->key_count <= PP_KEYS_MAX;
    for (int i = 0; fit && i < config->key_count; i++) {
        const pp_key *key = &config->keys[i];
        fit = key->length >= 1 && key->length < PP_NAME_MAX && key->target >= PP_TO_ROWS &&
              key->target < config->channels;
    }
    for (int i = 0; fit && i < PP_ALIASES_MAX; i++) {
        int target = config->alias[i];
        fit = target == PP_TO_NOWHERE || (target >= PP_TO_BOOT && target < config->channels);
    }
    return fit;
}

static bool scales_fit(const pp_stream_config *config)
{
    bool fit = true;
    for (int i = 0; i < config->channels; i++)
        fit = fit && config->scale[i] - config->scale[i] == 0;
    return fit;
}

const char *pp_config_fault(const pp_stream_config *config)
{
    if ((int)config->format < 0 || config->format >= PP_FORMAT_COUNT)
        return "expected a format that there is";
    if (config->channels < 1 || config->channels > PP_STREAM_CHANNELS_MAX)
        return "expected 1 to 64 channels";
    if (config->room < 1 || config->room > PP_ROOM_MAX || config->size_limit < 1 ||
        config->size_limit > (size_t)1 << 30)
        return "expected a size limit of 1 byte to 1 GiB";
    if (!(config->time_unit >= 1 && config->time_unit <= 1e9))
        return "expected a time unit of 1 ns to 1 s";
    if (!targets_fit(config))
        return "expected keys of 1 to 47 bytes and aliases of 0 to 255, leading to channels";
    if (!scales_fit(config))
        return "expected finite scales";
    if (config->format == PP_FORMAT_PACKED && !layout_fits(&config->layout))
        return "layout: expected fields of 1 to 8 bytes before the data, values of 2, 4 or 8";
    return (void *)0;
}

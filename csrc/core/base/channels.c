/* The channels of a run. */
#include "polepair/channels.h"

static const pp_channel_info rows[PP_CHANNEL_COUNT] = {
#define PP_CHANNEL(name, owner, unit, doc) {#name, unit, doc, PP_OWNER_##owner},
#include "polepair/channels.def"
#undef PP_CHANNEL
};

const pp_channel_info *pp_channel_at(int i)
{
    PP_ASSERT(i >= 0 && i < PP_CHANNEL_COUNT);
    return &rows[i];
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int pp_channel_find(const char *name)
{
    PP_ASSERT(name);
    for (int i = 0; i < PP_CHANNEL_COUNT; i++)
        if (same(name, rows[i].name))
            return i;
    return -1;
}

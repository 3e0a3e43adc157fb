#include "shared/base/slice.h"

struct slice slice_of(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .len = strlen(text)};
}

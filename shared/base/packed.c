#include "shared/base/packed.h"
#include "shared/base/slice.h"

size_t packed_put(uint8_t *at, bool negative, struct slice magnitude)
{
    while (magnitude.len && !magnitude.at[magnitude.len - 1])
        magnitude.len--;
    size_t len = 1 + magnitude.len;
    for (int byte = 0; byte < BYTES_LENGTH; byte++)
        at[byte] = (uint8_t)(len >> 8 * byte);
    at[BYTES_LENGTH] = negative && magnitude.len;
    if (magnitude.len)
        slice_copy(at + BYTES_LENGTH + 1, magnitude);
    return BYTES_LENGTH + len;
}

bool packed_take(struct slice *rest, struct packed_integer *out)
{
    struct slice left = *rest, part;
    if (!bytes_take_part(&left, &part) || !part.len || part.at[0] > 1)
        return false;
    *out = (struct packed_integer){part.at[0] == 1, {part.at + 1, part.len - 1}};
    if (out->magnitude.len ? !out->magnitude.at[out->magnitude.len - 1] : out->negative)
        return false;
    *rest = left;
    return true;
}

bool packed_count(struct slice list, uint64_t *count)
{
    struct packed_integer one;
    *count = 0;
    while (packed_take(&list, &one))
        ++*count;
    return !list.len;
}

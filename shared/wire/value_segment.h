/* value_segment.h - a segment of a stored value as image_value packs it, VALUE_SEGMENT_BYTES long.
 */
#ifndef CONCLAVE_WIRE_VALUE_SEGMENT_H
#define CONCLAVE_WIRE_VALUE_SEGMENT_H

#include "shared/base/bytes.h"
#include "shared/base/hash.h"
#include "shared/base/types.h"

struct value_segment {
    uint64_t op, len, items;
    struct slice sha256; /* borrows */
};

static inline struct value_segment value_segment_at(const uint8_t *at)
{
    return (struct value_segment){bytes_get_le64(at),
                                  bytes_get_le64(at + 8),
                                  bytes_get_le64(at + 16),
                                  {at + 24, HASH_BYTES}};
}

#endif

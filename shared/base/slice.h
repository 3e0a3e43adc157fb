/* slice.h - copies and comparisons of bytes that somebody else owns. An empty slice may have no
 * address, which the functions of <string.h> must not be given even for no bytes. */
#ifndef CONCLAVE_BASE_SLICE_H
#define CONCLAVE_BASE_SLICE_H

#include <string.h>

#include "shared/base/types.h"

/* A terminated string (borrows). */
struct slice slice_of(const char *text);

/* Copies all of it to where as many bytes are free; returns `to`. */
static inline void *slice_copy(void *to, struct slice from)
{
    return from.len ? memcpy(to, from.at, from.len) : to;
}

/* Most names that a received one is compared with differ at once: their lengths are not wanted. */
static inline bool slice_equals(struct slice slice, const char *text)
{
    for (size_t i = 0; i < slice.len; i++)
        if (text[i] == '\0' || (uint8_t)text[i] != slice.at[i])
            return false;
    return text[slice.len] == '\0';
}

static inline bool slice_same(struct slice a, struct slice b)
{
    return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

/* Everything begins with no bytes. */
static inline bool slice_begins(struct slice bytes, struct slice with)
{
    return bytes.len >= with.len && (!with.len || !memcmp(bytes.at, with.at, with.len));
}

/* Below, equal to or above 0 as `a` comes before, with or after `b` in the order of bytes. */
static inline int slice_order(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

#endif

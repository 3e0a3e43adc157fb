/* segments.h - what the kinds have in common whose inputs are stored values of integers: for their
 * files only. */
#ifndef CONCLAVE_CORE_SEGMENTS_H
#define CONCLAVE_CORE_SEGMENTS_H

#include "shared/base/text.h"

#include "nodes/core/kinds/kinds.h"

/* ERR_RANGE: an input of so many integers does not have so many segments, of which each has one
 * integer or more, or not so many bytes. */
int segments_check(const struct plan *plan, const struct plan_input *input, struct text *why);

/* Of a segment of so many that have so many bytes together, for whoever estimates its time. */
uint64_t segment_bytes(uint64_t segments, uint64_t bytes);

#endif

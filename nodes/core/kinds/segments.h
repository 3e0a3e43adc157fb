/* segments.h - what the kinds have in common whose inputs are stored values of integers: for their
 * files only. */
#ifndef CONCLAVE_CORE_SEGMENTS_H
#define CONCLAVE_CORE_SEGMENTS_H

#include "shared/base/text.h"

#include "nodes/core/kinds/kinds.h"

/* ERR_RANGE: an input of so many integers does not have so many segments; a segment has one
 * integer or more. */
int segments_check(const struct plan *plan, uint64_t segments, uint64_t integers, struct text *why);

/* The bytes of so many segments, without overflow. */
uint64_t segments_bytes(uint64_t segments);

#endif

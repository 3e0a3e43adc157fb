/* pieces.h - the conversion of a large result to text as operations for several workers: between
 * graph.c and pieces.c.
 *
 * A number of up to 2^h * d digits is split into 2^h pieces of d digits, level by level. On level l
 * there are 2^l numbers, of which each is divided by 10^w, w = d * 2^(h - 1 - l): the quotient is
 * the left one of two numbers on the next level, the rest the right one. The numbers on level h are
 * converted by themselves, and what comes of them is joined, four at a time.
 *
 * Operations, in the order of their numbers: the numbers on levels 1 to h, from left to right; the
 * pieces; what joins them. */
#ifndef CONCLAVE_CORE_PIECES_H
#define CONCLAVE_CORE_PIECES_H

#include "nodes/core/kinds/plan.h"

/* Of the operation at that place of a PIECES part, from 0. */
enum opcode pieces_opcode(const struct plan_part *part, uint64_t at);
size_t pieces_operands(const struct plan *plan, const struct plan_part *part, uint64_t at,
                       struct plan_operand out[OPERANDS_MAX]);

/* The consumers of that operation; and those that the result of an UP part has among pieces,
 * perhaps none. */
size_t pieces_consumers(const struct plan *plan, const struct plan_part *part, uint64_t at,
                        op_id_t out[CONSUMERS_MAX]);
size_t pieces_consumers_of_root(const struct plan *plan, size_t up, op_id_t out[2]);

#endif

/* integer_gcd.h - which of many integers share a factor: operators of batch-gcd (Bernstein 2004).
 *
 * A tree of products (product_of, multiply) gives the product Z of all. Down the tree, what a node
 * has is Z modulo the square of its product (remainder); of a segment's integers, gcds() then finds
 * those that share a factor with any other; report() tells with whom.
 *
 * Largest single values for 1,000,000 moduli of 2,048 bits: Z has 256 MB, and no remainder is
 * larger, because a square that is longer than what is divided by it is not made: what is divided
 * is the remainder then. INTEGER_MAX_BYTES is 512 MiB.
 *
 * Rows: what gcds() and gather() write, and report() reads, is a row of blocks, one a segment. A
 * block is a part (shared/base/bytes.h): the segment's integers, and the rows, as 8 bytes each,
 * little-endian; then a row for each integer that shares a factor, in ascending order: its number
 * in the segment, from 1 on, as 8 bytes; the integer; and its greatest common factor with the
 * product of all others, 0 if that is the integer itself (both as in shared/base/packed.h). To
 * gather blocks is to write them one after another.
 *
 * All come in two steps, as in integer.h, and the first looks at no item of a list. ..._into(): OK;
 * ERR_INTERRUPTED: `stop` was set; ERR_MALFORMED: an operand is not what it should be; ERR_RANGE:
 * an integer is 0 or negative. */
#ifndef CONCLAVE_WORK_INTEGER_GCD_H
#define CONCLAVE_WORK_INTEGER_GCD_H

#include "nodes/work/integer.h"

/* a modulo b^2, of two operands a, b. ERR_RANGE: a is negative, or b is not positive. Memory beyond
 * operands and result: as much as a, and three times that for GMP's division. */
int integer_remainder_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_remainder_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop);

/* The block of a list of integers, with Z modulo the square of their product. Memory: the list once
 * for each level of a binary tree over it, and eight times more: some 200 MiB for 8 MiB of
 * 2,048-bit integers. */
int integer_gcds_room(const struct integer_operand *remainder, const struct blob *list,
                      size_t *room_bytes);
int integer_gcds_into(const struct integer_operand *remainder, const struct blob *list,
                      struct blob *out, stop_flag *stop);

/* Blocks of 1..OPERANDS_MAX values, in order. */
int integer_gather_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_gather_into(const struct integer_operand *operands, size_t n, struct blob *out,
                        stop_flag *stop);

/* Others that a line of a report names: the lowest numbers. Of 100,000 integers that share one
 * factor, each shares it with 99,999. */
#define REPORT_WITH_MAX 16

/* Memory for the tree over all different factors: a worker that has less than that free is no
 * worker for millions of them. */
#define REPORT_TREE_BYTES ((uint64_t)2048 * MIB_BYTES)

/* A text of lines, one for each integer that shares a factor, sorted by number:
 *
 *     NUMBER<TAB>WITH<TAB>GCD[<TAB>duplicate]
 *
 * or one empty line when there is none. NUMBER counts from 1 through all blocks. WITH names the
 * integers that share a factor with it, by their numbers, in ascending order with commas between,
 * REPORT_WITH_MAX of them at most. GCD has lower-case hexadecimal digits: the greatest common
 * factor with the product of all others. So an integer that shares one prime with one integer and
 * the other with another one has itself as GCD, and so has one that is equal to another one: only
 * the latter is a `duplicate`.
 *
 * Integers after the first `own` are known ones: they have no lines, and WITH names them by the
 * letter k and their number among the known ones: k12.
 *
 * ERR_MALFORMED, also: more integers than own and known ones. ERR_TOO_BIG, also: the tree over the
 * factors would need more than REPORT_TREE_BYTES. Time: that of some trees of products and
 * remainders over the factors that are different; 100,000 that share one prime take less than a
 * second. The worst that is known are moduli each of which shares both its primes with two others,
 * in any order: 8,000 of 2,048 bits take 17 s, and twice as many 2.4 times as long, so 100,000 some
 * eight minutes. */
int integer_report_room(const struct blob *rows, uint64_t own, uint64_t known, size_t *room_bytes);
int integer_report_into(const struct blob *rows, uint64_t own, uint64_t known, struct blob *out,
                        stop_flag *stop);

#endif

/* integer_pieces.h - what a conversion to decimal text in pieces consists of
 * (nodes/core/kinds/pieces.h): in two steps each, as in integer.h. No number is negative. */
#ifndef CONCLAVE_WORK_INTEGER_PIECES_H
#define CONCLAVE_WORK_INTEGER_PIECES_H

#include "nodes/work/integer.h"

/* Decimal digits that a power of ten may have: its number is below INTEGER_MAX_BYTES. */
#define PIECES_DIGITS_MAX UINT64_C(1290000000)

/* 5^digits. ERR_RANGE: more than PIECES_DIGITS_MAX. */
int integer_power_room(uint64_t digits, size_t *room_bytes);
int integer_power_into(uint64_t digits, struct blob *out, stop_flag *stop);

/* All others take the operands as they come, and find out what is wrong with them. ERR_RANGE: so
 * many or such operands it does not take; ERR_MALFORMED, ERR_TOO_BIG as in integer.h. The second
 * step returns ERR_INTERRUPTED when it was stopped.
 *
 * (p, limbs): the reciprocal of p, for dividends of so many limbs; 0 when p or the quotients are
 * too short for it to be of use. */
int integer_reciprocal_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_reciprocal_into(const struct integer_operand *operands, size_t n, struct blob *out,
                            stop_flag *stop);

/* (x, p, reciprocal, digits): x / (p * 2^digits), rounded down. */
int integer_quotient_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_quotient_into(const struct integer_operand *operands, size_t n, struct blob *out,
                          stop_flag *stop);

/* (x, q, p, digits): x - q * p * 2^digits. The second step: ERR_RANGE, q is not that quotient. */
int integer_rest_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_rest_into(const struct integer_operand *operands, size_t n, struct blob *out,
                      stop_flag *stop);

/* (x, digits): its decimal digits, with zeros before them if it has fewer. */
int integer_piece_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_piece_into(const struct integer_operand *operands, size_t n, struct blob *out,
                       stop_flag *stop);

/* Pieces in order; `whole`: without zeros before them, but for the number 0. */
int integer_join_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
void integer_join_into(const struct integer_operand *operands, size_t n, bool whole,
                       struct blob *out);

#endif

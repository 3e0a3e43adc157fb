/* integer_pieces.h - what a conversion to decimal text in pieces consists of
 * (nodes/core/kinds/pieces.h): in two steps each, as in integer.h. No number is negative. */
#ifndef CONCLAVE_WORK_INTEGER_PIECES_H
#define CONCLAVE_WORK_INTEGER_PIECES_H

#include "nodes/work/integer.h"

/* Decimal digits that a power of ten may have: its power of five is below INTEGER_MAX_BYTES. */
#define PIECES_DIGITS_MAX UINT64_C(1290000000)

/* ERR_RANGE: so many or such operands it does not take; ERR_MALFORMED, ERR_TOO_BIG as in integer.h.
 * The second step returns ERR_INTERRUPTED when it was stopped.
 *
 * (x, digits): x / 10^digits, rounded down. */
int integer_quotient_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_quotient_into(const struct integer_operand *operands, size_t n, struct blob *out,
                          stop_flag *stop);

/* (x, q, digits): x - q * 10^digits. The second step: ERR_RANGE, q is not that quotient. */
int integer_rest_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_rest_into(const struct integer_operand *operands, size_t n, struct blob *out,
                      stop_flag *stop);

/* (x, digits): its decimal digits, with zeros before them if it has fewer. */
int integer_piece_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_piece_into(const struct integer_operand *operands, size_t n, struct blob *out,
                       stop_flag *stop);

/* Pieces in order. */
int integer_join_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_join_into(const struct integer_operand *operands, size_t n, struct blob *out,
                      stop_flag *stop);

/* The same without zeros before them, but for the number 0. */
int integer_joined_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_joined_into(const struct integer_operand *operands, size_t n, struct blob *out,
                        stop_flag *stop);

#endif

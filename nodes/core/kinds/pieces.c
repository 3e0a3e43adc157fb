#include "nodes/core/kinds/pieces.h"

#include <assert.h>

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/mutant.h"

/* Limbs of a decimal digit, and of a power of five, in 2^-20, rounded up. */
#define DIGIT_LIMBS 54428
#define FIVE_LIMBS  38045
/* Limbs that a number may have beyond its estimated digits. */
#define MORE_LIMBS 8

static uint64_t limbs_of(uint64_t digits, uint64_t factor)
{
    return (digits * factor >> 20) + MORE_LIMBS; /* of PLAN_DIGITS_MAX at most */
}

/* The levels above the pieces: 2^h are there. */
static uint64_t height_of(const struct plan_part *part)
{
    return (uint64_t)__builtin_ctzll(part->leaves);
}

/* The digits of the power on a level; `height` is of the pieces. */
static uint64_t power_digits(const struct plan_part *part, uint64_t height, uint64_t level)
{
    return part->piece_digits << (height - 1 - level);
}

/* --- the powers --- */

static const struct plan_lane power = {.opcode = OPCODE_POWER};

static uint64_t piece_digits_of(const struct plan *plan)
{
    return plan->kind->digits(plan) / plan->pieces + 1;
}

size_t plan_add_powers(struct plan *plan)
{
    uint64_t height = (uint64_t)__builtin_ctzll(plan->pieces);
    size_t at = plan_add_leaves(plan, &power, 1, height, false);
    plan->parts[at].piece_digits = piece_digits_of(plan);
    return at;
}

size_t pieces_power(const struct plan_part *powers, uint64_t level,
                    struct plan_operand out[OPERANDS_MAX])
{
    out[0] = (struct plan_operand){.literal = power_digits(powers, powers->leaves, level)};
    return 1;
}

uint64_t pieces_power_bytes(const struct plan_part *powers, uint64_t level)
{
    return 8 * limbs_of(power_digits(powers, powers->leaves, level), FIVE_LIMBS);
}

/* --- where an operation stands --- */

#define ARITY ((uint64_t)OPERANDS_MAX)

/* In the order of their numbers. */
enum family { RECIPROCALS, NUMBERS, PIECES, JOINS };

struct place {
    enum family family;
    uint64_t level; /* of a number, 1 to the height; of what joins, from 1 */
    uint64_t at;    /* from left to right; the level of a reciprocal */
};

static uint64_t joins_at(const struct plan_part *part, uint64_t level)
{
    uint64_t nodes = part->leaves;
    while (level--)
        nodes = (nodes + ARITY - 1) / ARITY;
    return nodes;
}

/* Numbers on the levels from 1 to `level`. */
static uint64_t numbers_to(uint64_t level)
{
    return ((uint64_t)2 << level) - 2;
}

static uint64_t before_pieces(const struct plan_part *part)
{
    uint64_t height = height_of(part);
    return height + numbers_to(height);
}

static uint64_t all_ops(const struct plan_part *part)
{
    uint64_t ops = before_pieces(part) + part->leaves, level = 0;
    do
        ops += joins_at(part, ++level);
    while (joins_at(part, level) > 1);
    return ops;
}

static struct place place_of(const struct plan_part *part, uint64_t at)
{
    uint64_t height = height_of(part), level = 1;
    if (at < height)
        return (struct place){RECIPROCALS, 0, at};
    at -= height;
    if (at < numbers_to(height)) {
        while (at >= numbers_to(level))
            level++;
        return (struct place){NUMBERS, level, at - numbers_to(level - 1)};
    }
    at -= numbers_to(height);
    if (at < part->leaves)
        return (struct place){PIECES, 0, at};
    at -= part->leaves;
    for (; at >= joins_at(part, level); level++)
        at -= joins_at(part, level);
    return (struct place){JOINS, level, at};
}

static op_id_t reciprocal_op(const struct plan_part *part, uint64_t level)
{
    return part->before + 1 + level;
}

static op_id_t power_op(const struct plan *plan, const struct plan_part *part, uint64_t level)
{
    return plan->parts[part->powers].before + 1 + level;
}

static op_id_t number_op(const struct plan *plan, const struct plan_part *part, uint64_t level,
                         uint64_t at)
{
    if (!level)
        return graph_root(plan, part->over);
    return part->before + height_of(part) + numbers_to(level - 1) + at + 1;
}

/* On level 0 the pieces themselves. */
static op_id_t join_op(const struct plan_part *part, uint64_t level, uint64_t at)
{
    op_id_t op = part->before + before_pieces(part) + at + 1;
    for (uint64_t below = 0; below < level; below++)
        op += joins_at(part, below);
    return op;
}

size_t plan_add_pieces(struct plan *plan, size_t over, size_t powers)
{
    struct plan_part part = {.shape = PART_PIECES,
                             .over = over,
                             .n_lanes = 1,
                             .leaves = plan->pieces,
                             .powers = powers,
                             .piece_digits = piece_digits_of(plan)};
    assert(plan->parts[over].shape == PART_UP && plan->parts[over].n_lanes == 1);
    part.ops = all_ops(&part);
    return graph_add_part(plan, part);
}

enum opcode pieces_opcode(const struct plan_part *part, uint64_t at)
{
    struct place place = place_of(part, at);
    switch (place.family) {
    case RECIPROCALS:
        return OPCODE_RECIPROCAL;
    case NUMBERS:
        return place.at % 2 ? OPCODE_REST : OPCODE_QUOTIENT;
    case PIECES:
        return OPCODE_PIECE;
    case JOINS:
    default:
        return at + 1 == part->ops ? OPCODE_JOINED : OPCODE_JOIN;
    }
}

/* --- operands --- */

static struct plan_operand result_of(op_id_t op)
{
    return (struct plan_operand){.op = op};
}

static struct plan_operand literal(uint64_t number)
{
    return (struct plan_operand){.literal = number};
}

/* A number on that level is below 10^(2 digits), but for the first one, which is estimated; it is
 * divided by a power of five when it has been shifted by as many bits as the power of ten has. */
static uint64_t dividend_limbs(uint64_t digits)
{
    return limbs_of(2 * digits, DIGIT_LIMBS) - digits / 64;
}

size_t pieces_operands(const struct plan *plan, const struct plan_part *part, uint64_t at,
                       struct plan_operand out[OPERANDS_MAX])
{
    struct place place = place_of(part, at);
    uint64_t height = height_of(part), above = place.level - 1, below;
    size_t n = 0;
    switch (place.family) {
    case RECIPROCALS:
        out[n++] = result_of(power_op(plan, part, place.at));
        out[n++] = literal(dividend_limbs(power_digits(part, height, place.at)));
        return n;
    case NUMBERS:
        out[n++] = result_of(number_op(plan, part, above, place.at / 2));
        if (place.at % 2)
            out[n++] = result_of(number_op(plan, part, place.level, place.at - 1));
        out[n++] = result_of(power_op(plan, part, above));
        if (place.at % 2 == 0)
            out[n++] = result_of(reciprocal_op(part, above));
        out[n++] = literal(power_digits(part, height, above));
        return n;
    case PIECES:
        out[n++] = result_of(number_op(plan, part, height, place.at));
        out[n++] = literal(part->piece_digits);
        return n;
    case JOINS:
    default:
        below = joins_at(part, above);
        for (uint64_t i = place.at * ARITY; n < ARITY && i < below; i++)
            out[n++] = result_of(join_op(part, above, i));
        if (n > 1 && MUTANT(pieces_misordered)) {
            struct plan_operand first = out[0];
            out[0] = out[1];
            out[1] = first;
        }
        return n;
    }
}

/* --- consumers --- */

/* What is made of a number: two of the next level, or a piece. */
static size_t users_of_number(const struct plan *plan, const struct plan_part *part, uint64_t level,
                              uint64_t at, op_id_t out[2])
{
    if (level == height_of(part)) {
        out[0] = join_op(part, 0, at);
        return 1;
    }
    out[0] = number_op(plan, part, level + 1, 2 * at);
    out[1] = number_op(plan, part, level + 1, 2 * at + 1);
    return 2;
}

size_t pieces_consumers_of_root(const struct plan *plan, size_t up, op_id_t out[2])
{
    const struct plan_part *last = &plan->parts[plan->n_parts - 1];
    return last->shape == PART_PIECES && last->over == up ? users_of_number(plan, last, 0, 0, out)
                                                          : 0;
}

/* The numbers on the level below that one: all of them, or (step 2) the quotients. */
static size_t users_of_power(const struct plan *plan, const struct plan_part *part, uint64_t level,
                             uint64_t step, op_id_t *out)
{
    size_t n = 0;
    for (uint64_t at = 0; at < (uint64_t)2 << level; at += step)
        out[n++] = number_op(plan, part, level + 1, at);
    return n;
}

size_t pieces_consumers(const struct plan *plan, size_t i, op_id_t op, op_id_t out[CONSUMERS_MAX])
{
    const struct plan_part *part = &plan->parts[plan->n_parts - 1];
    uint64_t at = op - plan->parts[i].before - 1;
    if (plan->parts[i].shape == PART_FLAT) {
        out[0] = reciprocal_op(part, at);
        return 1 + users_of_power(plan, part, at, 1, out + 1);
    }
    struct place place = place_of(part, at);
    size_t n = 0;
    switch (place.family) {
    case RECIPROCALS:
        return users_of_power(plan, part, place.at, 2, out);
    case NUMBERS:
        if (place.at % 2 == 0) /* the rest, which comes first: it is at hand where this is */
            out[n++] = number_op(plan, part, place.level, place.at + 1);
        return n + users_of_number(plan, part, place.level, place.at, out + n);
    case PIECES:
    case JOINS:
    default:
        if (at + 1 == part->ops)
            return 0;
        out[0] = join_op(part, place.level + 1, place.at / ARITY);
        return 1;
    }
}

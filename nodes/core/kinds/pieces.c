#include "nodes/core/kinds/pieces.h"

#include <assert.h>

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/mutant.h"

/* The levels above the pieces: 2^h are there. */
static uint64_t height_of(const struct plan_part *part)
{
    return (uint64_t)__builtin_ctzll(part->leaves);
}

/* Of the power of ten by which the numbers on a level are divided. */
static uint64_t power_digits(const struct plan_part *part, uint64_t level)
{
    return part->piece_digits << (height_of(part) - 1 - level);
}

/* --- where an operation stands --- */

#define ARITY ((uint64_t)OPERANDS_MAX)

/* In the order of their numbers. */
enum family { NUMBERS, PIECES, JOINS };

struct place {
    enum family family;
    uint64_t level; /* of a number, 1 to the height; of what joins, from 1 */
    uint64_t at;    /* from left to right */
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
    return numbers_to(height_of(part));
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

static op_id_t number_op(const struct plan *plan, const struct plan_part *part, uint64_t level,
                         uint64_t at)
{
    if (!level)
        return graph_root(plan, part->over);
    return part->before + numbers_to(level - 1) + at + 1;
}

/* On level 0 the pieces themselves. */
static op_id_t join_op(const struct plan_part *part, uint64_t level, uint64_t at)
{
    op_id_t op = part->before + before_pieces(part) + at + 1;
    for (uint64_t below = 0; below < level; below++)
        op += joins_at(part, below);
    return op;
}

size_t plan_add_pieces(struct plan *plan, size_t over)
{
    struct plan_part part = {.shape = PART_PIECES,
                             .over = over,
                             .n_lanes = 1,
                             .leaves = plan->pieces,
                             .piece_digits = plan->kind->digits(plan) / plan->pieces + 1};
    assert(plan->parts[over].shape == PART_UP && plan->parts[over].n_lanes == 1);
    part.ops = all_ops(&part);
    return graph_add_part(plan, part);
}

enum opcode pieces_opcode(const struct plan_part *part, uint64_t at)
{
    struct place place = place_of(part, at);
    switch (place.family) {
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

size_t pieces_operands(const struct plan *plan, const struct plan_part *part, uint64_t at,
                       struct plan_operand out[OPERANDS_MAX])
{
    struct place place = place_of(part, at);
    uint64_t above = place.level - 1, below;
    size_t n = 0;
    switch (place.family) {
    case NUMBERS:
        out[n++] = result_of(number_op(plan, part, above, place.at / 2));
        if (place.at % 2)
            out[n++] = result_of(number_op(plan, part, place.level, place.at - 1));
        out[n++] = literal(power_digits(part, above));
        return n;
    case PIECES:
        out[n++] = result_of(number_op(plan, part, height_of(part), place.at));
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

size_t pieces_consumers(const struct plan *plan, const struct plan_part *part, uint64_t at,
                        op_id_t out[CONSUMERS_MAX])
{
    struct place place = place_of(part, at);
    size_t n = 0;
    if (place.family == NUMBERS) {
        if (place.at % 2 == 0) /* the rest, which comes first: it is at hand where this is */
            out[n++] = number_op(plan, part, place.level, place.at + 1);
        return n + users_of_number(plan, part, place.level, place.at, out + n);
    }
    if (at + 1 == part->ops)
        return 0;
    out[0] = join_op(part, place.level + 1, place.at / ARITY);
    return 1;
}

#include "nodes/core/kinds/plan.h"

#include <assert.h>

#define ARITY ((uint64_t)OPERANDS_MAX)

static uint64_t groups_of(uint64_t children)
{
    return children / ARITY + (children % ARITY != 0);
}

/* The children that a node of a level covers: leaves below level 0, else nodes of
 * the level below. */
static uint64_t children_at(const struct plan *plan, unsigned level)
{
    return level ? plan->nodes[level - 1] : plan->leaves;
}

static uint64_t children_of(const struct plan *plan, struct plan_node node)
{
    uint64_t left = children_at(plan, node.level) - node.at * ARITY;
    return left < ARITY ? left : ARITY;
}

static bool is_promoted(const struct plan *plan, struct plan_node node)
{
    return plan->leaves > 1 && children_of(plan, node) == 1;
}

void plan_init(struct plan *plan, uint64_t n)
{
    *plan = (struct plan){.n = n, .leaves = n ? n : 1};
    uint64_t children = plan->leaves;
    do {
        unsigned level = plan->levels++;
        assert(level < PLAN_LEVELS_MAX);
        plan->nodes[level] = groups_of(children);
        bool lone = children % ARITY == 1 && plan->leaves > 1;
        plan->ops[level] = plan->nodes[level] - lone;
        plan->total += plan->ops[level];
        children = plan->nodes[level];
    } while (children > 1);
}

op_id_t plan_op_at(const struct plan *plan, struct plan_node node)
{
    while (is_promoted(plan, node)) {
        if (node.level == 0)
            return 0;
        node = (struct plan_node){node.level - 1, node.at * ARITY};
    }
    op_id_t op = node.at + 1;
    for (unsigned level = 0; level < node.level; level++)
        op += plan->ops[level];
    return op;
}

struct plan_node plan_node_of(const struct plan *plan, op_id_t op)
{
    unsigned level = 0;
    uint64_t at = op - 1;
    assert(op >= 1 && op <= plan->total);
    while (at >= plan->ops[level])
        at -= plan->ops[level++];
    return (struct plan_node){level, at};
}

static uint64_t leaf_value(const struct plan *plan, uint64_t at)
{
    return plan->leaves - at;
}

size_t plan_operands(const struct plan *plan, op_id_t op, struct plan_operand out[OPERANDS_MAX])
{
    struct plan_node node = plan_node_of(plan, op);
    uint64_t n = children_of(plan, node);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t child = node.at * ARITY + i;
        out[i] = (struct plan_operand){0};
        if (node.level)
            out[i].op = plan_op_at(plan, (struct plan_node){node.level - 1, child});
        if (!out[i].op) {
            /* Only the very last leaf is ever promoted. */
            out[i].literal = leaf_value(plan, node.level ? plan->leaves - 1 : child);
        }
    }
    return (size_t)n;
}

op_id_t plan_consumer(const struct plan *plan, op_id_t op)
{
    struct plan_node node = plan_node_of(plan, op);
    do {
        if (node.level + 1 == plan->levels)
            return 0;
        node = (struct plan_node){node.level + 1, node.at / ARITY};
    } while (is_promoted(plan, node));
    return plan_op_at(plan, node);
}

void plan_leaves(const struct plan *plan, struct plan_node node, uint64_t *first, uint64_t *count)
{
    uint64_t width = (uint64_t)1 << 2 * (node.level + 1);
    uint64_t start = node.at * width;
    uint64_t left = plan->leaves - start;
    *first = leaf_value(plan, start);
    *count = left < width ? left : width;
}

uint64_t plan_subtree_ops(uint64_t leaves)
{
    struct plan plan;
    plan_init(&plan, leaves);
    return plan.total;
}

unsigned plan_unit_level(const struct plan *plan, uint64_t workers)
{
    unsigned level = 0;
    uint64_t wanted = (workers ? workers : 1) * UNITS_PER_WORKER;
    while (level + 1 < plan->levels && plan->nodes[level + 1] >= wanted &&
           (uint64_t)1 << 2 * (level + 2) <= UNIT_LEAVES_MAX)
        level++;
    return level;
}

uint64_t plan_result_bytes(uint64_t n)
{
    uint64_t bits = 1;
    while (bits < 64 && n >> bits)
        bits++;
    return n > UINT64_MAX / bits ? UINT64_MAX / 8 : n * bits / 8 + 1;
}

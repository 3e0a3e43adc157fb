#include "nodes/core/kinds/plan.h"

#include <assert.h>

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds.h"

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
    return plan->leaves > 1 && !(plan->ranges && !node.level) && children_of(plan, node) == 1;
}

static void add_level(struct plan *plan, uint64_t nodes, bool lone)
{
    unsigned level = plan->levels++;
    assert(level < PLAN_LEVELS_MAX);
    plan->nodes[level] = nodes;
    plan->ops[level] = nodes - lone;
    plan->total += plan->ops[level];
}

void plan_add_flat(struct plan *plan, enum opcode opcode)
{
    assert(plan->ranges > 1 && !plan->n_stages);
    plan->leaves = plan->ranges;
    add_level(plan, plan->ranges, false);
    plan->stages[plan->n_stages++] = (struct plan_stage){STAGE_FLAT, opcode, plan->total};
}

void plan_add_tree(struct plan *plan, enum opcode opcode, uint64_t leaves)
{
    assert(leaves && plan->n_stages == (plan->ranges > 0));
    plan->leaves = plan->ranges ? plan->ranges : leaves;
    uint64_t children = plan->leaves;
    do {
        add_level(plan, groups_of(children), children % ARITY == 1 && plan->leaves > 1);
        children = groups_of(children);
    } while (children > 1);
    plan->stages[plan->n_stages++] = (struct plan_stage){STAGE_TREE, opcode, plan->total};
}

void plan_add_one(struct plan *plan, enum opcode opcode)
{
    assert(plan->n_stages && plan->n_stages < PLAN_STAGES_MAX);
    op_id_t last = plan->stages[plan->n_stages - 1].last + 1;
    plan->stages[plan->n_stages++] = (struct plan_stage){STAGE_ONE, opcode, last};
}

void plan_add_ranges(struct plan *plan, const struct plan_lane *flat)
{
    static const struct plan_lane products = {.opcode = OPCODE_MULTIPLY};
    if (plan->pieces) {
        size_t ranges = plan_add_leaves(plan, flat, 1, plan->ranges, false);
        plan_add_pieces(plan, plan_add_up(plan, ranges, &products, ARITY));
        return;
    }
    plan_add_flat(plan, flat->opcode);
    plan_add_tree(plan, OPCODE_MULTIPLY, plan->ranges);
    plan_add_one(plan, OPCODE_TEXT);
}

uint64_t plan_bound(const struct plan *plan, uint64_t at)
{
    uint64_t length = plan->n ? plan->n - 1 : 0;
    return 1 + (uint64_t)((unsigned __int128)length * at / plan->ranges);
}

bool plan_shares(const struct plan *plan)
{
    return plan->n_parts > 0;
}

/* --- stages --- */

static size_t stage_of(const struct plan *plan, op_id_t op)
{
    size_t i = 0;
    assert(op >= 1 && op <= plan_result(plan));
    while (op > plan->stages[i].last)
        i++;
    return i;
}

enum opcode plan_opcode(const struct plan *plan, op_id_t op)
{
    return plan_shares(plan) ? graph_opcode(plan, op) : plan->stages[stage_of(plan, op)].opcode;
}

op_id_t plan_result(const struct plan *plan)
{
    return plan_shares(plan) ? graph_result(plan) : plan->stages[plan->n_stages - 1].last;
}

bool plan_is_flat(const struct plan *plan, op_id_t op)
{
    return plan_shares(plan) ? graph_is_flat(plan, op)
                             : plan->stages[stage_of(plan, op)].shape == STAGE_FLAT;
}

uint64_t plan_cuts(const struct plan *plan, unsigned level)
{
    return plan_shares(plan) ? graph_flats(plan) : plan->nodes[level];
}

op_id_t plan_cut_at(const struct plan *plan, unsigned level, uint64_t at)
{
    return plan_shares(plan) ? at + 1 : plan_op_at(plan, (struct plan_node){level, at});
}

uint64_t plan_flat_bytes(const struct plan *plan, op_id_t op)
{
    return plan->kind->range_bytes(plan, op - 1); /* they have the lowest numbers */
}

/* --- the tree --- */

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
    if (plan_shares(plan))
        return graph_operands(plan, op, out);
    size_t stage = stage_of(plan, op);
    if (plan->stages[stage].shape == STAGE_ONE) {
        out[0] = (struct plan_operand){.op = plan->stages[stage - 1].last};
        return 1;
    }
    struct plan_node node = plan_node_of(plan, op);
    if (plan->stages[stage].shape == STAGE_FLAT)
        return plan->kind->range(plan, node.at, out);
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

size_t plan_consumers(const struct plan *plan, op_id_t op, op_id_t out[CONSUMERS_MAX])
{
    if (plan_shares(plan))
        return graph_consumers(plan, op, out);
    out[0] = plan_consumer(plan, op);
    return out[0] != 0;
}

op_id_t plan_consumer(const struct plan *plan, op_id_t op)
{
    size_t stage = stage_of(plan, op);
    if (op == plan->stages[stage].last && plan->stages[stage].shape != STAGE_FLAT)
        return stage + 1 < plan->n_stages ? op + 1 : 0; /* a later stage is one operation */
    struct plan_node node = plan_node_of(plan, op);
    do {
        assert(node.level + 1 < plan->levels); /* the root is the stage's last */
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
    struct plan plan = {0};
    plan_add_tree(&plan, OPCODE_MULTIPLY, leaves ? leaves : 1);
    return plan.total;
}

unsigned plan_subtree_level(const struct plan *plan, uint64_t workers, uint64_t leaves_max)
{
    unsigned level = 0;
    uint64_t wanted = (workers ? workers : 1) * SUBTREES_PER_WORKER;
    while (level + 1 < plan->levels && plan->nodes[level + 1] >= wanted &&
           (uint64_t)1 << 2 * (level + 2) <= leaves_max)
        level++;
    return level;
}

#include "nodes/core/kinds/graph.h"

#include <assert.h>

#include "nodes/core/kinds/kinds.h"
#include "nodes/core/kinds/pieces.h"

static uint64_t groups_of(uint64_t children, uint64_t arity)
{
    return children / arity + (children % arity != 0);
}

/* --- the tree of an UP part, whose level 0 is the part below it --- */

static const struct plan_part *base_of(const struct plan *plan, const struct plan_part *up)
{
    return &plan->parts[up->over];
}

static uint64_t nodes_at(const struct plan_part *tree, unsigned level)
{
    uint64_t nodes = tree->leaves;
    for (; level; level--)
        nodes = groups_of(nodes, tree->arity);
    return nodes;
}

static unsigned height_of(const struct plan_part *tree)
{
    unsigned height = 0;
    for (uint64_t nodes = tree->leaves; nodes > 1; nodes = groups_of(nodes, tree->arity))
        height++;
    return height;
}

/* Its last child stands alone: level by level, only the last node can be one. */
static bool is_promoted(const struct plan_part *tree, struct plan_node node)
{
    if (!node.level)
        return false;
    uint64_t below = nodes_at(tree, node.level - 1);
    return node.at == below / tree->arity && below % tree->arity == 1;
}

/* The node whose result a node has. */
static struct plan_node descend(const struct plan_part *tree, struct plan_node node)
{
    while (is_promoted(tree, node))
        node = (struct plan_node){node.level - 1, node.at * tree->arity};
    return node;
}

/* The node that takes a node's result, as its child number `child`; not of the root. */
static struct plan_node climb(const struct plan_part *tree, struct plan_node node, uint64_t *child)
{
    do {
        *child = node.at % tree->arity;
        node = (struct plan_node){node.level + 1, node.at / tree->arity};
    } while (is_promoted(tree, node));
    return node;
}

static uint64_t ops_at(const struct plan_part *tree, unsigned level)
{
    uint64_t nodes = nodes_at(tree, level);
    bool lone = is_promoted(tree, (struct plan_node){level, nodes - 1});
    return (nodes - lone) * tree->n_lanes - (tree->spare && !lone);
}

static op_id_t op_of(const struct plan *plan, const struct plan_part *up, struct plan_node node,
                     uint64_t lane)
{
    node = descend(up, node);
    op_id_t op = node.level ? up->before : base_of(plan, up)->before;
    for (unsigned level = 1; level < node.level; level++)
        op += ops_at(up, level);
    return op + node.at * up->n_lanes + lane + 1;
}

static struct plan_node root_of(const struct plan_part *up)
{
    return (struct plan_node){height_of(up), 0};
}

/* --- down --- */

/* Nodes of a level that have wanted leaves below them. */
static uint64_t wanted_at(const struct plan_part *up, const struct plan_part *down, unsigned level)
{
    uint64_t nodes = down->leaves;
    for (; level; level--)
        nodes = groups_of(nodes, up->arity);
    return nodes;
}

static uint64_t down_ops_at(const struct plan_part *up, const struct plan_part *down,
                            unsigned level)
{
    uint64_t nodes = wanted_at(up, down, level);
    return nodes - is_promoted(up, (struct plan_node){level, nodes - 1});
}

/* What the node has in the DOWN part. */
static op_id_t down_op_of(const struct plan *plan, const struct plan_part *down,
                          struct plan_node node)
{
    const struct plan_part *up = &plan->parts[down->over];
    unsigned level = height_of(up);
    node = descend(up, node);
    if (node.level == level)
        return op_of(plan, up, node, 0);
    op_id_t op = down->before + node.at + 1;
    while (--level > node.level)
        op += down_ops_at(up, down, level);
    return op;
}

/* --- adding parts --- */

size_t graph_add_part(struct plan *plan, struct plan_part part)
{
    assert(plan->n_parts < PLAN_PARTS_MAX && part.n_lanes >= 1 && part.n_lanes <= PLAN_LANES_MAX);
    part.before = plan->n_parts ? graph_result(plan) : 0;
    plan->parts[plan->n_parts++] = part;
    plan->total = graph_result(plan) - 1; /* the last one is the conversion */
    plan->levels = 1;                     /* nothing is handed out as a subtree */
    return plan->n_parts - 1;
}

size_t plan_add_leaves(struct plan *plan, const struct plan_lane *lanes, size_t n_lanes,
                       uint64_t leaves, bool spare)
{
    assert(leaves >= 1 && leaves <= PLAN_LEAVES_MAX);
    assert(!plan->n_parts || plan->parts[plan->n_parts - 1].shape == PART_FLAT);
    return graph_add_part(plan, (struct plan_part){.shape = PART_FLAT,
                                                   .lanes = lanes,
                                                   .n_lanes = n_lanes,
                                                   .leaves = leaves,
                                                   .spare = spare,
                                                   .ops = leaves * n_lanes - spare});
}

size_t plan_add_up(struct plan *plan, size_t over, const struct plan_lane *lanes, uint64_t arity)
{
    const struct plan_part *base = &plan->parts[over];
    struct plan_part part = {.shape = PART_UP,
                             .over = over,
                             .lanes = lanes,
                             .n_lanes = base->n_lanes,
                             .leaves = base->leaves,
                             .arity = arity,
                             .spare = base->spare};
    assert(arity >= 2 && arity <= OPERANDS_MAX);
    for (unsigned level = height_of(&part); level; level--)
        part.ops += ops_at(&part, level);
    return graph_add_part(plan, part);
}

size_t plan_add_down(struct plan *plan, size_t over, const struct plan_lane *lane, uint64_t leaves)
{
    const struct plan_part *up = &plan->parts[over];
    struct plan_part part = {
        .shape = PART_DOWN, .over = over, .lanes = lane, .n_lanes = 1, .leaves = leaves};
    assert(up->shape == PART_UP && up->n_lanes == 1 && leaves >= 1 && leaves <= up->leaves);
    for (unsigned level = height_of(up); level--;)
        part.ops += down_ops_at(up, &part, level);
    return graph_add_part(plan, part);
}

size_t plan_add_each(struct plan *plan, size_t over, const struct plan_lane *lane)
{
    uint64_t leaves = plan->parts[over].leaves;
    assert(plan->parts[over].shape == PART_DOWN);
    return graph_add_part(plan, (struct plan_part){.shape = PART_EACH,
                                                   .over = over,
                                                   .lanes = lane,
                                                   .n_lanes = 1,
                                                   .leaves = leaves,
                                                   .ops = leaves});
}

size_t plan_add_last(struct plan *plan, const struct plan_lane *lane, const struct plan_root *roots,
                     size_t n_roots)
{
    struct plan_part part = {
        .shape = PART_ONE, .lanes = lane, .n_lanes = 1, .ops = 1, .n_roots = n_roots};
    assert(n_roots && n_roots <= OPERANDS_MAX);
    for (size_t i = 0; i < n_roots; i++)
        part.roots[i] = roots[i];
    return graph_add_part(plan, part);
}

/* --- where an operation stands --- */

static size_t part_of(const struct plan *plan, op_id_t op)
{
    size_t i = 0;
    assert(op >= 1 && op <= graph_result(plan));
    while (op > plan->parts[i].before + plan->parts[i].ops)
        i++;
    return i;
}

struct place {
    struct plan_node node;
    uint64_t lane;
};

static struct place place_of(const struct plan *plan, size_t i, op_id_t op)
{
    const struct plan_part *part = &plan->parts[i], *up = &plan->parts[part->over];
    uint64_t at = op - part->before - 1;
    unsigned level = 0;
    if (part->shape == PART_UP)
        for (level = 1; at >= ops_at(part, level); level++)
            at -= ops_at(part, level);
    if (part->shape == PART_DOWN)
        for (level = height_of(up) - 1; at >= down_ops_at(up, part, level); level--)
            at -= down_ops_at(up, part, level);
    return (struct place){{level, at / part->n_lanes}, at % part->n_lanes};
}

op_id_t graph_root(const struct plan *plan, size_t up)
{
    const struct plan_part *part = &plan->parts[up];
    return op_of(plan, part, root_of(part), 0);
}

op_id_t graph_result(const struct plan *plan)
{
    const struct plan_part *last = &plan->parts[plan->n_parts - 1];
    return last->before + last->ops;
}

enum opcode graph_opcode(const struct plan *plan, op_id_t op)
{
    size_t i = part_of(plan, op);
    const struct plan_part *part = &plan->parts[i];
    if (part->shape == PART_PIECES)
        return pieces_opcode(part, op - part->before - 1);
    return part->lanes[place_of(plan, i, op).lane].opcode;
}

bool graph_is_flat(const struct plan *plan, op_id_t op)
{
    return plan->parts[part_of(plan, op)].shape == PART_FLAT;
}

uint64_t graph_flats(const struct plan *plan)
{
    uint64_t flats = 0;
    for (size_t i = 0; i < plan->n_parts && plan->parts[i].shape == PART_FLAT; i++)
        flats += plan->parts[i].ops;
    return flats;
}

/* --- operands --- */

static size_t up_operands(const struct plan *plan, const struct plan_part *up, struct place place,
                          struct plan_operand out[OPERANDS_MAX])
{
    const struct plan_lane *lane = &up->lanes[place.lane];
    struct plan_node child = {place.node.level - 1, place.node.at * up->arity};
    uint64_t left = nodes_at(up, child.level) - child.at;
    size_t n = left < up->arity ? (size_t)left : (size_t)up->arity;
    for (size_t i = 0; !lane->n_picks && i < n; i++, child.at++)
        out[i] = (struct plan_operand){.op = op_of(plan, up, child, place.lane)};
    for (size_t i = 0; i < lane->n_picks; i++) {
        const struct plan_pick *pick = &lane->picks[i];
        struct plan_node node = {child.level, child.at + pick->child};
        out[i] = pick->literal ? (struct plan_operand){.literal = pick->literal}
                               : (struct plan_operand){.op = op_of(plan, up, node, pick->lane)};
    }
    return lane->n_picks ? lane->n_picks : n;
}

static op_id_t root_op(const struct plan *plan, const struct plan_root *root)
{
    const struct plan_part *part = &plan->parts[root->part];
    return part->shape == PART_UP ? op_of(plan, part, root_of(part), root->lane)
                                  : part->before + root->lane + 1;
}

size_t graph_operands(const struct plan *plan, op_id_t op, struct plan_operand out[OPERANDS_MAX])
{
    size_t i = part_of(plan, op);
    const struct plan_part *part = &plan->parts[i], *over = &plan->parts[part->over];
    struct place place = place_of(plan, i, op);
    struct plan_operand segment[OPERANDS_MAX];
    uint64_t child;
    size_t n = 0;
    switch (part->shape) {
    case PART_PIECES:
        return pieces_operands(plan, part, op - part->before - 1, out);
    case PART_FLAT:
        return plan->kind->range(plan, op - 1, out);
    case PART_UP:
        return up_operands(plan, part, place, out);
    case PART_DOWN:
        out[n++] =
            (struct plan_operand){.op = down_op_of(plan, part, climb(over, place.node, &child))};
        out[n++] = (struct plan_operand){.op = op_of(plan, over, place.node, 0)};
        return n;
    case PART_EACH:
        out[n++] = (struct plan_operand){.op = down_op_of(plan, over, place.node)};
        (void)plan->kind->range(plan, place.node.at, segment);
        out[n++] = segment[0];
        return n;
    case PART_ONE:
    default:
        for (; n < part->n_roots; n++)
            out[n] = part->roots[n].is_literal
                         ? (struct plan_operand){.literal = part->roots[n].literal}
                         : (struct plan_operand){.op = root_op(plan, &part->roots[n])};
        return n;
    }
}

/* --- consumers --- */

struct consumers {
    op_id_t *at;
    size_t n;
};

static void add(struct consumers *out, op_id_t op)
{
    assert(out->n < CONSUMERS_MAX);
    out->at[out->n++] = op;
}

/* Operations on the results of a whole part. */
static void add_last(const struct plan *plan, size_t part, uint64_t lane, struct consumers *out)
{
    for (size_t i = part + 1; i < plan->n_parts; i++)
        for (size_t n = 0; n < plan->parts[i].n_roots; n++) {
            const struct plan_root *root = &plan->parts[i].roots[n];
            if (!root->is_literal && root->part == part && root->lane == lane)
                add(out, plan->parts[i].before + 1);
        }
}

static bool takes(const struct plan_lane *lane, bool same, uint64_t child, uint64_t child_lane)
{
    for (size_t i = 0; i < lane->n_picks; i++)
        if (!lane->picks[i].literal && lane->picks[i].child == child &&
            lane->picks[i].lane == child_lane)
            return true;
    return !lane->n_picks && same;
}

static void add_parents(const struct plan *plan, const struct plan_part *up, struct place place,
                        struct consumers *out)
{
    uint64_t child;
    struct plan_node parent = climb(up, place.node, &child);
    bool last = parent.at + 1 == nodes_at(up, parent.level);
    for (uint64_t lane = 0; lane < up->n_lanes; lane++)
        if (takes(&up->lanes[lane], lane == place.lane, child, place.lane) &&
            !(up->spare && last && lane + 1 == up->n_lanes))
            add(out, op_of(plan, up, parent, lane));
}

/* What uses that which a node has in the DOWN part. */
static void add_below(const struct plan *plan, size_t i, struct plan_node node,
                      struct consumers *out)
{
    const struct plan_part *down = &plan->parts[i], *up = &plan->parts[down->over];
    if (!node.level) {
        for (size_t each = i + 1; each < plan->n_parts; each++)
            if (plan->parts[each].shape == PART_EACH && plan->parts[each].over == i)
                add(out, plan->parts[each].before + node.at + 1);
        return;
    }
    uint64_t wanted = wanted_at(up, down, node.level - 1);
    struct plan_node child = {node.level - 1, node.at * up->arity};
    for (uint64_t n = 0; n < up->arity && child.at < wanted; n++, child.at++)
        add(out, down_op_of(plan, down, child));
}

/* What uses a result in the tree of an UP part. */
static void add_users(const struct plan *plan, size_t i, struct place place, struct consumers *out)
{
    const struct plan_part *up = &plan->parts[i];
    bool root = place.node.level == height_of(up);
    if (root) {
        add_last(plan, i, place.lane, out);
        out->n += pieces_consumers_of_root(plan, i, out->at + out->n);
    } else {
        add_parents(plan, up, place, out);
    }
    for (size_t at = i + 1; at < plan->n_parts; at++) {
        const struct plan_part *down = &plan->parts[at];
        if (down->shape != PART_DOWN || down->over != i)
            continue;
        if (root)
            add_below(plan, at, place.node, out);
        else if (place.node.at < wanted_at(up, down, place.node.level))
            add(out, down_op_of(plan, down, place.node));
    }
}

size_t graph_consumers(const struct plan *plan, op_id_t op, op_id_t at[CONSUMERS_MAX])
{
    struct consumers out = {at, 0};
    size_t i = part_of(plan, op);
    const struct plan_part *part = &plan->parts[i];
    struct place place = place_of(plan, i, op);
    if (part->shape == PART_PIECES)
        return pieces_consumers(plan, part, op - part->before - 1, at);
    if (part->shape == PART_DOWN)
        add_below(plan, i, place.node, &out);
    else if (part->shape == PART_UP)
        add_users(plan, i, place, &out);
    else
        add_last(plan, i, place.lane, &out);
    for (size_t up = i + 1; up < plan->n_parts; up++)
        if (plan->parts[up].shape == PART_UP && plan->parts[up].over == i)
            add_users(plan, up, place, &out);
    return out.n;
}

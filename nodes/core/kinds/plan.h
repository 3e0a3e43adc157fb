/* plan.h - the tree of operations of factorial N, as arithmetic; nothing of it is stored.
 *
 * Leaves are the integers N, N-1, ..., 1 (the one leaf 1 for 0! and 1!). Level 0 multiplies four
 * leaves an operation, every further level four results of the one below. A node with a single
 * child is promoted: it is no operation, its child stands in for it. Operations are numbered from
 * 1, level by level: for 10 exactly R1=10*9*8*7 R2=6*5*4*3 R3=2*1 R4=R1*R2*R3 (second seed, part
 * 1). */
#ifndef CONCLAVE_CORE_PLAN_H
#define CONCLAVE_CORE_PLAN_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

#define PLAN_LEVELS_MAX 32 /* 4^32 leaves */

struct plan {
    uint64_t n;      /* the factorial's argument */
    uint64_t leaves; /* n, or 1 for 0 */
    unsigned levels;
    uint64_t nodes[PLAN_LEVELS_MAX]; /* a level's nodes, a promoted one included */
    uint64_t ops[PLAN_LEVELS_MAX];   /* a level's operations */
    uint64_t total;                  /* operations in all; the root's number */
};

/* A node of the tree. */
struct plan_node {
    unsigned level;
    uint64_t at; /* from 0, left (greatest integers) to right */
};

/* An operand: the result of an operation, or a leaf. */
struct plan_operand {
    op_id_t op;       /* 0: a leaf */
    uint64_t literal; /* the leaf's integer */
};

/* Fills in the plan of N!. */
void plan_init(struct plan *plan, uint64_t n);

/* The operation that computes the node, climbing down from promoted ones; 0 when that ends in a
 * leaf. */
op_id_t plan_op_at(const struct plan *plan, struct plan_node node);

/* The node of an operation, 1..total. */
struct plan_node plan_node_of(const struct plan *plan, op_id_t op);

/* Writes the operands of an operation, in order; returns how many, 1..OPERANDS_MAX. */
size_t plan_operands(const struct plan *plan, op_id_t op, struct plan_operand out[OPERANDS_MAX]);

/* The operation that uses the operation's result; 0 for the root. */
op_id_t plan_consumer(const struct plan *plan, op_id_t op);

/* The leaves below a node: the greatest integer and how many. */
void plan_leaves(const struct plan *plan, struct plan_node node, uint64_t *first, uint64_t *count);

/* The number of operations in a subtree over so many leaves. */
uint64_t plan_subtree_ops(uint64_t leaves);

/* The level whose subtrees are handed out whole: the highest that still yields UNITS_PER_WORKER
 * units a worker, each of at most UNIT_LEAVES_MAX leaves. */
unsigned plan_unit_level(const struct plan *plan, uint64_t workers);

/* An upper bound of the result's size in bytes, without overflow; the cost that is limited. */
uint64_t plan_result_bytes(uint64_t n);

#endif

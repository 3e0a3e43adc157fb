/* plan.h - the operations of a job, as arithmetic; nothing of them is stored.
 *
 * A plan is a row of stages. The first is a tree upwards over the leaves: the integers N, N-1,
 * ..., 1. Its level 0 takes four leaves an operation, every further level four results of the one
 * below. A node with a single child is promoted: it is no operation, its child stands in for it. A
 * last stage is one operation on the result of the one before. Operations are numbered from 1,
 * level by level and stage by stage: for 10! exactly R1=10*9*8*7 R2=6*5*4*3 R3=2*1 R4=R1*R2*R3
 * (second seed, part 1), and 5 is the conversion of R4 to text.
 *
 * Or a flat stage comes first: operations on small integers that the kind says, each for itself.
 * Then they are level 0 of the tree, and its other levels take four results an operation.
 *
 * In such a plan each result has one consumer. A plan of another kind is a row of parts, and a
 * result may have several (graph.h). */
#ifndef CONCLAVE_CORE_PLAN_H
#define CONCLAVE_CORE_PLAN_H

#include <stdbool.h>

#include "nodes/core/kinds/operators.h"
#include "shared/base/limits.h"
#include "shared/base/types.h"

#define PLAN_LEVELS_MAX  32 /* 4^32 leaves */
#define PLAN_STAGES_MAX  3  /* a flat one, a tree, and what is made of its result */
#define PLAN_PARTS_MAX   8
#define PLAN_LANES_MAX   3
#define PLAN_NUMBERS_MAX 6 /* of a job's argument */
/* Of a result: those above it, the one beside it, or those below the root of a tree downwards. */
#define CONSUMERS_MAX (PLAN_LANES_MAX + OPERANDS_MAX + 1)

enum stage_shape {
    STAGE_FLAT, /* operations on integers that the kind says; level 0 of the tree that follows */
    STAGE_TREE, /* upwards over the leaves */
    STAGE_ONE   /* one operation on the result of the stage before */
};

struct plan_stage {
    enum stage_shape shape;
    enum opcode opcode;
    op_id_t last; /* the greatest number of its operations: that one makes its result */
};

/* A part of a plan in which results have several consumers: graph.h. */
enum part_shape { PART_FLAT, PART_UP, PART_DOWN, PART_EACH, PART_ONE, PART_PIECES };

struct plan_lane;

/* An operand of a ONE part: the result of a whole part in a lane, or a small integer. */
struct plan_root {
    size_t part;
    uint64_t lane;
    bool is_literal;
    uint64_t literal;
};

struct plan_part {
    enum part_shape shape;
    size_t over; /* UP, DOWN, EACH: the place of the part that it is over */
    const struct plan_lane *lanes;
    uint64_t n_lanes, leaves, arity;
    bool spare;
    op_id_t before; /* the last number before its own */
    uint64_t ops;
    struct plan_root roots[OPERANDS_MAX]; /* ONE: its operands */
    size_t n_roots;
    uint64_t piece_digits; /* PIECES: of each piece, 1 or more */
};

struct job_kind;

struct plan {
    const struct job_kind *kind;
    union { /* the job's argument: whole numbers, 1 to PLAN_NUMBERS_MAX; the others are 0 */
        struct {
            uint64_t n, k;
        };
        uint64_t numbers[PLAN_NUMBERS_MAX];
    };
    uint64_t ranges; /* operations of the flat stage; 0: there is none, the leaves are integers */
    uint64_t pieces; /* in which the result is converted to text; 0: in one operation */
    uint64_t leaves; /* of the tree, 1 at least; `ranges`, if there are any */
    unsigned levels;
    uint64_t nodes[PLAN_LEVELS_MAX]; /* a level's nodes, a promoted one included */
    uint64_t ops[PLAN_LEVELS_MAX];   /* a level's operations */
    uint64_t total;                  /* operations, the conversion not counted */
    size_t n_stages;
    struct plan_stage stages[PLAN_STAGES_MAX];
    size_t n_parts; /* 0: it has stages */
    struct plan_part parts[PLAN_PARTS_MAX];
};

/* A node of the tree. */
struct plan_node {
    unsigned level;
    uint64_t at; /* from 0, left (greatest integers) to right */
};

/* An operand: the result of an operation, a leaf, or a segment of a stored value that is the job's
 * input. */
struct plan_operand {
    op_id_t op;       /* 0: a leaf, or a segment */
    uint64_t literal; /* the leaf's integer; the segment's number, from 1 */
    uint64_t input;   /* which of the job's inputs the segment is of, from 1; 0: of none */
};

/* For a kind's plan(): a flat stage of plan->ranges operations, 2 or more, or none; a tree over its
 * results, or else over 1 leaf or more; what is made of the tree's result. */
void plan_add_flat(struct plan *plan, enum opcode opcode);
void plan_add_tree(struct plan *plan, enum opcode opcode, uint64_t leaves);
void plan_add_one(struct plan *plan, enum opcode opcode);

/* All stages of a product over ranges: a flat one, the tree over its results, and their text; or
 * likewise parts, when the text is made in pieces. The lane is borrowed for ever. */
void plan_add_ranges(struct plan *plan, const struct plan_lane *flat);

/* Bounds of flat operations over ranges of one length, 1 for at = 0 and n, or 1, for at = ranges:
 * that of operation `at` is from < x <= to, between its bound and the next one. */
uint64_t plan_bound(const struct plan *plan, uint64_t at);

/* True when a result may have several consumers. */
bool plan_shares(const struct plan *plan);

/* What an operation does, 1..plan_result(). */
enum opcode plan_opcode(const struct plan *plan, op_id_t op);

/* The operation whose value is the job's result: the last. */
op_id_t plan_result(const struct plan *plan);

/* True for an operation of the flat stage: it needs no other one's result. */
bool plan_is_flat(const struct plan *plan, op_id_t op);

/* How many operations, or subtrees of that level, need no other one's result; and the `at`th of
 * them, from 0: 0 where there is no operation, but a promoted leaf. */
uint64_t plan_cuts(const struct plan *plan, unsigned level);
op_id_t plan_cut_at(const struct plan *plan, unsigned level, uint64_t at);

/* The size of a flat operation for whoever estimates its time. */
uint64_t plan_flat_bytes(const struct plan *plan, op_id_t op);

/* The operation that computes the node, climbing down from promoted ones; 0 when that ends in a
 * leaf. */
op_id_t plan_op_at(const struct plan *plan, struct plan_node node);

/* The node of an operation of the tree, 1..total; not of a plan that shares results. */
struct plan_node plan_node_of(const struct plan *plan, op_id_t op);

/* Writes the operands of an operation, in order; returns how many, 1..OPERANDS_MAX. */
size_t plan_operands(const struct plan *plan, op_id_t op, struct plan_operand out[OPERANDS_MAX]);

/* The operations that use the operation's result: none for plan_result(), one or more for any
 * other. Returns how many. */
size_t plan_consumers(const struct plan *plan, op_id_t op, op_id_t out[CONSUMERS_MAX]);

/* The one that does, in a plan that does not share results; 0 for plan_result(). */
op_id_t plan_consumer(const struct plan *plan, op_id_t op);

/* The leaves below a node: the greatest integer and how many. Not for a plan with a flat stage. */
void plan_leaves(const struct plan *plan, struct plan_node node, uint64_t *first, uint64_t *count);

/* The number of operations in a subtree over so many leaves. */
uint64_t plan_subtree_ops(uint64_t leaves);

/* The level whose subtrees are handed out whole: the highest that still yields SUBTREES_PER_WORKER
 * subtrees per worker, each of at most so many leaves. */
unsigned plan_subtree_level(const struct plan *plan, uint64_t workers, uint64_t leaves_max);

#endif

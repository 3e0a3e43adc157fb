/* graph.h - plans in which a result has several consumers: between plan.c, graph.c and the files of
 * the kinds.
 *
 * Such a plan is a row of parts, each a family of operations that are known by where they stand:
 * the level of a tree, the position from the left, and the lane. Lanes are values of their own at
 * one place, such as P, Q and T of a range of a series. Operations are numbered part by part, level
 * by level in the order in which they can be done, position by position, lane by lane; so an
 * operation's operands have lower numbers, and nothing of a plan is stored but its parts.
 *
 *   FLAT  operations on small integers, or on segments of the job's inputs, that the kind says;
 *         these parts come first
 *   UP    a tree over the results of a FLAT or EACH part: an operation takes up to `arity`
 *         neighbours' results. A node with a single child is promoted: it is no operation
 *   DOWN  the same tree from its root to its leaves: each node but the root has one operation, on
 *         what its parent has in this part, and on its own result in the UP part. The root has in
 *         this part what it has in that one
 *   EACH  one operation for each of the first leaves of a DOWN part, on what the leaf has there and
 *         on the segment of its number of the job's first input
 *   ONE   one operation on the results of whole parts, and on small integers
 *   PIECES  the conversion of the result of an UP part to text (pieces.h)
 *
 * Whoever asks for operands and consumers asks plan.h. */
#ifndef CONCLAVE_CORE_GRAPH_H
#define CONCLAVE_CORE_GRAPH_H

#include "nodes/core/kinds/plan.h"

/* Operands of an operation of an UP part that are not simply all its children's in its own lane. */
struct plan_pick {
    unsigned child, lane; /* from 0 */
    uint64_t literal;     /* 0: there is none, but that child's result in that lane */
};

struct plan_lane {
    enum opcode opcode;
    size_t n_picks; /* 0: all children, in this lane */
    struct plan_pick picks[OPERANDS_MAX];
};

/* For a kind's plan(): adds a part, in the order of their numbers; each returns the part's place.
 * `lanes` are borrowed for ever.
 *
 * `leaves` positions, 1 or more, of `n_lanes`. `spare`: the last lane at the last position has no
 * consumer, and there is no such operation, nor those of the tree above that would take its result.
 */
size_t plan_add_leaves(struct plan *plan, const struct plan_lane *lanes, size_t n_lanes,
                       uint64_t leaves, bool spare);

/* A tree over a FLAT or EACH part, in the same lanes; none over a single leaf. */
size_t plan_add_up(struct plan *plan, size_t over, const struct plan_lane *lanes, uint64_t arity);

/* Down an UP part to its first `leaves` leaves. */
size_t plan_add_down(struct plan *plan, size_t over, const struct plan_lane *lane, uint64_t leaves);

/* For each leaf that a DOWN part comes to. */
size_t plan_add_each(struct plan *plan, size_t over, const struct plan_lane *lane);

/* One operation. */
size_t plan_add_last(struct plan *plan, const struct plan_lane *lane, const struct plan_root *roots,
                     size_t n_roots);

/* The conversion of the result of an UP part, in one lane, to text in plan->pieces pieces. It ends
 * the plan. */
size_t plan_add_pieces(struct plan *plan, size_t over);

/* --- for plan.c, and pieces.c --- */

/* Adds a part behind the others; returns its place. */
size_t graph_add_part(struct plan *plan, struct plan_part part);

/* The operation that makes the result of an UP part, in the first lane. */
op_id_t graph_root(const struct plan *plan, size_t up);

enum opcode graph_opcode(const struct plan *plan, op_id_t op);
op_id_t graph_result(const struct plan *plan);
bool graph_is_flat(const struct plan *plan, op_id_t op);
uint64_t graph_flats(const struct plan *plan);
size_t graph_operands(const struct plan *plan, op_id_t op, struct plan_operand out[OPERANDS_MAX]);
size_t graph_consumers(const struct plan *plan, op_id_t op, op_id_t out[CONSUMERS_MAX]);

#endif

/* splitting.h - what the kinds have in common that sum a series by binary splitting (Haible &
 * Papanikolaou 1998): for their files only. Operators (nodes/work/integer_series.h) add the terms
 * up that plans cut into ranges here. */
#ifndef CONCLAVE_CORE_SPLITTING_H
#define CONCLAVE_CORE_SPLITTING_H

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"

/* Decimals that pi and e can have: the largest integer on the way, pi's Q, has 325 MB then, of the
 * 512 MiB that one may have. */
#define DECIMALS_MAX UINT64_C(300000000)

/* So many decimals more are computed than asked for: only when all of them are 9 or 0 the last one
 * asked for is in doubt, and more are computed. */
#define SPLITTING_GUARD 19

/* Lanes that all have: the digits are made of them. */
enum { SPLITTING_Q, SPLITTING_T };

/* ERR_RANGE: more than DECIMALS_MAX decimals. */
int splitting_check(const struct plan *plan, struct text *why);

/* Terms 1 <= k <= that of Chudnovsky's series, and of the sum of 1/k!, for so many decimals and the
 * guard. They leave out less than a hundredth of the last one. */
uint64_t splitting_pi_terms(uint64_t decimals);
uint64_t splitting_e_terms(uint64_t decimals);

/* Into how many ranges so many terms are cut: as many as the plan has, but none without a term. */
uint64_t splitting_leaves(const struct plan *plan, uint64_t terms);

/* The operands of an operation on the range number `at`: decimals, from, to; of the terms in
 * from < k <= to. */
size_t splitting_range(const struct plan *plan, uint64_t at, uint64_t terms,
                       struct plan_operand out[OPERANDS_MAX]);

/* The digits, from Q and T of the tree and perhaps one more operand (NULL: none), and their text.
 */
void splitting_end(struct plan *plan, const struct plan_lane *digits, size_t tree,
                   const struct plan_root *more);

#endif

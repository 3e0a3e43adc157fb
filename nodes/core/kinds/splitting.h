/* splitting.h - what the kinds have in common that sum a series by binary splitting (Haible &
 * Papanikolaou 1998): for their files only. */
#ifndef CONCLAVE_CORE_SPLITTING_H
#define CONCLAVE_CORE_SPLITTING_H

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "nodes/core/kinds/series.h"

/* ERR_RANGE: more than DECIMALS_MAX decimals. */
int splitting_check(const struct plan *plan, struct text *why);

/* Into how many ranges so many terms are cut: as many as the plan has, but none without a term. */
uint64_t splitting_leaves(const struct plan *plan, uint64_t terms);

/* The operands of an operation on the range number `at`: of the terms in from <= k < to. */
size_t splitting_range(const struct plan *plan, uint64_t at, uint64_t terms,
                       struct plan_operand out[OPERANDS_MAX]);

/* The text of what the part `digits` makes. */
void splitting_end(struct plan *plan, size_t digits);

#endif

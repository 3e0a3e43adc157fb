/* plans.h - what holds of every plan in which a result may have several consumers, and what comes
 * of one; for unit tests. */
#ifndef CONCLAVE_TESTS_PLANS_H
#define CONCLAVE_TESTS_PLANS_H

#include "nodes/core/kinds/kinds.h"
#include "shared/base/blob.h"

/* Each operation's operands come before it, each once, and know it as a consumer; there are no
 * other consumers, and all but the result have one. */
void plans_check_inverse(const struct plan *plan);

/* Executes all operations one after another; the caller drops the result. */
struct blob *plans_run(const struct plan *plan);

#endif

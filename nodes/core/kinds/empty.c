/* N tasks that do nothing: what the mechanism of tasks costs by itself, for benchmarks and tests.
 */
#include <inttypes.h>

#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/error.h"

static int check(const struct plan *plan, struct text *why)
{
    if (plan->n >= 1 && plan->n <= TASKS_MAX)
        return OK;
    text_add(why, "empty: a job has 1 to %" PRIu64 " tasks, not %" PRIu64, TASKS_MAX, plan->n);
    return ERR_RANGE;
}

const struct job_kind kind_empty = {
    .name = "empty",
    .example = "1000",
    .about = "1000 tasks that do nothing, for measurements",
    .level = ENTRY_LEVEL_TASKS,
    .numbers = 1,
    .tasks = true,
    .instant = true,
    .check = check,
    .label = "empty(%1)",
};

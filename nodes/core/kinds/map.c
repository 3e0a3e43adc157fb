/* A command over inputs: each task runs it once. The job's input is a stored value of tasks
 * (shared/tasks/record.h): first what they have in common, then a record for each. Their files
 * are a second one, of bytes. */
#include <inttypes.h>

#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"

enum { TASKS, SEGMENTS, BYTES };

/* A record at the begin says what the tasks have in common. */
static uint64_t records(const struct plan *plan)
{
    return plan->numbers[TASKS] + 1;
}

static bool input(const struct plan *plan, size_t input, struct plan_input *out)
{
    const uint64_t *numbers = plan->numbers;
    *out = (struct plan_input){numbers[SEGMENTS], records(plan), numbers[BYTES], "tasks"};
    return input == 1;
}

static int check(const struct plan *plan, struct text *why)
{
    uint64_t tasks = plan->numbers[TASKS], segments = plan->numbers[SEGMENTS];
    if (tasks < 1 || tasks > MAP_TASKS_MAX) {
        text_add(why, "map: a job has 1 to %d tasks, not %" PRIu64, MAP_TASKS_MAX, tasks);
        return ERR_RANGE;
    }
    if (segments < 1 || segments > VALUE_SEGMENTS_MAX || segments > records(plan)) {
        text_add(why, "map: %" PRIu64 " tasks cannot be in %" PRIu64 " segments", tasks, segments);
        return ERR_RANGE;
    }
    if (plan->numbers[BYTES] / BYTES_LENGTH >= records(plan) &&
        plan->numbers[BYTES] <= VALUE_BYTES_MAX)
        return OK;
    text_add(why, "map: %" PRIu64 " tasks cannot have %" PRIu64 " bytes", tasks,
             plan->numbers[BYTES]);
    return ERR_RANGE;
}

const struct job_kind kind_map = {
    .name = "map",
    .example = "200 1 12345",
    .about = "a command over inputs; `conclave map` makes such jobs",
    .level = ENTRY_LEVEL_TASKS,
    .numbers = 3,
    .tasks = true,
    .commands = true,
    .check = check,
    .input = input,
    .more_input = "bytes", /* uploads and files of tasks, one after another */
    .label = "map(%1 tasks)",
};

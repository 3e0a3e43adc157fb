#include "nodes/work/failure.h"

#include "shared/base/random.h"

#define MILLION 1000000

void failure_begin(struct failure *failure, const struct failure_config *config, node_id_t id,
                   uint64_t boots, enum failure_role role)
{
    *failure = (struct failure){.config = *config, .state = config->seed};
    failure->state = random_u64(&failure->state) ^ id;
    failure->state = random_u64(&failure->state) ^ boots;
    failure->state = random_u64(&failure->state) ^ role;
}

enum failure_kind failure_draw(struct failure *failure)
{
    const struct failure_config *config = &failure->config;
    if (!config->exit_ppm && !config->stall_ppm)
        return FAILURE_NONE;
    uint64_t exit_at = random_u64(&failure->state) % MILLION,
             stall_at = random_u64(&failure->state) % MILLION;
    if (exit_at < config->exit_ppm)
        return FAILURE_EXIT;
    return stall_at < config->stall_ppm ? FAILURE_STALL : FAILURE_NONE;
}

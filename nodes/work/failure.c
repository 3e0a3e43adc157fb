#include "nodes/work/failure.h"

#define MILLION 1000000

/* splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t next(struct failure *failure)
{
    uint64_t x = failure->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void failure_begin(struct failure *failure, const struct failure_config *config, node_id_t id,
                   uint64_t boots, enum failure_role role)
{
    *failure = (struct failure){.config = *config, .state = config->seed};
    failure->state = next(failure) ^ id;
    failure->state = next(failure) ^ boots;
    failure->state = next(failure) ^ role;
}

enum failure_kind failure_draw(struct failure *failure)
{
    const struct failure_config *config = &failure->config;
    if (!config->exit_ppm && !config->stall_ppm)
        return FAILURE_NONE;
    uint64_t exit_at = next(failure) % MILLION, stall_at = next(failure) % MILLION;
    if (exit_at < config->exit_ppm)
        return FAILURE_EXIT;
    return stall_at < config->stall_ppm ? FAILURE_STALL : FAILURE_NONE;
}

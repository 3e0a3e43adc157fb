#include "broker/audience.h"

#include "shared/base/mutant.h"

void audience_take(struct audience *audience, struct slice said, uint64_t now_us)
{
    if (said.len && said.at[0] == 1) {
        audience->since_us = audience->topics ? audience->since_us : now_us;
        audience->topics++;
    } else if (said.len && said.at[0] == 0 && audience->topics) {
        audience->topics--;
    }
}

bool audience_hears(const struct audience *audience, bool heartbeat, uint64_t now_us)
{
    bool settled = now_us >= audience->since_us + AUDIENCE_SETTLES_US;
    return audience->topics && (!heartbeat || settled || MUTANT(audience_hears_at_once));
}

#include "nodes/core/schedule/timing.h"

#include "shared/base/mutant.h"

const char *phase_name(enum phase phase)
{
    static const char *const names[PHASE_KINDS] = {
#define X(SYMBOL, name) #name,
        PHASES(X)
#undef X
    };
    return names[phase];
}

static uint64_t since(const struct timing *timing, uint64_t now_us)
{
    return now_us > timing->at_us ? now_us - timing->at_us : 0;
}

void timing_begin(struct timing *timing, uint64_t now_us, enum phase phase, enum phase before,
                  uint64_t before_us)
{
    *timing = (struct timing){.phase = phase, .at_us = now_us};
    timing->us[before] = before_us;
}

void timing_enter(struct timing *timing, uint64_t now_us, enum phase phase)
{
    timing->us[timing->phase] += MUTANT(phase_unsettled) ? 0 : since(timing, now_us);
    if (now_us > timing->at_us)
        timing->at_us = now_us;
    timing->phase = phase;
}

uint64_t timing_of(const struct timing *timing, uint64_t now_us, enum phase phase)
{
    return timing->us[phase] + (phase == timing->phase ? since(timing, now_us) : 0);
}

uint64_t timing_total(const struct timing *timing, uint64_t now_us)
{
    uint64_t total = 0;
    for (enum phase phase = 0; phase < PHASE_KINDS; phase++)
        total += timing_of(timing, now_us, phase);
    return total;
}

void timing_move(struct timing *timing, uint64_t now_us, enum phase from, enum phase to,
                 uint64_t us)
{
    timing_enter(timing, now_us, timing->phase);
    if (us > timing->us[from])
        us = timing->us[from];
    timing->us[from] -= us;
    timing->us[to] += us;
}

#include "shared/base/urgency.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/limits.h"
#include "shared/base/mutant.h"

/* As the kernel has it (sched_setattr(2)); the C library of Debian 12 has none. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* Keeps niceness; a policy that whoever started the program has chosen stays as it is. */
static void ask(uint64_t turn_us)
{
    struct attributes wanted = {.size = sizeof wanted, .runtime_ns = turn_us * 1000};
    if (sched_getscheduler(0) != SCHED_OTHER)
        return;
    wanted.nice = getpriority(PRIO_PROCESS, 0);
    syscall(SYS_sched_setattr, 0, &wanted, 0); /* refused: nothing has changed */
}

void urgency_high(void)
{
    if (!MUTANT(loop_waits_its_turn))
        ask(URGENT_TURN_US);
}

void urgency_normal(void)
{
    ask(0);
}

bool urgency_is_high(void)
{
    struct attributes is = {.size = sizeof is};
    return !syscall(SYS_sched_getattr, 0, &is, sizeof is, 0) &&
           is.runtime_ns == URGENT_TURN_US * 1000;
}

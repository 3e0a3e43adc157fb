#include "nodes/work/heap.h"

#include <mimalloc.h>

#pragma weak mi_collect
#pragma weak mi_option_set_default

/* Giving back what is free, and getting it again, takes a lock of the kernel that all threads of
 * the process share. In the middle of a large job nothing is given back: much of it would be needed
 * again at once, and the loop would wait for a compute thread without a processor. */
#define GIVE_BACK_MS 1000

void heap_init(void)
{
    if (!mi_option_set_default)
        return;
    mi_option_set_default(mi_option_decommit_delay, GIVE_BACK_MS);
    mi_option_set_default(mi_option_segment_decommit_delay, GIVE_BACK_MS);
}

void heap_give_back(void)
{
    if (mi_collect)
        mi_collect(true);
}

/* descriptors.h - how many descriptors a program may use, and what happens when they run out.
 *
 * libzmq 4.3.4 accepts connections whenever a listening socket is readable, and a connection that
 * cannot be accepted leaves it so: out of descriptors, its thread spins at 100% of a processor, and
 * whatever else needs one fails. So this file stands in for accept4(), which libzmq calls: beyond
 * what is left for strangers, a connection is accepted and closed at once. */
#ifndef CONCLAVE_BUS_DESCRIPTORS_H
#define CONCLAVE_BUS_DESCRIPTORS_H

#include "shared/base/text.h"

/* Raises the soft limit of open files (RLIMIT_NOFILE) to FILES_MIN, or to `needed` if that is more,
 * as far as the hard limit allows. From now on the highest `reserved` of them are kept for what
 * this process opens itself: connections that others make are refused there. Of what is beyond
 * `needed`, which has FILES_HALF_OPEN in it, a part is for connections that have brought no key yet
 * (intake.h). ERR_FULL, with one line that names both numbers, when `needed` is more than the hard
 * limit. Call before bus_open(). */
int descriptors_claim(uint64_t needed, uint64_t reserved, struct text *why);

/* Raises the soft limit as far as is useful. What every program does. */
void descriptors_raise(void);

#endif

/* assign.h - which worker gets which operation, and how they are put into task messages. */
#ifndef CONCLAVE_CORE_ASSIGN_H
#define CONCLAVE_CORE_ASSIGN_H

#include "nodes/core/schedule/assignments.h"

/* Assigns what is ready to workers that have credit, one operation of each job in turn, and sends
 * the batches. */
void assign_all(struct schedule *schedule);

#endif

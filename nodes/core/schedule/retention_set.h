/* retention_set.h - the coordinator puts into the log how much of finished jobs is remembered. */
#ifndef CONCLAVE_CORE_RETENTION_SET_H
#define CONCLAVE_CORE_RETENTION_SET_H

#include "nodes/core/schedule/schedule.h"

/* Logs the limits when they are to be others than the log's, and again as long as more is
 * remembered than they say. Not before all who must know such an entry do. */
void retention_pump(struct schedule *schedule);

#endif

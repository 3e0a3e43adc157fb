/* ages.h - the age of stored values: the coordinator logs how much time has passed, by its own
 * monotonic clock, and has those dropped that are too old by the sum of that. */
#ifndef CONCLAVE_CORE_AGES_H
#define CONCLAVE_CORE_AGES_H

#include "nodes/core/uploads/uploads.h"

/* A term begins: what has passed since the last entry of another is not known, and does not count.
 */
void ages_start(struct uploads *uploads);

/* Logs what is due. */
void ages_pump(struct uploads *uploads);
uint64_t ages_deadline(const struct uploads *uploads);

#endif

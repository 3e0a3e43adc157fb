/* admission.h - which requests of a key that is allowed a broker refuses all the same. */
#ifndef CONCLAVE_BROKER_ADMISSION_H
#define CONCLAVE_BROKER_ADMISSION_H

#include "broker/quota.h"
#include "shared/bus/doors.h"

/* Why this key may not ask now: the code of the error, and its reason; NULL: it may. Counts it for
 * the key's quota. What its role may is the nodes' to know. `keyed`: there are keys. */
const char *admission_refusal(struct quota *quota, bool keyed, const struct visitor *who,
                              uint64_t now_us, const char **reason);

#endif

/* signatures.h - that a request which needs a signature has one, and that none is taken twice.
 *
 * A signature is for one life of one node (its incarnation), and has a counter that must be greater
 * than all that this life has taken from the same key. So the memory of counters need not outlive
 * the process, nor be known to another node: a signature that was seen is void here by its counter
 * and everywhere else by its node or incarnation, and no clock is asked. */
#ifndef CONCLAVE_CORE_SIGNATURES_H
#define CONCLAVE_CORE_SIGNATURES_H

#include "nodes/core/service/requests.h"

/* Whether the request of service->asker may be executed as far as signatures go; then its counter
 * is taken. Else *code is that of the error ("unsigned": to be signed, or signed anew; "forbidden")
 * and *why a line. */
bool signatures_suffice(struct service *service, const struct request_row *row, const char **code,
                        const char **why);

/* An error of the code "unsigned" says what is to be signed. */
void signatures_tell(const struct service *service, struct message *error);

void signatures_clear(struct service *service);

#endif

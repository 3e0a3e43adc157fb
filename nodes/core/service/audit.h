/* audit.h - a line of the log for every change that is asked for with a key: whose key it was, the
 * request, what became of it, and what it is about. In the log of the node that carried it out:
 *
 *   audit name=alice role=submit request=submit result=ok job=3-17 key="nightly"
 * kind="factorial"...
 *
 * The result is ok, or the code of the error. What came from outside is escaped, so that a line is
 * one line, and a quoted text ends where it ends. A change is told when it is answered, each one.
 * What changed nothing is told too, and what a role or a signature refuses, changes or not: but
 * only so many times in a second. */
#ifndef CONCLAVE_CORE_AUDIT_H
#define CONCLAVE_CORE_AUDIT_H

#include "nodes/core/service/requests.h"

/* A request that may be executed was asked for. */
void audit_asked(struct service *service, uint64_t client, const struct request_row *row,
                 const struct message *request);

/* It was refused before anything was done. */
void audit_refused(struct service *service, const struct message *request, const char *code);

/* At the end of a step: its replies tell what became of changes. */
void audit_answers(struct service *service);

void audit_clear(struct service *service);

#endif

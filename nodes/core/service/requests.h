/* requests.h - what clients ask of a node. Every request gets exactly one reply. */
#ifndef CONCLAVE_CORE_REQUESTS_H
#define CONCLAVE_CORE_REQUESTS_H

#include "nodes/core/service/service_types.h"

/* A client's request; the reply may come at once or with a later step. */
void requests_handle(struct service *service, uint64_t client, struct message *message);

/* An entry was applied; it made or finished `job` (NULL: neither): who waits for it is answered. */
void requests_applied(struct service *service, log_index_t index, const struct job *job);

/* A majority may have confirmed that we coordinate: answers the reads that waited for it. */
void requests_confirmed(struct service *service);

/* This node coordinates no more: who waits is told to ask another; whether its job is accepted
 * stays open. */
void requests_step_down(struct service *service);

/* Answers the long polls whose time is up. */
void requests_tick(struct service *service);
uint64_t requests_deadline(const struct service *service);

void requests_clear(struct service *service);

#endif

/* jobs.h - what the pages of jobs share: a call of the cluster, and its answer about one job. */
#ifndef CONCLAVE_CLIENTS_WEB_JOBS_H
#define CONCLAVE_CLIENTS_WEB_JOBS_H

#include "clients/web/http.h"

/* Asks the cluster for the request (takes the message); `take` is the next step. */
void job_ask(struct request *request, struct message *message,
             void (*take)(struct waiter *waiter, struct client_call *call));

/* The row of an answer about one job; NULL after an answer to the request. */
const struct wire_job_row *job_of_answer(struct request *request, const struct client_call *call);

#endif

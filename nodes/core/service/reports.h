/* reports.h - fills answers to clients from the node's state; changes nothing. */
#ifndef CONCLAVE_CORE_REPORTS_H
#define CONCLAVE_CORE_REPORTS_H

#include "nodes/core/service/service_types.h"
#include "shared/base/text.h"

void report_job(const struct service *service, struct message *message, const struct job *job,
                struct wire_job_row *row);

/* What was computed again for the job, since workers were lost. */
void report_losses(const struct service *service, struct message *message, const struct job *job,
                   struct wire_job *answer);

/* Where its time went; nothing when that is not known. */
void report_timing(const struct service *service, struct message *message, const struct job *job,
                   struct wire_job *answer);
void report_jobs(const struct service *service, struct message *message, job_id_t after,
                 struct wire_job_page *page);

/* False: the trace of the job is not kept. */
bool report_trace(const struct service *service, struct message *message, const struct job *job,
                  op_id_t after, struct wire_trace_page *page);
void report_status(const struct service *service, struct message *message,
                   struct wire_status *status);

/* Lines for people: where a job is and what it waits for. */
void report_explanation(const struct service *service, const struct job *job, struct text *out);

#endif

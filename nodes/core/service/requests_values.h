/* requests_values.h - between requests_values.c and the other files of the service. */
#ifndef CONCLAVE_CORE_REQUESTS_VALUES_H
#define CONCLAVE_CORE_REQUESTS_VALUES_H

#include "nodes/core/service/requests_internal.h"

/* The stored value, if there is one and the asker may see it; NULL: to it there is none. */
struct stored_value *requests_see_value(const struct service *service, job_id_t id);

/* Fills the row of a value, for its clients. */
void requests_write_value(const struct service *service, struct message *message,
                          const struct stored_value *value, struct wire_value_row *row);

/* The entry is applied for which WAIT_VALUE and WAIT_DROP wait: answers. */
void requests_value_applied(struct service *service, struct waiter *waiter);

/* Answers WAIT_SEGMENT, when the segment has come to its end: true. */
bool requests_answer_segment(struct service *service, const struct waiter *waiter);

/* False, and the caller is told, when the asker's key may not keep so many bytes more, those that
 * it is about to keep included. */
bool requests_value_within_quota(struct service *service, struct caller caller, uint64_t bytes,
                                 uint64_t pending_bytes);

#endif

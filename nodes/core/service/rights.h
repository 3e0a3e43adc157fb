/* rights.h - what whoever asks may do and see: the role that a request needs, and whose the jobs
 * are.
 *
 * A job belongs to the name of the key that submitted it. admin sees all jobs; monitor sees all,
 * but no results; the others see their own, and what is not theirs does not exist for them. A job
 * without an owner, of a time without keys, is for admin. Without keys (--insecure) everything is
 * everybody's. The request at hand is asked by service->asker. */
#ifndef CONCLAVE_CORE_RIGHTS_H
#define CONCLAVE_CORE_RIGHTS_H

#include "nodes/core/service/requests.h"
#include "shared/base/text.h"

/* Whether the asker's role suffices for the request; else why not, in one line. */
bool rights_suffice(const struct service *service, const struct request_row *row, struct text *why);

/* Whether all jobs are to be seen, and not only the asker's own. */
bool rights_see_all(const struct service *service);
bool rights_see_owner(const struct service *service, const char *owner);
bool rights_see_job(const struct service *service, const struct job *job);
bool rights_see_results(const struct service *service);

/* Whether quotas hold for the asker: with a key that is not admin's, which could give itself any.
 */
bool rights_are_bounded(const struct service *service);

/* The owner of what is made now; empty without keys. */
const char *rights_owner(const struct service *service);

/* Clients choose keys, and two of them may choose the same: with an owner, a key that is no
 * session's is kept as OWNER/KEY, which no name and no other key can be; but admin who submits with
 * a key of a job without an owner means that job. Changes the request. */
void rights_scope_key(const struct service *service, struct message *request);

/* The key of a job as its client gave it. Borrowed. */
const char *rights_given_key(const struct job *job);

#endif

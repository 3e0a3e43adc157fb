/* requests_internal.h - between requests.c and the files that answer some of the requests. */
#ifndef CONCLAVE_CORE_REQUESTS_INTERNAL_H
#define CONCLAVE_CORE_REQUESTS_INTERNAL_H

#include "nodes/core/service/service_types.h"

/* Who asks, and the number that the answer must carry. */
struct caller {
    uint64_t client, request;
};

static inline struct caller caller_of(uint64_t client, const struct message *request)
{
    return (struct caller){client, request->as.request.request};
}

void requests_refuse(struct service *service, struct caller caller, const char *code,
                     const char *reason);

/* False: too many wait. */
bool requests_wait(struct service *service, struct waiter waiter);

/* False, and the caller is told, when nothing new can be taken in now. */
bool requests_may_propose(struct service *service, struct caller caller);

/* Answers with bytes of a kept value of that length, from an offset within it: as many as come at
 * once, as the message's further frame. Takes the message. */
void requests_reply_chunk(struct service *service, uint64_t client, struct message *message,
                          struct value_id id, uint64_t offset, uint64_t len);

/* Why what came with that level of entries (ENTRY_LEVEL) cannot be logged yet: the code of the
 * refusal, and the `reason` for people; `what` does a node of an earlier release not know? NULL: it
 * can be. */
const char *requests_unknown_to_some(const struct service *service, uint64_t level,
                                     const char *what, struct text *reason);

/* True, and the caller is told, when a key without an outcome may have had one. */
bool requests_are_forgotten(struct service *service, struct caller caller, enum key_use use,
                            struct slice key);

/* False, and the caller is told, when the asker's key has as many jobs open, or keeps as much, as
 * it may. */
bool requests_within_quota(struct service *service, struct caller caller);

log_index_t requests_pending_key(const struct service *service, enum message_type type,
                                 struct slice key);

/* Why a job with these options for tasks, or that repeats those of another, is refused; NULL: it is
 * not. */
const char *requests_check_tasks(const struct service *service, const struct wire_submit *submit,
                                 const struct plan *plan, struct text *reason);

/* The options, for the entry of the job. */
void requests_add_options(struct message *entry, const struct wire_submit *submit);

/* The answer to a progress request. */
void requests_reply_progress(struct service *service, struct caller caller, bool found,
                             uint64_t state, uint64_t snapshot);

/* The entry is being applied that forgets what job_forget named. */
void requests_reply_forgotten(struct service *service, struct caller caller);

/* An entry with a list of keys of that version is being applied, or an earlier one of the same. */
void requests_access_applied(struct service *service, struct caller caller, uint64_t version);
/* The job, if there is one and the asker may see it; NULL, and the caller is told. */
struct job *requests_find_job(struct service *service, struct caller caller, job_id_t id);

void requests_refuse_job(struct service *service, struct caller caller, job_id_t job);
void requests_reply_job(struct service *service, struct caller caller, const struct job *job,
                        bool created);

#endif

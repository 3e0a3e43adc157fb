/* library.h - what the files of libconclave share. What conclave_open() makes is a struct library;
 * the command line hands the connection that it has to the same functions. */
#ifndef CONCLAVE_CLIENTS_LIBRARY_H
#define CONCLAVE_CLIENTS_LIBRARY_H

#include "clients/ask/cluster.h"
#include "clients/ask/submission.h"
#include "clients/library/conclave.h"
#include "shared/base/options.h"

struct library {
    struct conclave connection;   /* first */
    char *access, *dir, *brokers; /* owned; NULL: none */
};

/* What is opened of a connection keeps it: it ends when all of it is closed, whatever is closed
 * first. ZeroMQ would wait for the sockets of the others for ever. */
void library_use(struct conclave *cluster);
void library_let_go(struct conclave *cluster);

/* Writes the key that was given, or a new one when it is NULL. A code and the reason for a bad one.
 */
int library_key(struct conclave *cluster, const char *given, char at[JOB_KEY_TEXT_MAX]);

/* Reads a job's id. Likewise. */
int library_id(struct conclave *cluster, const char *text, job_id_t *out);

/* Checks the number of a node, and the name of what a node keeps: "an account". Likewise. */
int library_node(struct conclave *cluster, unsigned node);
int library_name(struct conclave *cluster, const char *what, const char *name);

/* What a row tells, and what a coordinator does. */
void library_job(const struct wire_job_row *row, struct conclave_job *out);
void library_status(const struct wire_status *status, struct conclave_status *out);

/* Told how a job that is waited for stands: every `every_us` once it is known, and at the end.
 * False: the waiting ends with EXIT_TIMEOUT. */
struct library_watch {
    bool (*look)(void *context, const struct wire_job_row *row);
    void *context;
    uint64_t every_us;
};

/* Brings a submission to its end: submits it, when it has a key, and waits for it unless that is
 * not wanted. `watch` may be NULL. A code and the reason: why nothing is known of the job's own
 * end, which is in its row. After a signal the submission has not ended. */
int library_settle(struct conclave *cluster, struct submission *submission,
                   const struct library_watch *watch);

/* Cancels a job. EXIT_OK and its row (caller drops), or a code and the reason: also when it is
 * finished already. */
int library_cancel(struct conclave *cluster, job_id_t job, struct message **row);

/* The list of keys as the log has it (an ACCESS, caller drops), and another one for it: answered
 * once a majority has it. A code and the reason. */
int library_access_get(struct conclave *cluster, uint64_t within_us, struct message **access);
int library_access_set(struct conclave *cluster, uint64_t within_us, uint64_t version,
                       struct slice list);

/* Has a node (0: the lowest that is alive) found a cluster: an INITED (caller drops). Likewise. */
int library_init(struct conclave *cluster, uint64_t node, struct message **inited);

/* Gets a job's row (caller drops); `timing`: with where its time went. */
int library_get(struct conclave *cluster, job_id_t job, bool timing, struct message **row);

#endif

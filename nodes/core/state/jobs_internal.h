/* jobs_internal.h - between the files of the table of jobs only: jobs.c (the table),
 * finished_jobs.c (which of them goes first), live_results.c (what is done of its jobs),
 * jobs_checkpoint.c (a job in a checkpoint) and jobs_table.c (how the state handles it). */
#ifndef CONCLAVE_CORE_JOBS_INTERNAL_H
#define CONCLAVE_CORE_JOBS_INTERNAL_H

#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/jobs.h"

/* --- jobs.c --- */

/* Puts a new job into the order of ids. */
struct job *jobs_insert(struct jobs *jobs, job_id_t id, struct slice key, const struct plan *plan,
                        unsigned level);

/* Puts a job that is not finished among those. From a checkpoint they may come in any order. */
void jobs_link_open(struct jobs *jobs, struct job *job);

/* A job is finished, with its result and `ended`. */
void jobs_add_finished(struct jobs *jobs, struct job *job);

/* The stored values that it names, at most INPUTS_MAX. */
void job_read_inputs(struct job *job, const struct wire_value_ref *inputs, size_t n);

void jobs_set_state(struct jobs *jobs, struct job *job, enum job_state state);

/* A text that is there is all of the result: clients are given pieces of it by their offsets. */
bool job_text_fits(struct slice text, uint64_t digits);

/* --- finished_jobs.c --- */

/* A job is finished, with its result and `ended`; or it goes. */
void finished_jobs_add(struct finished_jobs *finished, struct job *job);
void finished_jobs_remove(struct finished_jobs *finished, struct job *job);

void finished_jobs_clear(struct finished_jobs *finished);
void finished_jobs_check_invariants(const struct jobs *jobs);

/* --- live_results.c --- */

/* True when an entry about finished operations holds what it must. */
bool jobs_done_is_valid(const struct message *entry);

/* Takes the finished operations of an entry in; nothing for a job that is unknown or finished. */
void jobs_apply_ops(struct jobs *jobs, const struct message *entry);

/* A live result: of an entry or a part; of a part of a checkpoint. */
bool job_has_op(const struct job *job, const struct wire_done_op *op);
void job_load_done(struct job *job, const struct message *part, const struct wire_done_op *op);
void job_clear_live(struct job *job, struct released *released);

/* How much a node has executed for the job, as the line says. */
void job_log_executed(struct job *job, const struct wire_tally *tally);

/* Makes room for the trace of a job that is short enough for one. Not before something is done of
 * it: ten thousand jobs that wait would take 150 MB. */
void job_open_trace(struct job *job);

/* --- jobs_checkpoint.c --- */

/* Packs a job and its live results; `saved`: its row. */
void job_save(struct checkpoint_sink *sink, const struct state *state, const struct row *saved);

#endif

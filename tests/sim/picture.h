/* picture.h - what a snapshot says of jobs, their tasks and the progress, read from its bytes by
 * this test itself; and what must come of that in the cluster that is restored from it. */
#ifndef CONCLAVE_SIM_PICTURE_H
#define CONCLAVE_SIM_PICTURE_H

#include "shared/snapshot/model.h"
#include "tests/sim/tasks.h"

struct picture;

/* Of a snapshot that the world `before` took, as it was kept. The outcomes that it tells must be
 * those that this world had in the end. Caller frees. */
struct picture *picture_new(const struct world *before, const struct snapshot_model *model);
void picture_free(struct picture **picture);

/* In the restored world: a task begins, or has an outcome there. True when the picture says which
 * one that is, and it is that. */
void picture_task_begins(struct world *world, node_id_t id, job_id_t job, uint64_t task);
bool picture_task_ended(struct world *world, node_id_t id, const struct task_outcome *outcome);

/* When all is quiet: each job of it is there, unless `lacks` values, and has ended as it did
 * before; all counters go on from where they were. */
void picture_check_end(struct world *world, bool lacks);

/* So many tasks have an outcome in it; so many of those that may be begun once were begun. */
uint64_t picture_ended(const struct picture *picture);
uint64_t picture_begun(const struct picture *picture);

#endif

/* task_disk.h - the scratch disks of the simulated nodes: segments of tasks' files, each a file of
 * one life of its node (nodes/work/staging.h). A disk that is full, or fails, does not take them.
 */
#ifndef CONCLAVE_SIM_TASK_DISK_H
#define CONCLAVE_SIM_TASK_DISK_H

#include "tests/sim/world.h"

#define TASK_DISK_PATH_MAX 48

/* OUTPUT_KEEP and OUTPUT_DROP for USER_FILES; PENDING_STAGED. */
void task_disk_write(struct world *world, node_id_t id, struct value_id value, struct blob *bytes);
void task_disk_end(struct world *world, const struct pending *pending);
void task_disk_drop(struct world *world, node_id_t id, struct value_id value);

/* Writes the path of the file with these bytes to `room`, and returns it. NULL: there is none. */
const char *task_disk_path(const struct world *world, node_id_t id, const struct task_part *part,
                           char room[TASK_DISK_PATH_MAX]);

/* What is in the file with that path. Borrowed; NULL: there is none. */
const struct blob *task_disk_read(const struct world *world, node_id_t id, const char *path);

/* Nobody needs files any more: fails when there are some. */
void task_disk_check_gone(const struct world *world, node_id_t id);

void task_disk_lose(struct world *world, node_id_t id);

#endif

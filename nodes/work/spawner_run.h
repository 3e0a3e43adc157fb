/* spawner_run.h - one command, and what it needs of the socket to the node. For the files that
 * implement spawner.h only. */
#ifndef CONCLAVE_WORK_SPAWNER_RUN_H
#define CONCLAVE_WORK_SPAWNER_RUN_H

#include "nodes/work/spawner_internal.h"

/* Runs `run->order`, and fills in a zeroed run->result. Everything of it is over when this returns,
 * unless result->survived. */
void run_command(struct run *run);

/* Takes a BYTES of that length, to `fd` (-1, or after an error of writing: to nowhere). Returns the
 * errno of writing. Ends the process when the node is gone or says something else: then nothing has
 * been started, and the node's next start removes the directory. */
int spawner_take_bytes(struct spawner *spawner, uint64_t len, int fd);

/* Takes what there is while a command runs. False: the node is gone, or says something else than a
 * cancel. */
bool spawner_take_cancel(struct spawner *spawner, uint64_t *serial);

#endif

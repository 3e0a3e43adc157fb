/* launch.h - a supervisor in the background, and the wait until its cluster serves. */
#ifndef CONCLAVE_CLIENTS_LAUNCH_H
#define CONCLAVE_CLIENTS_LAUNCH_H

#include <sys/types.h>

#include "clients/cli.h"
#include "clients/local/supervisor.h"
#include "shared/base/text.h"

struct launch {
    pid_t pid;
    int pipe; /* the supervisor writes its last words there */
};

/* Forks the supervisor, in a session of its own and without our files; its remarks go to
 * DIR/supervisor.log. With `bound` it ends when this process dies. Before any use of ZeroMQ. */
int launch_start(const struct supervisor_config *config, bool bound, struct launch *launch);

/* Waits until a coordinator serves (EXIT_OK, with the answer to status_get, which the caller
 * drops). Else ends the supervisor and all of its processes, and returns the exit code after one
 * line in `why`. */
int launch_wait(struct cli *cli, const struct supervisor_config *config, struct launch *launch,
                struct message **status, struct text *why);

/* Ends the cluster and waits for it. */
void launch_end(struct launch *launch);

#endif

/* spawner.h - the process that starts commands: one thread, one command at a time, and no more to
 * do with the node than a socket.
 *
 * It is the node's own program, called as `PROGRAM spawner` with one end of a socket pair as
 * descriptor SPAWNER_FD: so it is the same release, starts the same way at any time, and no process
 * with threads is ever forked. As the reaper of orphans (PR_SET_CHILD_SUBREAPER) that runs one
 * command at a time it knows whose they are: all that are left when a command ends are that
 * command's, whatever sessions or groups they went to. When the socket closes, the node is gone: it
 * kills what runs, and ends. */
#ifndef CONCLAVE_WORK_SPAWNER_H
#define CONCLAVE_WORK_SPAWNER_H

#include <stdbool.h>

#define SPAWNER_WORD "spawner"
#define SPAWNER_FD   3

/* This program was called as a spawner. Before it makes any thread. */
bool spawner_is_called(int argc, char **argv);

/* Serves until the socket closes; returns the exit code. */
int spawner_main(void);

#endif

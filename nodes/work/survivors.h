/* survivors.h - what is left of commands whose spawner, or whole node, was killed.
 *
 * A spawner keeps a record of what it runs, a file of one line, beside its outputs: the pid of the
 * command, when that process began, in which boot, and the scratch directory, whose name no other
 * command ever has. Whoever comes after it ends exactly that: the process of that pid and that
 * beginning, all of the session that it leads, and every process whose environment names that
 * scratch directory. A process that merely got the same pid is none of these. */
#ifndef CONCLAVE_WORK_SURVIVORS_H
#define CONCLAVE_WORK_SURVIVORS_H

#include <sys/types.h>

#include "shared/base/text.h"

#define SURVIVOR_TEXT_MAX 8192

/* Writes the record into an open file; no pid yet: 0. False: it could not be written. */
bool survivors_note(int fd, pid_t pid, const char *scratch);
void survivors_clear(int fd);

/* Kills what the record names, removes its scratch directory and the record. Returns how many
 * processes there were. Without a record nothing. Waits some seconds at most. */
unsigned survivors_end(const char *record);

/* The same for all records of a directory, called *.running. */
unsigned survivors_end_all(const char *dir);

#endif

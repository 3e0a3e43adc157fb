/* thread.h - starts a thread of a node's program. */
#ifndef CONCLAVE_WORK_THREAD_H
#define CONCLAVE_WORK_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Runs `run(argument)` in a thread with a stack of so many bytes; panics when there can be none.
 * `name` is for that message ("store"). Caller joins. */
pthread_t thread_start(const char *name, size_t stack_bytes, void *(*run)(void *), void *argument);

#endif

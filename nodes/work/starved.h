/* starved.h - for how long a thread has wanted a processor and got none: what the kernel counts as
 * "time spent waiting on a runqueue" (schedstat's second number, Documentation/scheduler/
 * sched-stats.rst). Who computes, and is given no processor, is neither slow nor stuck. */
#ifndef CONCLAVE_WORK_STARVED_H
#define CONCLAVE_WORK_STARVED_H

#include <stdint.h>

/* Of the calling thread; returns a descriptor for starved_us(), -1: the kernel does not tell. */
int starved_open(void);
void starved_close(int fd);

/* Microseconds so far, of the thread that opened it. Any thread. 0 with -1. Takes some 2 us. */
uint64_t starved_us(int fd);

#endif

/* starved.h - for how long a thread has wanted a processor and got none: what the kernel counts as
 * "time spent waiting on a runqueue" (schedstat's second number, Documentation/scheduler/
 * sched-stats.rst). Who computes, and is given no processor, is neither slow nor stuck. */
#ifndef CONCLAVE_WORK_STARVED_H
#define CONCLAVE_WORK_STARVED_H

#include <stdbool.h>
#include <stdint.h>

/* Of the calling thread; returns a descriptor for starved_us(), -1: the kernel does not tell. */
int starved_open(void);
void starved_close(int fd);

/* Microseconds so far that the thread that opened it has run, and wanted to run. Any thread. False
 * with -1, or when the kernel does not tell. Takes some 2 us. */
bool starved_read(int fd, uint64_t *ran_us, uint64_t *waited_us);

/* What it has wanted alone; 0: none, or not known. */
uint64_t starved_us(int fd);

#endif

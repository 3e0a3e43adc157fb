/* logger.h - a thread that writes the lines of the log: a disk that hangs, or a pipe that nobody
 * reads, must not stop the event loop.
 *
 * Lines wait in order, up to LOG_WAITING_BYTES of them; beyond, they are left out, counted, and
 * told of when there is room again. */
#ifndef CONCLAVE_IO_LOGGER_H
#define CONCLAVE_IO_LOGGER_H

/* From now on log_write() hands lines over, from any thread. One a process. */
void logger_start(void);

/* Waits until what was handed over is written, for LOG_FLUSH_US at most: before a line that goes to
 * stderr past the log, and before the process ends. Any thread; without a logger it does nothing.
 */
void logger_flush(void);

/* The same, and ends the thread: lines are written at once again. When it hangs, leaves it. */
void logger_stop(void);

#endif

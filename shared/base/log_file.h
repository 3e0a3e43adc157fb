/* log_file.h - a bound on the file that this process logs to: once it is longer, it becomes FILE.1
 * in the place of the one before, and FILE is empty again. A log must not fill the disk that the
 * data is on. */
#ifndef CONCLAVE_BASE_LOG_FILE_H
#define CONCLAVE_BASE_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>

/* From now on the file that stderr is has at most about `limit_bytes`, and a line. Does nothing
 * when stderr is not a regular file, or the limit is 0. Call it once, at the start. */
void log_file_limit(uint64_t limit_bytes);

/* So many bytes were written to stderr. Any thread; waits for none. */
void log_file_wrote(size_t len);

#endif

/* log.h - one line a record on stderr: "2026-11-21T00:00:00.000Z info  node 3: text". */
#ifndef CONCLAVE_BASE_LOG_H
#define CONCLAVE_BASE_LOG_H

#include "shared/base/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* Says who speaks ("node 3", "broker") and the least urgent level that is written.
 * Copies the name. */
void log_open(const char *who, enum log_level level);

bool log_enabled(enum log_level level);

/* Writes one line; control bytes in it are escaped. Any thread. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, past whoever log_through() names. */
void log_write_now(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* From now on whole lines go to `take`, which copies them and brings them to log_put(); NULL: they
 * are written at once. */
void log_through(void (*take)(const char *line, size_t len));

/* Writes a line, as it is. */
void log_put(const char *line, size_t len);

/* Parses "error", "warn", "info" or "debug"; ERR_MALFORMED otherwise. */
int log_parse_level(struct slice text, enum log_level *out);

#endif

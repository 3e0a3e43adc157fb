/* clock.h - the two clocks. Only the runtime reads them; the cores get the time with each event. */
#ifndef CONCLAVE_BASE_CLOCK_H
#define CONCLAVE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds since an arbitrary point; never jumps (CLOCK_MONOTONIC). For every deadline. */
uint64_t clock_now_us(void);

/* Milliseconds since 1970 UTC; may jump. For people only. */
uint64_t clock_wall_ms(void);

/* Writes ISO 8601 UTC with milliseconds, "2026-11-21T00:00:00.000Z"; returns `at`. */
#define CLOCK_TEXT_MAX 40
char *clock_text(uint64_t wall_ms, char at[CLOCK_TEXT_MAX]);

#endif

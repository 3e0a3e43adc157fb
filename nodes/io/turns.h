/* turns.h - how long the turns of the event loop take, and in what: a loop that stands still looks
 * like a node that died, so the longest turn of the last minute is told with every heartbeat. */
#ifndef CONCLAVE_IO_TURNS_H
#define CONCLAVE_IO_TURNS_H

#include <stdint.h>

#define TURNS_WINDOWS 7 /* the minute is kept in ten-second pieces, the present one included */

/* One piece of time. */
struct turns_window {
    uint64_t number; /* which ten seconds of the clock */
    uint64_t longest_us;
    const char *in; /* what took most of that turn; a static string */
};

/* Zero-initialize. */
struct turns {
    uint64_t began_us, part_us; /* of the present turn, and of its present part; 0: it waits */
    uint64_t most_us;           /* of its longest part so far ... */
    const char *most;           /* ... and what that was */
    struct turns_window windows[TURNS_WINDOWS];
};

/* The loop has woken. */
void turns_begin(struct turns *turns, uint64_t now_us);

/* The part of the turn that ends now was spent in this (a static string). */
void turns_part(struct turns *turns, const char *in, uint64_t now_us);

/* The turn ends. Returns its length. */
uint64_t turns_end(struct turns *turns, uint64_t now_us);

/* The longest turn of the last minute in microseconds, 0 when there was none; `in` is then what it
 * was in. */
uint64_t turns_longest(const struct turns *turns, uint64_t now_us, const char **in);

#endif

/* turns.h - how long the turns of the event loop take, and in what: a loop that stands still looks
 * like a node that died, so the longest turn of the last minute is told with every heartbeat.
 *
 * A loop that wants to go on but is given no processor stands still as well, and is not to blame:
 * what the kernel counts of that (schedstat's second number) is told apart. So is a processor that
 * was taken away without its knowledge, by interrupts or by the host of a virtual machine: whoever
 * has not given it up itself has waited for nothing, no lock and no disk, whatever time has passed.
 */
#ifndef CONCLAVE_IO_TURNS_H
#define CONCLAVE_IO_TURNS_H

#include "nodes/core/node.h"

#define TURNS_WINDOWS 7 /* the minute is kept in ten-second pieces, the present one included */

/* One piece of time. */
struct turns_window {
    uint64_t number; /* which ten seconds of the clock */
    uint64_t longest_us;
    const char *in;  /* what took most of that turn; a static string */
    uint64_t own_us; /* the longest, without what it waited for a processor */
    const char *own_in;
    uint64_t faults, blocked; /* of that one */
};

/* What the kernel has counted of a thread so far, or between two moments. */
struct turns_used {
    uint64_t ran_us;   /* on a processor */
    uint64_t wait_us;  /* for one */
    uint64_t faults;   /* pages that were made for it */
    uint64_t given_up; /* how often it gave up its processor, to wait for something */
};

/* What comes in one turn is answered together, unless the turn takes longer. */
#define TURN_GATHER_US (2 * MS_US)

/* Zero-initialize; without turns_open() waiting for a processor is not told apart. */
struct turns {
    int schedstat;              /* a descriptor; 0: none */
    uint64_t told_us;           /* when that was read last before the present turn ... */
    struct turns_used used;     /* ... and what it said */
    struct turns_used last;     /* what the turn that ended last has used, if it was a long one */
    uint64_t began_us, part_us; /* of the present turn, and of its present part; 0: it waits */
    uint64_t most_us;           /* of its longest part so far ... */
    const char *most;           /* ... and what that was */
    struct turns_window windows[TURNS_WINDOWS];
};

/* For turns of the calling thread. Does nothing where the kernel does not tell. */
void turns_open(struct turns *turns);
void turns_close(struct turns *turns);

/* The loop has woken. */
void turns_begin(struct turns *turns, uint64_t now_us);

/* The part of the turn that ends now was spent in this (a static string). */
void turns_part(struct turns *turns, const char *in, uint64_t now_us);

/* The turn ends. Returns its length. */
uint64_t turns_end(struct turns *turns, uint64_t now_us);

/* The length of the turn that ended last, without what it waited for a processor; of one that never
 * gave up its processor, what it computed. */
uint64_t turns_own_us(const struct turns *turns, uint64_t took_us);

/* The longest turns of the last minute; 0 when there was none. */
struct turn_report turns_longest(const struct turns *turns, uint64_t now_us);

#endif

/* access_follow.h - the list of keys: what the log has goes to the doors and into allowed.json, and
 * what is newer in the coordinator's file goes into the log. */
#ifndef CONCLAVE_IO_ACCESS_FOLLOW_H
#define CONCLAVE_IO_ACCESS_FOLLOW_H

#include <stdint.h>

struct runtime;

/* Zero-initialize. */
struct access_follow {
    uint64_t refused;    /* a version in the log that the doors did not take, or that is too long */
    uint64_t offered_us; /* when the file was last proposed */
};

/* Looks whether one of the two is newer. Call it in each turn; cheap. */
void access_follow(struct runtime *runtime, uint64_t now_us);

#endif

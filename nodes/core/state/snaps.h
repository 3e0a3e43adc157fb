/* snaps.h - the progress snaps that clients' keys have taken: which snap a repeated request took.
 */
#ifndef CONCLAVE_CORE_SNAPS_H
#define CONCLAVE_CORE_SNAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

struct snap_key {
    char key[KEY_STORED_MAX + 1];
    uint64_t snapshot;
};

/* Zero-initialize. */
struct snaps {
    struct snap_key *at; /* the latest ones, oldest first; owned */
    size_t n;
};

/* The snap that a key has taken, if any; `snapshot` may be NULL. */
bool snaps_find(const struct snaps *snaps, struct slice key, uint64_t *snapshot);
void snaps_add(struct snaps *snaps, struct slice key, uint64_t snapshot);

/* Takes the oldest one off when there are more than `kept`; false: there are not. */
bool snaps_forget_one(struct snaps *snaps, size_t kept, struct snap_key *out);

#endif

/* The progress snaps that clients' keys have taken. Declared in jobs.h. */
#include <string.h>

#include "nodes/core/state/jobs.h"
#include "shared/base/text.h"

bool jobs_find_snap(const struct jobs *jobs, struct slice key, uint64_t *snapshot)
{
    for (size_t i = jobs->n_snaps; i-- > 0;) {
        if (!slice_equals(key, jobs->snaps[i].key))
            continue;
        if (snapshot)
            *snapshot = jobs->snaps[i].snapshot;
        return true;
    }
    return false;
}

void jobs_add_snap(struct jobs *jobs, struct slice key, uint64_t snapshot)
{
    if (!jobs->snaps)
        jobs->snaps = mem_new(SNAP_KEYS_MAX + 1, sizeof *jobs->snaps);
    if (jobs->n_snaps > SNAP_KEYS_MAX)
        return; /* a checkpoint has more than it may have */
    struct snap_key *snap = &jobs->snaps[jobs->n_snaps++];
    snap->snapshot = snapshot;
    text_copy(snap->key, sizeof snap->key, key);
}

bool jobs_forget_snap(struct jobs *jobs, size_t kept, struct snap_key *out)
{
    if (jobs->n_snaps <= kept)
        return false;
    *out = jobs->snaps[0];
    memmove(jobs->snaps, jobs->snaps + 1, --jobs->n_snaps * sizeof *jobs->snaps);
    return true;
}

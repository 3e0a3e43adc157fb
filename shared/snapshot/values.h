/* values.h - the values on disk that the checkpoint in a snapshot names: they are no part of the
 * snapshot itself, which has their hashes. */
#ifndef CONCLAVE_SNAPSHOT_VALUES_H
#define CONCLAVE_SNAPSHOT_VALUES_H

#include "shared/base/hash.h"
#include "shared/snapshot/model.h"

struct snapshot_value {
    uint64_t job, op; /* its id: of a job or of a stored value */
    uint64_t len;
    uint8_t sha256[HASH_BYTES];
    bool here; /* its bytes were found: the caller's */
};

/* Zero-initialize. */
struct snapshot_values {
    struct snapshot_value *at; /* by job and op; owned */
    size_t n, size;
};

/* All that the model's checkpoint names. Caller clears. */
void snapshot_values_of(const struct snapshot_model *model, struct snapshot_values *out);
void snapshot_values_clear(struct snapshot_values *values);

/* Its row; NULL: the checkpoint names no such value. */
struct snapshot_value *snapshot_value_find(const struct snapshot_values *values, uint64_t job,
                                           uint64_t op);

#endif

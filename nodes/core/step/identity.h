/* identity.h - what makes a cluster this one, and a disk that one.
 *
 * A cluster's identity is made once, at its founding, and kept by every disk beside term and vote.
 * A disk's birth is the first incarnation on it: a restart keeps it, and no two disks
 * have the same. */
#ifndef CONCLAVE_CORE_IDENTITY_H
#define CONCLAVE_CORE_IDENTITY_H

#include <stdbool.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/types.h"

/* All zero: none. The disk is blank, it has never belonged to a cluster. */
struct identity {
    uint8_t cluster_id[CLUSTER_ID_BYTES]; /* random; all zero for none */
    node_id_t founder;
    uint32_t n_nodes, n_voters; /* as they were at the founding, for ever */
    /* Of the voters' disks at the founding; 0: not known, any disk of that voter will do. */
    incarnation_t births[NODES_MAX + 1];
};

static inline bool identity_is_set(const struct identity *identity)
{
    static const uint8_t none[CLUSTER_ID_BYTES];
    return memcmp(identity->cluster_id, none, sizeof none) != 0;
}

static inline bool identity_same_cluster(const struct identity *a, const struct identity *b)
{
    return !memcmp(a->cluster_id, b->cluster_id, CLUSTER_ID_BYTES);
}

#endif

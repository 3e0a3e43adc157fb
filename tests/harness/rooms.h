/* rooms.h - the rooms of one node through their doors, without a node: what each does alone. */
#ifndef CONCLAVE_HARNESS_ROOMS_H
#define CONCLAVE_HARNESS_ROOMS_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"

enum { SELF = 1, PEER = 2, NODES = 3 };

/* What the rooms of one node share. */
struct rooms {
    struct step step;
    struct links links;
    struct state state;
    struct raft raft;
    size_t applied;
    bool snapshots_named; /* what the owner says of values that no entry names */
};

/* Node SELF of NODES; caller frees. Whatever its entries make be forgotten is forgotten. */
struct rooms *rooms_new(uint32_t n_voters);
void rooms_free(struct rooms *it);

void rooms_drop_facts(struct rooms *it);
size_t rooms_count_outputs(const struct rooms *it, enum output_kind kind);

/* The only voter of the cluster elects itself. */
void rooms_elect_alone(struct rooms *it);

#endif

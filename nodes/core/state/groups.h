/* groups.h - the rows of a table in groups, each of which is packed as a whole and then shared by
 * all checkpoints until one of its rows changes: so a checkpoint costs what has changed.
 *
 * A row joins the newest group when it is made and stays in its group. So rows that were made one
 * after another are together, which is where jobs change: they are made, finish soon, and are
 * forgotten in about that order. A group of which most rows went is merged with its neighbour: any
 * two neighbours have more rows than half a group, so there are never more than four times as many
 * groups as full ones would be, however rows go.
 *
 *   changed --packed--> packed --a row of it changes, comes or goes--> changed
 */
#ifndef CONCLAVE_CORE_GROUPS_H
#define CONCLAVE_CORE_GROUPS_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/row.h"

struct row_group {
    struct row_group *older, *newer;
    enum row_table table;
    uint64_t number;   /* of the table's groups, in the order in which they began */
    uint64_t saved;    /* the newest checkpoint that has it, or that began before it did */
    struct row **rows; /* in the order in which they came; the rows are not owned */
    size_t n;
    /* What follows holds until the group changes. */
    struct checkpoint *packed; /* its parts; owned; NULL: it has changed */
    bool open;                 /* some rows are (state_table.h) */
    bool late;                 /* some have more, which each checkpoint packs anew */
    struct checkpoint *closed; /* what a snapshot has in place of its other rows; likewise */
};

/* Of one table. Zero-initialize. */
struct row_groups {
    struct row_group *oldest, *newest;
    uint64_t last; /* number given */
    size_t n;
};

/* The group that the next row joins, of at most so many; NULL: it begins a new one. */
struct row_group *groups_joined(const struct row_groups *groups, size_t most);

/* Adds a row to it, which the caller has told that it changes; `saved`: of a new group. */
void groups_add(struct row_groups *groups, enum row_table table, struct row *row, size_t most,
                uint64_t saved);

/* Removes a row from its group, which stays, even empty. Likewise. */
void groups_remove(struct row *row);

/* The neighbour that the group is to be merged with, or that it would be if it is empty and has
 * none: itself; NULL: it is large enough. */
struct row_group *groups_too_small(struct row_group *group, size_t most);

/* Moves the rows of `newer` to the end of `older`, its neighbour; likewise. Then `newer` is empty.
 */
void groups_merge(struct row_group *older, struct row_group *newer);

/* Frees an empty group. */
void groups_drop(struct row_groups *groups, struct row_group *group);

/* A row of it changes: what is packed is of no use. */
void groups_changed(struct row_group *group);

/* Frees the groups; their rows go elsewhere. */
void groups_clear(struct row_groups *groups);

void groups_check_invariants(const struct row_groups *groups, enum row_table table, size_t most);

#endif

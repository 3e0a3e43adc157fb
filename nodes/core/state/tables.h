/* tables.h - the tables of the replicated state: the list of them.
 *
 * A table is a row here and a file of this folder, which defines `const struct state_table
 * state_NAME` (state_table.h): what of it entries change, how a checkpoint saves and loads it, how
 * two of it are compared. From the rows come enum row_table, the members of struct state, and all
 * that is done for each table. */
#ifndef CONCLAVE_CORE_TABLES_H
#define CONCLAVE_CORE_TABLES_H

/* X(SYMBOL, name, type of the member `name` of struct state), in the order in which a checkpoint
 * holds them, and in which they take an entry in. The type is a struct whose header state_types.h
 * includes; or a pointer to one that nobody but the table's file knows and its init() allocates. */
#define STATE_TABLES(X)                                                                          \
    X(HEAD, head, struct head)                                                                   \
    X(SNAPS, snaps, struct snaps) /* before the marks of progress, which must not be newer */    \
    X(KEYS, keys, struct keys)                                                                   \
    X(PROGRESS, progress, struct progress)                                                       \
    X(RETENTION, retention, struct retention)                                                    \
    X(ACCESS_LIST, access_list, struct access_list)                                              \
    X(STORED, stored, struct stored_values) /* before the jobs that name them */                 \
    X(JOBS, jobs, struct jobs) /* after those that look whether the entry's job is still open */ \
    X(TASK_JOBS, task_jobs, struct task_jobs) /* ends jobs that those before it have made */

enum row_table {
#define X(SYMBOL, name, type) TABLE_##SYMBOL,
    STATE_TABLES(X)
#undef X
        TABLE_COUNT
};

#endif

/* state_table.h - a table of the replicated state, as whoever handles all of them sees it.
 *
 * What is NULL a table does not need, unless it says otherwise. */
#ifndef CONCLAVE_CORE_STATE_TABLE_H
#define CONCLAVE_CORE_STATE_TABLE_H

#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/fields.h"

#define TABLE_PARTS_MAX 4 /* types of messages that one table has in a checkpoint */

struct state_table {
    const char *name;

    /* An empty table, of a node that starts or to load a checkpoint into; it is all zeros before.
     * NULL: these do. */
    void (*init)(struct state *state);

    /* From now on the table is the one in use: its rows tell `watch` before they change (row.h). */
    void (*watch)(struct state *state, struct row_watch *watch);

    /* Frees what it holds and leaves zeros. */
    void (*clear)(struct state *state);
    void (*check_invariants)(const struct state *state);

    /* --- entries --- */

    /* True when an entry is of a type that this table vouches for, and holds what the type
     * promises. An entry for which no table vouches is refused. */
    bool (*check)(const struct message *entry);

    /* Takes a committed entry of any type in. Returns the job that it made or finished (borrows):
     * the table of jobs alone does; NULL: none. */
    struct job *(*apply)(struct state *state, log_index_t index, term_t term,
                         const struct message *entry);

    /* --- checkpoints: one of save_all, and save with group_rows --- */

    /* A small table: packs all of it when a checkpoint begins. */
    void (*save_all)(struct checkpoint_sink *sink, const struct state *state);

    /* A large one, row by row: packs a row. `group_rows`: so many are packed together at most
     * (groups.h). */
    void (*save)(struct checkpoint_sink *sink, const struct state *state, const struct row *row);
    size_t group_rows;

    /* The first row at or after the cursor, which moves past it; NULL: no more. For digests. */
    struct row *(*next)(const struct state *state, uint64_t *cursor);

    /* False for rows that CHECKPOINT_OPEN goes without; NULL: it has all. What it has in place of
     * them, for the rows of one group. */
    bool (*is_open)(const struct row *row);
    void (*save_closed)(struct checkpoint_sink *sink, struct row *const *rows, size_t n);

    /* Its parts, and how one is taken in (never NULL); `packed` is the same part. ERR_MALFORMED
     * when it does not fit. */
    enum message_type parts[TABLE_PARTS_MAX];
    int (*load)(struct state *state, const struct message *part, struct slice packed);

    /* Calls `want` for the values that a node needs on its disk for one of these parts. */
    void (*want_values)(const struct message *part, machine_value *want, void *wanting);

    /* --- comparing: never NULL --- */

    /* A hash of all that entries made of it. */
    uint64_t (*digest)(const struct state *state);

    /* Of a row, where `digest` leaves rows out, so that they can be remembered:
     * state_digest_with(). NULL: it has all. */
    uint64_t (*digest_row)(const struct row *row);

    /* Its fields and those of its rows, in pairs. */
    void (*compare)(const struct comparison *to, const struct state *a, const struct state *b);
};

#define X(SYMBOL, name, type) extern const struct state_table state_##name;
STATE_TABLES(X)
#undef X

extern const struct state_table *const state_tables[TABLE_COUNT];

#endif

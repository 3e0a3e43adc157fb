/* machine.h - all that the log knows of the replicated state: what its entries make is the
 * machine's business alone.
 *
 * Implemented by state/ (state_machine.h). `state` is the machine's own, as struct raft has it. */
#ifndef CONCLAVE_CORE_MACHINE_H
#define CONCLAVE_CORE_MACHINE_H

#include "nodes/core/raft/checkpoint.h"
#include "nodes/core/step/step.h"

/* A value that must be on the disk of whoever acknowledges the entry, or the checkpoint, that
 * names it; `source`: who has it, NODE_NONE: whoever sent the entry. */
typedef void machine_value(void *context, node_id_t source, struct value_id id, uint64_t len,
                           struct slice hash);

struct checkpoint_build;

struct machine {
    /* True when an entry holds what its type promises. */
    bool (*check)(const struct message *entry);

    /* Calls `each` for the values that the entry names. */
    void (*values)(const struct message *entry, machine_value *each, void *context);

    /* Takes a committed entry in; what it made of that is for raft_owner's applied() (borrows), and
     * the log's business no more than the state is. */
    void *(*apply)(void *state, log_index_t index, term_t term, const struct message *entry);

    /* True while the state names the value, or may still come to; what it says of it: false when it
     * has no hash for it. */
    bool (*names)(const void *state, struct value_id id);
    bool (*describe)(const void *state, struct value_id id, uint64_t *len,
                     uint8_t hash[HASH_BYTES]);

    /* Takes one of the values that the entries applied so far have made the state name no more; its
     * length. A checkpoint from before may name it still. False: there is none. */
    bool (*released)(void *state, struct value_id *id, uint64_t *len);

    /* A value that the log may name later is coming to this disk: its job's end looks for it. */
    void (*holds)(void *state, struct value_id id);

    /* True when nothing is under way that will change the state soon. */
    bool (*rests)(const void *state);

    /* Which disk is a voter's, as the applied log has it; 0: none yet. */
    incarnation_t *(*births)(void *state); /* NODES_MAX + 1, by id */

    /* A checkpoint of the state as it is applied now; saved() returns it when it is whole,
     * else NULL. `stores`: it is being written to this disk. */
    struct checkpoint_build *(*save)(void *state);
    struct checkpoint *(*saved)(const struct checkpoint_build *build);
    void (*stores)(void *state, const struct checkpoint *checkpoint);
    void (*end)(void *state, struct checkpoint_build **build);

    /* An empty state beside the one that goes on; loads a part into it, in order (ERR_MALFORMED
     * when it does not fit); whether all of the checkpoint is there; and puts it in place. */
    void *(*fresh)(const void *state);
    int (*load)(void *fresh, struct slice part, machine_value *each, void *each_context);
    bool (*is_whole)(const void *fresh, const struct checkpoint *checkpoint);
    void (*replace)(void *state, void **fresh);
    void (*drop)(void **fresh);
};

#endif

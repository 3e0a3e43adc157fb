/* ledger_types.h - a node's accounts and key-value state (the third seed's bank), and what it owes
 * to and has had from the ledgers of other nodes.
 *
 * Money never appears or vanishes: over all nodes, the balances and what is in outboxes and not
 * applied yet at its destination add up to what was deposited and not withdrawn, whatever is killed
 * at whatever moment. For every step that changes something writes all that it changes in one
 * transaction (a debit with its outbox message, a credit with its mark), and nothing leaves before.
 *
 *   source: debit, message n in the outbox ---TRANSFER n---> destination: credit, mark n
 *           message n forgotten            <--LEDGER_ACK n--- once that is durable
 *
 * Outbox messages are numbered per destination. Those without an acknowledgement are sent again, in
 * order, to a new incarnation of the destination, and by a new one of the source; the last-applied
 * mark tells which of them were applied. What cannot be credited comes back as an outbox message of
 * its own. */
#ifndef CONCLAVE_CORE_LEDGER_TYPES_H
#define CONCLAVE_CORE_LEDGER_TYPES_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/ledger/ledger_table.h"
#include "shared/base/map.h"
#include "shared/base/ring.h"
#include "shared/wire/message.h"

/* A TRANSFER or APP message that its destination has not acknowledged. */
struct outbox_message {
    uint64_t number;
    struct blob *packed; /* as on disk; owned */
    uint64_t amount;     /* debited here for it; 0 for what comes back, and for APP */
};

/* The outbox for one destination: the messages up to `last`. */
struct outgoing {
    struct ring pending; /* of struct outbox_message */
    size_t enqueued; /* how many of them, from the first on, are or were in the present channel */
    uint64_t last;   /* number issued */
};

/* What was applied of one source's outbox messages. */
struct incoming {
    uint64_t epoch;                /* of the source's ledger; 0: nothing was applied */
    uint64_t applied, applied_seq; /* the last number, and the persist that makes it durable */
    uint64_t awaited,
        awaited_seq; /* the number that is acknowledged next; seq 0: none is waited for */
    uint64_t durable;
    bool owed; /* an acknowledgement of `durable` is to be sent */
};

/* How a request that would change the ledger ended. */
enum ledger_outcome {
    LEDGER_DONE,
    LEDGER_INSUFFICIENT,
    LEDGER_NO_ACCOUNT,       /* or, of kv_del, no value */
    LEDGER_NO_ACCOUNT_THERE, /* on the node that a transfer goes to */
    LEDGER_OVERFLOW,
    LEDGER_TOO_MANY,
    LEDGER_OUTCOMES
};

/* A client's key, and how its request was answered. Refusals count: a try that was under way for
 * long must not move money after a later one was refused. */
struct ledger_key {
    uint64_t seq;     /* counts the keys */
    uint64_t request; /* hash of what was asked for */
    enum ledger_outcome outcome;
    uint64_t balance; /* as answered */
    char key[KEY_STORED_MAX + 1];
};

struct ledger_keys {
    struct ledger_key **ring; /* the key of number seq is at seq % limits.requests; owned */
    size_t size;
    uint64_t last;  /* seq of the newest; 0: none */
    uint64_t floor; /* what is up to here has its key in `forgotten`, and may be overwritten */
    struct map map; /* hash of a key -> struct ledger_key */
    struct keys forgotten; /* what is known of keys without an outcome */
};

/* A transfer that waits until its destination says whether the account exists. */
struct ledger_wait {
    uint64_t client;
    struct message *message; /* the request; owned reference */
    uint64_t deadline_us, ask_us;
};

struct ledger_queries {
    struct ledger_wait *waits;
    size_t n, size;
    char (*known)[LEDGER_NAME_MAX + 8]; /* LEDGER_KNOWN_MAX of "node account"; NULL: none yet */
};

/* Zero-initialize, then set the first three. */
struct ledger {
    struct step *step;
    struct links *links;
    const struct raft *raft; /* whether disks are full */
    struct ledger_table accounts, values;
    uint64_t total;      /* of all balances */
    uint64_t in_transit; /* of all outbox messages' amounts; total + in_transit <= MONEY_MAX, so
                          * that what comes back always fits */
    uint64_t epoch;      /* names this ledger to others; 0: it has not written to any */
    struct outgoing outgoing[NODES_MAX + 1]; /* by destination */
    struct incoming incoming[NODES_MAX + 1]; /* by source */
    struct ledger_keys keys;
    struct ledger_queries queries;
};

/* Takes a record back from disk, in the order of keys. ERR_CORRUPT when it does not fit. */
int ledger_restore(struct ledger *ledger, struct slice key, struct slice value);

/* True when so much more money may come to this node. */
bool ledger_has_room(const struct ledger *ledger, uint64_t amount);

/* Adds to or takes from an account, which is NULL when it is to be made; writes it. The caller has
 * checked that it fits. */
struct ledger_row *ledger_credit(struct ledger *ledger, struct slice account, uint64_t amount);
void ledger_debit(struct ledger *ledger, struct ledger_row *account, uint64_t amount);

/* Puts a value under a name; false when there are too many names. */
bool ledger_put(struct ledger *ledger, struct slice name, struct slice value);

/* Removes a value; false when there is none. */
bool ledger_delete(struct ledger *ledger, struct slice name);

void ledger_clear(struct ledger *ledger);

/* Panics when it is inconsistent; tests call it after every step. */
void ledger_check_invariants(const struct ledger *ledger);

#endif

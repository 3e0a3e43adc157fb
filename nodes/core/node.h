/* node.h - the whole brain of a node behind one door: node_step(event) -> outputs.
 *
 * Pure: no socket, disk, clock, thread or randomness. Time, randomness and every result of the
 * outside come in with events; everything that the outside must do goes out as outputs, in order.
 * The same object code runs in conclave-node and, many times over, in tests. */
#ifndef CONCLAVE_CORE_NODE_H
#define CONCLAVE_CORE_NODE_H

#include "nodes/core/raft/identity.h"
#include "shared/base/log.h"
#include "shared/wire/message.h"

/* Smaller limits of what is remembered of keys (keys.h), for tests; 0: as in limits.h. All nodes
 * must have the same ones, always. */
struct key_limits {
    uint64_t snaps;         /* up to SNAP_KEYS_MAX */
    uint64_t requests;      /* to a ledger: LEDGER_KEYS_MAX */
    uint64_t sessions;      /* SESSIONS_MAX */
    uint64_t block, blocks; /* KEY_BLOCK_HASHES, KEY_BLOCKS_MAX */
};

struct node_config {
    node_id_t id;      /* 1..n_nodes */
    uint32_t n_nodes;  /* 1..NODES_MAX */
    uint32_t n_voters; /* nodes 1..n_voters vote; 1..n_nodes */
    incarnation_t incarnation;
    uint64_t heartbeat_us;
    uint64_t election_timeout_us; /* the timeout is drawn from [T, 2T) */
    uint64_t result_max_bytes;
    uint64_t checkpoint_interval_us; /* finished operations are replicated this often, or ... */
    uint64_t compact_entries;        /* the log is compacted when it has so many entries */
    uint64_t snapshot_timeout_us;    /* who is silent for so long is missing in a snapshot */
    uint64_t snapshot_every_us;      /* the coordinator takes one so often; 0: never */
    uint64_t snapshot_keep;          /* of those */
    uint64_t snapshot_record_bytes;  /* of messages, in one recording; 0: as many as allowed */
    uint64_t snapshot_memory_bytes;  /* of all recordings and reports here; 0: the default */
    uint64_t checkpoint_bytes;       /* ... when their values are this large */
    uint64_t append_entries;         /* in one append; 0 or too many: APPEND_ENTRIES_MAX */
    /* Smaller limits, for tests; 0: as in limits.h. All nodes must have the same of the state's. */
    uint64_t image_slice_rows;   /* of a full checkpoint, packed in one slice */
    uint64_t image_bundle_rows;  /* in one part */
    uint64_t install_bytes;      /* of parts in one message */
    uint64_t progress_index_max; /* greatest index that a client may set; 0: the nodes */
    uint64_t progress_snaps_max; /* snaps that can be read */
    uint64_t jobs_kept_max;      /* finished jobs */
    struct key_limits keys;
    uint64_t random;             /* seeds what must differ between nodes */
    uint64_t sweep_every_us;     /* the disk is swept so often; 0: SWEEP_EVERY_US */
    uint64_t delay_us;           /* announced: the compute thread adds it to each operation */
    uint64_t memory_limit_bytes; /* of values held; beyond, it asks for no more work; 0: none */
    uint64_t poison_deaths;      /* an operation that kills so many workers fails; 0: never */
    uint64_t pid;
    enum log_level log_level; /* assignments are logged one by one at LOG_DEBUG only */
    const char *cluster;      /* these strings: borrows for the node's life */
    const char *host;
    const char *version;
};

/* What the disk remembers; all zero but for the birth at a first start. */
struct node_durable {
    term_t term;
    node_id_t vote; /* whom this node voted for in that term */
    bool voter; /* false: a disk that is new, or was wiped and has not caught up; it must not decide
                   elections */
    incarnation_t birth; /* of the disk: of the first life on it */
    struct identity identity;
};

/* --- events --- */

enum event_kind {
    EVENT_TICK,          /* node_deadline() has come, or anything else woke the loop */
    EVENT_MESSAGE,       /* a decoded message from another node, on a plane or the feed */
    EVENT_LINK_UP,       /* our connection to a peer on a plane is made (ZMTP handshake done) */
    EVENT_LINK_DOWN,     /* it is gone: a hint that the peer may have died */
    EVENT_PERSISTED,     /* everything up to a persist sequence is on disk */
    EVENT_COMPUTED,      /* the compute thread finished operations */
    EVENT_VALUE_READY,   /* OUTPUT_FETCH: the value is in memory and its hash is right */
    EVENT_VALUE_FAILED,  /* OUTPUT_FETCH: no source that was named has it; OUTPUT_KEEP (from this
                            node itself): there is none, or it was forgotten before it was written */
    EVENT_VALUE_KEPT,    /* OUTPUT_KEEP: the value is durable */
    EVENT_VALUES_LISTED, /* OUTPUT_LIST */
    EVENT_VALUE_LOST,    /* what was kept cannot be read: its file is gone, or damaged */
    EVENT_SPACE,         /* the disk has become full, or has room again: see space.h */
    EVENT_REQUEST,       /* a client asks */
    EVENT_STOP           /* the process is about to end; no event comes after it */
};

/* The name of a value: the operation that made it. */
struct value_id {
    job_id_t job;
    op_id_t op;
};

/* Who in a node wants a value. Each asks for itself and is answered for itself: every OUTPUT_FETCH
 * and OUTPUT_KEEP ends in exactly one event for its user, or in the user's own OUTPUT_DROP. */
enum value_user {
    USER_SCHEDULE, /* as coordinator, results */
    USER_WORKER,   /* operands, and what was computed here */
    USER_FOLLOWER, /* what entries and full checkpoints refer to */
    USER_SNAPSHOT,
    USER_REPAIR, /* what this disk has lost */
    VALUE_USERS
};

/* What the compute thread did with a compute_op. */
struct computed {
    struct value_id id;
    uint64_t attempt;
    uint64_t operations; /* executed, those of the subtree included */
    uint64_t elapsed_us; /* simulated delay included */
    uint64_t len;        /* of the value in bytes */
    uint8_t hash[HASH_BYTES];
    struct blob *value; /* borrowed; NULL when it is longer than VALUE_INLINE_MAX_BYTES: the runtime
                           keeps it */
    char head[TEXT_EDGE_DIGITS + 1], tail[TEXT_EDGE_DIGITS + 1]; /* of a text */
    const char *error; /* NULL: it went well; else one line, borrowed */
};

struct event {
    enum event_kind kind;
    uint64_t now_us;      /* monotonic */
    uint64_t wall_ms;     /* for people; may jump */
    uint64_t random;      /* fresh with each event */
    uint64_t rejected;    /* malformed or foreign messages that the runtime has dropped so far */
    uint64_t turn_us;     /* the longest turn of the runtime's loop in the last minute ... */
    uint64_t turn_own_us; /* ... and without what turns waited for a processor; the first one ... */
    const char *turn_in;  /* ... and what it was in, a static string; NULL: not measured */
    uint64_t value_bytes; /* of values that came from peers or went to disk so far */
    uint64_t disk_busy_us; /* for so long the disk has been at one piece of work; 0: it waits */
    union {
        struct {
            enum plane plane;
            node_id_t
                from; /* from the connection's HELLO; for a HELLO or on the feed, as it claims */
            incarnation_t incarnation; /* likewise */
            struct message
                *message; /* borrowed for the step; the node takes references to what it keeps */
        } message;
        struct {
            enum plane plane;
            node_id_t peer;
        } link;
        uint64_t persisted;
        bool full; /* EVENT_SPACE */
        struct {
            const struct computed *at;
            size_t n;
        } computed;
        struct {
            enum value_user user;
            struct value_id id;
            node_id_t from;
            bool used; /* FAILED: the source says that no later state names it */
        } value;
        struct {
            const struct value_id *ids; /* in their order */
            size_t n;
            bool end; /* there is nothing behind them */
        } listed;
        struct {
            uint64_t client; /* names the client until the one reply to this request */
            struct message *message;
        } request;
        struct {
            bool injected; /* by --fail-exit: as if it died, but no operation is to blame */
        } stop;
    };
};

/* --- outputs --- */

enum output_kind {
    OUTPUT_PERSIST, /* make these writes durable, in one transaction, then EVENT_PERSISTED(seq) */
    OUTPUT_SEND,    /* to a peer on a plane, once after_seq is durable; lost when there is no
                       connection */
    OUTPUT_REPLY,   /* to a client, once after_seq is durable */
    OUTPUT_PUBLISH, /* on the heartbeat plane, once after_seq is durable */
    OUTPUT_COMPUTE, /* hand an operation to the compute thread, then EVENT_COMPUTED */
    OUTPUT_FETCH,   /* pull a value from a node, then EVENT_VALUE_READY or EVENT_VALUE_FAILED */
    OUTPUT_KEEP,    /* write a value to disk, then EVENT_VALUE_KEPT or EVENT_VALUE_FAILED */
    OUTPUT_LIST,    /* names of values on disk, in order, then EVENT_VALUES_LISTED */
    OUTPUT_FORGET,  /* remove values from disk */
    OUTPUT_DROP,   /* the user wants a value, or all of a job, in memory no more: its fetches end */
    OUTPUT_RELINK, /* the connection is of no use: make a new one */
    OUTPUT_LOG     /* a line for people */
};

enum write_kind {
    WRITE_VOTE,     /* the term, the vote in it, whether this node may vote, and in which cluster */
    WRITE_ENTRY,    /* a log entry at an index, replacing what is there */
    WRITE_TRUNCATE, /* forget the entries from an index on */
    WRITE_IMAGE,    /* a full checkpoint, replacing the one before; forget the entries up to its
                     * index, and all others too when `whole` */
    WRITE_RECORD    /* what is remembered under a key, replacing what was */
};

struct write {
    enum write_kind kind;
    term_t term; /* WRITE_VOTE: current term; WRITE_ENTRY, WRITE_IMAGE: of the entry at the index */
    node_id_t vote;
    bool voter;
    const struct identity *identity; /* WRITE_VOTE: the cluster's; NULL: as it is */
    log_index_t index;
    struct blob *entry;        /* packed; WRITE_RECORD: the value, NULL: forget the key */
    struct blob *const *parts; /* WRITE_IMAGE: packed, in order */
    size_t n_parts;
    bool whole;
    uint8_t key[RECORD_KEY_MAX]; /* WRITE_RECORD */
    size_t key_len;              /* 1..RECORD_KEY_MAX */
};

/* What a disk remembers after a WRITE_VOTE. */
static inline void node_durable_write(struct node_durable *durable, const struct write *write)
{
    durable->term = write->term;
    durable->vote = write->vote;
    durable->voter = write->voter;
    if (write->identity)
        durable->identity = *write->identity;
}

enum operator{ OPERATOR_MULTIPLY, OPERATOR_TEXT };

enum operand_kind {
    OPERAND_LITERAL, /* a small integer */
    OPERAND_BLOB,    /* a value at hand */
    OPERAND_VALUE    /* a value that the runtime holds: computed here, or fetched (VALUE_READY) */
};

struct compute_operand {
    enum operand_kind kind;
    uint64_t literal;
    struct blob *blob;
    struct value_id id;
};

/* One operation for the compute thread, or a whole subtree of them over leaves first, first-1, ...
 * (count > 0): executed bottom-up, four operands an operation at most, a lone node promoted. */
struct compute_op {
    struct value_id id;
    uint64_t attempt;
    enum operator operator;
    uint64_t first, count;
    size_t n_operands;
    struct compute_operand operands[OPERANDS_MAX];
};

struct output {
    enum output_kind kind;
    uint64_t after_seq; /* SEND, REPLY, PUBLISH: hold back until this persist sequence is durable */
    union {
        struct {
            uint64_t seq; /* counts up by one */
            const struct write *writes;
            size_t n;
        } persist;
        struct {
            enum plane plane;
            node_id_t to;
            struct message *message;
        } send;
        struct {
            uint64_t client;
            struct message *message;
            bool chunk; /* attach this range of a kept value as the further frame; fewer bytes at
                           its end */
            struct value_id id;
            uint64_t offset, len;
        } reply;
        struct message *publish;
        struct compute_op compute;
        struct {
            enum value_user user;
            struct value_id id;
            node_id_t from;
            uint64_t len;
            uint8_t hash[HASH_BYTES];
            log_index_t index; /* of the entry that names it; 0: an answer "used" is of no use */
        } fetch;
        struct {
            enum value_user user;
            struct value_id id;
            struct blob *value; /* NULL: the runtime holds it, or has it on disk already */
        } keep;
        struct {
            enum value_user user;
            struct value_id id; /* op 0: all of the job; job 0: everything */
        } drop;
        struct {
            job_id_t job;          /* JOB_NONE: of all */
            struct value_id after; /* begin behind it; at most SWEEP_SLICE_MAX */
        } list;
        struct {
            const struct value_id *ids;
            size_t n;
        } forget;
        struct {
            enum plane plane;
            node_id_t peer;
        } relink;
        struct {
            enum log_level level;
            const char *text;
        } log;
    };
};

struct node_outputs {
    const struct output
        *at; /* all that they point to: borrowed until the next call of any node_ function */
    size_t n;
};

/* --- the door --- */

struct node;

/* Makes a node from what its disk remembers. Borrows config's strings. Caller destroys. */
struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us);

/* Gives back the parts of the full checkpoint from disk, in order, before any entry. ERR_CORRUPT
 * when one does not fit what came before. */
int node_restore_part(struct node *node, struct slice part);

/* Gives back one entry of the log from disk, in order of index without gaps, behind the full
 * checkpoint, before the first step. ERR_CORRUPT when it does not fit what came before. */
int node_restore_entry(struct node *node, log_index_t index, term_t term, struct blob *entry);

/* Gives back one record from disk, in the order of keys, behind the log, before the first step.
 * ERR_CORRUPT when it does not fit what came before. */
int node_restore_record(struct node *node, struct slice key, struct slice value);

/* All was given back. ERR_CORRUPT when something is missing. */
int node_restore_end(struct node *node);

void node_destroy(struct node **node);

/* Takes one event in, returns what the outside must do about it. */
struct node_outputs node_step(struct node *node, const struct event *event);

/* When the next EVENT_TICK is due, in the clock of now_us. */
uint64_t node_deadline(const struct node *node);

/* True while this node is a coordinator that serves. */
bool node_coordinates(const struct node *node);

/* True when this node knows that nobody needs the value of entry `index` any more: it has applied
 * that entry, and what it has applied since does not name the value. */
bool node_is_done_with(const struct node *node, struct value_id id, log_index_t index);

/* True while a value must stay on this node's disk (sweep.h). */
bool node_names(const struct node *node, struct value_id id);

/* True when a HELLO of that incarnation is not to be taken for the node's: another one of the same
 * id is heard, and its connection stands. `refusal`, when not NULL, gets the answer (caller drops).
 */
bool node_refuses(const struct node *node, node_id_t from, incarnation_t incarnation,
                  struct message **refusal);

/* Panics when the state is inconsistent; tests call it after every step. */
void node_check_invariants(const struct node *node);

#endif

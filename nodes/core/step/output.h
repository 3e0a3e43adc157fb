/* output.h - what the outside must do about an event, in order. */
#ifndef CONCLAVE_CORE_OUTPUT_H
#define CONCLAVE_CORE_OUTPUT_H

#include "nodes/core/kinds/kinds.h"
#include "nodes/core/step/config.h"
#include "nodes/core/step/event.h"

enum output_kind {
    OUTPUT_PERSIST, /* make these writes durable, in one transaction, then EVENT_PERSISTED(seq) */
    OUTPUT_SEND,    /* to a peer on a plane, once after_seq is durable; lost when there is no
                       connection */
    OUTPUT_REPLY,   /* to a client, once after_seq is durable */
    OUTPUT_PUBLISH, /* on the heartbeat plane, once after_seq is durable */
    OUTPUT_COMPUTE, /* hand an operation to the compute thread, then EVENT_COMPUTED */
    OUTPUT_CANCEL,  /* nobody wants that attempt any more: it ends as soon as it can, with the same
                       event */
    OUTPUT_TASK,    /* begin an attempt of a task, then EVENT_TASKS */
    OUTPUT_TASK_CANCEL, /* nobody wants it any more: it ends as soon as it can, with the same event
                         */
    OUTPUT_FEED,   /* a piece of a value that a client brings; after the last one as for FETCH */
    OUTPUT_FETCH,  /* pull a value from a node, then EVENT_VALUE_READY or EVENT_VALUE_FAILED */
    OUTPUT_KEEP,   /* write a value to disk, then EVENT_VALUE_KEPT or EVENT_VALUE_FAILED */
    OUTPUT_LIST,   /* names of values on disk, in order, then EVENT_VALUES_LISTED */
    OUTPUT_FORGET, /* remove values from disk */
    OUTPUT_DROP,   /* the user wants a value, or all of a job, in memory no more: its fetches end */
    OUTPUT_RELINK, /* the connection is of no use: make a new one */
    OUTPUT_LOG,    /* a line for people */
    OUTPUT_SPILL   /* move a value of the worker between memory and disk; EVENT_SPILLED */
};

enum write_kind {
    WRITE_VOTE,     /* the term, the vote in it, whether this node may vote, and in which cluster */
    WRITE_ENTRY,    /* a log entry at an index, replacing what is there */
    WRITE_TRUNCATE, /* forget the entries from an index on */
    WRITE_CHECKPOINT, /* a checkpoint, replacing the one before; forget the parts that it has not,
                       * the entries up to its index, and all others too when `whole` */
    WRITE_RECORD      /* what is remembered under a key, replacing what was */
};

/* A part of a checkpoint on disk: the checkpoint with which it was written, and its place there,
 * from 0. No other part of this disk ever has the same name. */
struct part_name {
    log_index_t index;
    uint64_t place;
};

static inline bool part_name_same(struct part_name a, struct part_name b)
{
    return a.index == b.index && a.place == b.place;
}

struct write {
    enum write_kind kind;
    term_t term; /* WRITE_VOTE: current term; WRITE_ENTRY, WRITE_CHECKPOINT: of the entry at the
                    index */
    node_id_t vote;
    bool voter;
    const struct identity *identity; /* WRITE_VOTE: the cluster's; NULL: as it is */
    log_index_t index;
    struct blob *entry;        /* packed; WRITE_RECORD: the value, NULL: forget the key */
    struct blob *const *parts; /* WRITE_CHECKPOINT: packed, in order; NULL: it is on disk already,
                                  as part of the one before */
    const struct part_name *names; /* of all parts; NULL: all are new, and named by their places */
    size_t n_parts;
    bool whole;
    uint8_t key[RECORD_KEY_MAX]; /* WRITE_RECORD */
    size_t key_len;              /* 1..RECORD_KEY_MAX */
};

/* A copy, with references of its own to all that it points to; and the end of one. */
struct write write_copy(const struct write *write);
void write_drop(struct write *write);

/* What a disk remembers after a WRITE_VOTE. */
static inline void node_durable_write(struct node_durable *durable, const struct write *write)
{
    durable->term = write->term;
    durable->vote = write->vote;
    durable->voter = write->voter;
    if (write->identity)
        durable->identity = *write->identity;
}

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

/* The values, and the program that folds them: that comes last. */
#define COMPUTE_OPERANDS_MAX (OPERANDS_MAX + 1)

/* One operation for the compute thread, or a whole subtree of them over leaves first, first-1, ...
 * (count > 0): executed bottom-up, four operands an operation at most, a lone node promoted. */
struct compute_op {
    struct value_id id;
    uint64_t attempt;
    enum opcode opcode;
    uint64_t first, count;
    size_t n_operands;
    struct compute_operand operands[COMPUTE_OPERANDS_MAX];
};

/* A segment of a job's files, and where it stands in these. */
struct task_part {
    struct value_id id;
    uint64_t offset, len;
};

/* An attempt of a task, for whoever executes them. */
struct task_order {
    job_id_t job;
    uint64_t hand; /* names this handing out of the job's tasks, in all terms */
    uint64_t task, attempt;
    uint64_t time_limit_ms; /* 0: none */
    uint64_t slots;         /* that it takes, 1 at least */
    bool bundles;           /* long outputs and files are kept, too */
    /* Of a job with an input: the segments, which the runtime holds for USER_RUNNER, that begin
     * with what all tasks have in common, and that have this one's record; and its place there,
     * from 0. A task without has no `spec.job`. */
    struct value_id spec, record;
    uint64_t place;
    /* With its files, in their order, kept for USER_FILES; for as long as the outputs of the step.
     */
    const struct task_part *parts;
    size_t n_parts;
};

/* A value to be pulled from a node. */
struct fetch_order {
    enum value_user user;
    struct value_id id;
    node_id_t from;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    log_index_t index; /* of the entry that names it; 0: an answer "used" is of no use */
};

/* What is asked for comes in this order. A WRITE is of a value that the runtime holds, and goes on
 * holding. */
struct spill_order {
    enum spill_step step;
    struct value_id id;
    uint64_t seq; /* WRITE, READ: names it */
};

/* A piece of a value, in its place behind those before it: what comes anew at offset 0 begins. */
struct feed_order {
    enum value_user user;
    struct value_id id;
    uint64_t len; /* of the value, at least 1 */
    uint8_t hash[HASH_BYTES];
    uint64_t offset;
    struct blob *piece;
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
            struct value_id id;
            uint64_t attempt;
        } cancel;
        struct task_order task; /* TASK, TASK_CANCEL */
        struct fetch_order fetch;
        struct feed_order feed;
        struct {
            enum value_user user;
            struct value_id id;
            struct blob *value; /* NULL: the runtime holds it, or has it on disk already */
        } keep;
        struct {
            enum value_user user;
            struct value_id id; /* op 0: all of the job; job 0: everything */
        } drop;
        struct spill_order spill;
        struct {
            job_id_t job;          /* JOB_NONE: of all */
            struct value_id after; /* begin after it; at most SWEEP_SLICE_MAX */
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

#endif

/* event.h - what comes in from outside: everything that a node learns, it learns from an event. */
#ifndef CONCLAVE_CORE_EVENT_H
#define CONCLAVE_CORE_EVENT_H

#include "nodes/core/kinds/kinds.h"
#include "nodes/core/step/asker.h"
#include "shared/wire/message.h"

enum event_kind {
    EVENT_TICK,          /* node_deadline() has come, or anything else woke the loop */
    EVENT_MESSAGE,       /* a decoded message from another node, on a plane or the feed */
    EVENT_LINK_UP,       /* our connection to a peer on a plane is made (ZMTP handshake done) */
    EVENT_LINK_DOWN,     /* it is gone: a hint that the peer may have died */
    EVENT_PERSISTED,     /* everything up to a persist sequence is on disk */
    EVENT_COMPUTED,      /* the compute thread finished operations */
    EVENT_TASKS,         /* OUTPUT_TASK: attempts of tasks ended */
    EVENT_VALUE_READY,   /* OUTPUT_FETCH: the value is in memory and its hash is right */
    EVENT_VALUE_FAILED,  /* OUTPUT_FETCH: no source that was named has it; OUTPUT_KEEP (from this
                            node itself): there is none, or it was forgotten before that */
    EVENT_VALUE_KEPT,    /* OUTPUT_KEEP: the value is durable */
    EVENT_VALUES_LISTED, /* OUTPUT_LIST */
    EVENT_VALUE_LOST,    /* what was kept cannot be read: its file is gone, or damaged */
    EVENT_SPACE,         /* the disk has become full, or has room again: see space.h */
    EVENT_REQUEST,       /* a client asks */
    EVENT_STOP,          /* the process is about to end; no event comes after it */
    EVENT_SPILLED        /* OUTPUT_SPILL: written or read, or that could not be done */
};

/* The name of a value: the operation that made it. */
struct value_id {
    job_id_t job;
    op_id_t op;
};

static inline bool value_id_same(struct value_id a, struct value_id b)
{
    return a.job == b.job && a.op == b.op;
}

/* True when `id` is meant: without a job all are, without an operation all of the job. */
static inline bool value_id_fits(struct value_id id, struct value_id meant)
{
    return !meant.job || (id.job == meant.job && (!meant.op || id.op == meant.op));
}

/* Who in a node wants a value. Each asks for itself and is answered for itself: every OUTPUT_FETCH
 * and OUTPUT_KEEP ends in exactly one event for its user, or in the user's own OUTPUT_DROP. */
enum value_user {
    USER_SCHEDULE, /* as coordinator, results */
    USER_WORKER,   /* operands, and what was computed here */
    USER_FOLLOWER, /* what entries and checkpoints refer to */
    USER_SNAPSHOT,
    USER_REPAIR, /* what this disk has lost */
    USER_OFFER,  /* what the coordinator offers: an entry will name it */
    USER_UPLOAD, /* as coordinator, segments of stored values */
    USER_TASKS,  /* as coordinator, details of tasks */
    USER_RUNNER, /* inputs of tasks that are executed here */
    USER_FILES,  /* files of these: kept on the scratch disk, and until they are dropped */
    VALUE_USERS
};

/* A worker's value that has no room in memory. */
enum spill_step {
    SPILL_WRITE,  /* to disk; not durable: it is gone with this life of the node */
    SPILL_UNLOAD, /* the worker wants it in memory no more: it is on disk */
    SPILL_READ,   /* into memory again, for the worker; it stays on disk */
    SPILL_FORGET  /* on disk no more; op 0: all of the job; job 0: all */
};

/* What became of a WRITE or a READ: one end each, in the order in which they were asked for. */
struct spill_end {
    enum spill_step step;
    struct value_id id;
    uint64_t seq; /* as it was asked with */
    bool ok;
};

/* What the compute thread did with a compute_op. */
struct computed {
    struct value_id id;
    uint64_t attempt;
    enum opcode opcode;
    uint64_t operations; /* executed, those of the subtree included */
    uint64_t elapsed_us; /* simulated delay included */
    uint64_t starved_us; /* of these, for so long it waited for a processor; 0 when it was short */
    uint64_t len;        /* of the value in bytes */
    uint8_t hash[HASH_BYTES];
    struct blob *value; /* borrowed; NULL when it is longer than VALUE_INLINE_MAX_BYTES: the runtime
                           keeps it */
    char head[TEXT_EDGE_DIGITS + 1], tail[TEXT_EDGE_DIGITS + 1]; /* of a text */
    const char *error; /* NULL: it went well; else one line, borrowed */
    bool again;        /* with an error: it may go better elsewhere, or later */
    bool final;        /* with an error: a user's program failed, as it would anywhere */
};

/* How an attempt of a task ended, or those of tasks in a row, alike. */
/* A value of what a task has left (shared/tasks/bundle.h). */
struct task_piece {
    struct blob *bytes;
    uint8_t hash[HASH_BYTES];
};

struct task_result {
    job_id_t job;
    uint64_t hand, attempt; /* as in struct task_order */
    uint64_t first, count;
    uint64_t exit, signal; /* both 0: it is done, unless one of the following says otherwise */
    bool limit;            /* the time limit ended it */
    bool cancelled;        /* OUTPUT_TASK_CANCEL did */
    char reason[TASK_REASON_MAX + 1]; /* why it could not be executed; empty: it was */
    bool returned; /* it was not begun for want of its inputs: it is to be given again */
    uint64_t started_ms, wall_us, cpu_us, max_rss;
    uint64_t out_bytes, err_bytes;                      /* that it wrote */
    uint8_t out_hash[HASH_BYTES], err_hash[HASH_BYTES]; /* SHA-256 of what is kept */
    struct blob *out, *err;    /* what is kept of that, up to VALUE_INLINE_MAX_BYTES each; borrowed;
                                  NULL: nothing */
    struct task_piece *pieces; /* of its bundle, of BUNDLE_PIECE_BYTES but for the last; borrowed */
    size_t n_pieces;           /* one of up to VALUE_INLINE_MAX_BYTES stands in its row */
    uint64_t bundle_len, head_len, files;
    uint8_t head_hash[HASH_BYTES];
    uint64_t out_len, err_len;        /* of the streams, that stand in it */
    char err_line[TASK_LINE_MAX + 1]; /* the last one, of such a stderr; any bytes */
    size_t err_line_len;
};

/* The longest turns of the runtime's loop in the last minute. */
struct turn_report {
    uint64_t us;     /* of the longest ... */
    const char *in;  /* ... and what most of it was in, a static string; NULL: not measured */
    uint64_t own_us; /* of the one that was longest without waiting for a processor ... */
    const char *own_in;
    uint64_t faults, blocked; /* ... pages that were made for it, and how often it waited */
};

struct event {
    enum event_kind kind;
    /* Another one follows in the same turn of the loop: what is due is done with that one, for all
     * of them together. So a turn makes one append of all that it has logged for a follower, and
     * one assignment of all that a worker gets. The last of a turn is without. */
    bool more;
    uint64_t now_us;   /* monotonic */
    uint64_t wall_ms;  /* for people; may jump */
    uint64_t random;   /* fresh with each event */
    uint64_t rejected; /* malformed or foreign messages that the runtime has dropped so far */
    uint64_t refused;  /* connections that the runtime has refused for their keys so far */
    struct turn_report turn;
    uint64_t value_bytes;  /* of values that came from peers or went to disk so far */
    uint64_t starved_us;   /* so long has the operation under way waited for a processor */
    uint64_t disk_busy_us; /* for so long the disk has been at one piece of work; 0: it waits */
    const struct histogram *syncs; /* borrowed for the step: how long the disk took to make things
                                      durable so far; NULL: as it was told last */
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
            const struct task_result *at;
            size_t n;
        } tasks;
        struct {
            enum value_user user;
            struct value_id id;
            node_id_t from;
            bool used;          /* FAILED: the source says that no later state names it */
            bool full;          /* FAILED, for USER_FILES: for want of room on the disk */
            struct blob *bytes; /* READY, for USER_RUNNER: the value, borrowed */
        } value;
        struct spill_end spilled;
        struct {
            const struct value_id *ids; /* in their order */
            size_t n;
            bool end; /* there is nothing after them */
        } listed;
        struct {
            uint64_t client; /* names the client until the one reply to this request */
            struct message *message;
            const struct asker *asker; /* whose key it comes with; NULL: it comes with none */
        } request;
        struct {
            bool injected; /* by --fail-exit: as if it died, but no operation is to blame */
        } stop;
    };
};

#endif

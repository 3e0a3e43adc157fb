/* world.h - a deterministic world for the cores: N complete nodes, clients, a virtual network,
 * virtual disks and clocks, all driven by one 64-bit seed. The nodes are the very objects of
 * conclave-node.
 *
 * Every message is encoded and decoded by the real codec. Connections behave as ours over ZeroMQ:
 * FIFO while they last, what is under way is lost when they break, nothing is accepted before a
 * HELLO. The feed keeps no order. The oracle (oracle.h) looks on after every step. */
#ifndef CONCLAVE_SIM_WORLD_H
#define CONCLAVE_SIM_WORLD_H

#include "nodes/core/records/record.h"
#include "nodes/core/values/values.h"
#include "nodes/io/store_report.h"
#include "nodes/work/executor.h"
#include "shared/base/map.h"
#include "shared/base/session_key.h"
#include "tests/harness/entries.h"
#include "tests/harness/records.h"

#define WORLD_NODES_MAX   25
#define WORLD_SLOTS_MAX   3
#define WORLD_CLIENTS_MAX 8
#define WORLD_ASKERS_MAX  16

struct world;

/* X(symbol, what is counted): every fault that the world knows. */
#define FAULTS(X)                                                            \
    X(DELAY, "messages held up by a slow moment of the network")             \
    X(LOSS, "messages lost")                                                 \
    X(DUPLICATE, "messages delivered twice")                                 \
    X(REORDER, "feed messages that overtook others")                         \
    X(CUT_ONE_WAY, "links cut in one direction")                             \
    X(CUT_BOTH, "links cut in both directions")                              \
    X(CLOG, "links that held everything back for a while")                   \
    X(CUT_PLANE, "links cut on one plane only")                              \
    X(CLOG_PLANE, "links that held back one plane only")                     \
    X(HANG_DISK, "disks that hung without failing")                          \
    X(MINORITY, "minorities of the voters stopped after healing")            \
    X(BREAK, "connections reset")                                            \
    X(SLOW_DISK, "disks slow for a while")                                   \
    X(FAILED_DISK, "failed writes; the node died (R24)")                     \
    X(FULL_DISK, "disks full for a while")                                   \
    X(UNSYNCED_LOST, "transactions lost in a crash")                         \
    X(UNSYNCED_KEPT, "transactions on disk though nobody was told")          \
    X(TORN, "transactions torn in a crash")                                  \
    X(CRASH, "nodes killed")                                                 \
    X(RESTART, "nodes started again")                                        \
    X(BLACKOUT, "power lost everywhere at once")                             \
    X(WIPE, "disks wiped")                                                   \
    X(OLD_DISK, "disks that were replaced came back")                        \
    X(PAUSE, "nodes stopped as by SIGSTOP")                                  \
    X(SLOW_WORKER, "workers slow for a while")                               \
    X(DRIFT, "lives whose clock ran more than 1 % wrong")                    \
    X(CLOCK_JUMP, "wall clocks set by up to an hour")                        \
    X(VALUE_LOSS, "transfers of values that failed")                         \
    X(HELD_VALUE, "losses of values that one worker alone held")             \
    X(SPILLED, "values spilled")                                             \
    X(SPILL_REFUSED, "values that could not be spilled")                     \
    X(SPILLED_LOST, "spilled values that could not be read")                 \
    X(STAGED, "segments of tasks' files written")                            \
    X(STAGED_FULL, "more of them, for which the disk had no room")           \
    X(STAGED_FAILED, "more of them, that could not be written")              \
    X(MISSING_VALUE, "values whose file was gone or cut short")              \
    X(ROTTEN_VALUE, "values that rotted on disk")                            \
    X(BROKER_KILLED, "brokers killed")                                       \
    X(BROKER_DEAF, "brokers that heard nobody, or late, for a while")        \
    X(BROKER_LOST, "requests and answers lost with their broker")            \
    X(BROKER_WRONG, "requests passed on to a node that did not serve")       \
    X(BROKER_LATE, "requests that a later life of their node got")           \
    X(SHARED_KEY, "keys that another client had used")                       \
    X(OTHER_SPEC, "of these, with another argument")                         \
    X(MANY_JOBS, "submits refused because too many jobs were open")          \
    X(QUOTA_JOBS, "submits refused because their key had too many open")     \
    X(QUOTA_BYTES, "submits refused because their key kept too much")        \
    X(FORGOTTEN_BYTES, "jobs forgotten for the bytes of results")            \
    X(FORGOTTEN_HAND, "jobs forgotten by hand")                              \
    X(JOB_FORGOTTEN, "jobs asked for again that were forgotten")             \
    X(KEYS_GONE, "keys executed again because so many came after")           \
    X(SESSION_EVICTED, "sessions that others had evicted")                   \
    X(LEDGER_KEY_FORGOTTEN, "transfers asked for again that were forgotten") \
    X(MANY_PARTS, "checkpoints sent in several messages")                    \
    X(FORGED, "messages forged with the key of a node")                      \
    X(RECALLED, "terms that one voter had reached alone and an election with it")

enum fault {
#define X(symbol, text) FAULT_##symbol,
    FAULTS(X)
#undef X
        FAULT_KINDS
};

/* Probabilities are per million; 0 means the program's default where there is one. */
struct world_options {
    uint64_t seed;
    bool gathers;                 /* events of a node come several in one turn of its loop */
    uint32_t n_nodes, n_voters;   /* voters 0: all */
    uint64_t delay_us, jitter_us; /* of every message */
    uint64_t disk_us;             /* of every persist */
    uint64_t op_us;               /* of every operation */
    uint64_t growth_ns; /* and for n bytes of operands n * sqrt(n) times so much; 0: nothing more */
    uint64_t compact_entries, append_entries;
    uint64_t checkpoint_slice_rows; /* packed in one slice of a checkpoint */
    uint64_t checkpoint_bundle_rows, install_bytes;
    uint64_t progress_snaps_max, jobs_kept_max, jobs_open_max, cut_rows;
    /* What a coordinator logs of them, of node 1; the others were told twice, thrice, ... as much.
     */
    uint64_t keep_jobs, keep_bytes;
    bool forgets;                     /* clients have jobs forgotten by hand */
    bool owners;                      /* clients have keys, and jobs owners */
    uint64_t quota_jobs, quota_bytes; /* of each; 0: any number */
    uint64_t heartbeat_us, election_timeout_us;
    uint64_t checkpoint_interval_us, checkpoint_bytes;
    uint64_t keep_values_us;    /* 0: the default */
    uint64_t keep_pace;         /* bytes in 1024 us; 0: measured */
    uint64_t inline_bytes;      /* longer values are kept by the runtime, not handed over */
    uint64_t chunk_bytes;       /* of values on the value plane */
    uint32_t loss, duplication; /* of every message between nodes */
    uint32_t spikes;            /* messages that take up to spike_us longer */
    uint64_t spike_us;
    uint32_t disk_failures;    /* of every persist: the node dies */
    uint32_t scratch_failures; /* of every segment of tasks' files, for good: task_disk.c */
    uint32_t value_failures;   /* of every question for a part of a value */
    uint32_t drift;            /* clocks run wrong by up to so many per million */
    uint32_t unsynced_kept;    /* of every transaction under way in a crash: it is on disk all the
                                  same */
    uint32_t cancels;          /* of every job: its client cancels it */
    uint64_t pieces_from;      /* digits of results whose text is made in pieces; 0: none */
    uint64_t poison_deaths;    /* 0: an operation may kill its worker for ever */
    op_id_t poison;            /* the operation that kills its worker; 0: none */
    uint64_t memory_limit;     /* of a worker; 0: none */
    uint64_t record_bytes;  /* of messages in one recording of a snapshot; 0: as many as allowed */
    struct key_limits keys; /* what is remembered of keys; 0: as much as in the programs */
    uint64_t snapshot_memory; /* of all snapshots on a node; 0: the default */
    uint64_t sweep_every_us;  /* 0: so often that all is swept soon after healing */
    uint64_t operation_slots; /* that operations and tasks share; 0: one, for operations alone */
    uint64_t slots;           /* tasks that a node executes at a time; 0: one */
    bool tasks_execute;       /* tasks are executed by a model; else they end at once */
    bool story;               /* print what happens */
};

/* A clock that runs by its own measure: local = local_us + (now - since_us) * rate / 1000000. */
struct world_clock {
    uint64_t since_us, local_us, rate;
    int64_t wall_offset_ms;
};

struct world_node {
    struct node *core; /* NULL: it is down */
    uint64_t boots;
    incarnation_t incarnation;
    uint64_t wake_us;
    bool in_turn; /* what is due is done with an event that follows */
    uint64_t paused_until_us;
    uint64_t rejected;
    struct world_clock clock;

    struct node_durable durable;
    struct node_durable old; /* a copy, from just after the founding, of a disk that was wiped */
    struct entries log;      /* durable */
    struct checkpoint *checkpoint; /* the durable checkpoint: owned; NULL: none */
    struct records records;        /* durable */
    uint64_t disk_seq;             /* durable up to here in this incarnation */
    uint64_t disk_busy_us;
    uint64_t disk_slow_until_us, disk_slow_us; /* added to every persist until then */
    uint64_t spill_refused_us;   /* when a value had no room there last, for a moment */
    uint64_t disk_full_until_us; /* only what the store's reserve is for is written before then */
    uint64_t disk_hung_until_us; /* nothing is finished before then */
    uint64_t disk_pieces, disk_moved_us; /* under way; when one was begun or finished last */
    uint64_t value_bytes;                /* of values that came or were kept, in this life */
    bool disk_failed;
    struct map kept;          /* durable values: (job, op) -> struct blob */
    struct map damaged;       /* of those, the ones that cannot be read: rot.c */
    struct map spilled;       /* values that are on disk for want of memory, as `kept` */
    struct map staged;        /* segments of tasks' files, of this life: task_disk.c */
    uint64_t staged_serial;   /* of the last one */
    struct value_id scrubbed; /* the scrub has come so far */
    struct values values;     /* in memory */
    struct transfer *transfer;
    struct map wants;                /* fetches whose end is to come: values.c */
    uint64_t pull_us;                /* when the transfer is looked at next; 0: not */
    struct world_executor *executor; /* owned; NULL: it has executed nothing yet */
    uint64_t op_us;                  /* of every operation on this node; 0: as options say */
    bool refuses;                    /* it returns an error for whatever it should compute */
    uint64_t computed;

    struct held *held_first, *held_last; /* outputs that wait for the disk */
};

/* A connection from one node to another on a plane. */
struct world_link {
    uint64_t epoch; /* counts connections; what was sent on an older one is lost */
    bool up;
    uint64_t greeted; /* the epoch whose HELLO the receiver has seen */
    incarnation_t greeter;
    uint64_t last_us; /* FIFO: nothing overtakes */
};

/* One plane of a pair of nodes: until then nothing passes, or everything waits. */
struct world_plane {
    uint64_t cut_us, clog_us;
};

struct world_client;
struct world_uploader;
struct world_brokers;
struct world_shared;
struct oracle;
struct losses;
struct restored;
struct picture;

/* Somebody who asks one node one thing, again and again until there is an answer
 * that settles it. */
struct world_asker {
    struct message *request; /* owned; NULL: idle */
    struct message *answer;  /* owned; of the last request */
    uint64_t number;         /* of the last try */
    unsigned broker;         /* of it */
    uint64_t retry_us;
    void (*done)(struct world *world, unsigned asker); /* may ask the next thing; may be NULL */
    uint64_t awake_us;                                 /* 0: nobody wants to be woken */
    void (*awake)(struct world *world, unsigned asker);
};

struct world_transfer {
    char key[JOB_KEY_MAX + 1];
    node_id_t from, to;
    unsigned account, other;
    uint64_t amount;
    bool forgotten; /* so its key was answered */
};

/* Asks again for what was answered long ago. */
struct world_teller {
    struct session_key sessions[WORLD_NODES_MAX + 1]; /* with each node; id 0: none */
    struct world_transfer now, old[4];
    size_t n_old, about; /* which of the old ones it asks about */
    bool again;
};

/* See bank.h. */
struct world_bank {
    bool in_use; /* all money of this world is its own */
    bool open;   /* all has been deposited */
    struct world_teller tellers[WORLD_ASKERS_MAX];
    uint64_t deposited, begun, transfers_left, snapshots_left, rest_us;
    unsigned takers;
};

struct world_counts {
    uint64_t steps, messages, elections, jobs_done, jobs_cancelled, jobs_failed, reads;
    uint64_t entries;                             /* of the log, sent */
    uint64_t folds;                               /* jobs of theirs that fold, finished */
    uint64_t uploaders_jobs;                      /* that name stored values */
    uint64_t commands, task_files;                /* of tasks, that were begun; of these */
    uint64_t copies;                              /* of slow tasks, of jobs that ended */
    uint64_t values, values_dropped, values_aged; /* stored ones: whole; gone by hand, by age */
    uint64_t transfers, snapshots_complete, snapshots_partial;
    uint64_t restored, restored_ended,
        restored_begun;         /* clusters; tasks of theirs, in the picture */
    uint64_t forgotten;         /* keys that were refused for that */
    uint64_t snapshots_holding; /* complete ones with money in channels */
    uint64_t simulated_us;
    uint64_t faults[FAULT_KINDS];
};

struct world {
    struct world_options options;
    uint64_t random, now_us, order;
    uint64_t rot_random; /* rot.c */
    struct pending *heap;
    size_t heap_n, heap_size;
    struct world_node nodes[WORLD_NODES_MAX + 1];
    struct world_link links[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1][PLANE_COUNT];
    /* [from][to]: until then nothing passes; or: everything waits */
    uint64_t cut_until_us[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1];
    uint64_t clog_until_us[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1];
    struct world_plane planes[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1][PLANE_COUNT];
    uint64_t feed_last_us[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1];
    struct world_client *clients; /* WORLD_CLIENTS_MAX of them */
    struct world_asker askers[WORLD_ASKERS_MAX];
    struct world_uploader *uploaders; /* uploaders.h; NULL: there are none */
    unsigned n_uploaders;
    struct world_brokers *brokers; /* brokers.h; NULL: clients ask the nodes themselves */
    struct world_shared *shared;   /* shared.h; NULL: no key is shared */
    struct world_bank bank;
    struct world_tasks *tasks; /* tasks.h; NULL: nobody submits jobs of tasks */
    struct restored *restored; /* restored.h; NULL: no snapshot becomes a cluster */
    struct picture *picture;   /* picture.h; NULL: this cluster was founded */
    struct hostile *hostile;   /* hostile.h; NULL: nobody's key is stolen */
    struct oracle *oracle;
    struct losses *losses; /* losses.h; NULL: the ledgers have written nothing yet */
    struct world_counts counts;
    uint64_t hash; /* of everything that happened: the same seed twice gives the same */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world **world);

/* What must hold does not: says so, with the seed, and ends the process. Whoever wants to know
 * before that sets world_on_failure. */
_Noreturn void world_fail(const struct world *world, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
extern void (*world_on_failure)(const char *check, const char *text);

/* True when all living nodes have applied the same, and agree on it. */
bool world_is_equal(const struct world *world);

/* Starts a node (on what its disk remembers); kills it as kill -9 or a loss of power does: what is
 * not on disk is lost. */
void world_start(struct world *world, node_id_t id);
void world_crash(struct world *world, node_id_t id);

/* Starts it after a while, as a supervisor does. */
void world_start_later(struct world *world, node_id_t id, uint64_t after_us);

/* Empties the disk of a node that is down. */
void world_wipe(struct world *world, node_id_t id);

/* Puts that copy in the place of the disk of a node that is down; false: there is none. */
bool world_put_back(struct world *world, node_id_t id);

/* Stops a node as SIGSTOP does, for so long. */
void world_pause(struct world *world, node_id_t id, uint64_t for_us);

/* Cuts one direction between two nodes, or mends it. */
void world_cut(struct world *world, node_id_t from, node_id_t to, bool cut);

/* The same, for so long. A clog lets nothing through and then everything, in order. */
void world_cut_for(struct world *world, node_id_t from, node_id_t to, uint64_t for_us);
void world_clog(struct world *world, node_id_t from, node_id_t to, uint64_t for_us);
bool world_is_cut(const struct world *world, node_id_t from, node_id_t to);

/* The same, on one plane only: planes.c. */
void world_cut_plane(struct world *world, node_id_t from, node_id_t to, enum plane plane,
                     uint64_t for_us);
void world_clog_plane(struct world *world, node_id_t from, node_id_t to, enum plane plane,
                      uint64_t for_us);

/* A disk that finishes nothing for so long, and does not fail. */
void world_hang_disk(struct world *world, node_id_t id, uint64_t for_us);

/* Resets a connection; it is made again by itself. */
void world_break(struct world *world, node_id_t from, node_id_t to, enum plane plane);

/* A disk that takes so much longer for a while; one that has no room for a while. */
void world_slow_disk(struct world *world, node_id_t id, uint64_t by_us, uint64_t for_us);
void world_fill_disk(struct world *world, node_id_t id, uint64_t for_us);

/* Sets a node's wall clock. */
void world_jump(struct world *world, node_id_t id, int64_t by_ms);

/* Ends every fault that goes on by itself. */
void world_heal(struct world *world);

/* Lets a client submit `jobs` factorials of up to n_max, one after another,
 * checking every result. */
void world_client(struct world *world, unsigned client, uint64_t jobs, uint64_t n_max);

/* Lets somebody ask a node (takes the request and names the node and a number in it). The answer is
 * there until the next request. */
void world_ask(struct world *world, unsigned asker, node_id_t node, struct message *request);

/* Calls the asker's awake() after a while. */
void world_wake_asker(struct world *world, unsigned asker, uint64_t after_us);

/* Lets a client do so many things of every kind: jobs, old keys again, progress; pausing up to
 * pause_us between them. */
void world_client_mixed(struct world *world, unsigned client, uint64_t things, uint64_t n_max,
                        uint64_t pause_us);

/* True when no disk has a value that its node's state does not name (W4). */
bool values_are_swept(const struct world *world);

/* True when every client has all it wanted. */
bool world_is_idle(const struct world *world);

/* Runs for so long; or until the condition holds (true), at most for so long (false). */
void world_run(struct world *world, uint64_t for_us);
bool world_run_until(struct world *world, bool (*condition)(const struct world *), uint64_t for_us);

/* The node that serves as coordinator in the highest term; NODE_NONE: none. */
node_id_t world_coordinator(const struct world *world);
bool world_is_served(const struct world *world);

/* --- workers that fail (failures.c) --- */

/* Lets the node take so long for each operation from now on. */
void world_pace(struct world *world, node_id_t id, uint64_t op_us);

/* Lets the node return an error at once for whatever it should compute, or work again. */
void world_refuse(struct world *world, node_id_t id, bool refuses);

/* Ends a node as SIGTERM does, or (injected) as --fail-exit does. */
void world_stop(struct world *world, node_id_t id, bool injected);

/* For executor.c: what an operation takes on the node, and what becomes of a poisoned one. */
uint64_t failures_op_us(const struct world *world, node_id_t id);
void failures_compute(struct world *world, node_id_t id, const struct compute_op *op,
                      struct computed *computed, uint64_t end_us);

/* A pseudo-random number below the limit. */
uint64_t world_random(struct world *world, uint64_t limit);
bool world_chance(struct world *world, uint32_t per_million);

/* The number of nodes that vote. */
static inline uint32_t world_voters(const struct world *world)
{
    return world->options.n_voters ? world->options.n_voters : world->options.n_nodes;
}

/* True when finished jobs may be forgotten. */
static inline bool world_forgets_jobs(const struct world *world)
{
    return world->options.jobs_kept_max || world->options.keep_bytes || world->options.forgets;
}

/* --- between the files of the world only --- */

enum pending_kind {
    PENDING_WAKE,
    PENDING_DELIVER,
    PENDING_FEED,
    PENDING_DISK,   /* writes become durable */
    PENDING_SYNCED, /* the node hears of it */
    PENDING_SPACE,  /* the disk became full, or has room again */
    PENDING_COMPUTED,
    PENDING_NOT_KEPT, /* there was nothing to keep */
    PENDING_PULL,     /* the transfer is looked at */
    PENDING_LISTED,   /* names of values on disk */
    PENDING_HASHED,   /* a value that was pulled has its hash */
    PENDING_KEPT,
    PENDING_LOST,    /* a value on disk could not be read: the node hears of it */
    PENDING_SPILLED, /* a value went to disk for want of memory, or came back: spilled.c */
    PENDING_STAGED,  /* a segment of tasks' files is written, or is not: task_disk.c */
    PENDING_SCRUB,   /* the next value on disk is looked at */
    PENDING_ROT,     /* files are damaged: rot.c */
    PENDING_LINK,
    PENDING_START,
    PENDING_REQUEST,
    PENDING_HEARD,     /* a broker hears a publication */
    PENDING_TO_PASS,   /* a request comes to a broker */
    PENDING_TO_RETURN, /* an answer does */
    PENDING_CLIENT,
    PENDING_REPLY,
    PENDING_DEATH,
    PENDING_TASK /* an attempt of a task ends */
};

struct pending {
    uint64_t at_us, order;
    enum pending_kind kind;
    node_id_t to, from;
    incarnation_t incarnation; /* of `to` when it was scheduled; another one ignores it */
    enum plane plane;
    uint64_t epoch;
    struct message *message; /* owned */
    unsigned broker;         /* 1 + its number; 0: of a request: the client asks without one */
    uint64_t broker_life;    /* what goes through an earlier life of it is lost */
    incarnation_t meant;     /* of a request from a broker: that of the node when it passed it on */
    enum value_user user;
    struct value_id id;
    uint64_t seq;
    struct write *writes; /* owned, with their entries */
    size_t n_writes;
    enum spill_step step; /* SPILLED */
    struct blob *blob;    /* owned */
    bool ok;              /* of a link: it is up; of a value that is kept: it was written */
    bool put_off; /* its node was stopped, its link clogged or its disk full when it was due */
    unsigned client;
};

void world_post(struct world *world, struct pending *pending);
void world_step(struct world *world, node_id_t id, struct event *event);
void world_say(struct world *world, node_id_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_count(struct world *world, enum fault fault);
static inline void world_extend(uint64_t *until_us, uint64_t at_us)
{
    if (at_us > *until_us)
        *until_us = at_us;
}

/* A message as it arrives: encoded and decoded (caller drops). */
struct message *world_transmit(const struct message *message);

void net_send(struct world *world, node_id_t from, enum plane plane, node_id_t to,
              struct message *message);
void net_publish(struct world *world, node_id_t from, struct message *message);
uint64_t net_delay(struct world *world);
void net_deliver(struct world *world, struct pending *pending);
void net_link(struct world *world, struct pending *pending);
void net_relink(struct world *world, node_id_t from, node_id_t to, enum plane plane);
void net_node_started(struct world *world, node_id_t id);
void net_node_died(struct world *world, node_id_t id);

/* Whether a plane, or the whole link, is cut; until when it is clogged. */
bool planes_are_cut(const struct world *world, node_id_t from, node_id_t to, enum plane plane);
uint64_t planes_clog_us(const struct world *world, node_id_t from, node_id_t to, enum plane plane);

/* Around what a disk does; for so long, by the node's own clock, it has not finished a piece. */
void disk_begins(struct world *world, node_id_t id);
void disk_ends(struct world *world, node_id_t id);
uint64_t disk_is_busy_us(const struct world *world, node_id_t id);

void machine_output(struct world *world, node_id_t id, const struct output *output);
void machine_pending(struct world *world, struct pending *pending);

/* What a node's store thread would report: the node hears of it as a real one does. */
void machine_report(struct world *world, node_id_t id, const struct store_report *report);
void machine_lose(struct world *world, node_id_t id);

/* Who executes the operations of a node (executor.c); it is lost with the node's incarnation. */
struct executor *executor_of(struct world *world, node_id_t id);
void executor_start(struct world *world, node_id_t id, const struct compute_op *op);
void executor_cancel(struct world *world, node_id_t id, struct value_id op, uint64_t attempt);
void executor_finished(struct world *world, node_id_t id);
/* Fails when the node executes more, operations and tasks together, than it has slots. */
void executor_check_slots(struct world *world, node_id_t id);
uint64_t executor_starved_us(const struct world *world, node_id_t id);
void executor_lose(struct world *world, node_id_t id);

/* Longer values stay outside of the node. */
static inline uint64_t world_inline_bytes(const struct world *world)
{
    return world->options.inline_bytes ? world->options.inline_bytes : VALUE_INLINE_MAX_BYTES;
}

/* The node's own clock, now; and the first moment of the world at which it shows so much (0, or
 * what is past: the next one). */
uint64_t world_local_us(const struct world *world, node_id_t id);
uint64_t world_moment(const struct world *world, node_id_t id, uint64_t local_us);

void values_start(struct world *world, node_id_t id);
void values_lose(struct world *world, node_id_t id);
void values_fetch(struct world *world, node_id_t id, const struct fetch_order *order);
void values_feed(struct world *world, node_id_t id, const struct feed_order *order);
void values_let_go(struct world *world, node_id_t id, enum value_user user, struct value_id meant);
void values_pull(struct world *world, node_id_t id);
void values_list(struct world *world, const struct pending *pending);
void values_hashed(struct world *world, const struct pending *pending);
void values_message(struct world *world, node_id_t id, node_id_t from,
                    const struct message *message);
void values_link_down(struct world *world, node_id_t id, node_id_t peer);
void spilled_order(struct world *world, node_id_t id, const struct spill_order *order);
void spilled_end(struct world *world, const struct pending *pending);
void spilled_lose(struct world *world, node_id_t id);
/* What the worker believes to be in memory is, and nothing else of what it holds is. */
void spilled_check(const struct world *world, node_id_t id);
struct map_key machine_value_key(struct value_id id);
void machine_put_value(struct map *map, struct value_id id, struct blob *blob);
void machine_drop_values(struct map *map, struct value_id id);

void disk_gate(struct world *world, node_id_t id, const struct output *output,
               struct message *message);
void disk_persist(struct world *world, node_id_t id, const struct output *output);
uint64_t disk_time(struct world *world, node_id_t id);
void disk_write_one(struct world *world, node_id_t id, const struct write *write);
void disk_done(struct world *world, struct pending *pending);
void disk_synced(struct world *world, struct pending *pending);
void disk_crash(struct world *world, node_id_t id);
void disk_drop_held(struct world *world, node_id_t id);
void disk_restore(struct world *world, node_id_t id);
void disk_wipe(struct world *world, node_id_t id);
void disk_discard_writes(struct write *writes, size_t n);
void losses_free(struct losses **losses);

void asker_reply(struct world *world, unsigned asker, const struct pending *pending);
void asker_wake(struct world *world, unsigned asker);
void askers_clear(struct world *world);
void client_reply(struct world *world, struct pending *pending);
void client_request(struct world *world, struct pending *pending);
void client_wake(struct world *world, unsigned client);

#endif

/* config.h - what a node is started with, and what its disk gives it. */
#ifndef CONCLAVE_CORE_CONFIG_H
#define CONCLAVE_CORE_CONFIG_H

#include "nodes/core/step/identity.h"
#include "shared/base/log.h"

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
    bool voters_open;  /* nobody has said so: a cluster that this node joins may have another number
                        */
    incarnation_t incarnation;
    uint64_t heartbeat_us;
    uint64_t election_timeout_us; /* the timeout is drawn from [T, 2T) */
    uint64_t result_max_bytes;
    uint64_t checkpoint_interval_us; /* finished operations are replicated this often, or ... */
    uint64_t compact_entries;        /* the log is compacted when it has so many entries */
    uint64_t snapshot_pin_us;        /* what a snapshot names stays so long; 0: SNAPSHOT_PIN_US */
    uint64_t snapshot_timeout_us;    /* a node silent for this long is missing in a snapshot */
    uint64_t snapshot_every_us;      /* the coordinator takes one so often; 0: never */
    uint64_t snapshot_keep;          /* of those */
    uint64_t snapshot_record_bytes;  /* of messages, in one recording; 0: as many as allowed */
    uint64_t snapshot_memory_bytes;  /* of all recordings and reports here; 0: the default */
    uint64_t checkpoint_bytes;       /* ... when their values are this large */
    uint64_t keep_pace;              /* bytes in 1024 us that a copy to our disk takes, for tests;
                                        0: it is measured */
    /* What the coordinator has all remember of finished jobs; 0: what the log says already. */
    uint64_t keep_jobs, keep_bytes;
    bool sets_retention; /* it logs the defaults when the log says nothing */
    /* Of one key, as long as this node is the coordinator: jobs that are open, and bytes of results
     * with which a submit is refused; 0: any number. */
    uint64_t quota_jobs, quota_bytes;
    uint64_t keep_values_us; /* stored values that no job names; 0: KEEP_VALUES_DEFAULT_US */
    uint64_t append_entries; /* in one append; 0 or too many: APPEND_ENTRIES_MAX */
    /* Smaller limits, for tests; 0: as in limits.h. All nodes must have the same of the state's. */
    uint64_t checkpoint_slice_rows;  /* of a checkpoint, packed in one slice */
    uint64_t checkpoint_bundle_rows; /* in one part */
    uint64_t install_bytes;          /* of parts in one message */
    uint64_t cut_rows;               /* in one part of a snapshot */
    uint64_t progress_index_max;     /* greatest index that a client may set; 0: the nodes */
    uint64_t progress_snaps_max;     /* snaps that can be read */
    uint64_t jobs_kept_max;          /* finished jobs */
    uint64_t jobs_open_max;          /* others; beyond, a submit is refused */
    struct key_limits keys;
    uint64_t random;             /* seeds what must differ between nodes */
    uint64_t sweep_every_us;     /* the disk is swept so often; 0: SWEEP_EVERY_US */
    uint64_t slots;              /* announced: commands that it runs at a time; 0: none */
    uint64_t operation_slots;    /* announced: operations that it executes at a time, with the
                                    commands that it runs; 0: one, and commands do not count */
    uint64_t delay_us;           /* announced: the compute thread adds it to each operation */
    uint64_t memory_limit_bytes; /* of values held; beyond, it asks for no more work; 0: none */
    uint64_t pieces_from;        /* digits of results whose text is made in pieces; 0: none */
    bool tasks_execute;          /* for tests: tasks that do nothing are executed, as others are */
    uint64_t poison_deaths;      /* an operation that kills so many workers fails; 0: never */
    uint64_t pid;
    enum log_level log_level; /* assignments are logged one by one at LOG_DEBUG only */
    const char *cluster;      /* these strings: borrows for the node's life */
    const char *host;
    bool insecure; /* it runs without keys; said in heartbeats and status */
    const char *version;
};

/* What the disk remembers; all zero but for the birth at a first start. */
struct node_durable {
    term_t term;
    node_id_t vote; /* whom this node voted for in that term */
    bool voter; /* false: a disk that is new, or was wiped and has not caught up; it must not decide
                   elections */
    incarnation_t birth; /* of the disk: the first incarnation on it */
    struct identity identity;
};

#endif

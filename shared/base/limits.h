/* limits.h - every limit and default of Conclave, each with its reason and its overflow policy.
 *
 * Times in microseconds end in _US, in milliseconds in _MS; sizes in bytes in _BYTES; the rest are
 * counts. */
#ifndef CONCLAVE_BASE_LIMITS_H
#define CONCLAVE_BASE_LIMITS_H

#include <stdint.h>

#include "shared/base/limits_map.h"

#define MS_US     ((uint64_t)1000)
#define SECOND_US ((uint64_t)1000000)
#define KIB_BYTES ((uint64_t)1024)
#define MIB_BYTES ((uint64_t)1024 * 1024)

/* --- cluster --- */

/* A full mesh of 100 nodes is 400 sockets a process; beyond that a mesh is the wrong shape. */
#define NODES_MAX     100
#define NODES_DEFAULT 6
/* The second seed asks for up to five workers and a coordinator, hence six by default. */

/* Who votes when nothing is said at the founding. Five bear the loss of any two, as six do, with
 * one acknowledgement less for each commit; more would only make every commit wait for more disks.
 * The others work. */
#define VOTERS_DEFAULT_MAX 5

#define CLUSTER_ID_BYTES 16 /* a UUID, as random as two clusters must be apart */
#define REFUSAL_MAX      80 /* bytes of a reason why a node is refused: each is a short clause */

/* Ports: below 32768, or a retrying DEALER can connect to itself (libzmq #4588). */
#define PORT_DEFAULT      7000
#define PORT_LIMIT        32768
#define PORT_NODES_OFFSET 100
#define PORT_NODE_STRIDE  10

/* --- election --- */

#define HEARTBEAT_DEFAULT_US (50 * MS_US)
/* All hear all: N nodes send and receive N squared heartbeats in a period. With more than so many
 * nodes the period is longer by default (heartbeat.h). */
#define HEARTBEAT_NODES_FEW  12
#define HEARTBEAT_NODES_MANY 36
/* A node that has nothing to tell leaves out heartbeats: waking is what an idle cluster costs. So
 * many still come in an election timeout, of the coordinator twice as many ... */
#define HEARTBEAT_IDLE_BEATS 2
/* ... and at least one in the time of five: by default every 250 ms, of the coordinator every 125.
 */
#define HEARTBEAT_IDLE_PERIODS 5
/* Ten heartbeats: one lost burst elects nobody. */
#define ELECTION_TIMEOUT_DEFAULT_US (500 * MS_US)
/* What --election-timeout takes, of a node and of `up`: below, a busy machine elects for nothing.
 */
#define ELECTION_TIMEOUT_MIN_US (10 * MS_US)
#define ELECTION_TIMEOUT_MAX_US (3600 * SECOND_US)
/* After a disconnect voters start in turn, not at once. */
#define ELECTION_RANK_DELAY_US (8 * MS_US)
#define ELECTION_RANK_MAX      5 /* later ranks wait no longer than this many delays */
/* Votes split after a disconnect: ask again this soon. */
#define ELECTION_SPLIT_US (50 * MS_US)
/* What JSON carries exactly everywhere. A hundred elections a second, ten times what disconnects in
 * a row make of them, take 2.8 million years to get there; so many terms as one node with a key can
 * add (TERM_CLIMB_MAX in every timeout of 500 ms, without an end) 1.4 million years; 20,000 entries
 * a second, 14,000 years. Job ids hold them as job_id.h says. */
#define TERM_MAX      (((uint64_t)1 << 53) - 1)
#define LOG_INDEX_MAX (((uint64_t)1 << 53) - 1)
/* An election raises the term by one. Only where too few voters are heard to confirm a higher term
 * does a node whose own election timeout has run out without result go up to what one of them says,
 * by so much each time: a node that missed a thousand elections is there in ten timeouts. */
#define TERM_CLIMB_MAX 100
/* A candidate may raise a voter's term so often in a row (as often as a disconnect makes one ask
 * again), ... */
#define CANDIDACIES_MAX 10
/* ... and again after so many election timeouts each: two more than others wait to begin. */
#define CANDIDACY_TIMEOUTS 4
/* A voter that is alone in a higher term is brought back by an election, first after one election
 * timeout, then after twice as long each time, up to so many doublings: an hour with the defaults.
 */
#define RECALL_DOUBLINGS_MAX 13

/* In election timeouts. Entries that wait, or the coordinator's own disk, without any progress for
 * so long: it steps down. A slow write of a loaded disk ends well before; a client that waits has
 * not given up yet. */
#define STALL_TIMEOUTS 4
/* And so long it leaves the next election to others: two rounds of them. */
#define STALL_REST_TIMEOUTS 4
/* In election timeouts: a node that has not reached in this time what was committed at its
 * beginning is behind. Less is a lag under load: with the defaults (5 s) the largest result has
 * been copied to five replicas over 1 Gbit/s. */
#define BEHIND_TIMEOUTS 10

/* A loop that was this late was itself stopped or starved: it extends deadlines before suspecting
 * anyone. */
#define LATE_US (100 * MS_US)

/* What an event loop asks for at a time (urgency.h): the least that the kernel takes. */
#define URGENT_TURN_US ((uint64_t)100)

/* --- messages --- */

#define FRAME_MAP_MAX_BYTES    (64 * KIB_BYTES) /* frame 0, the msgpack map */
#define VALUE_INLINE_MAX_BYTES (64 * KIB_BYTES) /* a larger value is pulled on the value plane */
#define MESSAGE_MAX_BYTES      (MIB_BYTES) /* all frames together; MAXMSGSIZE of every socket */
#define MESSAGE_FRAMES_MAX     260 /* frame 0, 64 operations of 4 operands, and an envelope */
#define MSGPACK_DEPTH_MAX      8
/* More than any message of ours; bounds what decoding allocates. */
#define MSGPACK_ELEMENTS_MAX 20000
/* Half of a message, so that a chunk never meets the cap; and how many unanswered a client has. */
#define VALUE_CHUNK_BYTES   (512 * KIB_BYTES)
#define VALUE_CHUNKS_CREDIT 8
/* Of values that a follower's log names, it has so many bytes in memory on their way to its disk;
 * of long ones two: one comes while the other is written. */
#define FOLLOWER_MOVING_BYTES (64 * MIB_BYTES)
#define FOLLOWER_MOVING_LEAST 2

/* The list of keys as one entry of the log: with its request it fits into frame 0. Some 400 keys;
 * a longer list is not replicated, and its file is to be copied. */
#define ACCESS_LIST_BYTES (48 * KIB_BYTES)
/* JSON carries it exactly; one change a microsecond makes as many in 285 years. */
#define ACCESS_VERSION_MAX ((uint64_t)1 << 53)

/* Requests a second of one key in one broker, however many connections it has; --quota-rate. What
 * `bank load` asks for by itself; two processors pass on some 30,000. */
#define QUOTA_RATE_DEFAULT 20000
#define QUOTA_RATE_MAX     1000000
/* What a key saves up while it asks for nothing: a client that begins sends a window at once. */
#define QUOTA_BURST_US (2 * SECOND_US)
/* Names that a broker remembers: twice what a list has. Beyond, all begin again. */
#define QUOTA_NAMES_MAX 8192

/* --- channels --- */

#define CHANNEL_WINDOW       1024  /* unacknowledged messages a channel; then sends are queued */
#define CHANNEL_QUEUE_MAX    65536 /* queued after the window; then the send is refused */
#define CHANNEL_ACK_EVERY    64    /* a pure ack at the latest after so many messages */
#define CHANNEL_ACK_DELAY_US (20 * MS_US)   /* or after this long without traffic to ride on */
#define CHANNEL_RESEND_US    (1000 * MS_US) /* oldest message unacknowledged this long: go back */
/* Nobody sends further ahead of what was acknowledged, so nothing further ahead of what was
 * delivered arrives: it is refused as out of range. */
#define CHANNEL_SEQ_JUMP_MAX CHANNEL_WINDOW

#include "shared/base/limits_sockets.h" /* IWYU pragma: export */

/* --- logs --- */

/* Lines of one kind that clients can cause, in a second: more nobody reads, and a log file holds
 * the last minutes of the fastest clients. Beyond, they are left out and counted. */
#define LOG_LINES_PER_S 200
/* Of those about rejected messages: strangers cause them for nothing. */
#define LOG_REJECTED_PER_S 1
/* Lines of refused requests: each is by somebody whose key is known, and worth a look. */
#define AUDIT_REFUSED_PER_S 10
/* Keys whose counters of signatures a node remembers: as many as a list of keys may have. */
#define SIGNERS_MAX 4096
/* Of lines that wait to be written: some thousands, which is what a node writes in minutes. */
#define LOG_WAITING_BYTES MIB_BYTES
/* Who ends waits so long for them: a pipe that nobody reads keeps no process. */
#define LOG_FLUSH_US (200 * MS_US)
/* What `conclave up` lets each of its processes log into a file; then it becomes FILE.1 in the
 * place of the one before. Six nodes, a broker and `up` itself: 256 MiB. */
#define LOG_FILE_BYTES (16 * MIB_BYTES)

/* --- jobs --- */

#define JOB_KEY_MAX    64 /* as a client gives it; a UUID has 36 */
#define OWNER_MAX      32 /* bytes of a key's name, which is part of a file's */
#define KEY_STORED_MAX (OWNER_MAX + 1 + JOB_KEY_MAX) /* "alice/nightly": requests_scope_key() */
#define JOB_KIND_MAX   32
#define JOB_SPEC_MAX   256
#define JOB_REASON_MAX 256
#define JOBS_OPEN_MAX  10000 /* accepted and not finished; then submit is refused with "busy" */
/* --keep-jobs: finished ones whose state, result and key are remembered; the oldest go first. A day
 * of a job every nine seconds; a checkpoint with them is a few MiB. Earlier releases know no other
 * number, so it holds until the log names one. */
#define JOBS_KEPT_MAX 10000
/* What --keep-jobs may say: some 100 MB of memory and of each checkpoint. */
#define JOBS_KEPT_LIMIT 100000
/* --keep-bytes: results of finished jobs on each node's disk. 32 of the largest that --max-result
 * allows; a small disk of a machine has as much to spare. The last job's result is always kept. */
#define KEEP_BYTES_DEFAULT (4096 * MIB_BYTES)
#define KEEP_BYTES_LIMIT   ((uint64_t)1 << 50) /* 1 PiB: any disk */
/* Of one key: --quota-jobs, --quota-bytes (conclave quota). A quarter of what all have together:
 * whoever takes all that it may leaves as much to three others. Beyond, its submits are refused
 * with "quota". */
#define QUOTA_JOBS_DEFAULT  (JOBS_OPEN_MAX / 4)
#define QUOTA_BYTES_DEFAULT (KEEP_BYTES_DEFAULT / 4)
#define QUOTA_PAGE_MAX      200 /* keys in one answer of quota_get: some 20 KiB */
/* Jobs that one entry forgets, by hand or because it lowers a limit: some 100 us of a step. More
 * are forgotten by further entries. */
#define FORGET_JOBS_MAX 256
#define JOB_PAGE_MAX    100 /* rows in one answer of job_list */
/* Jobs that are looked at for them, of which most may be somebody else's: about a millisecond. */
#define JOB_PAGE_LOOK_MAX 10000
#define TRACE_OPS_MAX     4096 /* jobs of up to so many operations keep their full trace */
#define TRACE_PAGE_MAX    200
/* A result up to this long is logged whole and kept in the table. */
#define TEXT_INLINE_DIGITS 1000
#define TEXT_EDGE_DIGITS   20 /* a longer one is logged as its first and last digits */
/* Estimated size of a result; costlier jobs are refused. */
#define RESULT_MAX_DEFAULT_BYTES (128 * MIB_BYTES)
#define RESULT_MAX_MOST_BYTES    (1024 * MIB_BYTES) /* that --max-result takes: GMP's work on it */
#define WAIT_MAX_MS              10000              /* the longest a long poll is held */
#define WAITERS_MAX              4096 /* long polls held at once; then they are answered at once */
/* Requests that a node has not answered, shared among those who ask (clients_add()). A flood of
 * reads of some 120 us each keeps whoever asks next waiting for a second; of 65,536 it could be
 * eight, longer than a client waits. One client of one broker may have a third of them, the widest
 * window of ours. */
#define REQUEST_CLIENTS_MAX (3 * FRONT_HWM)
/* Reads that wait for the same word of a majority and are answered in one step: pages of jobs take
 * some 100 us each, and thousands may have come within a round. */
#define READS_SLICE_MAX 32

/* --- scheduling --- */

/* A value that its maker alone holds is copied to the disks when making it again would cost so many
 * times more than that: the copies are paid for always, the making only if the maker is lost before
 * the value's use. Before a copy was measured, 100 MB a second; one of less than so many bytes
 * measures how long it waited. */
#define KEEP_ODDS         16
#define KEEP_PACE_DEFAULT (100 * 1024) /* bytes in 1024 us */
#define KEEP_PACE_BYTES   MIB_BYTES
/* Finished operations of a job that are not in the log yet. All of them are looked at with each
 * checkpoint, so beyond, values are copied whatever they cost. */
#define UNLOGGED_MAX 8192
/* Likewise when so much computing is in none of them, that of all workers together: so much is lost
 * at most when a coordinator dies. */
#define UNLOGGED_US_MAX (10 * SECOND_US)

#define OPERANDS_MAX    4           /* second seed: a worker operates on at most four values */
#define BATCH_OPS_MAX   32          /* operations or subtrees in one task message */
#define BATCH_TARGET_US (4 * MS_US) /* a batch is about this much measured work */
/* A job of so many operations at most, the conversion included, whose result has so many bytes at
 * most, goes to one worker whole when more jobs wait than workers are idle; of one with such a
 * result an operation goes with the one before it to the same worker. 64 leaves: half a batch, so
 * that two of them fit, and values that always ride in messages. */
#define WHOLE_OPS_MAX   (BATCH_OPS_MAX / 2)
#define WHOLE_BYTES_MAX (4 * KIB_BYTES)
/* A worker holds results back for so long, at most, while it executes what follows them: a round
 * trip on a fast network. */
#define RESULT_HOLD_US MS_US
/* A job is cut into at least so many subtrees per worker, when it has them. */
#define SUBTREES_PER_WORKER 16
/* And no subtree is larger, so that progress is seen and little is lost: 5 ms of computing. With a
 * quarter of it the value of 10000000! took a tenth longer; nodes from before ENTRY_LEVEL_UNITS
 * take no more than that. */
#define SUBTREE_LEAVES_MAX 16384
#define SUBTREE_LEAVES_OLD 4096
/* Operations of a plan's flat stage: a power of four, so that its tree has no gaps; two a worker,
 * to the most nodes there may be; and no fewer than 16: with 4 the last one takes as long as all
 * others together. */
#define PLAN_RANGES_MAX   256
#define PLAN_RANGES_MIN   16
#define PLAN_RANGES_LEAST 4 /* of a plan that cannot be without */
#define RANGES_PER_WORKER 2
#define PLAN_PIECES_MAX   8 /* of a text; each doubling takes a division more before it begins */
/* Leaves of a plan whose results have several consumers: up to five operations each, and what is
 * done of them is a bit each in memory and is walked once when a checkpoint is loaded, 0.1 s. */
#define PLAN_LEAVES_MAX 16384
/* Factors above the line of a binomial coefficient that one operation makes whole, without a sieve:
 * a third of a second. */
#define BINOMIAL_DIRECT_MAX 1000000
#define SIEVE_MAX           ((uint64_t)UINT32_MAX) /* primes have 32 bits */
#define PLAN_CHOICE_MAX     16                     /* the name of a plan, in a request */
#define PHASES_MAX          16                     /* of a job's time (timing.h), in an answer */
#define PHASE_NAME_MAX      16
/* Of finished jobs, their coordinator remembers so many accounts of their time: 100 KB. */
#define TIMINGS_KEPT_MAX 1024
/* --- jobs of tasks --- */

/* Of one job. A range is all that a task in a row costs, so that the limit is that of patience: a
 * day at 10,000 a second. */
#define TASKS_MAX            ((uint64_t)1000000000)
#define TASK_TIME_MAX_MS     ((uint64_t)366 * 86400 * 1000) /* a year: more is a slip */
#define TASK_EXIT_MAX        255
#define TASK_DELAY_DOUBLINGS 20 /* of the delay before another attempt: a week for a second */
#define TASK_REASON_MAX      47 /* bytes of a reason beside exit and signal: a short clause */
/* Rows of one entry, or of one part of a checkpoint: with all their fields frame 0 has them. */
#define TASK_RANGES_MAX     512
#define TASK_CHOSEN_MAX     256 /* ranges of tasks that a retry names */
#define TASK_EXCEPTIONS_MAX 150
#define TASK_SEGMENTS_MAX   100 /* and starts */
/* Ranges of tasks in one message between coordinator and worker. */
#define TASK_HANDS_MAX 64
/* Tasks in one range for a worker: at a microsecond each, a batch of BATCH_TARGET_US. */
#define TASK_BATCH_MAX 4096
/* Ranges that wait at a worker: two batches of single tasks of each of two jobs, and more. */
#define TASK_WORKS_MAX (4 * TASK_BATCH_MAX)
/* A worker looks so far ahead in these for tasks whose inputs are there, and fetches those of the
 * others: of a few jobs that take turns. */
#define TASK_WORKS_LOOK      8
#define ACTIVE_TASK_JOBS_MAX 64 /* of which tasks are handed out at the same time */
/* Details of outcomes that go into one value, and in all that are on their way there: then nothing
 * more is handed out until some are in the log. */
#define TASK_ROWS_BYTES    MIB_BYTES
#define TASK_BATCHES_BYTES (4 * MIB_BYTES)
#define TASK_BATCHES_MAX   8
/* Each entry leaves a row of its segment in memory. From so many on the interval between entries
 * grows with them: after a day a job has 15,000, and an outcome waits 1.5 s for its entry. */
#define TASK_SEGMENTS_FEW   1000
#define TASK_WRITE_AGAIN_US SECOND_US /* after a value that could not be written */
/* How long a new coordinator waits for what workers have, before it hands out what they may have:
 * their first word comes with the first heartbeat that tells them of it. A worker that says nothing
 * for so long is cut off, and will be declared lost. */
#define TASK_REPORTS_US (1000 * MS_US)

/* Jobs that are scheduled at the same time; others wait in order. Small ones are on their way
 * through two commits and a worker, ten turns of the coordinator: that takes so many to keep it
 * busy. */
#define ACTIVE_JOBS_MAX 512
/* Of these so many that are not small (follow_fits()): they have values in memory, on workers. */
#define ACTIVE_LARGE_MAX 64
/* Operations that wait or are executed at a worker: four times the largest credit of a coordinator.
 * Beyond, they are refused, and given to others. */
#define WORK_QUEUED_MAX (8 * BATCH_OPS_MAX)
/* At the compute thread at once; credits keep it to a few ms of work. */
#define COMPUTE_IN_FLIGHT 64

/* --- failure of workers (why these: docs/decisions.md) --- */

#define HOLDERS_MAX           2 /* workers that execute the same operation: one, and a copy */
#define POISON_DEATHS         3 /* workers that an operation may kill; then its job fails */
#define ERRORS_MAX            3 /* workers that may refuse an operation; then its job fails */
#define QUIET_BEATS           3 /* a worker that misses so many heartbeats gets nothing new */
#define SLOW_FACTOR           4 /* an operation is slow after so many times what it should take */
#define SLOW_MIN_US           (200 * MS_US)    /* and this: then an idle worker may overtake it */
#define DEADLINE_FACTOR       10               /* after so many times what it should take ... */
#define DEADLINE_MIN_US       (1000 * MS_US)   /* ... and this it has overrun its deadline */
#define DEADLINE_UNKNOWN_US   (10 * SECOND_US) /* more, when nothing like it was measured */
#define TRANSFER_BYTES_PER_US 10               /* operands are fetched at least so fast */
#define WATCH_US              (20 * MS_US)     /* deadlines are looked at so often */
#define WARM_US               (15 * SECOND_US) /* a worker gives memory back a little later */
#define WARM_BYTES_MIN        MIB_BYTES        /* of operands: below, memory is no matter */
#define ERROR_BACKOFF_US      (100 * MS_US)    /* a worker that returned an error rests, ... */
#define ERROR_BACKOFF_MAX_US  (5 * SECOND_US)  /* ... twice as long with each one, up to this */
#define RESERVED_US           (100 * MS_US)    /* a worker is kept free for what goes alone */
#define STALL_DEFAULT_US      (3 * SECOND_US)  /* of --fail-stall: six election timeouts */

/* Time in which an operation waits for a processor counts for a quarter: one that gets a fourteenth
 * of a processor, and more, is not slow after SLOW_FACTOR times what it should take. */
#define STARVED_PART 4

/* How long an operation should take (pace.h). Logarithms to base 2, in 256ths. Measured with GMP: a
 * unit of cost takes 0.1 ns at 64 bytes, 2 ns in a product of 1 MB, 1 ns in a conversion of 27 MB:
 * a quarter of a doubling for each doubling of the operands, at most. So each doubling away from
 * what was measured makes it 1.3 times longer. */
#define PACE_MARGIN_LOG   96
#define PACE_GROWTH_SIZES 4 /* doublings over which an exponent is measured; less is noise */
#define PACE_NEAR_SIZES   2 /* a small operation tells of those of four times its size */
/* 0.1 to 1 ms: what takes less is mostly threads that wake up, and tells of no larger one. */
#define PACE_TELLING_COST UINT64_C(1000000)
/* And no thread takes as long as this to wake up. */
#define PACE_TELLING_US (100 * MS_US)
/* Per unit, when nothing tells: a processor four times slower than the one that was measured. */
#define PACE_UNKNOWN_PS UINT64_C(4000)
/* A unit takes at most four times as long as units of other operators. */
#define PACE_OTHERS_LOG 512
#define PACE_MAX_US     (UINT64_C(3600000) * SECOND_US) /* 1000 hours: sums stay below 2^64 */

/* --- values --- */

/* No end of a fetch, or of a write to disk, within this: it is asked for again. The transfer itself
 * gives a silent source up after FETCH_FAIL_US; this is for what nobody thought of. */
/* A value that its entry waits for is offered to more voters after so long, and the entry is
 * proposed after as long again; both longer by what a disk or a network of 20 MB/s takes. */
#define OFFER_WAIT_US           (500 * MS_US)
#define OFFER_BYTES_PER_US      20
#define OFFERS_MAX              32 /* at a time; what is beyond goes with its entry */
#define VALUE_WAIT_US           (30 * SECOND_US)
#define VALUE_WAIT_BYTES_PER_US 1 /* and so much slower than any network of use */

/* Values on disk that no state names are looked for this often, besides at start, at a job's end
 * and when a term begins: 10,000 results are 40 slices. */
#define SWEEP_EVERY_US (60 * SECOND_US)
/* A cluster that has done nothing for so long frees values that only its log still names. */
#define TIDY_AFTER_US    (2 * SECOND_US)
#define SWEEP_SLICE_MAX  256             /* values listed at once: a fraction of a millisecond */
#define REPAIRS_MAX      64              /* of damaged values at once; others are found again */
#define STORE_KEEP_BYTES (4 * MIB_BYTES) /* of values that are made durable together */
#define STORE_SLICE_US   (2 * MS_US)     /* of work with values between two writes of the log */
/* Blocks of large values that are free, kept for the next ones: beyond, and after a while without
 * values, they go back to the system. */
#define BULK_KEPT_BYTES (64 * MIB_BYTES)
/* Kept values are read again, so slowly that an idle node stays one (100 MB in 200 s, 0.3 % of a
 * processor), a value this often at most, and none again before the next round. */
#define SCRUB_BYTES_PER_S (512 * KIB_BYTES)
#define SCRUB_LEAST_US    (50 * MS_US)
#define SCRUB_ROUND_US    (10 * SECOND_US)
/* A client's read waits so long for a value to be repaired. */
#define SERVE_REPAIR_US (8 * SECOND_US)
#define SWEEP_JOBS_MAX  256 /* ended jobs that wait for their sweep; beyond, all is swept */

/* --- replication --- */

#define APPEND_ENTRIES_MAX 128 /* entries in one append */
/* Of entries in one append; one larger entry goes alone. */
#define APPEND_BYTES_MAX (MESSAGE_MAX_BYTES / 2)
/* Entries that go together in one frame, as those of small jobs do; what is larger is worth a frame
 * of its own, which is sent without being copied. */
#define RUN_ENTRY_BYTES  2048
#define RUN_BYTES        (64 * KIB_BYTES)
#define APPEND_WINDOW    64            /* appends on their way to one follower */
#define APPEND_RESEND_US (200 * MS_US) /* without an answer for this long: go back */
/* To a node that never votes an append goes so often at most: each costs its disk a transaction,
 * and of 25 nodes on two processors 20 made most of what a large job cost beyond six nodes. */
#define LEARNER_APPEND_US (50 * MS_US)
/* Lost with a coordinator: at most this much work. */
#define CHECKPOINT_INTERVAL_DEFAULT_US (100 * MS_US)
#define CHECKPOINT_BYTES_DEFAULT       (4 * MIB_BYTES) /* or this many bytes of values */
/* Finished operations in one entry: fits the map's 64 KiB. */
#define CHECKPOINT_OPS_MAX     200
#define CHECKPOINT_ENTRY_BYTES (MESSAGE_MAX_BYTES / 2) /* of values in one entry */
#define COMPACT_ENTRIES        8192    /* the log is compacted when it has so many entries ... */
#define COMPACT_ENTRIES_MIN    16      /* below this a node would do little else */
#define COMPACT_ENTRIES_MAX    1000000 /* some 200 MB of log in memory */
#define COMPACT_BYTES          (64 * MIB_BYTES) /* ... or so many bytes */
/* Keys of the latest progress snaps, so that a retry takes no second one. */
#define SNAP_KEYS_MAX 1000

/* Keys whose outcomes are forgotten: 153 blocks of 65,536 hashes are 10,027,008, in 80 MB of memory
 * and of disk. Beyond, the oldest block goes, and its keys would be executed again. One for jobs
 * and snaps on every node, one for each ledger on its own node. */
#define KEY_BLOCK_HASHES 65536 /* 512 KiB: half a message, and sorted in a few milliseconds */
#define KEY_BLOCKS_MAX   153
/* Sessions that a cluster, and each ledger, remembers; a new one evicts the one unused for longest:
 * 240 KB in every checkpoint. */
#define SESSIONS_MAX 10000

/* Node numbers, states and snap ids that a client may name: what JSON carries exactly everywhere,
 * and far from where adding operations would overflow. */
#define PROGRESS_STATE_MAX ((uint64_t)1 << 53)

/* Indexes that clients may set are the cluster's nodes; others are refused. Earlier releases took
 * any: of what such a store holds, this many small ones are kept, and the others are forgotten. */
#define PROGRESS_INDEX_MAX 1000
#define PROGRESS_SNAPS_MAX 10000 /* latest snaps that can be read: 16 MB with 100 busy nodes */

/* --- checkpoints: built in slices, so that the event loop is never held --- */

#define CHECKPOINT_SLICE_ROWS  128               /* packed in one slice: one to five milliseconds */
#define CHECKPOINT_SLICE_BYTES (256 * KIB_BYTES) /* likewise */
/* Groups looked at, most of which are packed already, and rows of which a snapshot wants the key.
 */
#define CHECKPOINT_SLICE_VISITS 8192
#define CHECKPOINT_SLICE_GAP_US (4 * MS_US) /* from slice to slice: the largest state takes 1 s */
/* Jobs that are packed together, and again when one of them has changed: at once when that is while
 * a checkpoint is built, 0.1 ms, or 1 ms when all have the longest traces. More would make a small
 * change dearer; fewer, more parts, which each checkpoint names. */
#define CHECKPOINT_GROUP_ROWS 64
#define INSTALL_WINDOW        2 /* parcels of parts on their way to one follower */
/* Of a parcel of several parts: a follower loads it in one step, up to 20 ms. */
#define INSTALL_BYTES_MAX (64 * KIB_BYTES)

/* --- ledger --- */

#define LEDGER_NAME_MAX 64 /* of an account, or of a value: [A-Za-z0-9_.-] */
/* In minor units, of every amount and of all that a node holds: no sum over nodes overflows 63
 * bits, and JSON carries each exactly. Beyond, a credit is refused. */
#define MONEY_MAX       UINT64_C(1000000000000000)
#define KV_VALUE_MAX    4096   /* bytes of a value */
#define KV_NAMES_MAX    4096   /* of values on a node: 16 MiB; then a new one is refused */
#define ACCOUNTS_MAX    100000 /* on a node; then a new one is refused */
#define LEDGER_PAGE_MAX 200    /* accounts, or values, in one answer ... */
/* ... and bytes of values: an answer is one frame of 64 KiB at most. */
#define KV_PAGE_BYTES_MAX (40 * KIB_BYTES)
/* Requests whose outcomes a node remembers; the oldest go first. */
#define LEDGER_KEYS_MAX  65536
#define LEDGER_SENT_MAX  16384 /* messages that one node has not acknowledged; then "busy" */
#define LEDGER_BURST_MAX 1024  /* of these sent again in one step: a few milliseconds */
/* Accounts of other nodes known to exist; others are asked about. */
#define LEDGER_KNOWN_MAX      8192
#define LEDGER_QUERY_US       (2 * SECOND_US) /* no answer for this long: the request is refused */
#define LEDGER_QUERY_RETRY_US (250 * MS_US)

/* --- storage --- */

#define RECORD_KEY_MAX 96 /* a name, and what comes before it */

#define STORE_MAP_BYTES           ((uint64_t)64 << 30) /* LMDB's map is address space, not memory */
#define STORE_MAP_SANITIZED_BYTES ((uint64_t)1 << 30)
/* Allocated ahead, so that votes, and the few entries that are on their way when the disk fills up,
 * still find room: a checkpoint's bytes and as much again. */
#define STORE_RESERVE_BYTES      (8 * MIB_BYTES)
#define STORE_RESERVE_STEP_BYTES (4 * MIB_BYTES) /* more at a time: one call for many commits */
/* A start makes data.mdb smaller when so much of it is free, and half of it: what the log and a
 * checkpoint come to between two compactions, so that they do not grow it again at once. */
#define STORE_SHRINK_BYTES (64 * MIB_BYTES)
/* A store that runs is made smaller when nothing was written for so long, and what is in it is
 * at most so much: whatever comes meanwhile waits for the copy, half a second on a slow disk. */
#define STORE_TIDY_US    (2 * SECOND_US)
#define STORE_TIDY_BYTES (32 * MIB_BYTES)
/* A store is looked through before it is opened: for so long at most, and as much longer as it is
 * large. A disk that is slower hangs. */
#define STORE_CHECK_US           (10 * SECOND_US)
#define STORE_CHECK_BYTES_PER_US 10
#define STORE_SPACE_RETRY_US     (200 * MS_US) /* a full disk is looked at this often */

/* --- snapshots --- */

#define CUT_ROWS_MAX      250 /* rows in one part of a report: fit the map's 64 KiB */
#define CUT_MESSAGES_MAX  150 /* and of recorded messages */
#define CUT_JOBS_MAX      150 /* and of jobs, which have their arguments with them */
#define SNAPSHOT_PAGE_MAX 50
/* Recorded at once by a node; then it takes no part in more. */
#define SNAPSHOTS_ACTIVE_MAX        64
#define SNAPSHOTS_KEPT_MAX          100 /* on the disk of each initiator; the oldest go first */
#define SNAPSHOT_EVERY_MAX_US       (24 * 3600 * SECOND_US) /* that --snapshot-every takes */
#define SNAPSHOT_TIMEOUT_DEFAULT_US (2 * SECOND_US) /* who is silent for so long is missing */
/* What was released since a cut that somebody asked for stays for so long, on each disk, until an
 * export has begun to read it, and then while it goes on: a person types the next command within
 * that; what a busy cluster releases in a minute fits on its disks. */
#define SNAPSHOT_PIN_US (60 * SECOND_US)

/* Of recorded messages; then the snapshot is given up. */
#define SNAPSHOT_RECORD_BYTES_MAX (64 * MIB_BYTES)
/* Of all recordings and reports that a node holds at once. Beyond, a snapshot is refused, or what
 * does not fit is given up with a reason: one of the largest states of many nodes fits, alone. */
#define SNAPSHOT_MEMORY_BYTES   (1024 * MIB_BYTES)
#define SNAPSHOT_REPORT_BYTES   (256 * 1024) /* of parts in one report message */
#define SNAPSHOT_REPORT_FRAMES  64
#define SNAPSHOTS_PERIODIC_KEEP 5                  /* --snapshot-keep */
#define SNAPSHOT_FILE_BYTES_MAX (1024 * MIB_BYTES) /* a larger one is refused by the client */
#define SNAPSHOT_ENDED_MAX      1024               /* ids whose late markers are known to be late */

/* --- clients --- */

#define CLIENT_UNREACHABLE_MS 2000 /* no broker answered anything for this long: exit 3 */
/* Brokers answer, but no coordinator serves for this long: exit 3. */
#define CLIENT_UNAVAILABLE_MS 5000
/* Nodes read a list of keys that has changed within 250 ms; copied to all machines, somewhat later.
 */
#define CLIENT_KEY_SPREADS_MS     3000
#define CLIENT_RETRY_MS           1000 /* an unanswered request is sent again, to the next broker */
#define CLIENT_BACKOFF_MS         50   /* pause before asking again when there is no coordinator */
#define CLIENT_TIMEOUT_DEFAULT_MS 600000 /* of a call; who waits for a job's end waits on */
#define CLIENT_POLL_MS            1000   /* a long poll's length while waiting for a job */
#define JOBS_FILE_LINE_MAX        512

#include "shared/base/limits_held.h"
#include "shared/base/limits_stored.h"

#endif

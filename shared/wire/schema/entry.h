/* entry.h - entries of the log, kept on disk in this form. */
#ifndef CONCLAVE_WIRE_SCHEMA_ENTRY_H
#define CONCLAVE_WIRE_SCHEMA_ENTRY_H

#include "shared/wire/schema/fields.h"

#define ENTRY_NOOP_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "the coordinator that begins its term with this entry")

#define ENTRY_VOTER_ADMITTED_FIELDS(U64, BOOL, STR, BIN, LIST)                          \
    U64(REQ, node, NODES_MAX, "the voter")                                              \
    U64(REQ, birth, U64_ANY, "its disk from now on; acks and votes of others are void") \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "in which cluster; means nothing in another")

#define ENTRY_JOB_SUBMITTED_FIELDS(U64, BOOL, STR, BIN, LIST)                                 \
    STR(REQ, key, KEY_STORED_MAX, "the client's key; with an owner: OWNER/KEY")               \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                                 \
    STR(REQ, spec, JOB_SPEC_MAX, "its argument")                                              \
    U64(REQ, level, 32, "level of the plan whose subtrees are handed out whole")              \
    U64(REQ, time_ms, U64_ANY, "when it was accepted")                                        \
    U64(OPT, ranges, PLAN_RANGES_MAX,                                                         \
        "ranges of its plan's flat stage; 0: its plan is over integers, or segments")         \
    STR(OPT, owner, OWNER_MAX, "the name of the key that submitted it; absent: without keys") \
    LIST(OPT, inputs, value_ref, INPUTS_MAX,                                                  \
         "the stored values that it names; no job is made when one of them is not whole")     \
    LIST(OPT, tasks, task_options, 1, "of a job of tasks: how they are executed")             \
    U64(OPT, parent, U64_ANY, "the job whose tasks it repeats: those done there are done")    \
    LIST(OPT, chosen, task_range, TASK_CHOSEN_MAX,                                            \
         "of those, the only ones that it repeats; the others are as there; absent: all")     \
    U64(OPT, pieces, PLAN_PIECES_MAX,                                                         \
        "in which its plan converts the result to text; 0: in one operation")

/* What was done for a job since its last entry. */
#define DONE_FIELDS(U64, LIST)                                                             \
    U64(REQ, job, U64_ANY, "which")                                                        \
    U64(REQ, executed, U64_ANY, "operations executed for it in all, repetitions included") \
    LIST(REQ, ops, done_op, CHECKPOINT_OPS_MAX,                                            \
         "finished operations whose values are still needed, or traced")                   \
    LIST(REQ, tallies, tally, NODES_MAX, "what every node contributed")                    \
    U64(OPT, reassigned, U64_ANY,                                                          \
        "operations of any job handed out again since the last such entry")                \
    LIST(OPT, losses, loss, NODES_MAX, "what was computed again because values were lost, in all")

#define ENTRY_OPS_DONE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    DONE_FIELDS(U64, LIST)                               \
    U64(REQ, source, NODES_MAX, "the coordinator, which holds the values on disk")

#define ENTRY_JOB_DONE_FIELDS(U64, BOOL, STR, BIN, LIST)                         \
    DONE_FIELDS(U64, LIST)                                                       \
    U64(REQ, source, NODES_MAX, "the coordinator, which holds the text on disk") \
    U64(REQ, time_ms, U64_ANY, "when")                                           \
    U64(REQ, digits, U64_ANY, "length of the decimal text")                      \
    BIN(REQ, sha256, HASH_BYTES, "of the decimal text")                          \
    TEXT_FIELDS(U64, STR)

#define ENTRY_PROGRESS_SET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, index, U64_ANY, "the node whose state is set")  \
    U64(REQ, state, U64_ANY, "the state")

#define ENTRY_PROGRESS_SNAPPED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, key, KEY_STORED_MAX, "the client's key, likewise")

#define ENTRY_SESSION_OPENED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, token, U64_ANY, "random; the id is made of the entry's term and index, as a job's is")

#define ENTRY_JOB_FAILED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, job, U64_ANY, "which")                        \
    U64(REQ, time_ms, U64_ANY, "when")                     \
    STR(REQ, reason, JOB_REASON_MAX, "why")

#define ENTRY_JOB_CANCELLED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, job, U64_ANY, "which")                           \
    U64(REQ, time_ms, U64_ANY, "when")

/* The limits hold from this entry on, and with it finished jobs go in the order of their ends. */
#define ENTRY_RETENTION_SET_FIELDS(U64, BOOL, STR, BIN, LIST)                   \
    U64(REQ, jobs, U64_ANY, "so many finished jobs are remembered, at least 1") \
    U64(REQ, bytes, U64_ANY, "and so many bytes of their results, beside the last one's")

#define ENTRY_JOBS_FORGOTTEN_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, jobs, job_ref, FORGET_JOBS_MAX, "finished jobs; others are passed over")

/* The whole list, so that none depends on the one before. */
#define ENTRY_ACCESS_CHANGED_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, version, ACCESS_VERSION_MAX, "of the list; one that is not higher changes nothing") \
    BIN(REQ, list, ACCESS_LIST_BYTES, "allowed.json, without white space")

/* A stored value's id is made of this entry's term and index, as a job's is. The same again, of one
 * that is there, makes it young. */
#define ENTRY_VALUE_BEGUN_FIELDS(U64, BOOL, STR, BIN, LIST)                               \
    STR(OPT, owner, OWNER_MAX, "the name of the key that began it; absent: without keys") \
    BIN(REQ, sha256, HASH_BYTES, "of all of its bytes")                                   \
    U64(REQ, len, VALUE_BYTES_MAX, "how many bytes those are")                            \
    STR(REQ, format, STORED_FORMAT_MAX, "bytes, integers or tasks")                       \
    STR(OPT, name, STORED_NAME_MAX, "for people")                                         \
    U64(REQ, time_ms, U64_ANY, "when")

/* One that is not the next is passed over. */
#define ENTRY_VALUE_SEGMENT_FIELDS(U64, BOOL, STR, BIN, LIST)                           \
    U64(REQ, value, U64_ANY, "which")                                                   \
    U64(REQ, segment, VALUE_SEGMENTS_MAX, "its next segment")                           \
    U64(REQ, op, OP_MAX,                                                                \
        "with the value's id it names the bytes: the segment, and which try stored it") \
    U64(REQ, len, VALUE_BYTES_MAX, "of the segment")                                    \
    BIN(REQ, sha256, HASH_BYTES, "of the segment")                                      \
    U64(REQ, items, U64_ANY, "that it holds")

#define ENTRY_VALUE_WHOLE_FIELDS(U64, BOOL, STR, BIN, LIST) U64(REQ, value, U64_ANY, "which")

#define ENTRY_VALUE_DROPPED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, values, value_ref, DROP_VALUES_MAX, "those that jobs name by now are passed over")

#define ENTRY_VALUE_AGED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, elapsed_ms, U64_ANY,                          \
        "by the coordinator's clock, since its last such entry or since its term began")

/* Kinds of entries came with this number, which heartbeats tell. A kind is proposed only when those
 * that are needed know it: members_know_entries(). 0: all but the following. 1: retention_set,
 * jobs_forgotten. 2: jobs whose units have more than SUBTREE_LEAVES_OLD leaves. 3: jobs with a plan
 * over ranges of primes. 4: access_changed. 5: jobs of the kinds primorial and binomial.
 * 6: stored values, and jobs that name them. 7: jobs of the kinds product, batch-gcd, pi and e,
 * whose results have several consumers. 8: jobs of tasks: tasks_done, tasks_started.
 * 9: stored values of the formats parts and operator, and jobs of the kind reduce; bundles in
 * tasks_done and tasks_started; jobs of tasks with files, which are a second input; jobs that
 * repeat some tasks of another one; jobs whose slow tasks may have a second copy. 10: jobs
 * whose result is converted to text in pieces; and no entry, but operands that an operation before
 * it in the same task message makes. 11: no entry either, but runs of them in one frame. */
#define ENTRY_LEVEL           11
#define ENTRY_LEVEL_RETENTION 1
#define ENTRY_LEVEL_UNITS     2
#define ENTRY_LEVEL_RANGES    3
#define ENTRY_LEVEL_ACCESS    4
#define ENTRY_LEVEL_NUMBERS   5
#define ENTRY_LEVEL_VALUES    6
#define ENTRY_LEVEL_PLANS     7
#define ENTRY_LEVEL_TASKS     8
#define ENTRY_LEVEL_REDUCE    9
#define ENTRY_LEVEL_BUNDLES   9
#define ENTRY_LEVEL_FILES     9
#define ENTRY_LEVEL_CHOSEN    9
#define ENTRY_LEVEL_SPECULATE 9
#define ENTRY_LEVEL_PIECES    10
#define ENTRY_LEVEL_FOLLOWS   10
#define ENTRY_LEVEL_RUNS      11

#define ENTRY_MESSAGES(M)                                                                         \
    M(ENTRY_NOOP, entry_noop, ENTRY_NOOP_FIELDS, PLACE_ENTRY, "begins a term")                    \
    M(ENTRY_VOTER_ADMITTED, entry_voter_admitted, ENTRY_VOTER_ADMITTED_FIELDS, PLACE_ENTRY,       \
      "a voter's disk counts from now on, and no former one of it")                               \
    M(ENTRY_JOB_SUBMITTED, entry_job_submitted, ENTRY_JOB_SUBMITTED_FIELDS, PLACE_ENTRY,          \
      "a job was accepted")                                                                       \
    M(ENTRY_OPS_DONE, entry_ops_done, ENTRY_OPS_DONE_FIELDS, PLACE_ENTRY,                         \
      "completions: a batch of finished operations of a job")                                     \
    M(ENTRY_PROGRESS_SET, entry_progress_set, ENTRY_PROGRESS_SET_FIELDS, PLACE_ENTRY,             \
      "SetState of a client")                                                                     \
    M(ENTRY_PROGRESS_SNAPPED, entry_progress_snapped, ENTRY_PROGRESS_SNAPPED_FIELDS, PLACE_ENTRY, \
      "Snap")                                                                                     \
    M(ENTRY_SESSION_OPENED, entry_session_opened, ENTRY_SESSION_OPENED_FIELDS, PLACE_ENTRY,       \
      "a client's session for keys")                                                              \
    M(ENTRY_JOB_DONE, entry_job_done, ENTRY_JOB_DONE_FIELDS, PLACE_ENTRY, "a job has its result") \
    M(ENTRY_JOB_FAILED, entry_job_failed, ENTRY_JOB_FAILED_FIELDS, PLACE_ENTRY,                   \
      "a job cannot be done")                                                                     \
    M(ENTRY_JOB_CANCELLED, entry_job_cancelled, ENTRY_JOB_CANCELLED_FIELDS, PLACE_ENTRY,          \
      "a client cancelled it")                                                                    \
    M(ENTRY_RETENTION_SET, entry_retention_set, ENTRY_RETENTION_SET_FIELDS, PLACE_ENTRY,          \
      "how much of finished jobs is remembered from now on")                                      \
    M(ENTRY_JOBS_FORGOTTEN, entry_jobs_forgotten, ENTRY_JOBS_FORGOTTEN_FIELDS, PLACE_ENTRY,       \
      "a client had jobs forgotten")                                                              \
    M(ENTRY_ACCESS_CHANGED, entry_access_changed, ENTRY_ACCESS_CHANGED_FIELDS, PLACE_ENTRY,       \
      "another list of the keys that are allowed")                                                \
    M(ENTRY_VALUE_BEGUN, entry_value_begun, ENTRY_VALUE_BEGUN_FIELDS, PLACE_ENTRY,                \
      "a client begins a stored value")                                                           \
    M(ENTRY_VALUE_SEGMENT, entry_value_segment, ENTRY_VALUE_SEGMENT_FIELDS, PLACE_ENTRY,          \
      "a segment of it is on the disks")                                                          \
    M(ENTRY_VALUE_WHOLE, entry_value_whole, ENTRY_VALUE_WHOLE_FIELDS, PLACE_ENTRY,                \
      "all of it is there")                                                                       \
    M(ENTRY_VALUE_DROPPED, entry_value_dropped, ENTRY_VALUE_DROPPED_FIELDS, PLACE_ENTRY,          \
      "stored values are removed: a client dropped them, or they were too old")                   \
    M(ENTRY_VALUE_AGED, entry_value_aged, ENTRY_VALUE_AGED_FIELDS, PLACE_ENTRY,                   \
      "how much older stored values that no job names have become")

#endif

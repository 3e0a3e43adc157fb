/* tasks.h - jobs of independent tasks: what all places say of them. A task has a number from 1 on;
 * tasks that are alike stand together as a range. */
#ifndef CONCLAVE_WIRE_SCHEMA_TASKS_H
#define CONCLAVE_WIRE_SCHEMA_TASKS_H

#include "shared/wire/schema/channel.h"
#include "shared/wire/schema/fields.h"
#include "shared/wire/schema/request.h"

#define TASK_RANGE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, first, TASKS_MAX, "the first task")     \
    U64(REQ, count, TASKS_MAX, "how many: first, first + 1, ...")

/* What the submit says of how they are executed. */
#define TASK_OPTIONS_FIELDS(U64, BOOL, STR, BIN, LIST)                                       \
    U64(OPT, retries, TASK_RETRIES_MAX,                                                      \
        "more attempts after an exit that is not 0, a signal "                               \
        "or the time limit")                                                                 \
    U64(OPT, retry_delay_ms, TASK_TIME_MAX_MS, "before the second attempt; it doubles")      \
    U64(OPT, time_limit_ms, TASK_TIME_MAX_MS, "of an attempt; 0: none")                      \
    U64(OPT, max_fails, TASKS_MAX, "so many that fail or are lost cancel the rest; 0: none") \
    U64(OPT, max_fails_percent, 100, "the same, of all tasks; 0: none")                      \
    BOOL(OPT, at_most_once, "a task whose worker died is lost, not executed again")          \
    U64(OPT, slots, TASK_SLOTS_MAX, "of its node, that a task takes; 0: one")                \
    BOOL(OPT, bundles, "outputs of more than 64 KiB, and files, are kept, too")              \
    BOOL(OPT, speculate, "a second copy of what is slow near the end is allowed")

/* How the tasks of a job stand. */
#define TASK_COUNTS_FIELDS(U64, BOOL, STR, BIN, LIST)                                 \
    U64(REQ, total, TASKS_MAX, "all tasks")                                           \
    U64(OPT, queued, TASKS_MAX, "not begun, or waiting for another attempt")          \
    U64(OPT, running, TASKS_MAX, "at workers")                                        \
    U64(OPT, done, TASKS_MAX, "exit 0")                                               \
    U64(OPT, failed, TASKS_MAX, "the last attempt ended otherwise")                   \
    U64(OPT, lost, TASKS_MAX, "at most once, and their worker died")                  \
    U64(OPT, cancelled, TASKS_MAX, "the job ended before them")                       \
    U64(OPT, inherited, TASKS_MAX, "of those done: in the job that this one repeats") \
    U64(OPT, attempts, U64_ANY, "that ended")                                         \
    U64(OPT, retries, U64_ANY, "attempts after one that failed")                      \
    U64(OPT, deaths, U64_ANY, "attempts after a worker's death")                      \
    U64(OPT, copies, U64_ANY, "second copies of slow tasks that were begun")

/* Tasks that ended otherwise than done. */
#define TASK_EXCEPTION_FIELDS(U64, BOOL, STR, BIN, LIST)                      \
    U64(REQ, first, TASKS_MAX, "the first task")                              \
    U64(REQ, count, TASKS_MAX, "how many of them")                            \
    STR(REQ, state, 16, "failed, lost or cancelled")                          \
    U64(OPT, attempts, UINT32_MAX, "so many were begun")                      \
    U64(OPT, exit, TASK_EXIT_MAX, "the exit status of the last one")          \
    U64(OPT, signal, TASK_EXIT_MAX, "the signal that ended it; 0: none")      \
    STR(OPT, reason, TASK_REASON_MAX, "more, for people; empty: that is all") \
    U64(OPT, node, NODES_MAX, "who executed the last one")                    \
    U64(OPT, copy, NODES_MAX, "of a page: the node that executes a second copy; 0: none")

/* A value of the job with rows of details (shared/base/task_row.h). */
#define TASK_SEGMENT_FIELDS(U64, BOOL, STR, BIN, LIST)                 \
    U64(REQ, op, OP_MAX, "names the value, with the job")              \
    U64(REQ, len, U64_ANY, "of the value in bytes")                    \
    BIN(REQ, hash, HASH_BYTES, "SHA-256 of the value")                 \
    U64(REQ, first, TASKS_MAX, "the least task of which it has a row") \
    U64(REQ, last, TASKS_MAX, "the greatest task of which it has a row")

/* What one task has left beside short outputs (shared/tasks/bundle.h): values of 8 MiB each, and
 * one of what is left, with the numbers op, op + 1, ... */
#define TASK_BUNDLE_FIELDS(U64, BOOL, STR, BIN, LIST)                 \
    U64(REQ, op, VALUE_OP_MAX, "names the first value, with the job") \
    U64(REQ, len, U64_ANY, "of all together in bytes")                \
    BIN(REQ, hashes, BUNDLE_PIECES_MAX *HASH_BYTES, "SHA-256 of each, in their order")

/* Tasks that may have been begun, of a job whose tasks are executed at most once. */
#define TASK_START_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, first, TASKS_MAX, "the first task")     \
    U64(REQ, count, TASKS_MAX, "how many")           \
    U64(REQ, node, NODES_MAX, "the worker")          \
    U64(REQ, incarnation, U64_ANY, "its incarnation")

/* Tasks in a worker's hands. */
#define TASK_HAND_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, job, U64_ANY, "the job")                                                 \
    U64(REQ, hand, U64_ANY, "names this handing out: no other one of the job has it") \
    U64(REQ, first, TASKS_MAX, "the first task")                                      \
    U64(REQ, count, TASKS_MAX, "how many")                                            \
    U64(OPT, attempt, UINT32_MAX, "1, and one more for each attempt that failed")     \
    BOOL(OPT, copy, "another worker executes the same attempt")

/* How attempts ended, at a worker. */
#define TASK_OUTCOME_FIELDS(U64, BOOL, STR, BIN, LIST)                                       \
    U64(REQ, first, TASKS_MAX, "the first task")                                             \
    U64(REQ, count, TASKS_MAX, "how many: all that follows is the same for each")            \
    U64(REQ, hand, U64_ANY, "as they were given")                                            \
    U64(OPT, attempt, UINT32_MAX, "likewise")                                                \
    BOOL(OPT, copy, "likewise")                                                              \
    U64(OPT, exit, TASK_EXIT_MAX, "the exit status")                                         \
    U64(OPT, signal, TASK_EXIT_MAX, "the signal that ended it; 0: none")                     \
    BOOL(OPT, limit, "the time limit ended it")                                              \
    STR(OPT, reason, TASK_REASON_MAX, "why it could not be executed; empty: it was")         \
    BOOL(OPT, returned, "it was not begun for want of its inputs, and is to be given again") \
    U64(OPT, started_ms, U64_ANY, "milliseconds since 1970 UTC")                             \
    U64(OPT, wall_us, U64_ANY, "from its beginning to its end; of a range: of all of it")    \
    U64(OPT, cpu_us, U64_ANY, "of processors")                                               \
    U64(OPT, max_rss, U64_ANY, "the most memory that it had, in bytes")                      \
    U64(OPT, out_bytes, U64_ANY, "of standard output; what comes along may be cut")          \
    U64(OPT, out_frame, MESSAGE_FRAMES_MAX, "which further frame (from 1) has it; 0: none")  \
    BIN(OPT, out_hash, HASH_BYTES, "SHA-256 of that")                                        \
    U64(OPT, err_bytes, U64_ANY, "of standard error, likewise")                              \
    U64(OPT, err_frame, MESSAGE_FRAMES_MAX, "likewise")                                      \
    BIN(OPT, err_hash, HASH_BYTES, "likewise")                                               \
    LIST(OPT, bundle, task_bundle, 1, "values with longer outputs, and files")               \
    U64(OPT, bundle_frame, MESSAGE_FRAMES_MAX, "or which further frame has a short one")     \
    U64(OPT, bundle_len, U64_ANY, "its length in bytes; 0: there is none")                   \
    U64(OPT, head_len, U64_ANY, "of the list of files that it begins with")                  \
    BIN(OPT, head_hash, HASH_BYTES, "SHA-256 of that list")                                  \
    U64(OPT, files, TASK_FILES_MAX, "that were collected")                                   \
    U64(OPT, out_len, TASK_OUTPUT_MAX_BYTES, "bytes of standard output in the bundle")       \
    U64(OPT, err_len, TASK_OUTPUT_MAX_BYTES, "bytes of standard error in it")                \
    BIN(OPT, err_line, TASK_LINE_MAX, "the last line of that standard error")

#define TASKS_RECORDS(R)                     \
    R(task_bundle, TASK_BUNDLE_FIELDS)       \
    R(task_range, TASK_RANGE_FIELDS)         \
    R(task_options, TASK_OPTIONS_FIELDS)     \
    R(task_counts, TASK_COUNTS_FIELDS)       \
    R(task_exception, TASK_EXCEPTION_FIELDS) \
    R(task_segment, TASK_SEGMENT_FIELDS)     \
    R(task_start, TASK_START_FIELDS)         \
    R(task_hand, TASK_HAND_FIELDS)           \
    R(task_outcome, TASK_OUTCOME_FIELDS)

/* --- between nodes --- */

#define TASKS_GIVEN_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    CHANNEL_FIELDS(U64)                                                   \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                    \
    STR(REQ, kind, JOB_KIND_MAX, "of the job")                            \
    U64(OPT, time_limit_ms, TASK_TIME_MAX_MS, "of each attempt; 0: none") \
    U64(OPT, slots, TASK_SLOTS_MAX, "that each takes; 0: one")            \
    BOOL(OPT, bundles, "long outputs and files are kept, too")            \
    LIST(REQ, hands, task_hand, TASK_HANDS_MAX, "what to execute, of one job")

#define TASKS_ENDED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                               \
    U64(REQ, job, U64_ANY, "the job")                 \
    LIST(REQ, outcomes, task_outcome, TASK_HANDS_MAX, \
         "how attempts ended; small outputs ride as further frames")

#define TASKS_ASK_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                             \
    U64(REQ, term, TERM_MAX, "the coordinator's term")

#define TASKS_HELD_FIELDS(U64, BOOL, STR, BIN, LIST)                        \
    CHANNEL_FIELDS(U64)                                                     \
    U64(REQ, term, TERM_MAX, "as in the question")                          \
    LIST(REQ, running, task_hand, TASK_HANDS_MAX, "what is being executed") \
    BOOL(OPT, more, "more follows; without it the worker has told all that it has")

/* --- the log --- */

#define ENTRY_TASKS_DONE_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, job, U64_ANY, "the job")                                                        \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC")                                \
    LIST(OPT, done, task_range, TASK_RANGES_MAX, "tasks that are done")                      \
    LIST(OPT, exceptions, task_exception, TASK_EXCEPTIONS_MAX, "tasks that ended otherwise") \
    LIST(OPT, segments, task_segment, 1, "the value with the details of all of these")       \
    LIST(OPT, bundles, task_bundle, BUNDLES_MAX, "what these tasks left beside that")        \
    U64(OPT, attempts, U64_ANY, "that ended since the last such entry")                      \
    U64(OPT, retries, U64_ANY, "begun since, after one that failed")                         \
    U64(OPT, deaths, U64_ANY, "begun since, after a worker's death")                         \
    U64(OPT, copies, U64_ANY, "second copies begun since")

#define ENTRY_TASKS_STARTED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, job, U64_ANY, "the job")                         \
    LIST(REQ, starts, task_start, TASK_RANGES_MAX, "what its workers may begin from now on")

/* --- checkpoints --- */

#define TASK_LISTS_FIELDS(LIST)                                                       \
    LIST(OPT, decided, task_range, TASK_RANGES_MAX, "tasks that have an outcome")     \
    LIST(OPT, exceptions, task_exception, TASK_EXCEPTIONS_MAX, "of these, not done")  \
    LIST(OPT, segments, task_segment, TASK_SEGMENTS_MAX, "values with their details") \
    LIST(OPT, starts, task_start, TASK_SEGMENTS_MAX, "tasks that may have been begun")

#define IMAGE_TASKS_FIELDS(U64, BOOL, STR, BIN, LIST)             \
    U64(REQ, job, U64_ANY, "the job")                             \
    U64(REQ, source, NODES_MAX, "a node that holds the segments") \
    U64(REQ, total, TASKS_MAX, "its tasks")                       \
    LIST(OPT, options, task_options, 1, "how they are executed")  \
    U64(OPT, parent, U64_ANY, "the job that it repeats")          \
    U64(OPT, inherited, TASKS_MAX, "tasks that were done there")  \
    U64(OPT, attempts, U64_ANY, "that ended")                     \
    U64(OPT, retries, U64_ANY, "after one that failed")           \
    U64(OPT, deaths, U64_ANY, "after a worker's death")           \
    U64(OPT, copies, U64_ANY, "second copies that were begun")    \
    BOOL(OPT, ended, "the job is finished")                       \
    TASK_LISTS_FIELDS(LIST)

#define IMAGE_TASKS_MORE_FIELDS(U64, BOOL, STR, BIN, LIST)        \
    U64(REQ, job, U64_ANY, "the job; its first part came before") \
    U64(REQ, source, NODES_MAX, "as there")                       \
    LIST(OPT, bundles, task_bundle, BUNDLES_MAX, "more values")   \
    TASK_LISTS_FIELDS(LIST)

/* --- requests and answers --- */

#define JOB_TASKS_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    REQUEST_FIELDS(U64)                                                                \
    U64(REQ, job, U64_ANY, "which")                                                    \
    U64(OPT, after, TASKS_MAX, "list tasks with greater numbers")                      \
    STR(OPT, state, 16, "only those queued, running, done, failed, lost or cancelled") \
    U64(OPT, limit, TASK_EXCEPTIONS_MAX, "so many rows at most; 0: as many as fit")

#define TASK_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                                         \
    U64(REQ, request, U64_ANY, "of the request")                                            \
    LIST(REQ, counts, task_counts, 1, "of all tasks of the job")                            \
    LIST(REQ, rows, task_exception, TASK_EXCEPTIONS_MAX,                                    \
         "in their order: tasks in a row of which all of this is the same; `state` may be " \
         "queued, running or done, too")                                                    \
    BOOL(REQ, more, "there are more: ask again after the last task")

#define JOB_SEGMENTS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                                \
    U64(REQ, job, U64_ANY, "which")                    \
    U64(OPT, from, U64_ANY, "the first that is wanted, from 0")

#define SEGMENT_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, request, U64_ANY, "of the request")       \
    U64(REQ, total, U64_ANY, "of all")                 \
    LIST(REQ, segments, task_segment, TASK_SEGMENTS_MAX, "in the order of their entries")

#define SEGMENT_GET_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    REQUEST_FIELDS(U64)                                                          \
    U64(REQ, job, U64_ANY, "which")                                              \
    U64(REQ, op, VALUE_OP_MAX, "as segment_page, or a row of details, names it") \
    U64(REQ, offset, U64_ANY, "from which byte; at most 512 KiB come at once")

#define SEGMENT_CHUNK_FIELDS(U64, BOOL, STR, BIN, LIST)            \
    U64(REQ, request, U64_ANY, "of the request")                   \
    U64(REQ, offset, U64_ANY, "of the bytes in the further frame") \
    U64(REQ, total, U64_ANY, "bytes in all")

#define TASKS_MESSAGES(M)                                                                      \
    M(TASKS_GIVEN, tasks_given, TASKS_GIVEN_FIELDS, PLACE_CHANNEL,                             \
      "the coordinator hands out tasks")                                                       \
    M(TASKS_ENDED, tasks_ended, TASKS_ENDED_FIELDS, PLACE_CHANNEL,                             \
      "a worker tells how they ended")                                                         \
    M(TASKS_ASK, tasks_ask, TASKS_ASK_FIELDS, PLACE_CHANNEL,                                   \
      "a new coordinator, or one with a new worker, asks what it has")                         \
    M(TASKS_HELD, tasks_held, TASKS_HELD_FIELDS, PLACE_CHANNEL,                                \
      "the answer, after all outcomes that the log does not tell: what it executes")           \
    M(ENTRY_TASKS_DONE, entry_tasks_done, ENTRY_TASKS_DONE_FIELDS, PLACE_ENTRY,                \
      "a batch of outcomes of a job's tasks")                                                  \
    M(ENTRY_TASKS_STARTED, entry_tasks_started, ENTRY_TASKS_STARTED_FIELDS, PLACE_ENTRY,       \
      "tasks that are executed at most once are about to begin")                               \
    M(IMAGE_TASKS, image_tasks, IMAGE_TASKS_FIELDS, PLACE_CHECKPOINT,                          \
      "the tasks of a job in a checkpoint")                                                    \
    M(JOB_TASKS, job_tasks, JOB_TASKS_FIELDS, PLACE_REQUEST, "answered by task_page or error") \
    M(JOB_SEGMENTS, job_segments, JOB_SEGMENTS_FIELDS, PLACE_REQUEST,                          \
      "the values with details of its tasks; answered by segment_page or error")               \
    M(SEGMENT_GET, segment_get, SEGMENT_GET_FIELDS, PLACE_REQUEST,                             \
      "answered by segment_chunk or error")                                                    \
    M(TASK_PAGE, task_page, TASK_PAGE_FIELDS, PLACE_REPLY, "tasks of a job")                   \
    M(SEGMENT_PAGE, segment_page, SEGMENT_PAGE_FIELDS, PLACE_REPLY,                            \
      "the values with details of a job's tasks")                                              \
    M(SEGMENT_CHUNK, segment_chunk, SEGMENT_CHUNK_FIELDS, PLACE_REPLY,                         \
      "rows of details, as a further frame")                                                   \
    M(IMAGE_TASKS_MORE, image_tasks_more, IMAGE_TASKS_MORE_FIELDS, PLACE_CHECKPOINT, "more of them")

#endif

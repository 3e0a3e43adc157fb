/* stored.h - what stored values hold as messages: the specification that a value of the format
 * "tasks" begins with (shared/tasks/spec.h), and the one of "operator" (shared/tasks/operator.h).
 */
#ifndef CONCLAVE_WIRE_SCHEMA_STORED_H
#define CONCLAVE_WIRE_SCHEMA_STORED_H

#include "shared/wire/schema/fields.h"

#define SPEC_TEXT_FIELDS(U64, BOOL, STR, BIN, LIST) BIN(REQ, text, TASK_WORD_MAX, "any bytes but 0")

#define SPEC_ENV_FIELDS(U64, BOOL, STR, BIN, LIST) \
    BIN(REQ, name, TASK_NAME_MAX, "the variable")  \
    BIN(REQ, value, TASK_SPEC_TEXT_MAX, "its value, any bytes but 0")

/* All files of a job stand one after another in its second input. */
#define SPEC_FILE_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    BIN(REQ, path, TASK_PATH_MAX, "in the scratch directory, without . and .. and //") \
    U64(REQ, offset, U64_ANY, "where its bytes begin in the job's second input")       \
    U64(REQ, len, U64_ANY, "how many these are")                                       \
    BIN(REQ, sha256, HASH_BYTES, "of them")                                            \
    BOOL(OPT, executable, "it may be executed")

#define TASK_SPEC_FIELDS(U64, BOOL, STR, BIN, LIST)                                              \
    U64(REQ, inputs, TASK_INPUTS_MAX, "how many inputs each task has")                           \
    LIST(OPT, argv, spec_text, TASK_WORDS_MAX, "the command, with {}; empty: there is `shell`")  \
    BIN(OPT, shell, TASK_SPEC_TEXT_MAX, "a string for /bin/sh -c, with {}")                      \
    LIST(OPT, names, spec_text, TASK_INPUTS_MAX, "of the inputs; empty: they have none")         \
    BOOL(OPT, on_stdin, "the input is what the command reads, and is not appended to it")        \
    BOOL(OPT, files, "each task has a file of its own, whose path is its only input")            \
    U64(OPT, retries, TASK_RETRIES_MAX, "more attempts after a failure")                         \
    U64(OPT, retry_delay_us, TASK_DELAY_MAX_US, "before the first of them; then it doubles")     \
    U64(OPT, time_limit_us, TASK_TIME_MAX_US, "of an attempt; 0: none")                          \
    U64(OPT, max_fails, MAP_TASKS_MAX,                                                           \
        "so many failed tasks cancel the rest; 0: see max_fails_ppm")                            \
    U64(OPT, max_fails_ppm, 1000000, "the same as a share of all, in millionths; 0: never")      \
    U64(REQ, slots, TASK_SLOTS_MAX, "of its node, that a task takes")                            \
    U64(REQ, max_output, TASK_OUTPUT_MAX_BYTES, "of stdout and of stderr each, in bytes")        \
    U64(OPT, max_collect, U64_ANY, "of a task's collected files, in bytes; 0: as the node says") \
    U64(OPT, memory, U64_ANY, "that a task may take, in bytes; 0: as the node says")             \
    BOOL(OPT, at_most_once, "a task whose worker died is lost, and is not run again")            \
    BOOL(OPT, speculate, "a second copy of what is slow near the end is allowed")                \
    LIST(OPT, env, spec_env, TASK_ENV_MAX, "added to the environment")                           \
    LIST(OPT, uploads, spec_file, TASK_UPLOADS_MAX, "files that every task finds")               \
    LIST(OPT, collect, spec_text, TASK_GLOBS_MAX, "patterns of the files that are results")      \
    STR(OPT, over, TEXT_FIELD_MAX, "what the inputs are, for people: files *.csv")               \
    STR(OPT, name, TASK_NAME_MAX, "what the job is called, for people")

#define OPERATOR_SPEC_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    STR(REQ, name, OPERATOR_NAME_MAX, "what people call it")                               \
    U64(REQ, added_ms, U64_ANY, "when it was added: each time it is another stored value") \
    U64(REQ, time_limit_us, TASK_TIME_MAX_US, "of a run; 0: none")                         \
    BOOL(OPT, commutative, "values may be folded in any order")                            \
    BOOL(OPT, text, "what it writes is for people")

#define STORED_RECORDS(R)          \
    R(spec_text, SPEC_TEXT_FIELDS) \
    R(spec_env, SPEC_ENV_FIELDS)   \
    R(spec_file, SPEC_FILE_FIELDS)

#define STORED_MESSAGES(M)                                                                       \
    M(TASK_SPEC, task_spec, TASK_SPEC_FIELDS, PLACE_STORED,                                      \
      "What the tasks of a job have in common: the first record of a value of the format tasks") \
    M(OPERATOR_SPEC, operator_spec, OPERATOR_SPEC_FIELDS, PLACE_STORED,                          \
      "How a program that folds is run, with the program: a value of the format operator")

#endif

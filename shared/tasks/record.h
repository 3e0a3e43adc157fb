/* record.h - the records of a stored value of the format "tasks": first the specification (spec.h),
 * then one for each task, in their order. Each is a part (shared/base/bytes.h), and a segment of
 * the value holds whole records.
 *
 * A task's record is its inputs, each a part; then, when each task has a file of its own, where
 * that stands in the job's second input: offset and length, 64 bits little-endian each, the
 * SHA-256, and a byte that is 1 for an executable one and else 0. Equal tasks have equal bytes. */
#ifndef CONCLAVE_TASKS_RECORD_H
#define CONCLAVE_TASKS_RECORD_H

#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

struct task_file {
    uint64_t offset, len;
    uint8_t sha256[HASH_BYTES];
    bool executable;
};

struct task_record {
    size_t n_inputs;
    struct slice inputs[TASK_INPUTS_MAX]; /* borrowed; no byte of them is 0 */
    bool has_file;
    struct task_file file; /* its path is the only input */
};

/* What is wrong with a task's inputs: a zero byte, one that no argument can hold, all together more
 * than a record may have. OK, or ERR_MALFORMED or ERR_TOO_BIG with one line in `why`. */
int task_record_check(const struct task_record *record, struct text *why);

/* The bytes that task_record_put() writes: the part with its length. */
size_t task_record_bytes(const struct task_record *record);

/* Writes a checked record to `at`; returns how many bytes that were. */
size_t task_record_put(uint8_t *at, const struct task_record *record);

/* Takes a task's record off `rest` (borrows its bytes), and checks it. OK, or an error with one
 * line in `why`: it is not what the specification says, or cut short. */
int task_record_take(struct slice *rest, const struct wire_task_spec *spec, struct task_record *out,
                     struct text *why);

/* Counts the records of a segment; false: it is not whole records, or one is larger than the
 * largest. */
bool task_records_count(struct slice segment, uint64_t *count);

/* Appends the inputs for people and for JSON, with spaces between them; the bytes are what they
 * are. Returns how many there are in all; writes at most `size`. */
size_t task_record_text(const struct task_record *record, char *at, size_t size);

#endif

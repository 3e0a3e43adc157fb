/* spec.h - what the tasks of a job have in common: the command, its limits, what it gets and
 * leaves.
 *
 * The first record of a stored value of the format "tasks" (record.h): the message task_spec of
 * shared/wire/schema/stored.h, alone. Clients write it, nodes read it; both trust it only after
 * task_spec_check(). */
#ifndef CONCLAVE_TASKS_SPEC_H
#define CONCLAVE_TASKS_SPEC_H

#include "shared/base/blob.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

/* Checks all that a specification must be beyond the limits of its fields: OK, or ERR_MALFORMED or
 * ERR_TOO_BIG with one line in `why` that says what is wrong in the words of the command line. */
int task_spec_check(const struct wire_task_spec *spec, struct text *why);

/* Returns its bytes (caller drops). It has been checked; NULL when it is larger than a frame. */
struct blob *task_spec_pack(const struct message *spec);

/* Reads such bytes, and checks. OK and the message (caller drops), or an error with one line in
 * `why`; never a crash, whatever the bytes are. */
int task_spec_load(struct slice bytes, struct message **out, struct text *why);

/* Whether some part of the command says where inputs or the number go; else they are appended. */
bool task_spec_has_placeholder(const struct wire_task_spec *spec);

/* Appends the command as it is written down, quoted for people and cut: "./clean.sh {}". */
void task_spec_label(const struct wire_task_spec *spec, struct text *out);

/* The path of a file in the scratch directory, as one form: without a slash at the begin, without
 * "." and empty components. Writes it, terminated, to `at`; false when there is none: it is empty,
 * has "..", ends with a slash, or is longer than TASK_PATH_MAX. */
bool task_path(struct slice given, char at[TASK_PATH_MAX + 1]);

/* True for a path in that form: what a node accepts. */
bool task_path_is_safe(struct slice path);

/* True for what may be the name of a variable of the environment, and is none of those that the
 * cluster itself sets. */
bool task_env_name_is_valid(struct slice name);

#endif

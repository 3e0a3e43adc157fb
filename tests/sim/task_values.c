#include "tests/sim/task_values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state.h"
#include "nodes/work/attempt.h"
#include "shared/base/bytes.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"
#include "tests/harness/inside.h"
#include "tests/sim/oracle.h"

/* --- bytes --- */

/* Of a record, 0 for what all have in common. */
static size_t put_record(const struct task_value *value, uint64_t record, uint8_t *at)
{
    char word[64];
    if (record) {
        text_format(word, sizeof word, "%" PRIu64 "-%" PRIu64, value->number, record);
        struct task_record it = {.n_inputs = 1, .inputs = {slice_of(word)}};
        return task_record_put(at, &it);
    }
    struct message *message = message_new(MESSAGE_TASK_SPEC);
    struct wire_task_spec *spec = &message->as.task_spec;
    text_format(word, sizeof word, "tasks-%" PRIu64, value->number);
    spec->inputs = spec->slots = 1;
    spec->max_output = KIB_BYTES;
    spec->argv.n = 1;
    spec->argv.at = message_room(message, 1, sizeof *spec->argv.at);
    spec->argv.at[0].text = message_text(message, word);
    struct blob *packed = task_spec_pack(message);
    size_t len = bytes_put_part(at, packed->at, packed->len);
    blob_drop(&packed);
    message_drop(&message);
    return len;
}

/* The first record of a segment, from 0; that of one past the last is the number of records. */
static uint64_t first_of(const struct task_value *value, uint64_t segment)
{
    return (value->tasks + 1) * segment / value->segments;
}

static struct blob *content(const struct task_value *value, uint64_t from, uint64_t to)
{
    uint8_t room[16 * KIB_BYTES];
    size_t len = 0;
    for (uint64_t record = first_of(value, from); record < first_of(value, to); record++)
        len += put_record(value, record, room + len);
    return blob_copy(room, len);
}

static struct slice sha_of(struct message *message, const struct blob *bytes)
{
    uint8_t hash[HASH_BYTES];
    hash_bytes(bytes->at, bytes->len, hash);
    return message_copy(message, (struct slice){hash, HASH_BYTES});
}

void task_value_spec(const struct task_value *value, struct text *out)
{
    struct blob *all = content(value, 0, value->segments);
    text_add(out, "%" PRIu64 " %" PRIu64 " %zu", value->tasks, value->segments, all->len);
    blob_drop(&all);
}

/* --- the upload --- */

static struct message *ask_begin(const struct task_value *value)
{
    struct message *message = message_new(MESSAGE_VALUE_BEGIN);
    struct blob *all = content(value, 0, value->segments);
    message->as.value_begin = (struct wire_value_begin){.sha256 = sha_of(message, all),
                                                        .len = all->len,
                                                        .format = slice_of("tasks"),
                                                        .name = slice_of("simulated")};
    blob_drop(&all);
    return message;
}

static struct message *ask_put(const struct task_value *value)
{
    struct message *message = message_new(MESSAGE_VALUE_PUT);
    uint64_t at = value->stored;
    struct blob *bytes = content(value, at, at + 1);
    message->as.value_put =
        (struct wire_value_put){.value = value->id,
                                .segment = at + 1,
                                .len = bytes->len,
                                .items = first_of(value, at + 1) - first_of(value, at),
                                .sha256 = sha_of(message, bytes)};
    message_add_frame(message, bytes);
    blob_drop(&bytes);
    return message;
}

struct message *task_value_ask(const struct task_value *value)
{
    if (!value->id)
        return ask_begin(value);
    if (value->stored < value->segments)
        return ask_put(value);
    struct message *message = message_new(MESSAGE_VALUE_END);
    message->as.value_end.value = value->id;
    return message;
}

bool task_value_answered(struct task_value *value, const struct message *answer)
{
    if (answer->type == MESSAGE_VALUE) {
        const struct wire_value_row *row = &answer->as.value.values.at[0];
        value->id = row->value;
        value->stored = row->segments;
        value->whole = row->whole;
        return true;
    }
    if (answer->type == MESSAGE_VALUE_CHUNK_TAKEN) {
        value->stored++;
        return true;
    }
    value->id = JOB_NONE;
    value->stored = 0;
    return false;
}

/* --- what a node makes of it --- */

void task_value_check(struct world *world, node_id_t id, const struct task_order *order)
{
    const struct values *values = &world->nodes[id].values;
    const struct job *job = jobs_find(&inside_state(world->nodes[id].core)->jobs, order->job);
    char reason[TASK_REASON_MAX + 1] = "the job is not known", number[32], wanted[64];
    struct attempts *attempts = attempts_new();
    const char *const *parts = NULL; /* it has no files */
    const struct command *command =
        job ? attempts_make(attempts, order, values_get(values, order->spec),
                            values_get(values, order->record), parts, reason)
            : NULL;
    if (!command)
        world_fail(world, "there is a command for each task", "node %u, task %" PRIu64 ": %s", id,
                   order->task, reason);
    const char *key = strrchr(job->key, '-');
    text_format(number, sizeof number, "tasks%s", key ? key : "?");
    text_format(wanted, sizeof wanted, "%s-%" PRIu64, key ? key + 1 : "?", order->task);
    if (strcmp(command->argv[0], number) || !command->argv[1] || strcmp(command->argv[1], wanted))
        world_fail(world, "a task has the command of its record",
                   "node %u, task %" PRIu64 ": %s %s instead of %s %s", id, order->task,
                   command->argv[0], command->argv[1] ? command->argv[1] : "", number, wanted);
    world->counts.commands++;
    attempts_destroy(&attempts);
}

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
#include "tests/sim/task_disk.h"

/* --- bytes --- */

/* Of a record, 0 for what all have in common. */
static size_t put_record(const struct task_value *value, uint64_t record, uint8_t *at)
{
    char word[64];
    if (record) {
        text_format(word, sizeof word, "%" PRIu64 "-%" PRIu64, value->number, record);
        struct task_record it = {.n_inputs = 1, .inputs = {slice_of(word)}};
        it.has_file = files_given_has_own(&value->files);
        if (it.has_file)
            it.file = files_given_own(&value->files, record);
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
    files_given_specify(&value->files, message);
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

/* --- the uploads, one after the other --- */

static bool is_at_records(const struct task_value *value)
{
    return !value->records.whole;
}

static const struct task_upload *upload_of(const struct task_value *value)
{
    return is_at_records(value) ? &value->records : &value->bytes;
}

bool task_value_is_whole(const struct task_value *value)
{
    return value->records.whole && (!value->files.shape || value->bytes.whole);
}

/* The segment at hand, or (`all`) everything; and how many items that has. */
static struct blob *part_of(const struct task_value *value, bool all, uint64_t *items)
{
    uint64_t at = upload_of(value)->stored;
    if (is_at_records(value)) {
        *items = first_of(value, at + 1) - first_of(value, at);
        return all ? content(value, 0, value->segments) : content(value, at, at + 1);
    }
    uint64_t len = files_given_len(&value->files), each = files_given_segment_len(&value->files);
    *items = len - at * each < each ? len - at * each : each;
    return all ? files_given_content(&value->files, 0, len)
               : files_given_content(&value->files, at * each, *items);
}

static struct message *ask_begin(const struct task_value *value)
{
    struct message *message = message_new(MESSAGE_VALUE_BEGIN);
    uint64_t items;
    struct blob *all = part_of(value, true, &items);
    message->as.value_begin =
        (struct wire_value_begin){.sha256 = sha_of(message, all),
                                  .len = all->len,
                                  .format = slice_of(is_at_records(value) ? "tasks" : "bytes"),
                                  .name = slice_of("simulated")};
    blob_drop(&all);
    return message;
}

static struct message *ask_put(const struct task_value *value)
{
    struct message *message = message_new(MESSAGE_VALUE_PUT);
    const struct task_upload *upload = upload_of(value);
    uint64_t items;
    struct blob *bytes = part_of(value, false, &items);
    message->as.value_put = (struct wire_value_put){.value = upload->id,
                                                    .segment = upload->stored + 1,
                                                    .len = bytes->len,
                                                    .items = items,
                                                    .sha256 = sha_of(message, bytes)};
    message_add_frame(message, bytes);
    blob_drop(&bytes);
    return message;
}

static uint64_t segments_of(const struct task_value *value)
{
    uint64_t each = is_at_records(value) ? 0 : files_given_segment_len(&value->files);
    return each ? (files_given_len(&value->files) + each - 1) / each : value->segments;
}

struct message *task_value_ask(const struct task_value *value)
{
    const struct task_upload *upload = upload_of(value);
    if (!upload->id)
        return ask_begin(value);
    if (upload->stored < segments_of(value))
        return ask_put(value);
    struct message *message = message_new(MESSAGE_VALUE_END);
    message->as.value_end.value = upload->id;
    return message;
}

bool task_value_answered(struct task_value *value, const struct message *answer)
{
    struct task_upload *upload = is_at_records(value) ? &value->records : &value->bytes;
    if (answer->type == MESSAGE_VALUE) {
        const struct wire_value_row *row = &answer->as.value.values.at[0];
        *upload = (struct task_upload){row->value, row->segments, row->whole};
        return true;
    }
    if (answer->type == MESSAGE_VALUE_CHUNK_TAKEN) {
        upload->stored++;
        return true;
    }
    value->records = value->bytes = (struct task_upload){0};
    return false;
}

/* --- the job --- */

void task_value_submit(const struct task_value *value, struct message *message)
{
    struct wire_submit_commands *body = &message->as.submit_commands;
    struct blob *all = content(value, 0, value->segments);
    struct text spec = {0};
    text_add(&spec, "%" PRIu64 " %" PRIu64 " %zu", value->tasks, value->segments, all->len);
    blob_drop(&all);
    body->kind = slice_of("map");
    body->spec = message_text(message, spec.at);
    body->inputs.n = value->files.shape ? 2 : 1;
    body->inputs.at = message_room(message, 2, sizeof(struct wire_value_ref));
    body->inputs.at[0].value = value->records.id;
    body->inputs.at[1].value = value->bytes.id;
}

/* --- what a node makes of it --- */

/* Its key ends with the client's number, its argument begins with the number of tasks. */
static void check_files(struct world *world, node_id_t id, const struct job *job,
                        const struct command *command, const char *own_name)
{
    uint64_t number = strtoull(strrchr(job->key, '-') + 1, NULL, 10);
    struct files_given files = files_given_of(world, number, job->plan.numbers[0]);
    files_given_check(world, id, &files, command, own_name);
}

void task_value_check(struct world *world, node_id_t id, const struct task_order *order)
{
    const struct values *values = &world->nodes[id].values;
    const struct job *job = jobs_find(&inside_state(world->nodes[id].core)->jobs, order->job);
    char reason[TASK_REASON_MAX + 1] = "the job is not known", number[32], wanted[64];
    struct attempts *attempts = attempts_new();
    char paths[TASK_PARTS_MAX][TASK_DISK_PATH_MAX];
    const char *parts[TASK_PARTS_MAX];
    for (size_t i = 0; i < order->n_parts; i++)
        parts[i] = task_disk_path(world, id, &order->parts[i], paths[i]);
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
    check_files(world, id, job, command, wanted);
    world->counts.commands++;
    attempts_destroy(&attempts);
}

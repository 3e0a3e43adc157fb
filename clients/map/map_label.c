#include "clients/map/map_label.h"

#include <inttypes.h>

#include "shared/base/bytes.h"
#include "shared/tasks/spec.h"

#define SPEC_READ_BYTES (BYTES_LENGTH + FRAME_MAP_MAX_BYTES) /* it is no longer than a frame */
#define COMMAND_COLUMNS 24                                   /* of a table, for the command */

/* The first part of a value of the format "tasks". */
static struct message *read_spec(const struct blob *bytes)
{
    struct message *spec = NULL;
    struct text why = {0};
    struct slice rest = bytes ? (struct slice){bytes->at, bytes->len} : (struct slice){0}, part;
    if (bytes_take_part(&rest, &part))
        (void)task_spec_load(part, &spec, &why);
    return spec;
}

struct message *map_label_spec(struct conclave *cluster, const struct wire_job_row *row)
{
    struct message *reply = NULL, *spec = NULL;
    if (!slice_equals(row->kind, "map") || !row->inputs.n)
        return NULL;
    struct message *request = message_new(MESSAGE_VALUE_READ);
    request->as.value_read.value = row->inputs.at[0].value;
    request->as.value_read.len = SPEC_READ_BYTES;
    int error = client_ask(connection_client(cluster), request, CLIENT_PATIENT, 0,
                           connection_deadline_us(cluster), &reply);
    if (!error && reply->type == MESSAGE_VALUE_BYTES)
        spec = read_spec(message_frame(reply, 1));
    message_drop(&reply);
    return spec;
}

void map_label_short(const struct message *spec, uint64_t tasks, struct text *out)
{
    const struct wire_task_spec *it = &spec->as.task_spec;
    struct slice first = it->shell.len ? it->shell : it->argv.at[0].text;
    char shown[4 * COMMAND_COLUMNS + 1];
    bool cut = first.len > COMMAND_COLUMNS;
    if (cut)
        first.len = COMMAND_COLUMNS - 3;
    text_add(out, "map %s%s x%" PRIu64, text_escape(shown, sizeof shown, first), cut ? "..." : "",
             tasks);
}

void map_label_long(const struct message *spec, uint64_t tasks, struct text *out)
{
    const struct wire_task_spec *it = &spec->as.task_spec;
    struct text command = {0};
    char over[TEXT_MAX / 4];
    task_spec_label(it, &command);
    text_escape(over, sizeof over, it->over);
    text_add(out, "map %s over %" PRIu64 " %s", command.at, tasks, it->over.len ? over : "inputs");
}

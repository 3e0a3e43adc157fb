/* fuzz_tasks.c - libFuzzer on stored values of the format "tasks" (X11): whatever the bytes are,
 * reading them ends; what was read makes commands within their limits, is the same after a way
 * through bytes, and what a shell is given has every input as one quoted word; the bytes of files
 * that a worker would fetch are those that are said.
 *
 * An input is a segment: the first part the specification, then the tasks. Also read: a command
 * line for a shell, from the whole input. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/runner/needs.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/expand.h"
#include "shared/tasks/shell.h"
#include "shared/tasks/spec.h"
#include "shared/tasks/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* What was checked is read again as the same. */
static void again(const struct message *spec)
{
    struct blob *bytes = task_spec_pack(spec);
    struct message *copy = NULL;
    struct text why = {0}, label = {0};
    task_spec_label(&spec->as.task_spec, &label);
    assert(text_is_utf8(slice_of(label.at)) || label.len == sizeof label.at - 1);
    assert(bytes && !task_spec_load((struct slice){bytes->at, bytes->len}, &copy, &why));
    struct blob *second = task_spec_pack(copy);
    assert(second->len == bytes->len && !memcmp(second->at, bytes->at, bytes->len));
    blob_drop(&second);
    blob_drop(&bytes);
    message_drop(&copy);
}

static void check_record(const struct task_record *record, struct slice bytes)
{
    uint8_t *put = mem_new(task_record_bytes(record), 1);
    char text[64];
    assert(task_record_bytes(record) == bytes.len);
    assert(task_record_put(put, record) == bytes.len && !memcmp(put, bytes.at, bytes.len));
    (void)task_record_text(record, text, sizeof text);
    free(put);
}

/* What a worker fetches for the task is what the record and the uploads say: no less, and nothing
 * that the value does not have. */
static void check_needs(const struct task_record *record, struct task_input *input, uint64_t task)
{
    struct stored_segment segments[] = {{1, 1000, 1, {0}}, {2, 70000, 1, {0}}};
    const struct stored_value value = {.id = 1, .segments = segments, .n_segments = 2};
    struct needs_range ranges[NEEDS_MAX];
    struct task_part parts[TASK_PARTS_MAX];
    size_t n;
    assert(needs_read(input, input, task, ranges));
    if (record->has_file && record->file.len)
        assert(ranges[NEEDS_FILE].from == record->file.offset &&
               ranges[NEEDS_FILE].to == record->file.offset + record->file.len);
    if (!needs_parts(&value, ranges, parts, &n))
        assert(ranges[NEEDS_FILE].to > 71000 || ranges[NEEDS_UPLOADS].to > 71000);
    else
        assert(n <= 2);
}

static void read_tasks(const struct wire_task_spec *spec, struct slice rest,
                       struct task_input *input)
{
    struct task_record *record = mem_new(1, sizeof *record);
    struct task_command command = {0};
    for (uint64_t task = 1; rest.len; task++) {
        struct text why = {0};
        struct slice before = rest;
        if (task_record_take(&rest, spec, record, &why)) {
            assert(why.len && rest.at == before.at && rest.len == before.len);
            break;
        }
        check_record(record, (struct slice){before.at, before.len - rest.len});
        check_needs(record, input, task);
        if (task_expand(spec, record, task, &command, &why)) {
            assert(why.len);
            continue;
        }
        assert(command.n > 0 && command.len <= TASK_COMMAND_BYTES_MAX);
        for (size_t i = 0; i < command.n; i++)
            assert(strlen(task_command_word(&command, i)) <= TASK_ARG_BYTES_MAX);
        task_expand_stdin(record, &command);
    }
    task_command_clear(&command);
    free(record);
}

/* A word in quotes brings the reader of command lines back to where it was. */
static void read_line(struct slice line)
{
    static const char *const words[] = {"", "a", "it's", "$(x)`y`\"\\", "\n#<<"};
    struct shell_scan scan = {0};
    for (size_t i = 0; i < line.len && i < 4096; i++) {
        if (shell_scan_is_plain(&scan))
            for (size_t j = 0; j < sizeof words / sizeof *words; j++) {
                char quoted[64];
                struct shell_scan within = scan;
                size_t len = shell_quote(quoted, slice_of(words[j]));
                assert(len <= shell_quoted_max(strlen(words[j])));
                if (scan.last == '$') /* a template leaves that brace to the shell */
                    continue;
                for (size_t k = 0; k < len; k++)
                    shell_scan_byte(&within, (uint8_t)quoted[k]);
                assert(shell_scan_is_plain(&within) && within.depth == scan.depth);
            }
        shell_scan_byte(&scan, line.at[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice rest = {at, len}, first;
    struct message *spec = NULL;
    struct text why = {0};
    uint64_t count;
    read_line(rest);
    (void)task_records_count(rest, &count);
    if (!bytes_take_part(&rest, &first))
        return 0;
    int error = task_spec_load(first, &spec, &why);
    assert(!error == (spec != NULL) && !error == !why.len);
    if (!spec)
        return 0;
    again(spec);
    struct task_input input = {.bytes = blob_copy(at, len)};
    read_tasks(&spec->as.task_spec, rest, &input);
    blob_drop(&input.bytes);
    message_drop(&spec);
    return 0;
}

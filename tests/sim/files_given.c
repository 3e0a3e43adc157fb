#include "tests/sim/files_given.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/random.h"
#include "tests/sim/task_disk.h"

#define HEAD_BYTES     sizeof(uint64_t) /* that no task needs: so no two values are the same */
#define UPLOADS_MOST   2
#define UPLOAD_LEN_MAX 700
#define OWN_LEN_MAX    200
#define SEGMENTS_MOST  16
#define SEGMENTS_EACH  6 /* so many have the files of one task at most: TASK_PARTS_MAX is more */

struct files_given files_given_of(const struct world *world, uint64_t number, uint64_t tasks)
{
    uint64_t shape = random_mix(random_mix(world->options.seed) + number * RANDOM_GAMMA);
    return (struct files_given){shape % 2 ? shape : 0, tasks};
}

static uint64_t draw(const struct files_given *files, uint64_t what, uint64_t below)
{
    return random_mix(files->shape + what * RANDOM_GAMMA) % below;
}

/* --- what stands where --- */

enum { DRAW_UPLOADS = 1, DRAW_OWN, DRAW_SEGMENTS, DRAW_UPLOAD_LEN, DRAW_OWN_LEN = 100 };

static uint64_t uploads_of(const struct files_given *files)
{
    return draw(files, DRAW_UPLOADS, UPLOADS_MOST + 1);
}

bool files_given_has_own(const struct files_given *files)
{
    return files->shape && (!uploads_of(files) || draw(files, DRAW_OWN, 4));
}

static struct task_file upload(const struct files_given *files, uint64_t which)
{
    struct task_file file = {.offset = HEAD_BYTES};
    for (uint64_t i = 0; i <= which; i++) {
        file.offset += file.len;
        file.len = draw(files, DRAW_UPLOAD_LEN + i, UPLOAD_LEN_MAX);
        file.executable = i % 2 == 0;
    }
    return file;
}

static uint64_t uploads_end(const struct files_given *files)
{
    if (!uploads_of(files))
        return HEAD_BYTES;
    struct task_file last = upload(files, uploads_of(files) - 1);
    return last.offset + last.len;
}

/* A quarter of them are empty. */
static uint64_t own_len(const struct files_given *files, uint64_t task)
{
    uint64_t len = draw(files, DRAW_OWN_LEN + task, OWN_LEN_MAX);
    return files_given_has_own(files) && len >= OWN_LEN_MAX / 4 ? len : 0;
}

static void set_hash(const struct files_given *files, struct task_file *file)
{
    struct blob *bytes = files_given_content(files, file->offset, file->len);
    hash_bytes(bytes->at, bytes->len, file->sha256);
    blob_drop(&bytes);
}

struct task_file files_given_own(const struct files_given *files, uint64_t task)
{
    struct task_file file = {.offset = uploads_end(files),
                             .len = own_len(files, task),
                             .executable = task % 3 == 0};
    for (uint64_t i = 1; i < task; i++)
        file.offset += own_len(files, i);
    set_hash(files, &file);
    return file;
}

uint64_t files_given_len(const struct files_given *files)
{
    uint64_t len = uploads_end(files);
    for (uint64_t task = 1; task <= files->tasks; task++)
        len += own_len(files, task);
    return len;
}

uint64_t files_given_segment_len(const struct files_given *files)
{
    uint64_t least = (uploads_end(files) + OWN_LEN_MAX) / (SEGMENTS_EACH - 3);
    uint64_t len = 1 + files_given_len(files) / (1 + draw(files, DRAW_SEGMENTS, SEGMENTS_MOST));
    return len > least ? len : least;
}

static uint8_t byte_at(const struct files_given *files, uint64_t at)
{
    if (at < HEAD_BYTES)
        return (uint8_t)(files->shape >> 8 * at);
    return (uint8_t)(files->shape * 131 + at * 7 + at / 253);
}

struct blob *files_given_content(const struct files_given *files, uint64_t from, uint64_t len)
{
    struct blob *blob = blob_new(len);
    for (uint64_t i = 0; i < len; i++)
        blob->at[i] = byte_at(files, from + i);
    return blob;
}

/* --- what the client says of them --- */

static void upload_name(uint64_t which, char name[32])
{
    text_format(name, 32, "upload-%" PRIu64, which);
}

void files_given_specify(const struct files_given *files, struct message *message)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    char name[32];
    if (!files->shape)
        return;
    spec->files = files_given_has_own(files);
    spec->uploads.n = uploads_of(files);
    spec->uploads.at = message_room(message, UPLOADS_MOST, sizeof *spec->uploads.at);
    for (uint64_t i = 0; i < spec->uploads.n; i++) {
        struct task_file file = upload(files, i);
        set_hash(files, &file);
        upload_name(i, name);
        spec->uploads.at[i] =
            (struct wire_spec_file){.path = message_text(message, name),
                                    .offset = file.offset,
                                    .len = file.len,
                                    .sha256 = message_copy(message,
                                                           (struct slice){file.sha256, HASH_BYTES}),
                                    .executable = file.executable};
    }
}

/* --- what a node makes of them --- */

static bool same_bytes(const struct world *world, node_id_t id, const struct files_given *files,
                       const struct task_file *file, const struct command_bytes *bytes)
{
    uint64_t at = 0;
    for (size_t part = 0; part < bytes->n_slices; part++) {
        const struct command_slice *slice = &bytes->slices[part];
        const struct blob *blob = task_disk_read(world, id, slice->path);
        if (!blob || slice->offset > blob->len || slice->len > blob->len - slice->offset)
            return false;
        for (uint64_t i = 0; i < slice->len; i++, at++)
            if (at >= file->len || blob->at[slice->offset + i] != byte_at(files, file->offset + at))
                return false;
    }
    return !bytes->blob && at == file->len;
}

static void check_one(struct world *world, node_id_t id, const struct files_given *files,
                      const struct command *command, size_t which, const char *name,
                      const struct task_file *file)
{
    const struct command_input *input = which < command->n_inputs ? &command->inputs[which] : NULL;
    if (!input || strcmp(input->name, name) || input->executable != file->executable ||
        !same_bytes(world, id, files, file, &input->bytes))
        world_fail(world, "a task begins with its files as they were uploaded",
                   "node %u, task %" PRIu64 ": %s is another, or is not there", id,
                   command->id.task, name);
}

void files_given_check(struct world *world, node_id_t id, const struct files_given *files,
                       const struct command *command, const char *own_name)
{
    uint64_t uploads = files->shape ? uploads_of(files) : 0, all = uploads;
    char name[32];
    for (uint64_t i = 0; i < uploads; i++) {
        struct task_file file = upload(files, i);
        upload_name(i, name);
        check_one(world, id, files, command, i, name, &file);
    }
    if (files_given_has_own(files)) {
        struct task_file file = files_given_own(files, command->id.task);
        check_one(world, id, files, command, all++, own_name, &file);
    }
    if (command->n_inputs != all)
        world_fail(world, "a task begins with its files as they were uploaded",
                   "node %u, task %" PRIu64 ": %zu files instead of %" PRIu64, id, command->id.task,
                   command->n_inputs, all);
    world->counts.task_files += all;
}

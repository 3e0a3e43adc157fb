#include "nodes/work/command_wire.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define MAGIC       0x434d4431u /* "CMD1": both ends are one program, so another one is a fault */
#define STRINGS_MAX 65536       /* in one list; the bytes are bounded by the frame */
#define NICE_MAX    19
#define NO_TEXT     "\xff" /* stands for NULL: no text of ours begins so */

/* --- frames --- */

static uint8_t *room_for(struct packed *packed, size_t len)
{
    if (!packed->at)
        packed->len = COMMAND_HEADER_BYTES;
    if (packed->room < packed->len + len) {
        packed->room = 2 * (packed->len + len) + 256;
        packed->at = mem_grow(packed->at, packed->room, 1);
    }
    uint8_t *at = packed->at + packed->len;
    packed->len += len;
    return at;
}

void packed_u64(struct packed *packed, uint64_t number)
{
    bytes_put_le64(room_for(packed, 8), number);
}

void packed_part(struct packed *packed, const void *at, size_t len)
{
    bytes_put_part(room_for(packed, BYTES_LENGTH + len), at, len);
}

void packed_text(struct packed *packed, const char *text)
{
    if (!text)
        text = NO_TEXT;
    packed_part(packed, text, strlen(text) + 1);
}

void command_header(uint8_t at[COMMAND_HEADER_BYTES], enum command_frame kind, uint64_t len)
{
    bytes_put_le64(at, (uint64_t)kind << 32 | MAGIC);
    bytes_put_le64(at + 8, len);
}

bool command_header_read(const uint8_t at[COMMAND_HEADER_BYTES], enum command_frame *kind,
                         uint64_t *len)
{
    uint64_t first = bytes_get_le64(at);
    *len = bytes_get_le64(at + 8);
    *kind = (enum command_frame)(first >> 32);
    return (uint32_t)first == MAGIC && first >> 32 > 0 && first >> 32 < FRAME_KINDS &&
           (*kind == FRAME_BYTES || *len <= COMMAND_FRAME_MAX_BYTES);
}

void packed_end(struct packed *packed, enum command_frame kind)
{
    room_for(packed, 0);
    command_header(packed->at, kind, packed->len - COMMAND_HEADER_BYTES);
}

uint64_t unpacked_u64(struct unpacked *in, uint64_t max)
{
    uint64_t number = in->ok && in->rest.len >= 8 ? bytes_get_le64(in->rest.at) : UINT64_MAX;
    in->ok = in->ok && in->rest.len >= 8 && number <= max;
    if (!in->ok)
        return 0;
    in->rest = (struct slice){in->rest.at + 8, in->rest.len - 8};
    return number;
}

struct slice unpacked_part(struct unpacked *in)
{
    struct slice part = {0};
    in->ok = in->ok && bytes_take_part(&in->rest, &part);
    return part;
}

const char *unpacked_text(struct unpacked *in)
{
    struct slice part = unpacked_part(in);
    in->ok = in->ok && part.len && !memchr(part.at, '\0', part.len - 1) && !part.at[part.len - 1];
    const char *text = in->ok ? (const char *)part.at : NULL;
    return text && strcmp(text, NO_TEXT) != 0 ? text : NULL;
}

bool unpacked_end(const struct unpacked *in)
{
    return in->ok && !in->rest.len;
}

/* --- the configuration --- */

void spawner_config_pack(struct packed *out, const struct spawner_config *config)
{
    packed_text(out, config->dir);
    packed_text(out, config->scratch);
    packed_text(out, config->outputs);
    packed_text(out, config->record);
    packed_text(out, config->user);
    packed_u64(out, config->nonce);
    packed_u64(out, config->slot);
    packed_u64(out, config->node);
    packed_u64(out, config->files_soft);
    packed_end(out, FRAME_CONFIG);
}

bool spawner_config_unpack(struct slice frame, struct spawner_config *config)
{
    struct unpacked in = {frame, true};
    config->dir = unpacked_text(&in);
    config->scratch = unpacked_text(&in);
    config->outputs = unpacked_text(&in);
    config->record = unpacked_text(&in);
    config->user = unpacked_text(&in);
    config->nonce = unpacked_u64(&in, UINT64_MAX);
    config->slot = unpacked_u64(&in, SLOTS_MAX);
    config->node = unpacked_u64(&in, NODES_MAX);
    config->files_soft = unpacked_u64(&in, UINT64_MAX);
    return unpacked_end(&in) && config->dir && config->scratch && config->outputs && config->record;
}

/* --- a command --- */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static void pack_list(struct packed *out, const char *const *list)
{
    size_t n = count(list);
    packed_u64(out, n);
    for (size_t i = 0; i < n; i++)
        packed_text(out, list[i]);
}

static uint64_t len_in_memory(const struct command_bytes *bytes)
{
    return bytes->blob ? bytes->blob->len : UINT64_MAX;
}

static void pack_slices(struct packed *out, const struct command_bytes *bytes)
{
    size_t n = bytes->blob ? 0 : bytes->n_slices;
    packed_u64(out, n);
    for (size_t i = 0; i < n; i++) {
        packed_text(out, bytes->slices[i].path);
        packed_u64(out, bytes->slices[i].offset);
        packed_u64(out, bytes->slices[i].len);
    }
}

static size_t slices_of(const struct command *command)
{
    size_t n = 0;
    for (size_t i = 0; i < command->n_inputs; i++)
        n += command->inputs[i].bytes.blob ? 0 : command->inputs[i].bytes.n_slices;
    return n;
}

int command_pack(struct packed *out, const struct command *command)
{
    if (!command->argv || !command->argv[0] || command->nice < 0 || command->nice > NICE_MAX)
        return ERR_MALFORMED;
    packed_u64(out, command->id.job);
    packed_u64(out, command->id.task);
    packed_u64(out, command->id.attempt);
    pack_list(out, command->argv);
    pack_list(out, command->env);
    packed_text(out, command->input);
    packed_u64(out, len_in_memory(&command->stdin_bytes));
    packed_u64(out, command->stdin_input);
    packed_u64(out, command->n_inputs);
    packed_u64(out, slices_of(command));
    for (size_t i = 0; i < command->n_inputs; i++) {
        packed_text(out, command->inputs[i].name);
        packed_u64(out, len_in_memory(&command->inputs[i].bytes));
        pack_slices(out, &command->inputs[i].bytes);
        packed_u64(out, command->inputs[i].executable);
    }
    pack_list(out, command->collect);
    packed_u64(out, command->limits.time_us);
    packed_u64(out, command->limits.output_max_bytes);
    packed_u64(out, command->limits.files_max_bytes);
    packed_u64(out, command->limits.memory_bytes);
    packed_u64(out, command->limits.processes);
    packed_u64(out, (uint64_t)command->nice);
    packed_u64(out, command->bundle);
    packed_end(out, FRAME_RUN);
    return out->len <= COMMAND_SPEC_MAX_BYTES ? OK : ERR_TOO_BIG;
}

static const char **unpack_list(struct unpacked *in)
{
    size_t n = unpacked_u64(in, STRINGS_MAX);
    const char **list = mem_new(n + 1, sizeof *list);
    for (size_t i = 0; i < n && in->ok; i++) {
        list[i] = unpacked_text(in);
        in->ok = in->ok && list[i];
    }
    return list;
}

/* So many of the list's are left; returns how many it takes. */
static size_t unpack_slices(struct unpacked *in, struct command_slice *at, size_t left)
{
    size_t n = unpacked_u64(in, left);
    for (size_t i = 0; i < n && in->ok; i++) {
        at[i].path = unpacked_text(in);
        at[i].offset = unpacked_u64(in, INT64_MAX);
        at[i].len = unpacked_u64(in, UINT64_MAX);
        in->ok = in->ok && at[i].path;
    }
    return n;
}

static void unpack_inputs(struct unpacked *in, struct command_order *order)
{
    size_t n = unpacked_u64(in, STRINGS_MAX), left = unpacked_u64(in, STRINGS_MAX);
    struct command_slice *at = order->slices = mem_new(left + 1, sizeof *order->slices);
    order->inputs = mem_new(n + 1, sizeof *order->inputs);
    order->input_lens = mem_new(n + 1, sizeof *order->input_lens);
    order->command.n_inputs = n;
    for (size_t i = 0; i < n && in->ok; i++) {
        order->inputs[i].name = unpacked_text(in);
        order->input_lens[i] = unpacked_u64(in, UINT64_MAX);
        size_t taken = unpack_slices(in, at, left);
        order->inputs[i].bytes = (struct command_bytes){.slices = at, .n_slices = taken};
        at += taken;
        left -= taken;
        order->inputs[i].executable = unpacked_u64(in, 1);
        in->ok = in->ok && order->inputs[i].name;
    }
}

bool command_unpack(struct slice frame, struct command_order *order)
{
    struct unpacked in = {frame, true};
    struct command *command = &order->command;
    *order = (struct command_order){0};
    command->id.job = unpacked_u64(&in, UINT64_MAX);
    command->id.task = unpacked_u64(&in, UINT64_MAX);
    command->id.attempt = unpacked_u64(&in, UINT64_MAX);
    command->argv = order->argv = unpack_list(&in);
    command->env = order->env = unpack_list(&in);
    command->input = unpacked_text(&in);
    order->stdin_len = unpacked_u64(&in, UINT64_MAX);
    command->stdin_input = unpacked_u64(&in, STRINGS_MAX);
    unpack_inputs(&in, order);
    in.ok = in.ok && command->stdin_input <= command->n_inputs;
    command->inputs = order->inputs;
    command->collect = order->collect = unpack_list(&in);
    command->limits.time_us = unpacked_u64(&in, UINT64_MAX);
    command->limits.output_max_bytes = unpacked_u64(&in, UINT64_MAX);
    command->limits.files_max_bytes = unpacked_u64(&in, UINT64_MAX);
    command->limits.memory_bytes = unpacked_u64(&in, UINT64_MAX);
    command->limits.processes = unpacked_u64(&in, UINT64_MAX);
    command->nice = (int)unpacked_u64(&in, NICE_MAX);
    command->bundle = unpacked_u64(&in, 1);
    return unpacked_end(&in) && command->argv[0];
}

void command_order_clear(struct command_order *order)
{
    free(order->argv);
    free(order->env);
    free(order->collect);
    free(order->inputs);
    free(order->slices);
    free(order->input_lens);
    *order = (struct command_order){0};
}

/* --- a result --- */

static void pack_files(struct packed *out, const struct command_file *files, size_t n)
{
    packed_u64(out, n);
    for (size_t i = 0; i < n; i++) {
        packed_text(out, files[i].name);
        packed_text(out, files[i].path);
        packed_u64(out, files[i].len);
        packed_part(out, files[i].hash, HASH_BYTES);
        packed_u64(out, files[i].executable);
    }
}

static void pack_output(struct packed *out, const struct command_output *output)
{
    packed_u64(out, output->bytes != NULL);
    packed_part(out, output->bytes ? output->bytes->at : NULL,
                output->bytes ? output->bytes->len : 0);
    pack_files(out, output->pieces, output->n_pieces);
    packed_u64(out, output->len);
    packed_u64(out, output->total);
    packed_u64(out, output->cut);
    packed_part(out, output->hash, HASH_BYTES);
}

static void pack_bundle(struct packed *out, const struct command_bundle *bundle)
{
    pack_output(out, &bundle->all);
    packed_u64(out, bundle->head_len);
    packed_part(out, bundle->head_hash, HASH_BYTES);
    packed_u64(out, bundle->out_len);
    packed_u64(out, bundle->err_len);
    packed_u64(out, bundle->files);
    packed_text(out, bundle->err_line);
}

void command_result_pack(struct packed *out, const struct command_result *result)
{
    packed_u64(out, result->end);
    packed_u64(out, (uint64_t)(result->exit + 1));
    packed_u64(out, (uint64_t)result->signal);
    packed_text(out, result->error);
    packed_u64(out, result->started_ms);
    packed_u64(out, result->wall_us);
    packed_u64(out, result->cpu_us);
    packed_u64(out, result->max_rss_bytes);
    for (int i = 0; i < COMMAND_STREAMS; i++)
        pack_output(out, &result->output[i]);
    pack_files(out, result->files, result->n_files);
    pack_bundle(out, &result->bundle);
    packed_u64(out, result->survived);
    packed_end(out, FRAME_RESULT);
}

static char *copy_text(const char *text)
{
    return text ? mem_string(text) : NULL;
}

static void unpack_hash(struct unpacked *in, uint8_t hash[HASH_BYTES])
{
    struct slice part = unpacked_part(in);
    in->ok = in->ok && part.len == HASH_BYTES;
    if (in->ok)
        memcpy(hash, part.at, HASH_BYTES);
}

static struct command_file *unpack_files(struct unpacked *in, size_t *n)
{
    size_t most = unpacked_u64(in, STRINGS_MAX);
    struct command_file *files = mem_new(most + 1, sizeof *files);
    for (*n = 0; *n < most && in->ok; ++*n) {
        struct command_file *file = &files[*n];
        file->name = copy_text(unpacked_text(in));
        file->path = copy_text(unpacked_text(in));
        file->len = unpacked_u64(in, UINT64_MAX);
        unpack_hash(in, file->hash);
        file->executable = unpacked_u64(in, 1);
    }
    return files;
}

static void unpack_output(struct unpacked *in, struct command_output *output)
{
    bool whole = unpacked_u64(in, 1);
    struct slice bytes = unpacked_part(in);
    if (whole && in->ok)
        output->bytes = blob_copy(bytes.at, bytes.len);
    output->pieces = unpack_files(in, &output->n_pieces);
    output->len = unpacked_u64(in, UINT64_MAX);
    output->total = unpacked_u64(in, UINT64_MAX);
    output->cut = unpacked_u64(in, 1);
    unpack_hash(in, output->hash);
}

static void unpack_bundle(struct unpacked *in, struct command_bundle *bundle)
{
    unpack_output(in, &bundle->all);
    bundle->head_len = unpacked_u64(in, UINT64_MAX);
    unpack_hash(in, bundle->head_hash);
    bundle->out_len = unpacked_u64(in, UINT64_MAX);
    bundle->err_len = unpacked_u64(in, UINT64_MAX);
    bundle->files = unpacked_u64(in, COMMAND_FILES_MAX);
    const char *line = unpacked_text(in);
    text_format(bundle->err_line, sizeof bundle->err_line, "%s", line ? line : "");
}

bool command_result_unpack(struct slice frame, struct command_result *result)
{
    struct unpacked in = {frame, true};
    result->end = (enum command_end)unpacked_u64(&in, COMMAND_ENDS_COUNT - 1);
    result->exit = (int)unpacked_u64(&in, 256) - 1;
    result->signal = (int)unpacked_u64(&in, 128);
    const char *error = unpacked_text(&in);
    text_format(result->error, sizeof result->error, "%s", error ? error : "");
    result->started_ms = unpacked_u64(&in, UINT64_MAX);
    result->wall_us = unpacked_u64(&in, UINT64_MAX);
    result->cpu_us = unpacked_u64(&in, UINT64_MAX);
    result->max_rss_bytes = unpacked_u64(&in, UINT64_MAX);
    for (int i = 0; i < COMMAND_STREAMS; i++)
        unpack_output(&in, &result->output[i]);
    result->files = unpack_files(&in, &result->n_files);
    unpack_bundle(&in, &result->bundle);
    result->survived = unpacked_u64(&in, 1);
    return unpacked_end(&in);
}

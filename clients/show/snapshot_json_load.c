/* snapshot_json_load.c - reads a snapshot's JSON (snapshot_json.h). */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "clients/show/snapshot_json.h"
#include "clients/show/snapshot_json_rows.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/wire/codec.h"

struct reader {
    struct snapshot_model *model;
    struct text *why;
};

static int fail(struct reader *reader, const char *what)
{
    if (!reader->why->len)
        text_add(reader->why, "%s is missing or invalid", what);
    return ERR_MALFORMED;
}

/* --- single values --- */

static int read_number(struct reader *reader, const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return fail(reader, name);
    *out = (uint64_t)json_integer_value(value);
    return OK;
}

/* null is 0. */
static int read_optional(struct reader *reader, const json_t *object, const char *name,
                         uint64_t *out)
{
    return json_is_null(json_object_get(object, name)) ? OK
                                                       : read_number(reader, object, name, out);
}

static int read_hex(struct reader *reader, const json_t *object, const char *name, uint64_t *out)
{
    return record_json_read_hex(json_object_get(object, name), out) ? fail(reader, name) : OK;
}

/* null is the empty text. */
static int read_text(struct reader *reader, const json_t *object, const char *name, size_t max,
                     struct slice *out)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_null(value))
        return OK;
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len > max)
        return fail(reader, name);
    uint8_t *at = arena_new(&reader->model->arena, len + 1);
    memcpy(at, json_string_value(value), len);
    for (size_t i = 0; i < len; i++)
        if (at[i] < ' ' || at[i] > '~')
            return fail(reader, name);
    *out = (struct slice){at, len};
    return OK;
}

/* ISO 8601 UTC, as clock_text() writes it; for people only, so that a bad one is 0. */
static uint64_t read_time(const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "time"));
    struct tm tm = {0};
    uint64_t ms = 0;
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    time_t seconds = rest ? timegm(&tm) : -1;
    if (rest && *rest == '.' && strlen(rest) == 5)
        (void)parse_u64((struct slice){(const uint8_t *)rest + 1, 3}, 999, &ms);
    return seconds >= 0 ? (uint64_t)seconds * 1000 + ms : 0;
}

/* --- rows --- */

union any_row {
    struct wire_cut_op op;
    struct wire_cut_job job;
    struct wire_cut_message message;
    struct wire_cut_pending pending;
    struct wire_cut_applied applied;
};

static int read_row(struct reader *reader, const json_t *object, enum message_type type,
                    const char *list, const struct record_alias *as, union any_row *out)
{
    const struct record *record = record_of_rows(type, list);
    memset(out, 0, sizeof *out);
    int error = record_json_read(object, record, out, as, &reader->model->arena, reader->why);
    return error ? error : model_check_record(record, out, reader->why);
}

/* Reads all rows of an array into a MODEL_LIST of that member of any_row. */
#define READ_ROWS(reader, array, type, list, as, into, member, error)                         \
    do {                                                                                      \
        union any_row row_;                                                                   \
        (error) = json_is_array(array) ? OK : fail((reader), (list));                         \
        for (size_t i_ = 0; !(error) && i_ < json_array_size(array); i_++) {                  \
            (error) =                                                                         \
                read_row((reader), json_array_get((array), i_), (type), (list), (as), &row_); \
            if (!(error))                                                                     \
                MODEL_APPEND((reader)->model, (into), &row_.member, 1);                       \
        }                                                                                     \
    } while (0)

/* --- states --- */

static int read_accounts(struct reader *reader, json_t *object, struct model_node *node)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return fail(reader, "account_balances");
    json_object_foreach(object, name, value)
    {
        size_t len = strlen(name);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || len > LEDGER_NAME_MAX)
            return fail(reader, "an account");
        struct wire_cut_account row = {.balance = (uint64_t)json_integer_value(value)};
        row.name.len = len;
        row.name.at = memcpy(arena_new(&reader->model->arena, len + 1), name, len);
        MODEL_APPEND(reader->model, node->accounts, &row, 1);
    }
    return OK;
}

static int read_pairs(struct reader *reader, json_t *object, struct model_node *node)
{
    struct arena *arena = &reader->model->arena;
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return fail(reader, "kv_state");
    json_object_foreach(object, name, value)
    {
        struct wire_cut_pair row = {.value.len = json_string_length(value)};
        size_t len = strlen(name);
        bool fits = len <= LEDGER_NAME_MAX;
        if (json_is_string(value))
            row.value.at = memcpy(arena_new(arena, row.value.len + 1), json_string_value(value),
                                  row.value.len);
        else
            fits = fits &&
                   !record_json_read_base64(json_object_get(value, "base64"), arena, &row.value);
        if (!fits || row.value.len > KV_VALUE_MAX)
            return fail(reader, "a value of kv_state");
        row.name.len = len;
        row.name.at = memcpy(arena_new(arena, len + 1), name, len);
        MODEL_APPEND(reader->model, node->pairs, &row, 1);
    }
    return OK;
}

static int read_counters(struct reader *reader, const json_t *object, struct model_node *node)
{
    struct wire_cut_state *state = &node->state;
    const json_t *jobs = json_object_get(object, "jobs");
    const struct {
        const json_t *object;
        const char *name;
        uint64_t *out;
    } numbers[] = {{object, "logical_clock", &state->clock},
                   {object, "term", &state->term},
                   {object, "operations_completed", &state->operations},
                   {object, "conversions", &state->conversions},
                   {object, "values_held", &state->held},
                   {jobs, "open", &state->jobs_open},
                   {jobs, "finished", &state->jobs_finished},
                   {object, "report_parts", &node->about.parts},
                   {object, "report_bytes", &node->about.bytes},
                   {object, "report_us", &node->about.took_us}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (read_number(reader, numbers[i].object, numbers[i].name, numbers[i].out))
            return ERR_MALFORMED;
    if (state->term > TERM_MAX)
        return fail(reader, "term");
    if (read_optional(reader, object, "first_marker_from", &state->first_marker) ||
        read_hex(reader, object, "incarnation", &state->incarnation) ||
        read_hex(reader, object, "epoch", &state->epoch) ||
        read_text(reader, object, "role", 16, &state->role))
        return ERR_MALFORMED;
    state->time_ms = read_time(object);
    node->about.incarnation = state->incarnation;
    node->about.first_marker = state->first_marker;
    return OK;
}

static int read_state(struct reader *reader, const json_t *object)
{
    uint64_t id = 0;
    if (read_number(reader, object, "process_id", &id))
        return ERR_MALFORMED;
    if (!id || id > reader->model->n_nodes || reader->model->nodes[id].present)
        return fail(reader, "process_id");
    struct model_node *node = &reader->model->nodes[id];
    node->present = true;
    int error = read_counters(reader, object, node);
    if (!error)
        error = read_accounts(reader, json_object_get(object, "account_balances"), node);
    if (!error)
        error = read_pairs(reader, json_object_get(object, "kv_state"), node);
    if (!error)
        READ_ROWS(reader, json_object_get(object, "outbox"), MESSAGE_CUT_LEDGER, "pending",
                  snapshot_outbox_names, node->outbox, pending, error);
    if (!error)
        READ_ROWS(reader, json_object_get(object, "applied"), MESSAGE_CUT_LEDGER, "applied",
                  snapshot_applied_names, node->applied, applied, error);
    if (!error)
        READ_ROWS(reader, json_object_get(object, "work"), MESSAGE_CUT_WORK, "ops",
                  snapshot_queued_names, node->queued, op, error);
    return error;
}

/* --- channels --- */

static int read_message(struct reader *reader, const json_t *object, struct model_channel *channel)
{
    union any_row row;
    int error =
        read_row(reader, object, MESSAGE_CUT_CHANNEL, "messages", snapshot_message_names, &row);
    if (error)
        return error;
    size_t first = channel->ops.n;
    MODEL_APPEND(reader->model, channel->messages, &row.message, 1);
    uint64_t seq = row.message.seq;
    READ_ROWS(reader, json_object_get(object, "operations"), MESSAGE_CUT_CHANNEL, "ops",
              snapshot_op_names, channel->ops, op, error);
    for (size_t i = first; i < channel->ops.n; i++)
        channel->ops.at[i].seq = seq;
    return error;
}

/* The row of a node's counts about a peer; made when it is not there yet. */
static struct wire_cut_count *count_of(struct reader *reader, uint64_t node, uint64_t peer)
{
    struct snapshot_model *model = reader->model;
    struct wire_cut_state *state = &model->nodes[node].state;
    if (!state->counts.at)
        state->counts.at = arena_new(&model->arena, model->n_nodes * sizeof *state->counts.at);
    size_t at = 0;
    while (at < state->counts.n && state->counts.at[at].node != peer)
        at++;
    state->counts.n += at == state->counts.n;
    state->counts.at[at].node = peer;
    return &state->counts.at[at];
}

static int read_counts(struct reader *reader, const json_t *object, uint64_t from, uint64_t to)
{
    const struct snapshot_model *model = reader->model;
    bool sent = !json_is_null(json_object_get(object, "sent")),
         received = !json_is_null(json_object_get(object, "received"));
    struct wire_cut_count *count;
    if ((sent && !model->nodes[from].present) || (received && !model->nodes[to].present))
        return fail(reader, "the state of a node with counts");
    if (sent) {
        count = count_of(reader, from, to);
        if (read_number(reader, object, "sent", &count->sent) ||
            read_hex(reader, object, "to_incarnation", &count->incarnation))
            return ERR_MALFORMED;
    }
    if (received) {
        count = count_of(reader, to, from);
        if (read_number(reader, object, "received", &count->received) ||
            read_hex(reader, object, "from_incarnation", &count->incarnation))
            return ERR_MALFORMED;
    }
    return OK;
}

static int read_channel(struct reader *reader, const json_t *object)
{
    struct snapshot_model *model = reader->model;
    uint64_t from = 0, to = 0;
    if (read_number(reader, object, "from_process", &from) ||
        read_number(reader, object, "to_process", &to))
        return ERR_MALFORMED;
    if (!from || !to || from > model->n_nodes || to > model->n_nodes || from == to)
        return fail(reader, "a channel's end");
    struct model_channel *channel = model_channel(model, from, to);
    const json_t *messages = json_object_get(object, "messages");
    if (channel->known || !json_is_array(messages))
        return fail(reader, "messages of a channel");
    channel->known = !json_is_null(json_object_get(object, "recorded"));
    int error = read_counts(reader, object, from, to);
    if (!error && channel->known)
        error = read_number(reader, object, "recorded", &channel->recorded);
    if (!error)
        error = read_text(reader, object, "missing", 64, &channel->missing);
    for (size_t i = 0; !error && i < json_array_size(messages); i++)
        error = read_message(reader, json_array_get(messages, i), channel);
    return error;
}

/* --- the whole --- */

static int read_missing(struct reader *reader, const json_t *object)
{
    struct snapshot_model *model = reader->model;
    uint64_t id = 0;
    if (read_optional(reader, object, "process_id", &id))
        return ERR_MALFORMED;
    if (!id)
        return OK; /* a channel says so itself */
    if (id > model->n_nodes || model->nodes[id].present)
        return fail(reader, "a missing process");
    return read_text(reader, object, "reason", 64, &model->nodes[id].about.missing);
}

static int read_all(struct reader *reader, const json_t *object, const char *name,
                    int (*read)(struct reader *, const json_t *))
{
    const json_t *array = json_object_get(object, name);
    if (!json_is_array(array))
        return fail(reader, name);
    int error = OK;
    for (size_t i = 0; !error && i < json_array_size(array); i++)
        error = read(reader, json_array_get(array, i));
    return error;
}

static int read_jobs(struct reader *reader, const json_t *object)
{
    struct snapshot_model *model = reader->model;
    int error = read_optional(reader, object, "coordinator", &model->coordinator);
    if (error)
        return error;
    model->claims = model->coordinator != 0;
    READ_ROWS(reader, json_object_get(object, "jobs"), MESSAGE_CUT_JOBS, "rows", NULL, model->jobs,
              job, error);
    if (!error)
        READ_ROWS(reader, json_object_get(object, "handed_out"), MESSAGE_CUT_WORK, "ops",
                  snapshot_handed_out_names, model->handed_out, op, error);
    const json_t *parts = json_object_get(object, "checkpoint");
    if (!error && !json_is_null(parts) && !json_is_array(parts))
        error = fail(reader, "checkpoint");
    for (size_t i = 0; !error && i < json_array_size(parts); i++) {
        struct slice part;
        if (record_json_read_base64(json_array_get(parts, i), &model->arena, &part))
            return fail(reader, "a part of the checkpoint");
        MODEL_APPEND(model, model->checkpoint, &part, 1);
    }
    return error;
}

static int read_head(struct reader *reader, const json_t *object)
{
    struct snapshot_model *model = reader->model;
    const char *name = json_string_value(json_object_get(object, "snapshot_id"));
    const json_t *complete = json_object_get(object, "is_complete");
    if (!name || snapshot_name_parse(slice_of(name), &model->name))
        return fail(reader, "snapshot_id");
    if (!json_is_boolean(complete))
        return fail(reader, "is_complete");
    model->complete = json_is_true(complete);
    model->periodic = json_is_true(json_object_get(object, "periodic"));
    model->time_ms = read_time(object);
    return read_number(reader, object, "duration_us", &model->took_us) ||
                   read_number(reader, object, "bytes", &model->bytes)
               ? ERR_MALFORMED
               : OK;
}

int snapshot_json_load(const json_t *object, struct snapshot_model **out, struct text *why)
{
    struct reader reader = {.why = why};
    uint64_t format = 0, n_nodes = 0;
    *out = NULL;
    if (read_number(&reader, object, "format", &format) || format != SNAPSHOT_JSON_FORMAT)
        return fail(&reader, "format");
    if (read_number(&reader, object, "processes", &n_nodes) || !n_nodes || n_nodes > NODES_MAX)
        return fail(&reader, "processes");
    reader.model = snapshot_model_new(n_nodes);
    int error = read_head(&reader, object);
    if (!error)
        error = read_all(&reader, object, "process_states", read_state);
    if (!error)
        error = read_all(&reader, object, "channel_states", read_channel);
    if (!error)
        error = read_all(&reader, object, "missing", read_missing);
    if (!error)
        error = read_jobs(&reader, object);
    if (!error)
        error = snapshot_model_check(reader.model, why);
    if (error)
        snapshot_model_destroy(&reader.model);
    *out = reader.model;
    return error;
}

/* A container begins with the length of its head, whose fourth byte is 0; no JSON has
 * such a byte. */
static bool is_container(struct slice bytes)
{
    return bytes.len >= 4 && !bytes.at[3];
}

int snapshot_load_any(struct slice bytes, struct snapshot_model **out, struct text *why)
{
    json_error_t about;
    if (is_container(bytes))
        return snapshot_model_load(bytes, out, why);
    *out = NULL;
    json_t *object = json_loadb((const char *)bytes.at, bytes.len,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &about);
    if (!object) {
        char room[TEXT_MAX / 2];
        text_add(why, "line %d: %s", about.line,
                 text_escape(room, sizeof room, slice_of(about.text)));
        return ERR_MALFORMED;
    }
    int error = snapshot_json_load(object, out, why);
    json_decref(object);
    return error;
}

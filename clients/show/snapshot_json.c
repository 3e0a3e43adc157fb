#include "clients/show/snapshot_json.h"

#include "clients/show/render.h"
#include "clients/show/snapshot_json_rows.h"
#include "shared/snapshot/verify.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text(struct slice bytes)
{
    return bytes.len ? json_stringn((const char *)bytes.at, bytes.len) : json_null();
}

static json_t *rows_json(enum message_type type, const char *list, const void *at, size_t n,
                         const struct record_alias *as)
{
    const struct record *record = record_of_rows(type, list);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array,
                              record_json(record, (const uint8_t *)at + i * record->size, as));
    return array;
}

/* --- states --- */

static json_t *accounts_json(const struct model_node *node)
{
    json_t *object = json_object();
    for (size_t i = 0; i < node->accounts.n; i++) {
        char name[LEDGER_NAME_MAX + 1];
        const struct wire_cut_account *row = &node->accounts.at[i];
        json_object_set_new(object, text_escape(name, sizeof name, row->name),
                            number(row->balance));
    }
    return object;
}

/* A string where the value is UTF-8, else {"base64": ...}. */
static json_t *value_json(struct slice value)
{
    json_t *string = json_stringn(value.len ? (const char *)value.at : "", value.len);
    return string ? string : json_pack("{s:o}", "base64", record_json_base64(value));
}

static json_t *pairs_json(const struct model_node *node)
{
    json_t *object = json_object();
    for (size_t i = 0; i < node->pairs.n; i++) {
        char name[LEDGER_NAME_MAX + 1];
        const struct wire_cut_pair *row = &node->pairs.at[i];
        json_object_set_new(object, text_escape(name, sizeof name, row->name),
                            value_json(row->value));
    }
    return object;
}

static json_t *state_json(const struct model_node *node)
{
    const struct wire_cut_state *state = &node->state;
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "process_id", number(state->node),
                  "incarnation", record_json_hex(state->incarnation), "logical_clock",
                  number(state->clock), "time", render_time(state->time_ms), "role",
                  text(state->role), "term", number(state->term), "epoch",
                  record_json_hex(state->epoch));
    json_object_set_new(object, "kv_state", pairs_json(node));
    json_object_set_new(object, "account_balances", accounts_json(node));
    json_object_set_new(object, "operations_completed", number(state->operations));
    json_object_set_new(object, "conversions", number(state->conversions));
    json_object_set_new(object, "values_held", number(state->held));
    json_object_set_new(object, "jobs",
                        json_pack("{s:o, s:o}", "open", number(state->jobs_open), "finished",
                                  number(state->jobs_finished)));
    json_object_set_new(object, "outbox",
                        rows_json(MESSAGE_CUT_LEDGER, "pending", node->outbox.at, node->outbox.n,
                                  snapshot_outbox_names));
    json_object_set_new(object, "applied",
                        rows_json(MESSAGE_CUT_LEDGER, "applied", node->applied.at, node->applied.n,
                                  snapshot_applied_names));
    json_object_set_new(object, "work",
                        rows_json(MESSAGE_CUT_WORK, "ops", node->queued.at, node->queued.n,
                                  snapshot_queued_names));
    json_object_set_new(object, "first_marker_from", render_number(state->first_marker));
    json_object_set_new(object, "report_parts", number(node->about.parts));
    json_object_set_new(object, "report_bytes", number(node->about.bytes));
    json_object_set_new(object, "report_us", number(node->about.took_us));
    return object;
}

/* --- channels --- */

/* True for what was delivered to an earlier incarnation of the receiver: it will change nothing. */
static json_t *duplicate_json(const struct snapshot_model *model, uint64_t from, uint64_t to,
                              const struct wire_cut_message *message)
{
    return model_is_numbered(message)
               ? json_boolean(message->number <= model_applied(model, from, to))
               : json_null();
}

static json_t *messages_json(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct model_channel *channel = model_channel(model, from, to);
    const struct record *record = record_of_rows(MESSAGE_CUT_CHANNEL, "messages"),
                        *op_record = record_of_rows(MESSAGE_CUT_CHANNEL, "ops");
    json_t *array = json_array();
    size_t at = 0; /* operations come in the order of their messages */
    for (size_t i = 0; i < channel->messages.n; i++) {
        const struct wire_cut_message *message = &channel->messages.at[i];
        json_t *object = record_json(record, message, snapshot_message_names), *ops = json_array();
        for (; at < channel->ops.n && channel->ops.at[at].seq == message->seq; at++)
            json_array_append_new(ops,
                                  record_json(op_record, &channel->ops.at[at], snapshot_op_names));
        json_object_set_new(object, "operations", ops);
        json_object_set_new(object, "duplicate", duplicate_json(model, from, to, message));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *channel_json(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct model_channel *channel = model_channel(model, from, to);
    const struct wire_cut_count *sender = model_count(model, from, to),
                                *receiver = model_count(model, to, from);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "from_process", number(from),
                     "to_process", number(to), "from_incarnation",
                     receiver ? record_json_hex(receiver->incarnation) : json_null(),
                     "to_incarnation", sender ? record_json_hex(sender->incarnation) : json_null(),
                     "sent", sender ? number(sender->sent) : json_null(), "received",
                     receiver ? number(receiver->received) : json_null(), "recorded",
                     channel->known ? number(channel->recorded) : json_null(), "missing",
                     text(channel->missing), "messages", messages_json(model, from, to));
}

static json_t *channels_json(const struct snapshot_model *model, uint64_t node)
{
    json_t *array = json_array();
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++)
            if (from != to && (!node || to == node) &&
                (model->nodes[from].present || model->nodes[to].present))
                json_array_append_new(array, channel_json(model, from, to));
    return array;
}

/* --- the whole --- */

static json_t *missing_json(const struct snapshot_model *model)
{
    json_t *array = json_array();
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        if (!model->nodes[id].present)
            json_array_append_new(array, json_pack("{s:o, s:n, s:n, s:o}", "process_id", number(id),
                                                   "from_process", "to_process", "reason",
                                                   text(model->nodes[id].about.missing)));
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            const struct model_channel *channel = model_channel(model, from, to);
            if (from != to && !channel->known && model->nodes[to].present)
                json_array_append_new(array,
                                      json_pack("{s:n, s:o, s:o, s:o}", "process_id",
                                                "from_process", number(from), "to_process",
                                                number(to), "reason", text(channel->missing)));
        }
    return array;
}

static json_t *states_json(const struct snapshot_model *model, uint64_t node)
{
    json_t *array = json_array();
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        if (model->nodes[id].present && (!node || id == node))
            json_array_append_new(array, state_json(&model->nodes[id]));
    return array;
}

static json_t *checkpoint_json(const struct snapshot_model *model)
{
    json_t *array = json_array();
    for (size_t i = 0; i < model->checkpoint.n; i++)
        json_array_append_new(array, record_json_base64(model->checkpoint.at[i]));
    return array;
}

/* Money by where it is. */
static json_t *totals_json(const struct snapshot_model *model)
{
    struct findings findings;
    snapshot_verify(model, NULL, &findings);
    json_t *object = json_pack("{s:o, s:o, s:o, s:o}", "accounts", number(findings.balances),
                               "in_channels", number(findings.in_channels), "in_outboxes",
                               number(findings.in_outboxes), "all", number(findings.total));
    findings_clear(&findings);
    return object;
}

json_t *snapshot_json(const struct snapshot_model *model, struct snapshot_json_parts parts)
{
    char name[SNAPSHOT_NAME_MAX];
    json_t *object =
        json_pack("{s:i, s:s, s:b, s:o, s:b, s:o, s:o, s:o, s:o}", "format", SNAPSHOT_JSON_FORMAT,
                  "snapshot_id", snapshot_name_text(&model->name, name), "is_complete",
                  (int)model->complete, "initiator", number(model->name.initiator), "periodic",
                  (int)model->periodic, "time", render_time(model->time_ms), "duration_us",
                  number(model->took_us), "bytes", number(model->bytes), "processes",
                  number(model->n_nodes));
    json_object_set_new(object, "process_states", states_json(model, parts.node));
    json_object_set_new(object, "channel_states", channels_json(model, parts.node));
    json_object_set_new(object, "missing", missing_json(model));
    json_object_set_new(object, "totals", totals_json(model));
    json_object_set_new(object, "coordinator", render_number(model->coordinator));
    json_object_set_new(object, "jobs",
                        rows_json(MESSAGE_CUT_JOBS, "rows", model->jobs.at, model->jobs.n, NULL));
    json_object_set_new(object, "handed_out",
                        rows_json(MESSAGE_CUT_WORK, "ops", model->handed_out.at,
                                  model->handed_out.n, snapshot_handed_out_names));
    json_object_set_new(object, "checkpoint",
                        parts.checkpoint ? checkpoint_json(model) : json_null());
    return object;
}

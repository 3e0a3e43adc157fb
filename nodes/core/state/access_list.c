/* The list of keys, as a table of the state: each entry brings a whole one. */
#include "nodes/core/state/access_list.h"

#include <assert.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"

static void take(struct access_list *list, uint64_t version, struct slice bytes)
{
    blob_drop(&list->bytes);
    list->version = version;
    list->bytes = blob_copy(bytes.at, bytes.len);
    hash_bytes(bytes.at, bytes.len, list->hash);
}

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_ACCESS_CHANGED && entry->as.entry_access_changed.version &&
           entry->as.entry_access_changed.list.len;
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    (void)index;
    (void)term;
    if (check(entry) && entry->as.entry_access_changed.version > state->access_list.version)
        take(&state->access_list, entry->as.entry_access_changed.version,
             entry->as.entry_access_changed.list);
    return NULL;
}

/* Before the log says anything there is no part, so that earlier releases read the checkpoint. A
 * fresh cluster that goes on from a snapshot has keys of its own. */
static void save_all(struct checkpoint_sink *sink, const struct state *state)
{
    if (!state->access_list.version || sink->use == CHECKPOINT_OPEN)
        return;
    struct message *message = message_new(MESSAGE_IMAGE_ACCESS);
    message->as.image_access.version = state->access_list.version;
    message->as.image_access.list =
        message_copy(message,
                     (struct slice){state->access_list.bytes->at, state->access_list.bytes->len});
    checkpoint_sink_add(sink, message);
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    const struct wire_image_access *access = &part->as.image_access;
    (void)packed;
    if (!access->version || !access->list.len)
        return ERR_MALFORMED;
    take(&state->access_list, access->version, access->list);
    return OK;
}

static const struct member access_list_fields[] = {
    FIELD(access_list, version, bytes),
    FIELD(access_list, bytes, blob),
    FIELD(access_list, hash, bytes),
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(access_list), &state->access_list);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    compare_fields(to, FIELDS_OF(access_list), &a->access_list, &b->access_list);
}

static void clear(struct state *state)
{
    blob_drop(&state->access_list.bytes);
    state->access_list = (struct access_list){0};
}

static void check_invariants(const struct state *state)
{
    assert(!state->access_list.version == !state->access_list.bytes);
}

const struct state_table state_access_list = {
    .name = "access_list",
    .clear = clear,
    .check_invariants = check_invariants,
    .check = check,
    .apply = apply,
    .save_all = save_all,
    .parts = {MESSAGE_IMAGE_ACCESS},
    .load = load,
    .digest = digest,
    .compare = compare,
};

#include "nodes/core/state/snaps.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"

bool snaps_find(const struct snaps *snaps, struct slice key, uint64_t *snapshot)
{
    for (size_t i = snaps->n; i-- > 0;) {
        if (!slice_equals(key, snaps->at[i].key))
            continue;
        if (snapshot)
            *snapshot = snaps->at[i].snapshot;
        return true;
    }
    return false;
}

void snaps_add(struct snaps *snaps, struct slice key, uint64_t snapshot)
{
    if (!snaps->at)
        snaps->at = mem_new(SNAP_KEYS_MAX + 1, sizeof *snaps->at);
    if (snaps->n > SNAP_KEYS_MAX)
        return; /* a checkpoint has more than it may have */
    struct snap_key *snap = &snaps->at[snaps->n++];
    snap->snapshot = snapshot;
    text_copy(snap->key, sizeof snap->key, key);
}

bool snaps_forget_one(struct snaps *snaps, size_t kept, struct snap_key *out)
{
    if (snaps->n <= kept)
        return false;
    *out = snaps->at[0];
    memmove(snaps->at, snaps->at + 1, --snaps->n * sizeof *snaps->at);
    return true;
}

static void clear(struct state *state)
{
    free(state->snaps.at);
    state->snaps = (struct snaps){0};
}

static void check_invariants(const struct state *state)
{
    assert(state->snaps.n <= SNAP_KEYS_MAX + 1);
}

/* --- entries --- */

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_PROGRESS_SNAPPED &&
           step_key_is_valid(entry->as.entry_progress_snapped.key);
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    struct slice key = entry->as.entry_progress_snapped.key;
    struct snap_key old;
    (void)index;
    (void)term;
    if (!check(entry) || snaps_find(&state->snaps, key, NULL))
        return NULL;
    snaps_add(&state->snaps, key, progress_snap(&state->progress));
    keys_use(&state->keys, key);
    while (snaps_forget_one(&state->snaps, (size_t)state->keys.limits.snaps, &old))
        keys_forget(&state->keys, KEY_OF_SNAP, slice_of(old.key));
    return NULL;
}

/* --- checkpoints --- */

static void save_all(struct checkpoint_sink *sink, const struct state *state)
{
    struct message *message = message_new(MESSAGE_IMAGE_SNAPS);
    message->as.image_snaps.snapshots = state->progress.snapshots;
    checkpoint_sink_add(sink, message);
    for (size_t i = 0; i < state->snaps.n; i++) {
        const struct snap_key *snap = &state->snaps.at[i];
        message = message_new(MESSAGE_IMAGE_SNAPS);
        message->as.image_snaps.snapshots = state->progress.snapshots;
        message->as.image_snaps.key = message_text(message, snap->key);
        message->as.image_snaps.snapshot = snap->snapshot;
        checkpoint_sink_add(sink, message);
    }
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    const struct wire_image_snaps *snaps = &part->as.image_snaps;
    (void)packed;
    /* Marks of progress that came before must not be newer. */
    if ((snaps->key.len && !step_key_is_valid(snaps->key)) ||
        snaps->snapshots < state->progress.snapshots)
        return ERR_MALFORMED;
    state->progress.snapshots = snaps->snapshots;
    if (snaps->key.len)
        snaps_add(&state->snaps, snaps->key, snaps->snapshot);
    return OK;
}

/* --- comparing --- */

static const struct member snap_key_fields[] = {
    FIELD(snap_key, key, text),
    FIELD(snap_key, snapshot, bytes),
};

static uint64_t digest_rows(const void *owner, const struct member *field)
{
    const struct snaps *snaps = owner;
    (void)field;
    return digest_array(FIELDS_OF(snap_key), snaps->at, snaps->n);
}

static const struct member snaps_fields[] = {
    FIELD(snaps, at, rows),
    FIELD(snaps, n, bytes),
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(snaps), &state->snaps);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    compare_arrays(to, FIELDS_OF(snap_key), a->snaps.at, a->snaps.n, b->snaps.at, b->snaps.n);
    compare_fields(to, FIELDS_OF(snaps), &a->snaps, &b->snaps);
}

/* --- the table --- */

const struct state_table state_snaps = {
    .name = "snaps",
    .clear = clear,
    .check_invariants = check_invariants,
    .check = check,
    .apply = apply,
    .save_all = save_all,
    .parts = {MESSAGE_IMAGE_SNAPS},
    .load = load,
    .digest = digest,
    .compare = compare,
};

#include "nodes/core/follower.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/election.h"
#include "nodes/core/image.h"
#include "nodes/core/journal.h"
#include "nodes/core/keys_replicated.h"
#include "nodes/core/members.h"
#include "nodes/core/requests.h"
#include "nodes/core/sweep.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

#define FETCH_TRIES    5 /* at least, in rounds of all nodes: then a full checkpoint is asked for */
#define FETCH_RETRY_US (100 * MS_US)
#define NEEDS_AHEAD_MAX \
    256 /* values asked for before the entries that they belong to have their turn */
#define IMAGE_PARTS_MAX                                                                        \
    1000000 /* out of range: the largest state is a few hundred (older releases: a part a row) \
             */

/* --- values --- */

static bool same(struct value_id a, struct value_id b)
{
    return a.job == b.job && a.op == b.op;
}

static struct need *find_need(struct follower *follower, struct value_id id)
{
    for (size_t i = 0; i < follower->n_needs; i++)
        if (same(follower->needs[i].id, id))
            return &follower->needs[i];
    return NULL;
}

/* First it may be here already: on disk, or in memory because this very node computed it. */
static void look(struct node *node, struct need *need)
{
    need->state = NEED_LOOKING;
    need->wake_us = node->now_us + value_wait_us(need->len);
    outbox_keep(&node->out, USER_FOLLOWER, need->id, NULL);
}

static void want(struct node *node, node_id_t source, struct value_id id, uint64_t len,
                 struct slice hash, log_index_t index)
{
    struct follower *follower = &node->follower;
    if (find_need(follower, id) || map_get(&follower->kept, (struct map_key){id.job, id.op}))
        return;
    if (follower->n_needs == follower->needs_size) {
        follower->needs_size = follower->needs_size ? 2 * follower->needs_size : 16;
        follower->needs = mem_grow(follower->needs, follower->needs_size, sizeof *follower->needs);
    }
    struct need *need = &follower->needs[follower->n_needs++];
    *need = (struct need){.id = id, .source = source, .len = len, .index = index};
    if (hash.len == HASH_BYTES)
        memcpy(need->hash, hash.at, HASH_BYTES);
    look(node, need);
}

static void forget_needs(struct node *node)
{
    struct follower *follower = &node->follower;
    for (size_t i = 0; i < follower->n_needs; i++)
        outbox_drop(&node->out, USER_FOLLOWER, follower->needs[i].id);
    follower->n_needs = 0;
    map_clear(&follower->kept);
}

static void drop_parked(struct follower *follower)
{
    for (size_t i = 0; i < follower->n_parked; i++)
        message_drop(&follower->parked[i]);
    follower->n_parked = 0;
}

static void want_done(struct node *node, node_id_t from, const struct message *entry,
                      log_index_t index)
{
    const struct wire_done *done = &entry->as.done;
    node->journal.bytes += sweep_note(node, index, entry);
    for (size_t i = 0; i < done->ops.n; i++)
        if (done->ops.at[i].len && !done->ops.at[i].frame)
            want(node, from, (struct value_id){done->job, done->ops.at[i].op}, done->ops.at[i].len,
                 done->ops.at[i].hash, index);
}

/* Asks for the values that the entry refers to; true when all are here. ERR_MALFORMED entries are
 * no entries. */
static int check_entry(struct node *node, node_id_t from, struct blob *packed, log_index_t index)
{
    struct message *entry;
    struct text why = {0};
    if (codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return ERR_MALFORMED;
    int error = jobs_entry_is_valid(entry) ? OK : ERR_MALFORMED;
    if (!error && (entry->type == MESSAGE_ENTRY_OPS_DONE || entry->type == MESSAGE_ENTRY_JOB_DONE))
        want_done(node, from, entry, index);
    message_drop(&entry);
    return error ? error : node->follower.n_needs ? ERR_UNAVAILABLE : OK;
}

/* Asks for the values of an append's entries from the `first` on, so that they come together. */
static void look_ahead(struct node *node, node_id_t from, const struct message *message,
                       size_t first)
{
    const struct wire_append *append = &message->as.append;
    for (size_t i = first; i < append->entries.n && node->follower.n_needs < NEEDS_AHEAD_MAX; i++) {
        struct blob *packed = message_frame(message, append->entries.at[i].frame);
        if (packed)
            check_entry(node, from, packed, append->prev_index + 1 + i);
    }
}

/* --- answering --- */

static void reply_append(struct node *node, node_id_t to, struct wire_append_reply reply)
{
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    reply.term = node->election.term;
    reply.round = node->follower.round;
    reply.commit = node->journal.commit;
    reply.voter = members_counts(node, node->config.id);
    message->as.append_reply = reply;
    outbox_send_durable(&node->out, PLANE_CHECKPOINT, to, message);
    if (MUTANT(ack_before_disk))
        node->out.at[node->out.n - 1].after_seq = 0;
}

static void reply_install(struct node *node, node_id_t to, log_index_t index, uint64_t next)
{
    struct message *message = message_new(MESSAGE_INSTALL_REPLY);
    message->as.install_reply =
        (struct wire_install_reply){.term = node->election.term,
                                    .round = node->follower.round,
                                    .index = index,
                                    .next = next,
                                    .voter = members_counts(node, node->config.id)};
    outbox_send_durable(&node->out, PLANE_CHECKPOINT, to, message);
}

static void note_round(struct node *node, uint64_t round)
{
    if (round > node->follower.round)
        node->follower.round = round;
}

/* --- appending --- */

/* Where the coordinator should try next: before all entries of the term that conflicts (Raft 5.3,
 * end). */
static log_index_t step_back(const struct node *node, log_index_t prev_index)
{
    const struct journal *journal = &node->journal;
    term_t conflict, term;
    if (prev_index > journal->last)
        return journal->last;
    journal_term(node, prev_index, &conflict);
    log_index_t index = prev_index;
    while (index > journal->base && journal_term(node, index, &term) && term == conflict)
        index--;
    return index > journal->commit ? index : journal->commit;
}

/* The coordinator's log and ours do not meet at the entry before the first one sent. */
static void refuse_append(struct node *node, node_id_t from, const struct wire_append *append)
{
    log_index_t next = step_back(node, append->prev_index);
    term_t ours = 0;
    journal_term(node, append->prev_index, &ours);
    outbox_log(&node->out, LOG_DEBUG,
               "append behind %" PRIu64 " (term %" PRIu64 "): ours is %s%.0" PRIu64
               " -> try behind %" PRIu64,
               append->prev_index, append->prev_term, ours ? "of term " : "missing", ours, next);
    reply_append(node, from, (struct wire_append_reply){.match = next});
}

/* Takes one entry in; ERR_UNAVAILABLE: it waits for values. */
static int take_entry(struct node *node, node_id_t from, log_index_t index, term_t term,
                      struct blob *packed)
{
    term_t ours;
    bool same = journal_term(node, index, &ours) && ours == term && !MUTANT(append_cuts_always);
    if (index <= node->journal.base || same)
        return OK; /* it is here already (R16) */
    if (index <= node->journal.commit)
        return MUTANT(append_cuts_always)
                   ? OK
                   : ERR_MALFORMED; /* what is committed cannot be otherwise */
    if (node->full)
        return ERR_UNAVAILABLE;
    int error = check_entry(node, from, packed, index);
    if (error && !(MUTANT(ack_without_values) && error == ERR_UNAVAILABLE))
        return error;
    if (index <= node->journal.last)
        outbox_log(&node->out, LOG_DEBUG,
                   "entry %" PRIu64 " is of term %" PRIu64 ", the coordinator's of %" PRIu64
                   ": forgets %" PRIu64 " to %" PRIu64,
                   index, ours, term, index, node->journal.last);
    journal_truncate(node, index);
    journal_append(node, term, packed);
    return OK;
}

static int take_entries(struct node *node, node_id_t from, const struct message *message,
                        log_index_t *match)
{
    const struct wire_append *append = &message->as.append;
    int error = OK;
    term_t before = append->prev_term;
    *match = append->prev_index;
    for (size_t i = 0; i < append->entries.n && !error; i++) {
        const struct wire_log_item *item = &append->entries.at[i];
        struct blob *packed = message_frame(message, item->frame);
        bool sound = packed && item->term && item->term <= append->term && item->term >= before;
        before = item->term;
        error = sound ? take_entry(node, from, *match + 1, item->term, packed) : ERR_MALFORMED;
        *match += !error;
    }
    if (error == ERR_UNAVAILABLE && node->follower.n_needs)
        look_ahead(node, from, message, *match - append->prev_index + 1);
    return error;
}

/* Appends are parked, and new ones wait behind them. */
static bool is_waiting(const struct node *node)
{
    return node->follower.n_parked > 0;
}

/* Takes in what it can. ERR_UNAVAILABLE: it waits for values, or space; ERR_NOT_FOUND: the logs do
 * not meet, as was answered. */
static int take_append(struct node *node, node_id_t from, const struct message *message,
                       log_index_t *match)
{
    const struct wire_append *append = &message->as.append;
    term_t term;
    /* What a full checkpoint covers is committed, and so equal everywhere. */
    bool covered = append->prev_index < node->journal.base ||
                   (MUTANT(skip_conflict_check) && append->prev_index <= node->journal.last);
    if (!covered && (!journal_term(node, append->prev_index, &term) || term != append->prev_term)) {
        refuse_append(node, from, append);
        return ERR_NOT_FOUND;
    }
    int error = take_entries(node, from, message, match);
    if (error == ERR_MALFORMED)
        node_reject(node, from, "an entry of the log is malformed");
    /* R15: no further than what is verified to be equal. */
    bool beyond = append->commit > *match && !MUTANT(commit_unverified);
    journal_commit(node, beyond ? *match : append->commit);
    return error;
}

/* Says how far the log is equal, and whether another answer will follow. */
static void answer_append(struct node *node, node_id_t to, log_index_t match, bool wait)
{
    reply_append(node, to, (struct wire_append_reply){.ok = true, .match = match, .wait = wait});
}

static void park(struct follower *follower, struct message *message)
{
    if (follower->n_parked < APPEND_WINDOW) /* more is never on its way; it would be sent again */
        follower->parked[follower->n_parked++] = message_ref(message);
}

/* The values have come: one answer for all that waited. */
static void take_parked(struct node *node, node_id_t from)
{
    struct follower *follower = &node->follower;
    log_index_t match = node->journal.commit;
    size_t done = 0;
    int error = OK;
    if (follower->n_parked && follower->parked[0]->as.append.term != node->election.term)
        drop_parked(follower);
    while (done < follower->n_parked && !error) {
        error = take_append(node, from, follower->parked[done], &match);
        if (error != ERR_UNAVAILABLE)
            message_drop(&follower->parked[done++]);
    }
    follower->n_parked -= done;
    memmove(follower->parked, follower->parked + done,
            follower->n_parked * sizeof *follower->parked);
    if (error != ERR_NOT_FOUND)
        answer_append(node, from, match, error == ERR_UNAVAILABLE);
    if (error != ERR_UNAVAILABLE || !follower->n_needs) {
        drop_parked(follower);
        forget_needs(node);
    }
}

void follower_append(struct node *node, node_id_t from, struct message *message)
{
    const struct wire_append *append = &message->as.append;
    struct follower *follower = &node->follower;
    if (!members_accepts(node, from, append->cluster_id))
        return;
    if (!election_accept_coordinator(node, from, append->term)) {
        reply_append(node, from, (struct wire_append_reply){.ok = false});
        return;
    }
    note_round(node, append->round);
    if (is_waiting(node) && append->prev_index > node->journal.last) {
        look_ahead(node, from, message, 0);
        park(follower, message);
        answer_append(node, from, node->journal.commit, true);
        return;
    }
    log_index_t match;
    int error = take_append(node, from, message, &match);
    bool waits = is_waiting(node);
    if (error == ERR_UNAVAILABLE && follower->n_needs && !waits)
        park(follower, message);
    else if (!error && !waits && !follower->image)
        forget_needs(node);
    if (error != ERR_NOT_FOUND)
        answer_append(node, from, match, waits || error == ERR_UNAVAILABLE);
}

/* --- full checkpoints --- */

static void finish_install(struct node *node, node_id_t to)
{
    struct follower *follower = &node->follower;
    struct image *image = image_ref(follower->image);
    if (follower->index != image->index || follower->term != image->term ||
        follower->loaded->keys.window.missing) {
        node_reject(node, to, "its full checkpoint is not what its head says");
    } else {
        image_replace_state(node, &follower->loaded);
        journal_reset(node, image->index, image->term);
        keys_forget_blocks(node);
        uint64_t seq = outbox_write_image(&node->out, image->index, image->term, image->parts,
                                          image->n, !MUTANT(install_keeps_suffix));
        journal_saves(node, image, seq);
        members_installed(node);
        outbox_log(&node->out, LOG_INFO, "installed a full checkpoint at entry %" PRIu64,
                   image->index);
        reply_install(node, to, image->index, image->n);
        sweep_all(node);
    }
    image_drop(&image);
    follower_reset(node);
}

static bool begin_install(struct node *node, node_id_t from, const struct wire_install *install)
{
    struct follower *follower = &node->follower;
    bool same_image = follower->image && follower->image->index == install->index &&
                      follower->image->term == install->index_term &&
                      follower->expected == install->parts;
    if (same_image)
        return true;
    if (install->part != 0)
        return false;
    if (!install->parts || install->parts > IMAGE_PARTS_MAX || !install->index) {
        node_reject(node, from, "it sends an absurd full checkpoint");
        return false;
    }
    follower_reset(node);
    follower->image = image_new(install->index, install->index_term);
    follower->loaded = image_scratch_new(node);
    follower->expected = install->parts;
    return true;
}

static void want_of_image(struct node *node, node_id_t source, struct value_id id, uint64_t len,
                          struct slice hash)
{
    want(node, source, id, len, hash, node->follower.image->index);
}

/* Loads what has come beside the state, which changes only when all of it is here and sound: so no
 * step takes longer than a parcel. */
static int load_parts(struct node *node, const struct message *message)
{
    const struct wire_install *install = &message->as.install;
    struct follower *follower = &node->follower;
    int error = OK;
    for (size_t i = 0; i < install->items.n && !error; i++) {
        struct blob *part = message_frame(message, install->items.at[i].frame);
        if (install->part + i != follower->image->n || !part ||
            follower->image->n == follower->expected)
            continue;
        error = image_load_part(follower->loaded, (struct slice){part->at, part->len},
                                &follower->index, &follower->term, want_of_image, node);
        if (!error)
            image_add(follower->image, part);
    }
    return error;
}

void follower_install(struct node *node, node_id_t from, const struct message *message)
{
    const struct wire_install *install = &message->as.install;
    struct follower *follower = &node->follower;
    if (!members_accepts(node, from, install->cluster_id))
        return;
    if (!election_accept_coordinator(node, from, install->term)) {
        reply_install(node, from, install->index, 0);
        return;
    }
    note_round(node, install->round);
    /* A log that has the entry at its end has all that it covers, committed; what was acknowledged
     * behind it must stay. */
    term_t term;
    if (journal_term(node, install->index, &term) && term == install->index_term)
        journal_commit(node, install->index);
    if (install->index <= node->journal.commit) {
        reply_install(node, from, install->index, install->parts); /* it is here already */
        return;
    }
    if (!begin_install(node, from, install)) {
        reply_install(node, from, install->index, 0);
        return;
    }
    if (load_parts(node, message)) {
        node_reject(node, from, "a part of its full checkpoint is malformed");
        follower_reset(node);
        reply_install(node, from, install->index, 0);
        return;
    }
    if (follower->image->n == follower->expected && !follower->n_needs)
        finish_install(node, from);
    else
        reply_install(node, from, install->index,
                      follower->image->n < follower->expected ? follower->image->n
                                                              : follower->expected - 1);
}

/* --- values that come --- */

static void go_on(struct node *node)
{
    struct follower *follower = &node->follower;
    node_id_t coordinator = node->election.coordinator;
    if (follower->n_needs || !node_is_peer(node, coordinator))
        return;
    if (follower->image && follower->image->n == follower->expected)
        finish_install(node, coordinator);
    else if (!follower->image)
        take_parked(node, coordinator);
}

/* It is on disk here, or nobody needs it any more. */
static void meet(struct node *node, struct need *need)
{
    struct follower *follower = &node->follower;
    struct map_key key = {need->id.job, need->id.op};
    *need = follower->needs[--follower->n_needs];
    map_put(&follower->kept, key, follower);
    go_on(node);
}

void follower_value_kept(struct node *node, struct value_id id)
{
    struct need *need = find_need(&node->follower, id);
    if (!need)
        return;
    outbox_drop(&node->out, USER_FOLLOWER, id); /* from memory, where it is of no use any more */
    meet(node, need);
}

void follower_value_used(struct node *node, struct value_id id)
{
    struct need *need = find_need(&node->follower, id);
    if (need)
        meet(node, need);
}

void follower_value_ready(struct node *node, struct value_id id)
{
    struct need *need = find_need(&node->follower, id);
    if (!need || need->state != NEED_FETCHING)
        return;
    need->state = NEED_KEEPING;
    need->wake_us = node->now_us + value_wait_us(need->len);
    outbox_keep(&node->out, USER_FOLLOWER, id, NULL);
}

static void fetch(struct node *node, struct need *need)
{
    need->state = NEED_FETCHING;
    need->wake_us = node->now_us + value_wait_us(need->len);
    outbox_fetch(&node->out, USER_FOLLOWER, need->id, need->source, need->len, need->hash,
                 need->index);
}

/* Whom to ask after a source that did not have it: the coordinator, then one node after another. */
static node_id_t next_source(const struct node *node, const struct need *need)
{
    uint32_t n = node->config.n_nodes;
    node_id_t coordinator = node->election.coordinator;
    if (need->tries == 1 && need->source != coordinator && node_is_peer(node, coordinator))
        return coordinator;
    for (uint32_t i = 0; i < n; i++) {
        node_id_t id = (need->source + i) % n + 1;
        if (node_is_peer(node, id) && node->peers[id].alive)
            return id;
    }
    return need->source;
}

void follower_value_failed(struct node *node, struct value_id id)
{
    struct need *need = find_need(&node->follower, id);
    node_id_t coordinator = node->election.coordinator;
    if (!need)
        return;
    if (need->state == NEED_LOOKING && node_is_peer(node, need->source)) {
        fetch(node, need);
        return;
    }
    need->tries++;
    need->source = next_source(node, need);
    bool all_asked = need->tries % (node->config.n_nodes - 1) == 0;
    if (!all_asked) {
        fetch(node, need); /* who does not have it says so at once: no reason to rest */
        return;
    }
    need->state = NEED_RESTING;
    need->wake_us = node->now_us + FETCH_RETRY_US;
    if (need->tries < FETCH_TRIES || !node_is_peer(node, coordinator))
        return;
    follower_reset(node);
    reply_append(node, coordinator,
                 (struct wire_append_reply){.ok = true,
                                            .match = node->journal.commit,
                                            .install = true});
}

void follower_tick(struct node *node)
{
    struct follower *follower = &node->follower;
    for (size_t i = 0; i < follower->n_needs; i++) {
        struct need *need = &follower->needs[i];
        if (node->now_us < need->wake_us)
            continue;
        if (need->state == NEED_FETCHING)
            outbox_drop(&node->out, USER_FOLLOWER, need->id);
        look(node, need);
    }
}

void follower_reset(struct node *node)
{
    image_drop(&node->follower.image);
    image_scratch_drop(&node->follower.loaded);
    node->follower.expected = 0;
    node->follower.index = 0;
    node->follower.term = 0;
    drop_parked(&node->follower);
    forget_needs(node);
}

void follower_begin(struct node *node)
{
    follower_reset(node);
    node->follower.round = 0;
}

void follower_clear(struct node *node)
{
    follower_reset(node);
    free(node->follower.needs);
}

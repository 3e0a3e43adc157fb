/* A checkpoint that the coordinator sends, part by part, is loaded beside the state, and replaces
 * it when it is whole. */
#include <inttypes.h>

#include "nodes/core/raft/follower_internal.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"

/* Out of range: the largest state is a few hundred (older releases: a part a row). */
#define CHECKPOINT_PARTS_MAX 1000000

static void reply_install(struct raft *raft, node_id_t to, log_index_t index, uint64_t next)
{
    struct message *message = message_new(MESSAGE_INSTALL_REPLY);
    message->as.install_reply =
        (struct wire_install_reply){.term = raft->step->term,
                                    .round = raft->follower.round,
                                    .index = index,
                                    .next = next,
                                    .voter = members_counts(raft, raft->step->config.id)};
    outbox_send_durable(&raft->step->out, PLANE_CHECKPOINT, to, message);
}

void follower_finish_install(struct raft *raft, node_id_t to)
{
    struct follower *follower = &raft->follower;
    struct checkpoint *checkpoint = checkpoint_ref(follower->checkpoint);
    if (checkpoint->index <= raft->log.commit) { /* an append went further meanwhile */
        reply_install(raft, to, checkpoint->index, checkpoint->n);
    } else if (!raft->machine->is_whole(follower->loaded, checkpoint)) {
        step_reject(raft->step, to, "its checkpoint does not match its head");
    } else {
        raft->machine->replace(raft->state, &follower->loaded);
        raft_log_reset(raft, checkpoint->index, checkpoint->term);
        uint64_t seq = outbox_write_checkpoint(&raft->step->out, checkpoint->index,
                                               checkpoint->term, checkpoint->parts, NULL,
                                               checkpoint->n, !MUTANT(install_keeps_suffix));
        raft_log_saves(raft, checkpoint, checkpoint_bytes(checkpoint), seq);
        members_installed(raft);
        outbox_log(&raft->step->out, LOG_INFO, "installed a checkpoint at entry %" PRIu64,
                   checkpoint->index);
        reply_install(raft, to, checkpoint->index, checkpoint->n);
        sweep_all(raft);
    }
    checkpoint_drop(&checkpoint);
    follower_reset(raft);
}

static bool begin_install(struct raft *raft, node_id_t from, const struct wire_install *install)
{
    struct follower *follower = &raft->follower;
    bool same_checkpoint = follower->checkpoint && follower->checkpoint->index == install->index &&
                           follower->checkpoint->term == install->index_term &&
                           follower->expected == install->parts;
    if (same_checkpoint)
        return true;
    if (install->part != 0)
        return false;
    /* An entry's term is none that is still to come: a disk with one would be refused at the next
     * start. */
    bool term_is_sound = install->index_term && install->index_term <= install->term;
    if (!install->parts || install->parts > CHECKPOINT_PARTS_MAX || !install->index ||
        !term_is_sound) {
        step_reject(raft->step, from, "it sends a checkpoint that is out of range");
        return false;
    }
    follower_reset(raft);
    follower->checkpoint = checkpoint_new(install->index, install->index_term);
    follower->loaded = raft->machine->fresh(raft->state);
    follower->expected = install->parts;
    return true;
}

static void want_of_checkpoint(void *wanting, node_id_t source, struct value_id id, uint64_t len,
                               struct slice hash)
{
    struct raft *raft = wanting;
    follower_want(raft, source, id, len, hash, raft->follower.checkpoint->index);
}

/* Loads what has come beside the state, which changes only when all of it is here and sound: so no
 * step takes longer than a parcel. */
static int load_parts(struct raft *raft, const struct message *message)
{
    const struct wire_install *install = &message->as.install;
    struct follower *follower = &raft->follower;
    int error = OK;
    for (size_t i = 0; i < install->items.n && !error; i++) {
        struct blob *part = message_frame(message, install->items.at[i].frame);
        if (install->part + i != follower->checkpoint->n || !part ||
            follower->checkpoint->n == follower->expected)
            continue;
        error = raft->machine->load(follower->loaded, (struct slice){part->at, part->len},
                                    want_of_checkpoint, raft);
        if (!error)
            checkpoint_add(follower->checkpoint, part);
    }
    return error;
}

void follower_refuse_install(struct raft *raft, node_id_t from, const struct message *message)
{
    if (message->as.install.term < raft->step->term) /* as with appends */
        reply_install(raft, from, message->as.install.index, 0);
}

void follower_install(struct raft *raft, node_id_t from, const struct message *message)
{
    const struct wire_install *install = &message->as.install;
    struct follower *follower = &raft->follower;
    follower_note_round(raft, install->round);
    /* A log that has the entry at its end has all that it covers, committed; what was acknowledged
     * behind it must stay. */
    term_t term;
    if (raft_log_term(raft, install->index, &term) && term == install->index_term)
        raft_log_commit(raft, install->index);
    if (install->index <= raft->log.commit) {
        reply_install(raft, from, install->index, install->parts); /* it is here already */
        return;
    }
    if (!begin_install(raft, from, install)) {
        reply_install(raft, from, install->index, 0);
        return;
    }
    if (load_parts(raft, message)) {
        step_reject(raft->step, from, "a part of its checkpoint is malformed");
        follower_reset(raft);
        reply_install(raft, from, install->index, 0);
        return;
    }
    if (follower->checkpoint->n == follower->expected && !follower->n_needs)
        follower_finish_install(raft, from);
    else
        reply_install(raft, from, install->index,
                      follower->checkpoint->n < follower->expected ? follower->checkpoint->n
                                                                   : follower->expected - 1);
}

#include "nodes/core/raft/follower.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/follower_internal.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/runs.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

/* Values asked for before the entries that they belong to have their turn. */
#define NEEDS_AHEAD_MAX 256

/* --- answering --- */

void follower_reply_append(struct raft *raft, node_id_t to, struct wire_append_reply reply)
{
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    reply.term = raft->step->term;
    reply.round = raft->follower.round;
    reply.commit = raft->log.commit;
    reply.voter = members_counts(raft, raft->step->config.id);
    message->as.append_reply = reply;
    outbox_send_durable(&raft->step->out, PLANE_CHECKPOINT, to, message);
    if (MUTANT(ack_before_disk))
        raft->step->out.at[raft->step->out.n - 1].after_seq = 0;
}

void follower_note_round(struct raft *raft, uint64_t round)
{
    if (round > raft->follower.round)
        raft->follower.round = round;
}

/* --- an entry's values --- */

/* An entry that is being looked at. */
struct seen {
    struct raft *raft;
    node_id_t from;
    log_index_t index;
};

static void want_of_entry(void *context, node_id_t source, struct value_id id, uint64_t len,
                          struct slice hash)
{
    const struct seen *seen = context;
    (void)source;
    follower_want(seen->raft, seen->from, id, len, hash, seen->index);
}

/* Asks for the values that the entry refers to; true when all are here. ERR_MALFORMED entries are
 * no entries. */
static int check_entry(struct raft *raft, node_id_t from, const struct message *entry,
                       log_index_t index)
{
    if (!raft->machine->check(entry))
        return ERR_MALFORMED;
    raft->log.bytes += sweep_note(raft, index, entry);
    raft->machine->values(entry, want_of_entry, &(struct seen){raft, from, index});
    return raft->follower.n_needs ? ERR_UNAVAILABLE : OK;
}

/* Asks for the values of an append's entries from the `first` on, so that they come together. */
static void look_ahead(struct raft *raft, node_id_t from, const struct message *message,
                       size_t first)
{
    struct runs_reader reader = {.message = message};
    struct blob *packed;
    bool sound;
    for (size_t i = 0;
         raft->follower.n_needs < NEEDS_AHEAD_MAX && runs_next(&reader, &packed, &sound); i++) {
        struct message *entry = NULL;
        struct text why = {0};
        if (i >= first && !codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
            check_entry(raft, from, entry, message->as.append.prev_index + 1 + i);
        message_drop(&entry);
        blob_drop(&packed);
    }
}

/* --- appending --- */

/* Where the coordinator should try next: before all entries of the term that conflicts (Raft 5.3,
 * end). */
static log_index_t step_back(const struct raft *raft, log_index_t prev_index)
{
    const struct raft_log *log = &raft->log;
    term_t conflict, term;
    if (prev_index > log->last)
        return log->last;
    raft_log_term(raft, prev_index, &conflict);
    log_index_t index = prev_index;
    while (index > log->base && raft_log_term(raft, index, &term) && term == conflict)
        index--;
    return index > log->commit ? index : log->commit;
}

/* The coordinator's log and ours do not meet at the entry before the first one sent. */
static void refuse_append(struct raft *raft, node_id_t from, const struct wire_append *append)
{
    log_index_t next = step_back(raft, append->prev_index);
    term_t ours = 0;
    raft_log_term(raft, append->prev_index, &ours);
    outbox_log(&raft->step->out, LOG_DEBUG,
               "append after %" PRIu64 " (term %" PRIu64 "): ours is %s%.0" PRIu64
               " -> try after %" PRIu64,
               append->prev_index, append->prev_term, ours ? "of term " : "missing", ours, next);
    follower_reply_append(raft, from, (struct wire_append_reply){.match = next});
}

/* Takes one entry in; ERR_UNAVAILABLE: it waits for values. */
static int take_entry(struct raft *raft, node_id_t from, log_index_t index, term_t term,
                      struct blob *packed)
{
    term_t ours;
    bool same = raft_log_term(raft, index, &ours) && ours == term && !MUTANT(append_cuts_always);
    if (index <= raft->log.base || same)
        return OK; /* it is here already (R16) */
    if (index <= raft->log.commit)
        return MUTANT(append_cuts_always)
                   ? OK
                   : ERR_MALFORMED; /* what is committed cannot be otherwise */
    if (raft->full)
        return ERR_UNAVAILABLE;
    struct message *entry;
    struct text why = {0};
    if (codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return ERR_MALFORMED;
    int error = check_entry(raft, from, entry, index);
    if (error && !(MUTANT(ack_without_values) && error == ERR_UNAVAILABLE)) {
        message_drop(&entry);
        return error;
    }
    if (index <= raft->log.last)
        outbox_log(&raft->step->out, LOG_DEBUG,
                   "entry %" PRIu64 " is of term %" PRIu64 ", the coordinator's of %" PRIu64
                   ": forgets %" PRIu64 " to %" PRIu64,
                   index, ours, term, index, raft->log.last);
    raft_log_truncate(raft, index);
    raft_log_append(raft, term, packed, entry);
    return OK;
}

static int take_entries(struct raft *raft, node_id_t from, const struct message *message,
                        log_index_t *match)
{
    const struct wire_append *append = &message->as.append;
    int error = OK;
    term_t before = append->prev_term;
    struct runs_reader reader = {.message = message};
    struct blob *packed;
    bool sound = true;
    *match = append->prev_index;
    while (!error && runs_next(&reader, &packed, &sound)) {
        bool fits = reader.term && reader.term <= append->term && reader.term >= before;
        before = reader.term;
        error = fits ? take_entry(raft, from, *match + 1, reader.term, packed) : ERR_MALFORMED;
        *match += !error;
        blob_drop(&packed);
    }
    error = error || sound ? error : ERR_MALFORMED;
    if (error == ERR_UNAVAILABLE && raft->follower.n_needs)
        look_ahead(raft, from, message, *match - append->prev_index + 1);
    return error;
}

/* Appends are parked, and new ones wait behind them. */
static bool is_waiting(const struct raft *raft)
{
    return raft->follower.n_parked > 0;
}

/* Takes in what it can. ERR_UNAVAILABLE: it waits for values, or space; ERR_NOT_FOUND: the logs do
 * not meet, as was answered. */
static int take_append(struct raft *raft, node_id_t from, const struct message *message,
                       log_index_t *match)
{
    const struct wire_append *append = &message->as.append;
    term_t term;
    /* What a checkpoint covers is committed, and so equal everywhere. */
    bool covered = append->prev_index < raft->log.base ||
                   (MUTANT(skip_conflict_check) && append->prev_index <= raft->log.last);
    if (!covered &&
        (!raft_log_term(raft, append->prev_index, &term) || term != append->prev_term)) {
        refuse_append(raft, from, append);
        return ERR_NOT_FOUND;
    }
    int error = take_entries(raft, from, message, match);
    if (error == ERR_MALFORMED)
        step_reject(raft->step, from, "an entry of the log is malformed");
    /* R15: no further than what is verified to be equal. */
    bool beyond = append->commit > *match && !MUTANT(commit_unverified);
    raft_log_commit(raft, beyond ? *match : append->commit);
    return error;
}

/* Says how far the log is equal, and whether another answer will follow. */
static void answer_append(struct raft *raft, node_id_t to, log_index_t match, bool wait)
{
    follower_reply_append(raft, to,
                          (struct wire_append_reply){.ok = true, .match = match, .wait = wait});
}

static void drop_parked(struct follower *follower)
{
    for (size_t i = 0; i < follower->n_parked; i++)
        message_drop(&follower->parked[i]);
    follower->n_parked = 0;
}

static void park(struct follower *follower, struct message *message)
{
    if (follower->n_parked < APPEND_WINDOW) /* more is never on its way; it would be sent again */
        follower->parked[follower->n_parked++] = message_ref(message);
}

/* The values have come: one answer for all that waited. */
static void take_parked(struct raft *raft, node_id_t from)
{
    struct follower *follower = &raft->follower;
    log_index_t match = raft->log.commit;
    size_t done = 0;
    int error = OK;
    if (follower->n_parked && follower->parked[0]->as.append.term != raft->step->term)
        drop_parked(follower);
    while (done < follower->n_parked && !error) {
        error = take_append(raft, from, follower->parked[done], &match);
        if (error != ERR_UNAVAILABLE)
            message_drop(&follower->parked[done++]);
    }
    follower->n_parked -= done;
    memmove(follower->parked, follower->parked + done,
            follower->n_parked * sizeof *follower->parked);
    if (error != ERR_NOT_FOUND)
        answer_append(raft, from, match, error == ERR_UNAVAILABLE);
    if (error != ERR_UNAVAILABLE || !follower->n_needs) {
        drop_parked(follower);
        follower_forget_needs(raft);
    }
}

void follower_refuse_append(struct raft *raft, node_id_t from, const struct message *message)
{
    /* Who is not believed yet is not answered: it would go back to the log's beginning. */
    if (message->as.append.term >= raft->step->term)
        return;
    follower_reply_append(raft, from, (struct wire_append_reply){.ok = false});
}

void follower_append(struct raft *raft, node_id_t from, struct message *message)
{
    const struct wire_append *append = &message->as.append;
    struct follower *follower = &raft->follower;
    follower_note_round(raft, append->round);
    if (is_waiting(raft) && append->prev_index > raft->log.last) {
        look_ahead(raft, from, message, 0);
        park(follower, message);
        answer_append(raft, from, raft->log.commit, true);
        return;
    }
    log_index_t match;
    int error = take_append(raft, from, message, &match);
    bool waits = is_waiting(raft);
    if (error == ERR_UNAVAILABLE && follower->n_needs && !waits)
        park(follower, message);
    else if (!error && !waits && !follower->checkpoint)
        follower_forget_needs(raft);
    if (error != ERR_NOT_FOUND)
        answer_append(raft, from, match, waits || error == ERR_UNAVAILABLE);
}

/* --- going on, and beginning again --- */

void follower_go_on(struct raft *raft)
{
    struct follower *follower = &raft->follower;
    node_id_t coordinator = raft->step->coordinator;
    if (follower->n_needs || !step_is_peer(raft->step, coordinator))
        return;
    if (follower->checkpoint && follower->checkpoint->n == follower->expected)
        follower_finish_install(raft, coordinator);
    else if (!follower->checkpoint)
        take_parked(raft, coordinator);
}

void follower_reset(struct raft *raft)
{
    checkpoint_drop(&raft->follower.checkpoint);
    raft->machine->drop(&raft->follower.loaded);
    raft->follower.expected = 0;
    drop_parked(&raft->follower);
    follower_forget_needs(raft);
}

void follower_begin(struct raft *raft)
{
    follower_reset(raft);
    raft->follower.round = 0;
}

void follower_clear(struct raft *raft)
{
    follower_reset(raft);
    free(raft->follower.needs);
}

#include "nodes/core/raft/offers.h"

#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/sweep.h"

/* Another term's offers are nobody's. */
static void begin_term(struct raft *raft)
{
    struct offers *offers = &raft->offers;
    if (offers->term == raft->step->term)
        return;
    offers->term = raft->step->term;
    offers->n_made = 0;
    if (offers->n_taken)
        outbox_drop(&raft->step->out, USER_OFFER, (struct value_id){0});
    offers->n_taken = 0;
}

/* --- a coordinator --- */

static struct offer *find_made(const struct raft *raft, struct value_id id)
{
    const struct offers *offers = &raft->offers;
    for (size_t i = 0; offers->term == raft->step->term && i < offers->n_made; i++)
        if (value_id_same(offers->made[i].id, id))
            return (struct offer *)&offers->made[i];
    return NULL;
}

static void offer_to(struct raft *raft, struct offer *offer, node_id_t voter)
{
    struct message *message = message_new(MESSAGE_VALUE_OFFER);
    message->as.value_offer =
        (struct wire_value_offer){.term = raft->step->term,
                                  .job = offer->id.job,
                                  .op = offer->id.op,
                                  .source = offer->source,
                                  .len = offer->len,
                                  .hash = message_copy(message,
                                                       (struct slice){offer->hash, HASH_BYTES})};
    offer->told[voter] = true;
    outbox_send(&raft->step->out, PLANE_CHECKPOINT, voter, message);
}

/* Offers it to so many more voters. */
static void offer_to_some(struct raft *raft, struct offer *offer, uint32_t n)
{
    uint32_t voters = raft->step->config.n_voters;
    for (uint32_t i = 0; i < voters && n > 0; i++) {
        node_id_t id = (raft->step->config.id + i) % voters + 1;
        if (offer->told[id] || !members_counts(raft, id) || !peers_is_linked(raft->links, id))
            continue;
        offer_to(raft, offer, id);
        n--;
    }
}

void offers_make(struct raft *raft, struct value_id id, node_id_t source, uint64_t len,
                 const uint8_t hash[HASH_BYTES])
{
    begin_term(raft);
    raft->machine->holds(raft->state, id); /* it may come to our disk when we lead no more */
    if (find_made(raft, id) || raft->offers.n_made == OFFERS_MAX)
        return;
    struct offer *offer = &raft->offers.made[raft->offers.n_made++];
    *offer = (struct offer){.id = id, .source = source, .len = len};
    memcpy(offer->hash, hash, HASH_BYTES);
    offer->told[raft->step->config.id] = true;
    offer->more_us = raft->step->now_us + OFFER_WAIT_US + len / OFFER_BYTES_PER_US;
    offer->end_us = offer->more_us + OFFER_WAIT_US + len / OFFER_BYTES_PER_US;
    offer_to_some(raft, offer, raft->step->config.n_voters / 2);
}

static void hold(struct raft *raft, struct offer *offer, node_id_t node)
{
    uint32_t n = 0;
    offer->held[node] = true;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        n += offer->held[id] && members_counts(raft, id);
    offer->spread = offer->spread || n > raft->step->config.n_voters / 2;
}

void offers_held_here(struct raft *raft, struct value_id id)
{
    struct offer *offer = find_made(raft, id);
    if (offer)
        hold(raft, offer, raft->step->config.id);
}

void offers_held(struct raft *raft, node_id_t from, const struct wire_value_held *held)
{
    struct offer *offer = find_made(raft, (struct value_id){held->job, held->op});
    if (offer && held->term == raft->step->term && election_leads(raft))
        hold(raft, offer, from);
}

bool offers_is_spread(const struct raft *raft, struct value_id id)
{
    const struct offer *offer = find_made(raft, id);
    return !offer || offer->spread || raft->step->now_us >= offer->end_us;
}

void offers_end(struct raft *raft, struct value_id id)
{
    begin_term(raft);
    for (size_t i = raft->offers.n_made; i-- > 0;)
        if (value_id_fits(raft->offers.made[i].id, id))
            raft->offers.made[i] = raft->offers.made[--raft->offers.n_made];
}

/* --- a voter --- */

static struct taken_offer *find_taken(struct raft *raft, struct value_id id)
{
    for (size_t i = 0; i < raft->offers.n_taken; i++)
        if (value_id_same(raft->offers.taken[i].id, id))
            return &raft->offers.taken[i];
    return NULL;
}

static void forget(struct raft *raft, struct taken_offer *taken)
{
    outbox_drop(&raft->step->out, USER_OFFER, taken->id);
    *taken = raft->offers.taken[--raft->offers.n_taken];
}

void offers_take(struct raft *raft, node_id_t from, const struct wire_value_offer *offer)
{
    struct value_id id = {offer->job, offer->op};
    begin_term(raft);
    if (offer->hash.len != HASH_BYTES) {
        step_reject(raft->step, from, "it offers a value without its hash");
        return;
    }
    if (find_taken(raft, id) || raft->offers.n_taken == OFFERS_MAX || raft->full)
        return; /* it comes with the entry */
    if (!sweep_names(raft, id))
        return; /* it was used meanwhile */
    raft->machine->holds(raft->state, id);
    struct taken_offer *taken = &raft->offers.taken[raft->offers.n_taken++];
    *taken = (struct taken_offer){.id = id,
                                  .coordinator = from,
                                  .source = (node_id_t)offer->source,
                                  .len = offer->len,
                                  .end_us = raft->step->now_us + value_wait_us(offer->len)};
    memcpy(taken->hash, offer->hash.at, HASH_BYTES);
    /* First it may be here already: this very node made it. */
    outbox_keep(&raft->step->out, USER_OFFER, id, NULL);
}

void offers_value_failed(struct raft *raft, struct value_id id)
{
    struct taken_offer *taken = find_taken(raft, id);
    if (!taken)
        return;
    if (taken->asked || !step_is_peer(raft->step, taken->source)) {
        forget(raft, taken); /* it comes with the entry */
        return;
    }
    taken->asked = true;
    outbox_fetch(&raft->step->out, USER_OFFER, id, taken->source, taken->len, taken->hash, 0);
}

void offers_value_ready(struct raft *raft, struct value_id id)
{
    if (find_taken(raft, id))
        outbox_keep(&raft->step->out, USER_OFFER, id, NULL);
}

void offers_value_kept(struct raft *raft, struct value_id id)
{
    struct taken_offer *taken = find_taken(raft, id);
    if (!taken)
        return;
    if (step_is_peer(raft->step, taken->coordinator)) {
        struct message *message = message_new(MESSAGE_VALUE_HELD);
        message->as.value_held =
            (struct wire_value_held){.term = raft->step->term, .job = id.job, .op = id.op};
        outbox_send(&raft->step->out, PLANE_CHECKPOINT, taken->coordinator, message);
    }
    forget(raft, taken);
}

/* --- both --- */

void offers_tick(struct raft *raft)
{
    struct offers *offers = &raft->offers;
    begin_term(raft);
    for (size_t i = 0; i < offers->n_made; i++) {
        struct offer *offer = &offers->made[i];
        if (offer->spread || raft->step->now_us < offer->more_us || offer->told_all)
            continue;
        offer->told_all = true;
        offer_to_some(raft, offer, raft->step->config.n_voters);
    }
    for (size_t i = offers->n_taken; i-- > 0;)
        if (raft->step->now_us >= offers->taken[i].end_us)
            forget(raft, &offers->taken[i]);
}

uint64_t offers_deadline(const struct raft *raft)
{
    const struct offers *offers = &raft->offers;
    uint64_t at = UINT64_MAX;
    if (offers->term != raft->step->term)
        return at;
    for (size_t i = 0; i < offers->n_made; i++)
        if (!offers->made[i].spread) {
            uint64_t next_us =
                offers->made[i].told_all ? offers->made[i].end_us : offers->made[i].more_us;
            if (next_us > raft->step->now_us)
                at = earlier_us(at, next_us);
        }
    for (size_t i = 0; i < offers->n_taken; i++)
        at = earlier_us(at, offers->taken[i].end_us);
    return at;
}

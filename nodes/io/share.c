#include "nodes/io/share.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/records/record.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/slice.h"
#include "shared/wire/codec.h"

static int fail(struct share *share, int error, const char *what)
{
    if (!share->why->len)
        text_add(share->why, "%s", what);
    return error;
}

/* --- records --- */

/* Takes the blob. */
static void add_record(struct share *share, const struct record_key *key, struct blob *value)
{
    if (share->n_writes == share->writes_size) {
        share->writes_size = share->writes_size ? 2 * share->writes_size : 256;
        share->writes = mem_grow(share->writes, share->writes_size, sizeof(struct write));
    }
    struct write *write = &share->writes[share->n_writes++];
    *write = (struct write){.kind = WRITE_RECORD, .entry = value, .key_len = key->len};
    memcpy(write->key, key->at, key->len);
}

static void add_number(struct share *share, const struct record_key *key, uint64_t number)
{
    struct blob *value = blob_new(8);
    bytes_put_be64(value->at, number);
    add_record(share, key, value);
}

static void add_accounts(struct share *share, const struct wire_cut_accounts *part)
{
    for (size_t i = 0; i < part->rows.n; i++) {
        struct record_key key = record_key(RECORD_ACCOUNT);
        record_key_name(&key, part->rows.at[i].name);
        add_number(share, &key, part->rows.at[i].balance);
    }
}

static void add_values(struct share *share, const struct wire_cut_pairs *part)
{
    for (size_t i = 0; i < part->rows.n; i++) {
        struct record_key key = record_key(RECORD_VALUE);
        struct slice value = part->rows.at[i].value;
        record_key_name(&key, part->rows.at[i].name);
        add_record(share, &key, blob_copy(value.at, value.len));
    }
}

/* Money that was on its way back arrives as any other: its account is there. */
static struct message *make_pending(const struct share *share, const struct wire_cut_pending *row)
{
    struct message *message = message_new(row->name.len ? MESSAGE_APP : MESSAGE_TRANSFER);
    message->as.numbered.epoch = share->epoch;
    message->as.numbered.number = row->number;
    if (row->name.len) {
        message->as.app.name = row->name;
        message->as.app.value = row->value;
    } else {
        message->as.transfer.from = row->from_account;
        message->as.transfer.to = row->to_account;
        message->as.transfer.amount = row->amount;
    }
    return message;
}

static int add_outbox(struct share *share, const struct wire_cut_ledger *part)
{
    for (size_t i = 0; i < part->pending.n; i++) {
        const struct wire_cut_pending *row = &part->pending.at[i];
        struct message *pending = make_pending(share, row);
        struct blob *packed = codec_pack(pending);
        struct record_key key = record_key(RECORD_OUTBOX);
        record_key_u32(&key, (uint32_t)row->node);
        record_key_u64(&key, row->number);
        message_drop(&pending);
        if (!packed || !share->epoch || row->node == share->config->id ||
            row->node > share->config->n_nodes) {
            blob_drop(&packed);
            return fail(share, ERR_MALFORMED, "it has an invalid transfer");
        }
        add_record(share, &key, packed);
    }
    if (part->applied.n)
        return fail(share, ERR_MALFORMED, "it has marks, and is not a share of a snapshot");
    return OK;
}

/* --- parts of the file --- */

/* The share founds a cluster of its own: the disks' births are not known before they take it. */
static int take_head(struct share *share, const struct wire_snapshot_head *head)
{
    const struct node_config *config = share->config;
    struct identity *identity = &share->identity;
    if (head->nodes.n != config->n_nodes) {
        text_add(share->why, "it is of a cluster of %zu nodes, and --nodes says %" PRIu32,
                 head->nodes.n, config->n_nodes);
        return ERR_STALE;
    }
    if (head->cluster_id.len != CLUSTER_ID_BYTES || !head->voters)
        return fail(share, ERR_STALE,
                    "it names no cluster; `conclave snapshot restore` makes a share for each node");
    if (head->voters > config->n_nodes ||
        (head->voters != config->n_voters && !config->voters_open)) {
        text_add(share->why, "it is of a cluster of %" PRIu64 " voters, and --voters says %" PRIu32,
                 head->voters, config->n_voters);
        return ERR_STALE;
    }
    *identity = (struct identity){.founder = 1,
                                  .n_nodes = config->n_nodes,
                                  .n_voters = (uint32_t)head->voters};
    memcpy(identity->cluster_id, head->cluster_id.at, CLUSTER_ID_BYTES);
    share->headed = true;
    return identity_is_set(identity) ? OK : fail(share, ERR_MALFORMED, "it names no cluster");
}

/* A name that no ledger had before. Under the name of the ledger that the snapshot was taken of,
 * other nodes would take new transfers for old ones whenever a share is taken a second time. */
static uint64_t new_epoch(void)
{
    uint64_t epoch;
    hash_random(&epoch, sizeof epoch);
    return epoch | 1; /* 0 is no name */
}

static int take_state(struct share *share, const struct wire_cut_state *state)
{
    struct record_key key = record_key(RECORD_EPOCH);
    if (state->node != share->config->id || share->stated)
        return fail(share, ERR_STALE, "it is not this node's");
    share->stated = true;
    share->term = state->term;
    share->epoch = new_epoch();
    add_number(share, &key, share->epoch);
    return OK;
}

static int take_checkpoint(struct share *share, const struct message *part, struct slice packed)
{
    if ((part->type == MESSAGE_IMAGE_HEAD) != !share->n_parts)
        return fail(share, ERR_MALFORMED, "its checkpoint does not begin with a head");
    if (part->type == MESSAGE_IMAGE_HEAD) {
        share->index = part->as.image_head.index;
        share->index_term = part->as.image_head.index_term;
    }
    share->parts = mem_grow(share->parts, share->n_parts + 1, sizeof(struct blob *));
    share->parts[share->n_parts++] = blob_copy(packed.at, packed.len);
    return OK;
}

static int take_part(struct share *share, const struct message *part, struct slice packed)
{
    if (!share->headed)
        return part->type == MESSAGE_SNAPSHOT_HEAD
                   ? take_head(share, &part->as.snapshot_head)
                   : fail(share, ERR_MALFORMED, "it does not begin like a snapshot");
    if (!share->stated)
        return part->type == MESSAGE_CUT_STATE
                   ? take_state(share, &part->as.cut_state)
                   : fail(share, ERR_MALFORMED, "it has no state of a node");
    if (message_is_checkpoint(part->type))
        return take_checkpoint(share, part, packed);
    switch (part->type) {
    case MESSAGE_CUT_ACCOUNTS:
        add_accounts(share, &part->as.cut_accounts);
        return OK;
    case MESSAGE_CUT_PAIRS:
        add_values(share, &part->as.cut_pairs);
        return OK;
    case MESSAGE_CUT_LEDGER:
        return add_outbox(share, &part->as.cut_ledger);
    case MESSAGE_CUT_JOBS:
    case MESSAGE_CUT_WORK:
        return OK; /* what the old coordinator had handed out: it is pending again */
    default:
        return fail(share, ERR_STALE,
                    "it is a whole snapshot; `conclave snapshot restore` makes a share for each "
                    "node");
    }
}

static int take_next(struct share *share)
{
    struct slice packed;
    struct message *part;
    if (!bytes_take_part(&share->rest, &packed))
        return fail(share, ERR_MALFORMED, "it is cut short");
    int error = codec_unpack(packed, &part, share->why);
    if (!error)
        error = take_part(share, part, packed);
    message_drop(&part);
    return error;
}

/* --- all of it --- */

static int compare_records(const void *a, const void *b)
{
    const struct write *left = a, *right = b;
    return slice_order((struct slice){left->key, left->key_len},
                       (struct slice){right->key, right->key_len});
}

static struct write make_vote(const struct share *share)
{
    return (struct write){.kind = WRITE_VOTE,
                          .term = share_term(share),
                          .voter = share->config->id <= share->identity.n_voters,
                          .identity = &share->identity};
}

/* Starts a node on it, as the next start will: what that would refuse must not get onto the disk,
 * which takes no other share afterwards. */
static int try(struct share *share)
{
    static const char name[] = "share";
    struct node_config config = {.id = share->config->id,
                                 .n_nodes = share->config->n_nodes,
                                 .n_voters = share->identity.n_voters,
                                 .incarnation = 1,
                                 .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                 .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                 .keys = share->config->keys,
                                 .cluster = name,
                                 .host = name,
                                 .version = name};
    struct node_durable durable = {.birth = 1};
    struct write vote = make_vote(share);
    int error = OK;
    node_durable_write(&durable, &vote);
    struct node *node = node_new(&config, &durable, 0);
    for (size_t i = 0; i < share->n_parts && !error; i++)
        error = node_restore_part(node, (struct slice){share->parts[i]->at, share->parts[i]->len});
    for (size_t i = 0; i < share->n_writes && !error; i++) {
        const struct write *write = &share->writes[i];
        error = node_restore_record(node, (struct slice){write->key, write->key_len},
                                    (struct slice){write->entry->at, write->entry->len});
    }
    if (!error)
        error = node_restore_end(node);
    node_destroy(&node);
    return error ? fail(share, ERR_MALFORMED, "a node could not start with what is in it") : OK;
}

int share_read(struct share *out, const struct node_config *config, struct slice bytes,
               struct text *why)
{
    int error;
    *out = (struct share){.config = config, .why = why, .rest = bytes};
    hash_bytes(bytes.at, bytes.len, out->hash);
    do
        error = take_next(out);
    while (!error && out->rest.len);
    if (!error && !out->stated)
        error = fail(out, ERR_MALFORMED, "it has no state of a node");
    if (!error) {
        qsort(out->writes, out->n_writes, sizeof *out->writes, compare_records);
        error = try(out);
    }
    out->why = NULL;
    out->rest = (struct slice){0};
    return error;
}

void share_write(const struct share *share, share_writer *write, void *context)
{
    struct write vote = make_vote(share);
    struct write checkpoint = {.kind = WRITE_CHECKPOINT,
                               .index = share->index,
                               .term = share->index_term,
                               .parts = share->parts,
                               .n_parts = share->n_parts,
                               .whole = true};
    write(context, &vote);
    if (share->n_parts)
        write(context, &checkpoint);
    share_write_records(share, write, context);
}

void share_write_records(const struct share *share, share_writer *write, void *context)
{
    for (size_t i = 0; i < share->n_writes; i++)
        write(context, &share->writes[i]);
}

term_t share_term(const struct share *share)
{
    return share->term > share->index_term ? share->term : share->index_term;
}

void share_clear(struct share *share)
{
    for (size_t i = 0; i < share->n_writes; i++)
        blob_drop(&share->writes[i].entry);
    for (size_t i = 0; i < share->n_parts; i++)
        blob_drop(&share->parts[i]);
    free(share->writes);
    free(share->parts);
}

#include "nodes/io/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/core/records/record.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

/* In the node's directory, as `conclave snapshot restore` leaves it. */
#define SHARE_NAME "restore"

/* Everything is read and checked before anything is written. */
struct restore {
    const struct node_config *config;
    struct text *why;
    struct slice rest; /* of the file */
    uint8_t hash[HASH_BYTES];
    bool headed, stated;
    struct identity identity;
    uint64_t epoch;
    term_t term;
    struct write *writes; /* records; their blobs are owned */
    size_t n_writes, writes_size;
    struct blob **parts; /* of the checkpoint; owned */
    size_t n_parts;
    log_index_t index;
    term_t index_term;
};

static int fail(struct restore *restore, int error, const char *what)
{
    if (!restore->why->len)
        text_add(restore->why, "%s", what);
    return error;
}

/* --- records --- */

/* Takes the blob. */
static void add_record(struct restore *restore, const struct record_key *key, struct blob *value)
{
    if (restore->n_writes == restore->writes_size) {
        restore->writes_size = restore->writes_size ? 2 * restore->writes_size : 256;
        restore->writes = mem_grow(restore->writes, restore->writes_size, sizeof(struct write));
    }
    struct write *write = &restore->writes[restore->n_writes++];
    *write = (struct write){.kind = WRITE_RECORD, .entry = value, .key_len = key->len};
    memcpy(write->key, key->at, key->len);
}

static void add_number(struct restore *restore, const struct record_key *key, uint64_t number)
{
    struct blob *value = blob_new(8);
    bytes_put_be64(value->at, number);
    add_record(restore, key, value);
}

static void add_accounts(struct restore *restore, const struct wire_cut_accounts *part)
{
    for (size_t i = 0; i < part->rows.n; i++) {
        struct record_key key = record_key(RECORD_ACCOUNT);
        record_key_name(&key, part->rows.at[i].name);
        add_number(restore, &key, part->rows.at[i].balance);
    }
}

static void add_values(struct restore *restore, const struct wire_cut_pairs *part)
{
    for (size_t i = 0; i < part->rows.n; i++) {
        struct record_key key = record_key(RECORD_VALUE);
        struct slice value = part->rows.at[i].value;
        record_key_name(&key, part->rows.at[i].name);
        add_record(restore, &key, blob_copy(value.at, value.len));
    }
}

/* Money that was on its way back arrives as any other: its account is there. */
static struct message *make_pending(const struct restore *restore,
                                    const struct wire_cut_pending *row)
{
    struct message *message = message_new(row->name.len ? MESSAGE_APP : MESSAGE_TRANSFER);
    message->as.numbered.epoch = restore->epoch;
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

static int add_outbox(struct restore *restore, const struct wire_cut_ledger *part)
{
    for (size_t i = 0; i < part->pending.n; i++) {
        const struct wire_cut_pending *row = &part->pending.at[i];
        struct message *pending = make_pending(restore, row);
        struct blob *packed = codec_pack(pending);
        struct record_key key = record_key(RECORD_OUTBOX);
        record_key_u32(&key, (uint32_t)row->node);
        record_key_u64(&key, row->number);
        message_drop(&pending);
        if (!packed || !restore->epoch || row->node == restore->config->id ||
            row->node > restore->config->n_nodes) {
            blob_drop(&packed);
            return fail(restore, ERR_MALFORMED, "it has an invalid transfer");
        }
        add_record(restore, &key, packed);
    }
    if (part->applied.n)
        return fail(restore, ERR_MALFORMED, "it has marks, and is not a share of a snapshot");
    return OK;
}

/* --- parts of the file --- */

/* The share founds a cluster of its own: the disks' births are not known before they take it. */
static int take_head(struct restore *restore, const struct wire_snapshot_head *head)
{
    const struct node_config *config = restore->config;
    struct identity *identity = &restore->identity;
    if (head->nodes.n != config->n_nodes) {
        text_add(restore->why, "it is of a cluster of %zu nodes, and --nodes says %" PRIu32,
                 head->nodes.n, config->n_nodes);
        return ERR_STALE;
    }
    if (head->cluster_id.len != CLUSTER_ID_BYTES || !head->voters)
        return fail(restore, ERR_STALE,
                    "it names no cluster; `conclave snapshot restore` makes a share for each node");
    if (head->voters != config->n_voters) {
        text_add(restore->why,
                 "it is of a cluster of %" PRIu64 " voters, and --voters says %" PRIu32,
                 head->voters, config->n_voters);
        return ERR_STALE;
    }
    *identity =
        (struct identity){.founder = 1, .n_nodes = config->n_nodes, .n_voters = config->n_voters};
    memcpy(identity->cluster_id, head->cluster_id.at, CLUSTER_ID_BYTES);
    restore->headed = true;
    return identity_is_set(identity) ? OK : fail(restore, ERR_MALFORMED, "it names no cluster");
}

/* A name that no ledger had before. Under the name of the ledger that the snapshot was taken of,
 * other nodes would take new transfers for old ones whenever a share is taken a second time. */
static uint64_t new_epoch(void)
{
    uint64_t epoch;
    hash_random(&epoch, sizeof epoch);
    return epoch | 1; /* 0 is no name */
}

static int take_state(struct restore *restore, const struct wire_cut_state *state)
{
    struct record_key key = record_key(RECORD_EPOCH);
    if (state->node != restore->config->id || restore->stated)
        return fail(restore, ERR_STALE, "it is not this node's");
    restore->stated = true;
    restore->term = state->term;
    restore->epoch = new_epoch();
    add_number(restore, &key, restore->epoch);
    return OK;
}

static int take_checkpoint(struct restore *restore, const struct message *part, struct slice packed)
{
    if ((part->type == MESSAGE_IMAGE_HEAD) != !restore->n_parts)
        return fail(restore, ERR_MALFORMED, "its checkpoint does not begin with a head");
    if (part->type == MESSAGE_IMAGE_HEAD) {
        restore->index = part->as.image_head.index;
        restore->index_term = part->as.image_head.index_term;
    }
    restore->parts = mem_grow(restore->parts, restore->n_parts + 1, sizeof(struct blob *));
    restore->parts[restore->n_parts++] = blob_copy(packed.at, packed.len);
    return OK;
}

static int take_part(struct restore *restore, const struct message *part, struct slice packed)
{
    if (!restore->headed)
        return part->type == MESSAGE_SNAPSHOT_HEAD
                   ? take_head(restore, &part->as.snapshot_head)
                   : fail(restore, ERR_MALFORMED, "it does not begin like a snapshot");
    if (!restore->stated)
        return part->type == MESSAGE_CUT_STATE
                   ? take_state(restore, &part->as.cut_state)
                   : fail(restore, ERR_MALFORMED, "it has no state of a node");
    if (message_is_checkpoint(part->type))
        return take_checkpoint(restore, part, packed);
    switch (part->type) {
    case MESSAGE_CUT_ACCOUNTS:
        add_accounts(restore, &part->as.cut_accounts);
        return OK;
    case MESSAGE_CUT_PAIRS:
        add_values(restore, &part->as.cut_pairs);
        return OK;
    case MESSAGE_CUT_LEDGER:
        return add_outbox(restore, &part->as.cut_ledger);
    case MESSAGE_CUT_JOBS:
    case MESSAGE_CUT_WORK:
        return OK; /* what the old coordinator had handed out: it is pending again */
    default:
        return fail(restore, ERR_STALE,
                    "it is a whole snapshot; `conclave snapshot restore` makes a share for each "
                    "node");
    }
}

static int take_next(struct restore *restore)
{
    struct slice packed;
    struct message *part;
    if (!bytes_take_part(&restore->rest, &packed))
        return fail(restore, ERR_MALFORMED, "it is cut short");
    int error = codec_unpack(packed, &part, restore->why);
    if (!error)
        error = take_part(restore, part, packed);
    message_drop(&part);
    return error;
}

/* --- the file and the disk --- */

static int read_file(const char *path, struct blob **out, struct text *why)
{
    FILE *in = fopen(path, "re");
    long size = -1;
    *out = NULL;
    if (in && !fseek(in, 0, SEEK_END))
        size = ftell(in);
    bool fits = size >= 0 && (uint64_t)size <= SNAPSHOT_FILE_BYTES_MAX && !fseek(in, 0, SEEK_SET);
    if (fits) {
        *out = blob_new((size_t)size);
        fits = fread((*out)->at, 1, (size_t)size, in) == (size_t)size;
    }
    if (!in && errno == ENOENT)
        text_add(why, "there is no such file; a share is taken once, and a store that was wiped "
                      "later is filled by the other nodes: start it without --restore");
    else if (!fits)
        text_add(why, "it cannot be read: %s", strerror(errno));
    if (!fits)
        blob_drop(out);
    if (in)
        fclose(in);
    return fits ? OK : ERR_NOT_FOUND; /* the option that names it is wrong */
}

static void write_all(const struct restore *restore, struct disk *disk)
{
    term_t term = restore->term > restore->index_term ? restore->term : restore->index_term;
    struct write vote = {.kind = WRITE_VOTE,
                         .term = term,
                         .voter = restore->config->id <= restore->identity.n_voters,
                         .identity = &restore->identity};
    struct write checkpoint = {.kind = WRITE_CHECKPOINT,
                               .index = restore->index,
                               .term = restore->index_term,
                               .parts = restore->parts,
                               .n_parts = restore->n_parts,
                               .whole = true};
    disk_begin(disk);
    disk_write(disk, &vote);
    if (restore->n_parts)
        disk_write(disk, &checkpoint);
    for (size_t i = 0; i < restore->n_writes; i++)
        disk_write(disk, &restore->writes[i]);
    disk_note_share(disk, restore->hash);
    disk_commit(disk);
    log_write(LOG_INFO,
              "restored from a snapshot: %zu records, log index %" PRIu64 ", term %" PRIu64,
              restore->n_writes, restore->index, term);
}

static void clear(struct restore *restore)
{
    for (size_t i = 0; i < restore->n_writes; i++)
        blob_drop(&restore->writes[i].entry);
    for (size_t i = 0; i < restore->n_parts; i++)
        blob_drop(&restore->parts[i]);
    free(restore->writes);
    free(restore->parts);
}

static int read_share(struct restore *restore, const char *path)
{
    struct blob *bytes;
    int error = read_file(path, &bytes, restore->why);
    if (error)
        return error;
    restore->rest = (struct slice){bytes->at, bytes->len};
    hash_bytes(bytes->at, bytes->len, restore->hash);
    do
        error = take_next(restore);
    while (!error && restore->rest.len);
    if (!error && !restore->stated)
        error = fail(restore, ERR_MALFORMED, "it has no state of a node");
    blob_drop(&bytes);
    return error;
}

static int take(struct disk *disk, const char *path, const struct node_config *config,
                struct text *why)
{
    struct text reason = {0};
    struct restore restore = {.config = config, .why = &reason};
    if (!disk_keeps_log(disk)) {
        text_add(why, "%s: a share of a snapshot needs a log, which --durability off does not keep",
                 path);
        return ERR_STALE;
    }
    int error = read_share(&restore, path);
    if (error)
        text_add(why, "the share %s cannot be taken: %s", path, reason.at);
    else
        write_all(&restore, disk);
    clear(&restore);
    return error;
}

/* --- taking a share once --- */

static void sync_directory_of(const char *path)
{
    char *copy = mem_string(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

static bool is_that_file(const char *path, const uint8_t hash[HASH_BYTES])
{
    struct blob *bytes;
    struct text why = {0};
    uint8_t found[HASH_BYTES];
    if (read_file(path, &bytes, &why))
        return false;
    hash_bytes(bytes->at, bytes->len, found);
    blob_drop(&bytes);
    return !memcmp(found, hash, HASH_BYTES);
}

/* Before this node speaks to any other one, so that no store that is empty later finds the file:
 * what the share says is true at the beginning of the cluster only. One that this store did not
 * take is kept under another name. */
static int put_away(const char *path, bool taken, const uint8_t hash[HASH_BYTES], struct text *why)
{
    char aside[DISK_PATH_MAX];
    int failed;
    if (access(path, F_OK) || MUTANT(share_stays))
        return OK;
    if (taken && is_that_file(path, hash)) {
        failed = unlink(path);
    } else {
        text_format(aside, sizeof aside, "%s.unused", path);
        failed = rename(path, aside);
        log_write(LOG_WARN, "%s: this store is in use and takes no share; it is %s now", path,
                  failed ? "still there" : aside);
    }
    sync_directory_of(path);
    if (!failed)
        return OK;
    text_add(why,
             "the share %s cannot be removed: %s; a store that is wiped later would take it again",
             path, strerror(errno));
    return ERR_IO;
}

int restore_take(struct disk *disk, const char *dir, const char *given,
                 const struct node_config *config, struct text *why)
{
    char standard[DISK_PATH_MAX];
    uint8_t hash[HASH_BYTES];
    bool taken = false;
    uint64_t boots = 0;
    text_format(standard, sizeof standard, "%s/" SHARE_NAME, dir);
    int error = disk_boots(disk, &boots, why);
    if (!error)
        error = disk_read_share(disk, hash, &taken, why);
    if (!error && !boots && !taken && (given || !access(standard, F_OK))) {
        error = take(disk, given ? given : standard, config, why);
        if (!error)
            error = disk_read_share(disk, hash, &taken, why);
    }
    if (!error && given)
        error = put_away(given, taken, hash, why);
    if (!error)
        error = put_away(standard, taken, hash, why);
    return error;
}

/* --- one ledger --- */

/* Marks of what was applied stay: others count on from there. */
static int refuse_record(void *context, struct slice key, struct slice value)
{
    (void)value;
    bool *used = context;
    char table = key.len ? (char)key.at[0] : 0;
    *used = *used || table == RECORD_ACCOUNT || table == RECORD_VALUE || table == RECORD_OUTBOX;
    return OK;
}

/* Under its new name the ledger numbers what it sends from 1 on. */
static void forget_numbers(struct disk *disk)
{
    for (uint32_t to = 1; to <= NODES_MAX; to++) {
        struct record_key key = record_key(RECORD_LAST);
        record_key_u32(&key, to);
        struct write write = {.kind = WRITE_RECORD, .key_len = key.len};
        memcpy(write.key, key.at, key.len);
        disk_write(disk, &write);
    }
}

static int check_ledger(struct disk *disk, const struct restore *restore,
                        const struct identity *identity, const char *dir, struct text *why)
{
    bool used = false;
    if (!identity_is_set(identity) || !identity_same_cluster(identity, &restore->identity)) {
        text_add(why, "%s does not belong to the cluster of the share", dir);
        return ERR_STALE;
    }
    int error = disk_read_records(disk, refuse_record, &used, why);
    if (error || !used)
        return error;
    text_add(why,
             "the ledger in %s is not empty: accounts, values or transfers under way are there",
             dir);
    return ERR_STALE;
}

int restore_ledger(const char *dir, const char *share, struct text *why)
{
    struct text reason = {0};
    struct disk *disk = NULL;
    struct node_durable durable;
    struct node_config config = {0};
    struct restore restore = {.config = &config, .why = &reason};
    int error = disk_open(dir, NULL, 0, DURABILITY_FSYNC, &disk, why);
    if (!error)
        error = disk_read_vote(disk, &durable, why);
    if (!error) {
        config.id = disk_node(disk);
        config.n_nodes = durable.identity.n_nodes;
        config.n_voters = durable.identity.n_voters;
        error = read_share(&restore, share);
        if (error)
            text_add(why, "the share %s cannot be taken: %s", share, reason.at);
    }
    if (!error)
        error = check_ledger(disk, &restore, &durable.identity, dir, why);
    if (!error) {
        disk_begin(disk);
        forget_numbers(disk);
        for (size_t i = 0; i < restore.n_writes; i++)
            disk_write(disk, &restore.writes[i]);
        disk_commit(disk);
    }
    clear(&restore);
    disk_close(&disk);
    return error;
}

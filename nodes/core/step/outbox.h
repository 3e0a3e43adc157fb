/* outbox.h - collects the outputs of one step, in order. */
#ifndef CONCLAVE_CORE_OUTBOX_H
#define CONCLAVE_CORE_OUTBOX_H

#include "nodes/core/records/record.h"
#include "nodes/core/step/output.h"

/* Zero-initialize. What it points to lives until outbox_begin(). */
struct outbox {
    struct output *at;
    size_t n, size;
    struct write *writes; /* of this step: one persist, at its end */
    size_t n_writes, writes_size;
    struct message **messages; /* owned references, for the outputs */
    size_t n_messages, messages_size;
    struct blob **blobs; /* likewise */
    size_t n_blobs, blobs_size;
    struct arena arena;
    enum log_level level; /* lines that are less urgent are not even formatted */
    uint64_t seq;         /* of the last persist that was asked for */
    uint64_t
        term_seq; /* of the persist that holds the current term: nothing leaves before it (R1) */
};

/* Forgets the last step's outputs. */
void outbox_begin(struct outbox *outbox);

/* Appends the step's one persist, if it has writes. */
void outbox_end(struct outbox *outbox);

void outbox_destroy(struct outbox *outbox);

/* Each takes the message's reference. `after_seq` 0: only the term must be durable. */
void outbox_send(struct outbox *outbox, enum plane plane, node_id_t to, struct message *message);
void outbox_publish(struct outbox *outbox, struct message *message);
struct output *outbox_reply(struct outbox *outbox, uint64_t client, struct message *message);

/* A reply with a piece of a kept value as its last frame: from the offset on, to its end at `total`
 * or so many bytes at most. */
void outbox_reply_chunk(struct outbox *outbox, uint64_t client, struct message *message,
                        struct value_id id, uint64_t offset, uint64_t total, uint64_t most);

/* The same, held back until everything written so far, in this step too, is durable. */
void outbox_send_durable(struct outbox *outbox, enum plane plane, node_id_t to,
                         struct message *message);
void outbox_send_after(struct outbox *outbox, enum plane plane, node_id_t to,
                       struct message *message, uint64_t after_seq);
void outbox_reply_durable(struct outbox *outbox, uint64_t client, struct message *message);

/* Returns the persist sequence that will make the write durable. Blobs: takes new references. */
uint64_t outbox_write_vote(struct outbox *outbox, const struct node_durable *durable);
uint64_t outbox_write_entry(struct outbox *outbox, log_index_t index, term_t term,
                            struct blob *entry);
uint64_t outbox_write_truncate(struct outbox *outbox, log_index_t from);
uint64_t outbox_write_checkpoint(struct outbox *outbox, log_index_t index, term_t term,
                                 struct blob *const *parts, const struct part_name *names, size_t n,
                                 bool whole);

/* Remembers a value under a key of up to RECORD_KEY_MAX bytes (copies it); NULL:
 * forgets the key. */
uint64_t outbox_write_record(struct outbox *outbox, struct slice key, struct blob *value);

/* Write a record: of bytes (copied), of one or two numbers, or its end. */
void record_write(struct outbox *out, const struct record_key *key, const void *at, size_t len);
void record_write_u64(struct outbox *out, const struct record_key *key, uint64_t number);
void record_write_pair(struct outbox *out, const struct record_key *key, uint64_t a, uint64_t b);
void record_forget(struct outbox *out, const struct record_key *key);

/* The persist sequence after which all that was written so far, in this step too, is durable. */
uint64_t outbox_durable_seq(const struct outbox *outbox);

/* Appends any other output; fill in what is returned. Its blobs: keep them alive with
 * outbox_hold(). */
struct output *outbox_add(struct outbox *outbox, enum output_kind kind);

/* Values: a user lets go of one (op 0: of all of the job; job 0: of all), wants one on disk (NULL:
 * the runtime holds it, or has it on disk), or fetches one (fill in the hash). */
void outbox_drop(struct outbox *outbox, enum value_user user, struct value_id id);
void outbox_keep(struct outbox *outbox, enum value_user user, struct value_id id,
                 struct blob *value);
void outbox_fetch(struct outbox *outbox, enum value_user user, struct value_id id, node_id_t from,
                  uint64_t len, const uint8_t hash[HASH_BYTES], log_index_t index);

/* Keeps a blob alive until the next step (takes a new reference). */
void outbox_hold(struct outbox *outbox, struct blob *blob);

void outbox_log(struct outbox *outbox, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

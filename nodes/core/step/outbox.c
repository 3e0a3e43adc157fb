#include "nodes/core/step/outbox.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/text.h"

/* Makes room for one more element in a growing array. */
static void *room(void *at, size_t n, size_t *size, size_t element)
{
    if (n < *size)
        return at;
    *size = *size ? *size * 2 : 16;
    return mem_grow(at, *size, element);
}

void outbox_begin(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->n_messages; i++)
        message_drop(&outbox->messages[i]);
    for (size_t i = 0; i < outbox->n_blobs; i++)
        blob_drop(&outbox->blobs[i]);
    outbox->n = outbox->n_writes = outbox->n_messages = outbox->n_blobs = 0;
    arena_clear(&outbox->arena);
}

void outbox_end(struct outbox *outbox)
{
    if (!outbox->n_writes)
        return;
    outbox->seq++;
    struct output *output = outbox_add(outbox, OUTPUT_PERSIST);
    output->persist.seq = outbox->seq;
    output->persist.writes = outbox->writes;
    output->persist.n = outbox->n_writes;
}

void outbox_destroy(struct outbox *outbox)
{
    outbox_begin(outbox);
    free(outbox->at);
    free(outbox->writes);
    free(outbox->messages);
    free(outbox->blobs);
    *outbox = (struct outbox){0};
}

struct output *outbox_add(struct outbox *outbox, enum output_kind kind)
{
    outbox->at = room(outbox->at, outbox->n, &outbox->size, sizeof *outbox->at);
    struct output *output = &outbox->at[outbox->n++];
    memset(output, 0, sizeof *output);
    output->kind = kind;
    output->after_seq = outbox->term_seq;
    return output;
}

static void own(struct outbox *outbox, struct message *message)
{
    outbox->messages =
        room(outbox->messages, outbox->n_messages, &outbox->messages_size, sizeof message);
    outbox->messages[outbox->n_messages++] = message;
}

void outbox_hold(struct outbox *outbox, struct blob *blob)
{
    outbox->blobs = room(outbox->blobs, outbox->n_blobs, &outbox->blobs_size, sizeof blob);
    outbox->blobs[outbox->n_blobs++] = blob_ref(blob);
}

void outbox_send(struct outbox *outbox, enum plane plane, node_id_t to, struct message *message)
{
    struct output *output = outbox_add(outbox, OUTPUT_SEND);
    output->send.plane = plane;
    output->send.to = to;
    output->send.message = message;
    own(outbox, message);
}

void outbox_send_durable(struct outbox *outbox, enum plane plane, node_id_t to,
                         struct message *message)
{
    outbox_send_after(outbox, plane, to, message, outbox_durable_seq(outbox));
}

void outbox_send_after(struct outbox *outbox, enum plane plane, node_id_t to,
                       struct message *message, uint64_t after_seq)
{
    outbox_send(outbox, plane, to, message);
    struct output *output = &outbox->at[outbox->n - 1];
    output->after_seq = after_seq > output->after_seq ? after_seq : output->after_seq;
}

void outbox_publish(struct outbox *outbox, struct message *message)
{
    outbox_add(outbox, OUTPUT_PUBLISH)->publish = message;
    own(outbox, message);
}

struct output *outbox_reply(struct outbox *outbox, uint64_t client, struct message *message)
{
    struct output *output = outbox_add(outbox, OUTPUT_REPLY);
    output->reply.client = client;
    output->reply.message = message;
    own(outbox, message);
    return output;
}

void outbox_reply_chunk(struct outbox *outbox, uint64_t client, struct message *message,
                        struct value_id id, uint64_t offset, uint64_t total, uint64_t most)
{
    struct output *output = outbox_reply(outbox, client, message);
    uint64_t rest = total - offset;
    output->reply.chunk = true;
    output->reply.id = id;
    output->reply.offset = offset;
    output->reply.len = rest < most ? rest : most;
}

void outbox_reply_durable(struct outbox *outbox, uint64_t client, struct message *message)
{
    outbox_reply(outbox, client, message)->after_seq = outbox_durable_seq(outbox);
}

uint64_t outbox_durable_seq(const struct outbox *outbox)
{
    return outbox->seq + (outbox->n_writes > 0);
}

static struct write *add_write(struct outbox *outbox, enum write_kind kind)
{
    outbox->writes =
        room(outbox->writes, outbox->n_writes, &outbox->writes_size, sizeof *outbox->writes);
    struct write *write = &outbox->writes[outbox->n_writes++];
    *write = (struct write){.kind = kind};
    return write;
}

uint64_t outbox_write_vote(struct outbox *outbox, const struct node_durable *durable)
{
    struct write *write = add_write(outbox, WRITE_VOTE);
    write->term = durable->term;
    write->vote = durable->vote;
    write->voter = durable->voter;
    if (identity_is_set(&durable->identity)) {
        struct identity *copy = arena_new(&outbox->arena, sizeof *copy);
        *copy = durable->identity;
        write->identity = copy;
    }
    outbox->term_seq = outbox->seq + 1;
    return outbox->term_seq;
}

uint64_t outbox_write_entry(struct outbox *outbox, log_index_t index, term_t term,
                            struct blob *entry)
{
    struct write *write = add_write(outbox, WRITE_ENTRY);
    write->index = index;
    write->term = term;
    write->entry = entry;
    outbox_hold(outbox, entry);
    return outbox->seq + 1;
}

uint64_t outbox_write_truncate(struct outbox *outbox, log_index_t from)
{
    add_write(outbox, WRITE_TRUNCATE)->index = from;
    return outbox->seq + 1;
}

uint64_t outbox_write_checkpoint(struct outbox *outbox, log_index_t index, term_t term,
                                 struct blob *const *parts, const struct part_name *names, size_t n,
                                 bool whole)
{
    struct write *write = add_write(outbox, WRITE_CHECKPOINT);
    struct blob **copy = arena_new(&outbox->arena, n * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = parts[i];
        if (parts[i])
            outbox_hold(outbox, parts[i]);
    }
    if (names) {
        struct part_name *to = arena_new(&outbox->arena, n * sizeof *to);
        memcpy(to, names, n * sizeof *to);
        write->names = to;
    }
    write->index = index;
    write->term = term;
    write->parts = copy;
    write->n_parts = n;
    write->whole = whole;
    return outbox->seq + 1;
}

uint64_t outbox_write_record(struct outbox *outbox, struct slice key, struct blob *value)
{
    assert(key.len > 0 && key.len <= RECORD_KEY_MAX);
    struct write *write = add_write(outbox, WRITE_RECORD);
    slice_copy(write->key, key);
    write->key_len = key.len;
    write->entry = value;
    if (value)
        outbox_hold(outbox, value);
    return outbox->seq + 1;
}

void outbox_drop(struct outbox *outbox, enum value_user user, struct value_id id)
{
    struct output *output = outbox_add(outbox, OUTPUT_DROP);
    output->drop.user = user;
    output->drop.id = id;
}

void outbox_keep(struct outbox *outbox, enum value_user user, struct value_id id,
                 struct blob *value)
{
    struct output *output = outbox_add(outbox, OUTPUT_KEEP);
    output->keep.user = user;
    output->keep.id = id;
    output->keep.value = value;
    if (value)
        outbox_hold(outbox, value);
}

void outbox_fetch(struct outbox *outbox, enum value_user user, struct value_id id, node_id_t from,
                  uint64_t len, const uint8_t hash[HASH_BYTES], log_index_t index)
{
    struct output *output = outbox_add(outbox, OUTPUT_FETCH);
    output->fetch.user = user;
    output->fetch.id = id;
    output->fetch.from = from;
    output->fetch.len = len;
    output->fetch.index = index;
    memcpy(output->fetch.hash, hash, HASH_BYTES);
}

void outbox_log(struct outbox *outbox, enum log_level level, const char *format, ...)
{
    struct text text = {0};
    va_list args;
    if (level > outbox->level)
        return;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    char *copy = arena_new(&outbox->arena, text.len + 1);
    memcpy(copy, text.at, text.len + 1);
    struct output *output = outbox_add(outbox, OUTPUT_LOG);
    output->log.level = level;
    output->log.text = copy;
}

void record_write(struct outbox *out, const struct record_key *key, const void *at, size_t len)
{
    struct blob *value = blob_copy(at, len);
    outbox_write_record(out, (struct slice){key->at, key->len}, value);
    blob_drop(&value);
}

void record_write_u64(struct outbox *out, const struct record_key *key, uint64_t number)
{
    uint8_t bytes[8];
    bytes_put_be64(bytes, number);
    record_write(out, key, bytes, sizeof bytes);
}

void record_write_pair(struct outbox *out, const struct record_key *key, uint64_t a, uint64_t b)
{
    uint8_t bytes[16];
    bytes_put_be64(bytes, a);
    bytes_put_be64(bytes + 8, b);
    record_write(out, key, bytes, sizeof bytes);
}

void record_forget(struct outbox *out, const struct record_key *key)
{
    outbox_write_record(out, (struct slice){key->at, key->len}, NULL);
}

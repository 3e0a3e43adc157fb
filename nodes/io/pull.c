#include "nodes/io/pull.h"

#include "shared/base/memory.h"

static struct map_key key_of(uint64_t seq)
{
    return (struct map_key){seq, 0};
}

static void add_to_hash(struct pull *pull, const struct transfer_output *output)
{
    struct hash_stream *stream = map_get(&pull->streams, key_of(output->seq));
    if (!stream) {
        stream = mem_new(1, sizeof *stream);
        hash_begin(stream);
        map_put(&pull->streams, key_of(output->seq), stream);
    }
    store_hash(pull->store, stream, output->blob, output->offset, output->len, output->last,
               output->seq);
    if (output->last)
        map_remove(&pull->streams, key_of(output->seq)); /* the store thread frees it */
}

static void abandon(struct pull *pull, uint64_t seq)
{
    struct hash_stream *stream = map_remove(&pull->streams, key_of(seq));
    if (stream)
        store_hash(pull->store, stream, NULL, 0, 0, true, 0);
}

bool pull_next(struct pull *pull, struct transfer_output *end)
{
    while (transfer_next(pull->transfer, end)) {
        switch (end->kind) {
        case TRANSFER_ASK:
            gate_send(pull->gate, PLANE_VALUE, end->node, end->message, 0);
            break;
        case TRANSFER_HASH:
            add_to_hash(pull, end);
            break;
        case TRANSFER_ABANDON:
            abandon(pull, end->seq);
            break;
        case TRANSFER_END:
            return true;
        }
        transfer_output_clear(end);
    }
    return false;
}

void pull_clear(struct pull *pull)
{
    struct map_key key;
    for (size_t at = 0; map_next(&pull->streams, &at, &key); at = 0)
        abandon(pull, key.a);
    map_clear(&pull->streams);
}

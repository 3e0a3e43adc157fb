#include "nodes/io/pull.h"

#include <stdlib.h>

#include "shared/base/memory.h"

static struct map_key key_of(uint64_t seq)
{
    return (struct map_key){seq, 0};
}

static void move(struct pull *pull, const struct transfer_output *output)
{
    struct hash_stream *stream = map_get(&pull->streams, key_of(output->seq));
    if (!stream) {
        stream = mem_new(1, sizeof *stream);
        hash_begin(stream);
        map_put(&pull->streams, key_of(output->seq), stream);
    }
    bulk_move(pull->bulk, stream, output->blob, output->offset, output->piece, output->last,
              output->seq);
    if (output->last)
        map_remove(&pull->streams, key_of(output->seq)); /* the thread frees it */
}

static void abandon(struct pull *pull, uint64_t seq)
{
    struct hash_stream *stream = map_remove(&pull->streams, key_of(seq));
    if (stream)
        bulk_move(pull->bulk, stream, NULL, 0, NULL, true, 0);
}

bool pull_next(struct pull *pull, struct transfer_output *end)
{
    while (transfer_next(pull->transfer, end)) {
        switch (end->kind) {
        case TRANSFER_ASK:
            gate_send(pull->gate, PLANE_VALUE, end->node, end->message, 0);
            break;
        case TRANSFER_MOVE:
            move(pull, end);
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

void pull_take_moved(struct pull *pull, uint64_t now_us)
{
    for (struct bulk_report *next, *done = bulk_take(pull->bulk); done; done = next) {
        next = bulk_next(done);
        if (done->last)
            transfer_hashed(pull->transfer, done->seq, done->hash, now_us);
        else
            transfer_moved(pull->transfer, done->seq, done->len, now_us);
        free(done);
    }
}

void pull_clear(struct pull *pull)
{
    struct map_key key;
    for (size_t at = 0; map_next(&pull->streams, &at, &key); at = 0)
        abandon(pull, key.a);
    map_clear(&pull->streams);
}

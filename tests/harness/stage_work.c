/* What the nodes of the stage compute, and the values that they hold: in one place for memory and
 * disk, because the stories that need the difference are the simulator's. */
#include <string.h>

#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "tests/harness/folding.h"
#include "tests/harness/stage_internal.h"

static struct map_key value_key(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static void put_value(struct stage_node *node, struct value_id id, struct blob *blob)
{
    struct blob *before = map_put(&node->values, value_key(id), blob_ref(blob));
    blob_drop(&before);
}

static void drop_all(struct map *map)
{
    struct blob *blob;
    for (size_t at = 0; (blob = map_next(map, &at, NULL));)
        blob_drop(&blob);
    map_clear(map);
}

void stage_forget_values(struct stage_node *node)
{
    drop_all(&node->values);
}

void stage_forget_feeding(struct stage_node *node)
{
    drop_all(&node->feeding);
}

/* What a client brings: with the last piece it is there, if its hash is right. */
void stage_feed(struct stage *stage, node_id_t id, const struct feed_order *feed)
{
    struct stage_node *node = &stage->nodes[id];
    uint8_t hash[HASH_BYTES];
    struct blob *blob = feed->offset ? map_get(&node->feeding, value_key(feed->id)) : NULL;
    if (!blob) {
        if (feed->offset)
            panic("node %u is fed a value whose beginning it was not given", id);
        blob = blob_new(feed->len);
        struct blob *before = map_put(&node->feeding, value_key(feed->id), blob);
        blob_drop(&before);
    }
    memcpy(blob->at + feed->offset, feed->piece->at, feed->piece->len);
    if (feed->offset + feed->piece->len < feed->len)
        return;
    hash_bytes(blob->at, blob->len, hash);
    bool right = !memcmp(hash, feed->hash, HASH_BYTES);
    map_remove(&node->feeding, value_key(feed->id));
    if (right)
        put_value(node, feed->id, blob);
    blob_drop(&blob);
    stage_post(stage, &(struct stage_letter){.at_us = stage->now_us,
                                             .kind = right ? EVENT_VALUE_READY : EVENT_VALUE_FAILED,
                                             .to = id,
                                             .from = id,
                                             .incarnation = node->incarnation,
                                             .user = feed->user,
                                             .value = feed->id});
}

static struct blob *value_at(void *context, struct value_id id)
{
    return map_get(context, value_key(id));
}

void stage_attach(struct stage *stage, node_id_t id, const struct output *output)
{
    const struct blob *value = map_get(&stage->nodes[id].values, value_key(output->reply.id));
    if (!output->reply.chunk || !value || output->reply.offset > value->len)
        return;
    size_t rest = value->len - output->reply.offset;
    struct blob *piece = blob_copy(value->at + output->reply.offset,
                                   output->reply.len < rest ? output->reply.len : rest);
    message_add_frame(output->reply.message, piece);
    blob_drop(&piece);
}

void stage_compute(struct stage *stage, node_id_t id, const struct compute_op *op)
{
    struct stage_node *node = &stage->nodes[id];
    struct computed computed;
    struct blob *value;
    if (node->hangs)
        return;
    folding_run(op, value_at, &node->values, VALUE_INLINE_MAX_BYTES, &computed, &value);
    computed.elapsed_us = computed.operations * node->op_us;
    node->busy_us =
        (node->busy_us > stage->now_us ? node->busy_us : stage->now_us) + computed.elapsed_us;
    if (value && value->len > VALUE_INLINE_MAX_BYTES) {
        put_value(node, op->id, value);
        blob_drop(&value);
    }
    computed.value = value;
    stage_post(stage, &(struct stage_letter){.at_us = node->busy_us,
                                             .kind = EVENT_COMPUTED,
                                             .to = id,
                                             .incarnation = node->incarnation,
                                             .computed = computed});
}

void stage_value(struct stage *stage, node_id_t id, const struct output *output)
{
    struct stage_node *node = &stage->nodes[id];
    bool fetch = output->kind == OUTPUT_FETCH;
    if (node->slow_values)
        return;
    struct stage_letter letter = {.at_us = stage->now_us + (fetch ? 2 * STAGE_DELAY_US : 0),
                                  .to = id,
                                  .from = fetch ? output->fetch.from : id,
                                  .incarnation = node->incarnation,
                                  .user = fetch ? output->fetch.user : output->keep.user,
                                  .value = fetch ? output->fetch.id : output->keep.id};
    const struct stage_node *source = &stage->nodes[letter.from];
    bool reachable = source->core && !stage->cut[letter.from][id] && !stage->cut[id][letter.from];
    struct blob *value = reachable ? map_get(&source->values, value_key(letter.value)) : NULL;
    if (!fetch && output->keep.value)
        value = output->keep.value;
    if (value)
        put_value(node, letter.value, value);
    letter.kind = !value ? EVENT_VALUE_FAILED : fetch ? EVENT_VALUE_READY : EVENT_VALUE_KEPT;
    stage_post(stage, &letter);
}

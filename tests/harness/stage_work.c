/* What the nodes of the stage compute, and the values that they hold: in one place for memory and
 * disk, because the stories that need the difference are the simulator's. */
#include <string.h>

#include "nodes/work/integer.h"
#include "shared/base/error.h"
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

void stage_forget_values(struct stage_node *node)
{
    struct blob *blob;
    for (size_t at = 0; (blob = map_next(&node->values, &at, NULL));)
        blob_drop(&blob);
    map_clear(&node->values);
}

static int operate(const struct stage_node *node, const struct compute_op *op, struct blob **out,
                   uint64_t *operations)
{
    struct integer_operand operands[OPERANDS_MAX];
    *operations = 1;
    if (op->count)
        return integer_multiply_leaves(op->first, op->count, out, operations);
    for (size_t i = 0; i < op->n_operands; i++) {
        const struct compute_operand *operand = &op->operands[i];
        operands[i] = (struct integer_operand){operand->literal, operand->blob};
        if (operand->kind == OPERAND_VALUE)
            operands[i].value = map_get(&node->values, value_key(operand->id));
        if (operand->kind != OPERAND_LITERAL && !operands[i].value)
            panic("an operand that should be there is not");
    }
    if (op->opcode == OPCODE_TEXT)
        return integer_to_text(operands[0].value, out);
    return integer_multiply(operands, op->n_operands, out);
}

void stage_compute(struct stage *stage, node_id_t id, const struct compute_op *op)
{
    struct stage_node *node = &stage->nodes[id];
    struct computed computed = {.id = op->id, .attempt = op->attempt, .opcode = op->opcode};
    struct blob *value = NULL;
    if (node->hangs)
        return;
    int error = operate(node, op, &value, &computed.operations);
    computed.elapsed_us = computed.operations * node->op_us;
    computed.error = error ? error_text(error) : NULL;
    node->busy_us =
        (node->busy_us > stage->now_us ? node->busy_us : stage->now_us) + computed.elapsed_us;
    if (value) {
        size_t edge = value->len < TEXT_EDGE_DIGITS ? value->len : TEXT_EDGE_DIGITS;
        computed.len = value->len;
        hash_bytes(value->at, value->len, computed.hash);
        if (op->opcode == OPCODE_TEXT) {
            memcpy(computed.head, value->at, edge);
            memcpy(computed.tail, value->at + value->len - edge, edge);
        }
    }
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

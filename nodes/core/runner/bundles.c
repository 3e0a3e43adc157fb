#include "nodes/core/runner/bundles.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/tasks/bundle.h"

/* --- names --- */

/* No other value of the job, nor any node's in any life, has such a name: a bit that those of
 * operations and segments never have, the node, 30 bits of its incarnation, and a count. */
#define NAMES_FROM     ((op_id_t)1 << 61)
#define NODE_SHIFT     54
#define LIFE_SHIFT     24
#define LIFE_BITS      30
#define COUNT_MAX      ((uint64_t)1 << LIFE_SHIFT)
#define LIFE_OF(mixed) ((mixed) >> (64 - LIFE_BITS) << LIFE_SHIFT)

static op_id_t next_name(struct runner *runner, size_t n)
{
    const struct node_config *config = &runner->step->config;
    if (runner->pieces % COUNT_MAX + n > COUNT_MAX) /* all of a bundle follow each other */
        runner->pieces += COUNT_MAX - runner->pieces % COUNT_MAX;
    uint64_t life = random_mix(config->incarnation + RANDOM_GAMMA * (runner->pieces / COUNT_MAX));
    op_id_t name =
        NAMES_FROM | (op_id_t)config->id << NODE_SHIFT | LIFE_OF(life) | runner->pieces % COUNT_MAX;
    runner->pieces += n;
    return name;
}

/* --- storing --- */

static bool is_inline(const struct task_result *result)
{
    return result->n_pieces == 1 && result->bundle_len <= VALUE_INLINE_MAX_BYTES;
}

bool bundles_is_stored(const struct task_kept *kept)
{
    return !kept->bundle || kept->n_stored == kept->result.n_pieces;
}

/* One at a time: a disk has other things to do, too. */
static void store_next(struct runner *runner, const struct task_kept *kept)
{
    outbox_keep(&runner->step->out, USER_RUNNER,
                (struct value_id){kept->result.job, kept->bundle + kept->n_stored},
                kept->result.pieces[kept->n_stored].bytes);
}

void bundles_store(struct runner *runner, struct task_kept *kept)
{
    struct task_result *result = &kept->result;
    struct task_piece *pieces = NULL;
    if (result->n_pieces)
        pieces = mem_new(result->n_pieces, sizeof *pieces);
    for (size_t i = 0; i < result->n_pieces; i++) {
        pieces[i] = result->pieces[i];
        blob_ref(pieces[i].bytes);
    }
    result->pieces = pieces;
    if (!result->n_pieces || is_inline(result))
        return;
    kept->bundle = next_name(runner, result->n_pieces);
    runner->raft->machine->holds(runner->raft->state, (struct value_id){result->job, kept->bundle});
    store_next(runner, kept);
}

void bundles_clear(struct task_kept *kept)
{
    for (size_t i = 0; i < kept->result.n_pieces; i++)
        blob_drop(&kept->result.pieces[i].bytes);
    free(kept->result.pieces);
    kept->result.pieces = NULL;
    kept->result.n_pieces = 0;
}

static struct task_kept *find(const struct runner *runner, struct value_id id)
{
    for (struct task_kept *kept = runner->kept; kept; kept = kept->next)
        if (kept->bundle && kept->result.job == id.job && kept->n_stored < kept->result.n_pieces &&
            kept->bundle + kept->n_stored == id.op)
            return kept;
    return NULL;
}

void runner_value_kept(struct runner *runner, struct value_id id)
{
    struct task_kept *kept = find(runner, id);
    if (!kept)
        return;
    blob_drop(&kept->result.pieces[kept->n_stored++].bytes);
    if (kept->n_stored < kept->result.n_pieces)
        store_next(runner, kept);
}

void bundles_failed(struct runner *runner, struct value_id id)
{
    struct task_kept *kept = find(runner, id);
    if (!kept)
        return;
    struct task_result *result = &kept->result;
    bundles_clear(kept);
    kept->bundle = 0;
    result->bundle_len = result->out_len = result->err_len = result->files = 0;
    text_format(result->reason, sizeof result->reason, "disk full: no room for its output");
}

/* --- telling --- */

static struct slice hashes_of(struct message *message, const struct task_result *result)
{
    uint8_t *at = message_room(message, result->n_pieces, HASH_BYTES);
    for (size_t i = 0; i < result->n_pieces; i++)
        memcpy(at + i * HASH_BYTES, result->pieces[i].hash, HASH_BYTES);
    return (struct slice){at, result->n_pieces * HASH_BYTES};
}

void bundles_tell(struct message *message, const struct task_kept *kept,
                  struct wire_task_outcome *outcome)
{
    const struct task_result *result = &kept->result;
    if (!result->n_pieces)
        return;
    outcome->bundle_len = result->bundle_len;
    outcome->head_len = result->head_len;
    outcome->head_hash = message_copy(message, (struct slice){result->head_hash, HASH_BYTES});
    outcome->files = result->files;
    outcome->out_len = result->out_len;
    outcome->err_len = result->err_len;
    outcome->err_line = message_copy(message, (struct slice){(const uint8_t *)result->err_line,
                                                             result->err_line_len});
    if (result->out_len)
        outcome->out_hash = message_copy(message, (struct slice){result->out_hash, HASH_BYTES});
    if (result->err_len)
        outcome->err_hash = message_copy(message, (struct slice){result->err_hash, HASH_BYTES});
    if (!kept->bundle) {
        outcome->bundle_frame = message_add_frame(message, result->pieces[0].bytes);
        return;
    }
    outcome->bundle.n = 1;
    outcome->bundle.at = message_room(message, 1, sizeof *outcome->bundle.at);
    outcome->bundle.at[0] =
        (struct wire_task_bundle){kept->bundle, result->bundle_len, hashes_of(message, result)};
}

/* What tasks have left, as values of their job: the bundles of the table of tasks. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/task_jobs_internal.h"
#include "shared/base/slice.h"
#include "shared/tasks/bundle.h"

bool task_bundle_is_sound(const struct wire_task_bundle *bundle)
{
    return bundle->op && bundle->len && bundle->len <= BUNDLE_PIECES_MAX * BUNDLE_PIECE_BYTES &&
           bundle->op <= VALUE_OP_MAX - BUNDLE_PIECES_MAX &&
           bundle->hashes.len == bundle_pieces(bundle->len) * HASH_BYTES;
}

/* The first bundle that begins after the value. */
static size_t bundle_after(const struct task_job *job, op_id_t op)
{
    size_t low = 0, high = job->n_bundles;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->bundles[middle].op <= op)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool task_job_piece(const struct task_job *job, op_id_t op, uint64_t *len, uint8_t hash[HASH_BYTES])
{
    size_t after = bundle_after(job, op);
    const struct task_values *bundle = after ? &job->bundles[after - 1] : NULL;
    if (!bundle || op - bundle->op >= bundle_pieces(bundle->len))
        return false;
    if (len)
        *len = bundle_piece_bytes(bundle->len, op - bundle->op);
    if (hash)
        memcpy(hash, bundle->hashes + (op - bundle->op) * HASH_BYTES, HASH_BYTES);
    return true;
}

/* One that shares a name with another one is none: no worker makes such. */
void task_job_add_bundle(struct task_job *job, const struct wire_task_bundle *bundle)
{
    uint64_t pieces = bundle_pieces(bundle->len);
    size_t at = bundle_after(job, bundle->op + pieces - 1);
    if (at && job->bundles[at - 1].op + bundle_pieces(job->bundles[at - 1].len) > bundle->op)
        return;
    if (job->n_bundles == job->bundles_size) {
        job->bundles_size = job->bundles_size ? 2 * job->bundles_size : 4;
        job->bundles = mem_grow(job->bundles, job->bundles_size, sizeof *job->bundles);
    }
    memmove(&job->bundles[at + 1], &job->bundles[at],
            (job->n_bundles++ - at) * sizeof *job->bundles);
    job->bundles[at] =
        (struct task_values){bundle->op, bundle->len, mem_new((size_t)pieces, HASH_BYTES)};
    slice_copy(job->bundles[at].hashes, bundle->hashes);
    job->bundle_bytes += bundle->len;
}

uint64_t task_job_bytes(const struct task_job *job)
{
    return job->segment_bytes + job->bundle_bytes;
}

struct wire_task_bundle *task_job_write_bundles(struct message *message, const struct task_job *job,
                                                size_t from, size_t *n)
{
    struct wire_task_bundle *at = message_room(message, BUNDLES_MAX, sizeof *at);
    uint64_t pieces = 0;
    for (*n = 0; from + *n < job->n_bundles && *n < BUNDLES_MAX && pieces < BUNDLES_PIECES_MAX;
         ++*n) {
        const struct task_values *it = &job->bundles[from + *n];
        uint64_t more = bundle_pieces(it->len);
        at[*n] = (struct wire_task_bundle){
            it->op, it->len,
            message_copy(message, (struct slice){it->hashes, (size_t)more * HASH_BYTES})};
        pieces += more;
    }
    return at;
}

void task_bundle_values(const struct wire_task_bundle *bundle, node_id_t source, job_id_t job,
                        machine_value *each, void *context)
{
    for (uint64_t i = 0; i < bundle_pieces(bundle->len); i++)
        each(context, source, (struct value_id){job, bundle->op + i},
             bundle_piece_bytes(bundle->len, i),
             (struct slice){bundle->hashes.at + i * HASH_BYTES, HASH_BYTES});
}

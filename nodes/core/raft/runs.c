#include "nodes/core/raft/runs.h"

#include "nodes/core/link/link.h"
#include "nodes/core/raft/log.h"
#include "shared/base/bytes.h"
#include "shared/base/mutant.h"

/* --- writing --- */

static bool is_known(const struct raft *raft, node_id_t peer)
{
    const struct message *heartbeat = raft->links->peers[peer].heartbeat;
    return heartbeat && heartbeat->as.heartbeat.entries >= ENTRY_LEVEL_RUNS;
}

/* How many entries from `from` on are small and of one term. */
static size_t count(const struct raft *raft, log_index_t from, size_t most, size_t *bytes)
{
    size_t n = 0;
    *bytes = 0;
    while (n < most && from + n <= raft->log.last) {
        const struct log_entry *entry = raft_log_at(raft, from + n);
        size_t len = BYTES_LENGTH + entry->packed->len;
        if (entry->term != raft_log_at(raft, from)->term || len > RUN_ENTRY_BYTES ||
            *bytes + len > RUN_BYTES)
            break;
        *bytes += len;
        n++;
    }
    return n;
}

/* In one term the coordinator's log only grows, so the same indexes are the same entries. */
static struct blob *run_of(struct raft *raft, log_index_t from, size_t n, size_t bytes)
{
    struct run *last = &raft->replication.run;
    if (last->packed && last->from == from && (last->n == n || MUTANT(run_of_others)))
        return last->packed;
    runs_forget(raft);
    *last = (struct run){.from = from, .n = n, .packed = blob_new(bytes)};
    uint8_t *at = last->packed->at;
    for (size_t i = 0; i < n; i++) {
        const struct blob *packed = raft_log_at(raft, from + i)->packed;
        at += bytes_put_part(at, packed->at, packed->len);
    }
    return last->packed;
}

size_t runs_add(struct raft *raft, node_id_t peer, log_index_t from, size_t most,
                struct message *message)
{
    struct wire_append *append = &message->as.append;
    const struct log_entry *first = raft_log_at(raft, from);
    size_t bytes = 0, n = is_known(raft, peer) ? count(raft, from, most, &bytes) : 0;
    struct wire_log_item *item = &append->entries.at[append->entries.n++];
    *item = (struct wire_log_item){.term = first->term, .count = n < 2 ? 0 : n};
    item->frame = message_add_frame(message, n < 2 ? first->packed : run_of(raft, from, n, bytes));
    return n < 2 ? 1 : n;
}

void runs_forget(struct raft *raft)
{
    blob_drop(&raft->replication.run.packed);
}

/* --- reading --- */

bool runs_next(struct runs_reader *reader, struct blob **packed, bool *sound)
{
    const struct wire_append *append = &reader->message->as.append;
    *sound = true;
    *packed = NULL;
    if (!reader->left) {
        if (reader->item == append->entries.n)
            return false;
        const struct wire_log_item *item = &append->entries.at[reader->item++];
        struct blob *frame = message_frame(reader->message, item->frame);
        reader->term = item->term;
        if (!frame || !item->count) {
            *sound = frame != NULL;
            *packed = blob_ref(frame);
            return *sound;
        }
        reader->left = item->count;
        reader->rest = (struct slice){frame->at, frame->len};
    }
    struct slice part;
    *sound = bytes_take_part(&reader->rest, &part) && part.len &&
             (--reader->left || !reader->rest.len || MUTANT(run_left_over));
    if (*sound)
        *packed = blob_copy(part.at, part.len);
    return *sound;
}

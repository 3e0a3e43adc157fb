/* The initiator puts head and reports together, as one value that is kept. */
#include "nodes/core/snapshot/snapshot_internal.h"
#include "shared/base/bytes.h"

#define COPY_BYTES MIB_BYTES /* into a snapshot's file in one step: a few milliseconds */

/* Makes room for the head, then the reports by node, each part after its length (32 bits,
 * little-endian), and writes the head. */
void collection_begin_file(const struct snapshots *snapshots, struct collection *collection,
                           const struct blob *head)
{
    size_t bytes = BYTES_LENGTH + head->len;
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++)
        if (collection->nodes[id].done)
            bytes += collection->nodes[id].bytes + BYTES_LENGTH * collection->nodes[id].n_parts;
    collection->file = blob_new(bytes);
    collection->file_at = bytes_put_part(collection->file->at, head->at, head->len);
    collection->file_node = 1;
    collection->file_part = 0;
}

/* Copies a slice of the parts, and drops them: not all of it is in memory twice. True: all is
 * copied. */
static bool copy_some(const struct snapshots *snapshots, struct collection *collection)
{
    size_t end = collection->file_at + COPY_BYTES;
    for (; collection->file_node <= snapshots->step->config.n_nodes;
         collection->file_node++, collection->file_part = 0) {
        struct collected *it = &collection->nodes[collection->file_node];
        for (; it->done && collection->file_part < it->n_parts; collection->file_part++) {
            if (collection->file_at >= end)
                return false;
            struct blob **part = &it->parts[collection->file_part];
            collection->file_at += bytes_put_part(collection->file->at + collection->file_at,
                                                  (*part)->at, (*part)->len);
            blob_drop(part);
        }
    }
    return true;
}

void collection_keep_some(struct snapshots *snapshots, struct collection *collection)
{
    collection->file_us = snapshots->step->now_us + CHECKPOINT_SLICE_GAP_US;
    if (!copy_some(snapshots, collection))
        return;
    outbox_keep(&snapshots->step->out, USER_SNAPSHOT,
                (struct value_id){collection->id.counter, SNAPSHOT_OP}, collection->file);
    blob_drop(&collection->file);
}

void collect_pump(struct snapshots *snapshots)
{
    for (struct collection *it = snapshots->collections; it; it = it->next)
        if (it->file && snapshots->step->now_us >= it->file_us)
            collection_keep_some(snapshots, it);
}

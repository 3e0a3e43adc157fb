/* The disks of the stage: what each holds, and what waits to get there. */
#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/harness/stage_internal.h"

void stage_persist(struct stage *stage, node_id_t id, const struct output *output)
{
    struct stage_node *node = &stage->nodes[id];
    struct stage_persist *persist = mem_new(1, sizeof *persist);
    persist->seq = node->wanted_seq = output->persist.seq;
    persist->n = output->persist.n;
    persist->writes = mem_new(persist->n, sizeof *persist->writes);
    for (size_t i = 0; i < persist->n; i++)
        persist->writes[i] = write_copy(&output->persist.writes[i]);
    if (!node->wanted)
        node->wanted_since_us = stage->now_us;
    *node->wanted_end = persist;
    node->wanted_end = &persist->next;
}

static struct stage_persist *take_persist(struct stage_node *node)
{
    struct stage_persist *persist = node->wanted;
    node->wanted = persist->next;
    if (!node->wanted)
        node->wanted_end = &node->wanted;
    return persist;
}

static void free_persist(struct stage_persist *persist)
{
    for (size_t i = 0; i < persist->n; i++)
        write_drop(&persist->writes[i]);
    free(persist->writes);
    free(persist);
}

static void apply_write(struct stage *stage, node_id_t id, const struct write *write)
{
    struct stage_node *node = &stage->nodes[id];
    switch (write->kind) {
    case WRITE_VOTE:
        if (write->term < node->durable.term ||
            (write->term == node->durable.term && node->durable.vote &&
             write->vote != node->durable.vote))
            panic("node %u votes twice in term %" PRIu64, id, write->term);
        node_durable_write(&node->durable, write);
        stage_tell(stage, TELL_DISKS, "%u > on disk: term %" PRIu64 ", vote %u", id, write->term,
                   write->vote);
        break;
    case WRITE_ENTRY:
        entries_cut(&node->log, write->index);
        if (write->index != entries_last(&node->log) + 1)
            panic("node %u leaves a gap in its log before %" PRIu64, id, write->index);
        entries_add(&node->log, write->term, write->entry);
        stage_tell(stage, TELL_DISKS, "%u > on disk: entry %" PRIu64 " (term %" PRIu64 ")", id,
                   write->index, write->term);
        break;
    case WRITE_RECORD:
        break; /* no test on the stage looks at ledgers */
    case WRITE_TRUNCATE:
        entries_cut(&node->log, write->index);
        stage_tell(stage, TELL_DISKS, "%u > on disk: no entry from %" PRIu64 " on", id,
                   write->index);
        break;
    case WRITE_CHECKPOINT:
        if (!entries_checkpoint(&node->log, &node->checkpoint, write))
            panic("node %u counts on a part of a checkpoint that its disk has not", id);
        stage_tell(stage, TELL_DISKS, "%u > on disk: checkpoint up to %" PRIu64, id, write->index);
        break;
    }
}

void stage_sync(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    while (node->core && node->wanted) {
        struct stage_persist *persist = take_persist(node);
        for (size_t i = 0; i < persist->n; i++)
            apply_write(stage, id, &persist->writes[i]);
        node->disk_seq = persist->seq;
        node->wanted_since_us = stage->now_us;
        free_persist(persist);
        stage_ungate(stage, id);
        stage_step(stage, id, (struct event){.kind = EVENT_PERSISTED, .persisted = node->disk_seq});
    }
}

void stage_lose(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    while (node->wanted)
        free_persist(take_persist(node));
    stage_forget_feeding(node);
    node->disk_seq = UINT64_MAX; /* what is gated goes nowhere: nobody is alive to send it */
    for (struct stage_letter *letter; (letter = node->gated);) {
        node->gated = letter->next;
        message_drop(&letter->message);
        free(letter);
    }
    node->gated_end = &node->gated;
}

void stage_wipe(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    entries_clear(&node->log);
    checkpoint_drop(&node->checkpoint);
    stage_forget_values(node);
    node->durable = (struct node_durable){0};
}

struct blob *stage_entry(void)
{
    struct message *entry = message_new(MESSAGE_ENTRY_NOOP);
    entry->as.entry_noop.node = 1;
    struct blob *packed = codec_pack(entry);
    message_drop(&entry);
    return packed;
}

void stage_give_entry(struct stage *stage, node_id_t id, term_t term)
{
    struct stage_node *node = &stage->nodes[id];
    struct blob *packed = stage_entry();
    entries_add(&node->log, term, packed);
    if (node->durable.term < term)
        node->durable.term = term;
    blob_drop(&packed);
}

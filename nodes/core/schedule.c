#include "nodes/core/schedule.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nodes/core/assign.h"
#include "nodes/core/checkpoint.h"
#include "nodes/core/feed.h"
#include "nodes/core/journal.h"
#include "nodes/core/peers.h"
#include "nodes/core/run.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

/* --- taking jobs up and ending them --- */

static unsigned count_workers(const struct node *node)
{
    unsigned workers = 0;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        workers += peers_is_worker(node, id);
    return workers;
}

static void take_up_jobs(struct node *node)
{
    struct schedule *schedule = &node->schedule;
    size_t at = jobs_after(&node->jobs, schedule->cursor);
    for (; at < node->jobs.n && schedule->n_active < ACTIVE_JOBS_MAX; at++) {
        struct job *job = node->jobs.at[at];
        schedule->cursor = job->id;
        if (job_is_finished(job))
            continue;
        jobs_mark(&node->jobs, job, JOB_RUNNING);
        schedule->active[schedule->n_active++] = job;
        if (!checkpoint_resume(node, job))
            continue;
        char id[JOB_TEXT_MAX];
        feed_event(node, "job_resumed", NODE_NONE, job->id,
                   "job %s goes on from its checkpoint: %" PRIu64 " of %" PRIu64
                   " operations are done",
                   job_id_text(job->id, id), job->done, job->plan.total);
    }
}

void schedule_start(struct node *node)
{
    node->schedule.cursor = JOB_NONE;
    node->schedule.operations = node->schedule.reassigned = 0;
    node->schedule.unlogged = node->schedule.unlogged_bytes = 0;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        message_drop(&node->peers[id].slot.batch);
        node->peers[id].slot = (struct worker_slot){.operations = node->jobs.operations[id],
                                                    .conversions = node->jobs.conversions[id]};
        node->schedule.operations += node->jobs.operations[id];
    }
    take_up_jobs(node);
}

void schedule_stop(struct node *node)
{
    struct schedule *schedule = &node->schedule;
    for (size_t i = 0; i < schedule->n_active; i++) {
        jobs_mark(&node->jobs, schedule->active[i], JOB_QUEUED);
        run_destroy(schedule, schedule->active[i]);
    }
    schedule->n_active = 0;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        message_drop(&node->peers[id].slot.batch);
}

void schedule_job_accepted(struct node *node, struct job *job)
{
    char id[JOB_TEXT_MAX];
    if (!node_serves(node))
        return;
    feed_event(node, "job_accepted", NODE_NONE, job->id,
               "job %s: factorial %" PRIu64 " accepted, %" PRIu64 " operations",
               job_id_text(job->id, id), job->plan.n, job->plan.total);
    take_up_jobs(node);
}

static void announce(struct node *node, const struct job *job)
{
    char id[JOB_TEXT_MAX];
    job_id_text(job->id, id);
    switch (job->state) {
    case JOB_DONE:
        if (job->text) /* the second seed's line: 10!=3628800 */
            outbox_log(&node->out, LOG_INFO, "%" PRIu64 "!=%.*s", job->plan.n, (int)job->text->len,
                       (const char *)job->text->at);
        else
            outbox_log(&node->out, LOG_INFO, "%" PRIu64 "!=%s...%s (%" PRIu64 " digits)",
                       job->plan.n, job->head, job->tail, job->digits);
        feed_event(node, "job_done", NODE_NONE, job->id,
                   "job %s: factorial %" PRIu64 " done, %" PRIu64 " digits, %" PRIu64 " ms", id,
                   job->plan.n, job->digits,
                   job->finished_ms > job->submitted_ms ? job->finished_ms - job->submitted_ms : 0);
        break;
    case JOB_FAILED:
        feed_event(node, "job_failed", NODE_NONE, job->id, "job %s failed: %s", id, job->reason);
        break;
    default:
        feed_event(node, "job_cancelled", NODE_NONE, job->id, "job %s was cancelled", id);
        break;
    }
}

static void release_at_workers(struct node *node, job_id_t job)
{
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        if (!node_is_peer(node, id) || !node->peers[id].channel.peer)
            continue;
        struct message *message = message_new(MESSAGE_RELEASE);
        message->as.release.term = node->election.term;
        message->as.release.job = job;
        peers_send(node, id, message);
    }
}

void schedule_job_finished(struct node *node, struct job *job)
{
    struct schedule *schedule = &node->schedule;
    if (!job->run)
        return;
    for (struct item *item = job->run->out.first; item; item = item->next)
        if (item->state == ITEM_ASSIGNED)
            node->peers[item->node].slot.outstanding--;
    run_destroy(schedule, job);
    size_t at = 0;
    while (schedule->active[at] != job)
        at++;
    schedule->active[at] = schedule->active[--schedule->n_active];
    release_at_workers(node, job->id);
    struct output *output = outbox_add(&node->out, OUTPUT_DROP);
    output->drop.id.job = job->id;
    output->drop.kept = job->state != JOB_DONE;
    announce(node, job);
    take_up_jobs(node);
}

/* --- results --- */

/* Takes the item out of the list that its state keeps it in, and out of its worker's account. */
static void unlist(struct node *node, struct item *item)
{
    struct run *run = item->job->run;
    switch (item->state) {
    case ITEM_READY:
        list_remove(item->count ? &run->units : &run->combine, item);
        break;
    case ITEM_ASSIGNED:
        node->peers[item->node].slot.outstanding--;
        list_remove(&run->out, item);
        break;
    case ITEM_FETCHING:
    case ITEM_KEEPING:
        list_remove(&run->out, item);
        break;
    case ITEM_PENDING:
    case ITEM_DONE:
        break;
    }
}

static void hand_back(struct node *node, struct item *item)
{
    unlist(node, item);
    run_make_ready(item, true);
}

static void fail_job(struct node *node, struct job *job, struct slice reason)
{
    if (journal_pending_end(node, job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_FAILED);
    entry->as.entry_job_failed =
        (struct wire_entry_job_failed){.job = job->id,
                                       .time_ms = node->wall_ms,
                                       .reason = message_copy(entry, reason)};
    journal_propose(node, entry);
}

static void propose_done(struct node *node, const struct item *item)
{
    struct job *job = item->job;
    if (journal_pending_end(node, job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    bool kept = !item->value || item->len > TEXT_INLINE_DIGITS;
    checkpoint_finish(node, job, entry);
    if (kept) {
        struct done_op text = {.op = item->op,
                               .node = item->node,
                               .attempt = item->attempt,
                               .len = item->len};
        memcpy(text.hash, item->hash, HASH_BYTES);
        job_write_done(entry, &text, &done->ops.at[done->ops.n++]);
    }
    done->source = node->config.id;
    done->time_ms = node->wall_ms;
    done->digits = item->len;
    done->sha256 = message_copy(entry, (struct slice){item->hash, HASH_BYTES});
    done->converter = item->node;
    if (item->value && item->len <= TEXT_INLINE_DIGITS)
        done->text = message_copy(entry, (struct slice){item->value->at, item->value->len});
    done->head = message_text(entry, item->head);
    done->tail = message_text(entry, item->tail);
    journal_propose(node, entry);
}

/* The text is here: a short one goes into the log, a longer one to disk first. */
static void finish_text(struct node *node, struct item *item)
{
    if (item->value && item->len <= TEXT_INLINE_DIGITS) {
        propose_done(node, item);
        return;
    }
    item->state = ITEM_KEEPING;
    list_push(&item->job->run->out, item);
    struct output *output = outbox_add(&node->out, OUTPUT_KEEP);
    output->keep.id = (struct value_id){item->job->id, item->op};
    output->keep.value = item->value;
}

void schedule_value_kept(struct node *node, struct value_id id)
{
    struct item *item = run_find(&node->schedule, id.job, id.op);
    if (!item)
        return;
    item->kept = true;
    if (item->state != ITEM_KEEPING)
        return;
    unlist(node, item);
    item->state = ITEM_DONE;
    propose_done(node, item);
}

/* The values that the operation used are of no use any more. */
static void drop_operands(struct node *node, struct job *job, const struct item *item)
{
    struct plan_operand operands[OPERANDS_MAX] = {{.op = job->plan.total}};
    size_t n = 1; /* a conversion's: the root */
    if (item->count)
        return;
    if (item->operations)
        n = plan_operands(&job->plan, item->op, operands);
    for (size_t i = 0; i < n; i++) {
        struct item *used =
            operands[i].op ? run_find(&node->schedule, job->id, operands[i].op) : NULL;
        if (!used)
            continue;
        if (!used->value) {
            /* On disk it stays while the log may refer to it: until the log is compacted. */
            struct output *output = outbox_add(&node->out, OUTPUT_DROP);
            output->drop.id = (struct value_id){job->id, used->op};
            output->drop.kept = used->keeping && !used->logged;
        }
        run_remove(&node->schedule, used);
    }
}

static struct item *consumer_of(struct node *node, const struct item *item)
{
    struct job *job = item->job;
    op_id_t op = plan_consumer(&job->plan, item->op);
    if (!op) { /* the root: its text is wanted */
        struct item *text = run_add(&node->schedule, job, job_text_op(job));
        text->operations = 0;
        text->missing = 1;
        return text;
    }
    struct item *consumer = run_find(&node->schedule, job->id, op);
    if (consumer)
        return consumer;
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(&job->plan, op, operands);
    consumer = run_add(&node->schedule, job, op);
    for (size_t i = 0; i < n; i++)
        consumer->missing += operands[i].op != 0;
    return consumer;
}

/* The item's value is in the coordinator's hands: it counts, once. */
static void complete(struct node *node, struct item *item)
{
    struct job *job = item->job;
    struct worker_slot *slot = &node->peers[item->node].slot;
    item->state = ITEM_DONE;
    slot->operations += item->operations;
    slot->conversions += !item->operations;
    node->schedule.operations += item->operations;
    job->done += item->operations;
    if (job->trace && item->operations)
        job_mark_trace(job, job->trace, item->op, item->count > 0,
                       (struct trace_mark){(uint16_t)item->node, (uint16_t)item->attempt});
    checkpoint_note(node, item);
    drop_operands(node, job, item);
    if (!item->operations) {
        finish_text(node, item);
        return;
    }
    schedule_supply(node, item);
}

void schedule_supply(struct node *node, const struct item *item)
{
    struct item *consumer = consumer_of(node, item);
    if (--consumer->missing == 0)
        run_make_ready(consumer, false);
}

static void begin_fetch(struct node *node, struct item *item)
{
    item->state = ITEM_FETCHING;
    list_push(&item->job->run->out, item);
    struct output *output = outbox_add(&node->out, OUTPUT_FETCH);
    output->fetch.id = (struct value_id){item->job->id, item->op};
    output->fetch.from = item->node;
    output->fetch.len = item->len;
    memcpy(output->fetch.hash, item->hash, HASH_BYTES);
}

/* A moving average over about eight units. */
static void note_pace(struct worker_slot *slot, uint64_t elapsed_us)
{
    uint64_t us = elapsed_us ? elapsed_us : 1;
    slot->unit_us = slot->unit_us ? (7 * slot->unit_us + us) / 8 : us;
    if (!slot->unit_us)
        slot->unit_us = 1;
}

static void copy_edge(char *at, struct slice edge)
{
    size_t len = edge.len < TEXT_EDGE_DIGITS ? edge.len : TEXT_EDGE_DIGITS;
    if (len)
        memcpy(at, edge.at, len);
    at[len] = '\0';
}

/* True when the result carries what its kind needs. */
static bool is_usable(const struct node *node, const struct message *message,
                      const struct item *item, const struct wire_result_op *result)
{
    struct blob *value = message_frame(message, result->frame);
    bool text = !item->operations;
    if (result->frame && (!value || value->len != result->len || !value->len))
        return false;
    if (!result->frame && (!result->len || result->len > 4 * node->config.result_max_bytes))
        return false;
    return (result->frame && !text) || result->hash.len == HASH_BYTES;
}

static void take_result(struct node *node, node_id_t from, const struct message *message,
                        struct item *item, const struct wire_result_op *result)
{
    if (item->node == from)
        note_pace(&node->peers[from].slot, result->elapsed_us);
    unlist(node, item);
    item->node = from;
    item->len = result->len;
    item->value = blob_ref(message_frame(message, result->frame));
    if (result->hash.len == HASH_BYTES)
        memcpy(item->hash, result->hash.at, HASH_BYTES);
    copy_edge(item->head, result->head);
    copy_edge(item->tail, result->tail);
    if (item->value)
        complete(node, item);
    else
        begin_fetch(node, item);
}

static void accept_result(struct node *node, node_id_t from, const struct message *message,
                          const struct wire_result_op *result)
{
    struct job *job = jobs_find(&node->jobs, result->job);
    if (!job || !job->run)
        return;
    /* The conversion to text is no operation of the plan and is counted apart. */
    if (result->op <= job->plan.total && result->operations <= UNIT_LEAVES_MAX)
        job->executed += result->operations;
    struct item *item = run_find(&node->schedule, result->job, result->op);
    /* Only an open operation takes a result, whoever returns it and however late; the first one
     * wins. */
    if (!item || (item->state != ITEM_ASSIGNED && item->state != ITEM_READY))
        return;
    bool usable = !result->error.len && is_usable(node, message, item, result);
    if (usable) {
        take_result(node, from, message, item, result);
        return;
    }
    if (!result->error.len)
        node_reject(node, from, "its result lacks a value");
    if (item->state != ITEM_ASSIGNED || item->node != from)
        return;
    if (result->error.len && !result->again)
        fail_job(node, job, result->error);
    else
        hand_back(node, item);
}

void schedule_results(struct node *node, node_id_t from, const struct message *message)
{
    if (!node_serves(node))
        return;
    for (size_t i = 0; i < message->as.result.ops.n; i++)
        accept_result(node, from, message, &message->as.result.ops.at[i]);
}

void schedule_value_ready(struct node *node, struct value_id id)
{
    struct item *item = run_find(&node->schedule, id.job, id.op);
    if (!item || item->state != ITEM_FETCHING)
        return;
    unlist(node, item);
    complete(node, item);
}

void schedule_value_failed(struct node *node, struct value_id id, node_id_t from)
{
    struct item *item = run_find(&node->schedule, id.job, id.op);
    if (item && item->state == ITEM_FETCHING && item->node == from)
        hand_back(node, item);
}

/* --- losing a worker --- */

void schedule_worker_lost(struct node *node, node_id_t worker)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < node->schedule.n_active; i++) {
        struct item *next, *item = node->schedule.active[i]->run->out.first;
        for (; item; item = next) {
            next = item->next;
            if (item->node != worker || item->state == ITEM_KEEPING)
                continue;
            hand_back(node, item);
            lost++;
        }
    }
    node->peers[worker].slot.unit_us = 0;
    if (lost)
        feed_event(node, "reassigned", worker, JOB_NONE,
                   "%" PRIu64 " assignments of node %u go to others", lost, worker);
}

/* --- the rest
 * ------------------------------------------------------------------------------------------------
 */

void schedule_explain(const struct node *node, const struct job *job, struct text *out)
{
    const struct run *run = job->run;
    if (!run) {
        text_add(out, "it waits: %d jobs are in work, the most at once\n", ACTIVE_JOBS_MAX);
        return;
    }
    uint64_t uncut = job->plan.nodes[run->level] - run->next_cut;
    text_add(out, "units over leaves: %" PRIu64 " not yet cut, %" PRIu64 " ready\n", uncut,
             run->units.n);
    text_add(out, "combining operations ready: %" PRIu64 "\n", run->combine.n);
    if (!count_workers(node))
        text_add(out, "it waits: no worker is alive\n");
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        uint64_t assigned = 0, fetching = 0;
        for (const struct item *item = run->out.first; item; item = item->next) {
            assigned += item->node == id && item->state == ITEM_ASSIGNED;
            fetching += item->node == id && item->state == ITEM_FETCHING;
        }
        if (assigned || fetching)
            text_add(out, "node %u: %" PRIu64 " assigned, %" PRIu64 " values on their way back\n",
                     id, assigned, fetching);
    }
}

void schedule_clear(struct node *node)
{
    schedule_stop(node);
    map_clear(&node->schedule.items);
}

void schedule_check_invariants(const struct node *node)
{
    const struct schedule *schedule = &node->schedule;
    uint64_t outstanding[NODES_MAX + 1] = {0};
    uint64_t items = 0;
    assert(schedule->n_active == 0 || node_serves(node));
    for (size_t i = 0; i < schedule->n_active; i++) {
        const struct job *job = schedule->active[i];
        assert(job->run && job->state == JOB_RUNNING);
        items += job->run->n_items;
        for (const struct item *item = job->run->out.first; item; item = item->next) {
            assert(item->state == ITEM_ASSIGNED || item->state == ITEM_FETCHING ||
                   item->state == ITEM_KEEPING);
            outstanding[item->node] += item->state == ITEM_ASSIGNED;
        }
    }
    assert(items == schedule->items.count);
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        assert(!node_serves(node) || outstanding[id] == node->peers[id].slot.outstanding);
}

void schedule_pump(struct node *node)
{
    if (!node_serves(node))
        return;
    assign_all(node);
    checkpoint_pump(node);
}

uint64_t schedule_deadline(const struct node *node)
{
    return node_serves(node) ? checkpoint_deadline(node) : UINT64_MAX;
}

unsigned schedule_unit_level(const struct node *node, struct slice spec)
{
    struct plan plan;
    uint64_t n;
    if (parse_u64(spec, UINT64_MAX, &n))
        return 0;
    plan_init(&plan, n);
    return plan_unit_level(&plan, count_workers(node));
}

/* snapshot_verify_ops.c - is every operation of every running job somewhere, and only there?
 *
 * The coordinator knows what it handed out. That is in the channel to the worker (a task), at the
 * worker, or in the channel back (a result): exactly one of them. What is on the way or at a worker
 * and not handed out any more is stale: of a job that was cancelled, or a copy that came late, or a
 * result of a former term. */
#include <inttypes.h>
#include <stdlib.h>

#include "shared/snapshot/verify_internal.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"

enum place_kind { PLACE_HANDED_OUT, PLACE_TASK, PLACE_WORKER, PLACE_BACK };

/* An operation somewhere. */
struct place {
    uint64_t job, op, attempt, node;
    enum place_kind kind;
    uint64_t operations;
};

struct places {
    struct place *at;
    size_t n, size;
};

static void add(struct places *places, const struct wire_cut_op *op, uint64_t node,
                enum place_kind kind)
{
    if (places->n == places->size) {
        places->size = places->size ? 2 * places->size : 64;
        places->at = mem_grow(places->at, places->size, sizeof *places->at);
    }
    places->at[places->n++] =
        (struct place){op->job, op->op, op->attempt, node, kind, op->operations};
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By the operation, whom it was handed to, and the place: what was handed out comes first. */
static int compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int result = order(x->job, y->job);
    result = result ? result : order(x->op, y->op);
    result = result ? result : order(x->attempt, y->attempt);
    result = result ? result : order(x->node, y->node);
    return result ? result : order(x->kind, y->kind);
}

static bool is_same(const struct place *a, const struct place *b)
{
    return a->job == b->job && a->op == b->op && a->attempt == b->attempt && a->node == b->node;
}

static void collect_channel(const struct snapshot_model *model, uint64_t from, uint64_t to,
                            struct places *places)
{
    const struct model_channel *channel = model_channel(model, from, to);
    bool out = from == model->coordinator;
    for (size_t i = 0; i < channel->ops.n; i++) {
        const struct wire_cut_message *message = verify_message(channel, channel->ops.at[i].seq);
        if (message && slice_equals(message->kind, out ? "task" : "result"))
            add(places, &channel->ops.at[i], out ? to : from, out ? PLACE_TASK : PLACE_BACK);
    }
}

static void collect(const struct snapshot_model *model, struct places *places)
{
    uint64_t chief = model->coordinator;
    for (size_t i = 0; i < model->handed_out.n; i++)
        add(places, &model->handed_out.at[i], model->handed_out.at[i].node, PLACE_HANDED_OUT);
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const struct model_node *node = &model->nodes[id];
        /* In an earlier term than the coordinator it has nothing of its: what is there is of a
         * coordinator before it, and goes when the node hears of the term (seed 462). */
        bool earlier = node->state.term < model->nodes[chief].state.term;
        for (size_t i = 0; i < node->queued.n && !earlier; i++)
            add(places, &node->queued.at[i], id, PLACE_WORKER);
        if (id == chief)
            continue;
        collect_channel(model, chief, id, places);
        collect_channel(model, id, chief, places);
    }
}

/* Whether everything is known about what this worker was given. One in a later term than the
 * coordinator has dropped it: the coordinator will learn that it is none any more. */
static bool is_visible(const struct snapshot_model *model, uint64_t node)
{
    uint64_t chief = model->coordinator;
    return node == chief ||
           (verify_can_see(model, chief, node) && verify_can_see(model, node, chief) &&
            model->nodes[node].state.term <= model->nodes[chief].state.term);
}

static void list_places(const struct place *at, size_t n, struct text *out)
{
    static const char *const names[] = {
        [PLACE_HANDED_OUT] = "handed out again",
        [PLACE_TASK] = "in the channel to it",
        [PLACE_WORKER] = "at it",
        [PLACE_BACK] = "in the channel back",
    };
    for (size_t i = 0; i < n; i++)
        text_add(out, "%s%s", i ? ", " : "", names[at[i].kind]);
}

/* Of the places at[1..n-1] all but one may be results of a former term, when the job is older than
 * the coordinator's term: it knows nothing of what a coordinator before it, or it itself, had
 * handed out to the same worker, and counts attempts from 1 again. Which of them is of this term,
 * nothing in the snapshot says. */
static bool are_older(const struct snapshot_model *model, const struct place *at, size_t n)
{
    size_t back = 0;
    for (size_t i = 1; i < n; i++)
        back += at[i].kind == PLACE_BACK;
    return at->job < job_id_of(model->nodes[model->coordinator].state.term, 0) && back + 2 >= n;
}

/* at[0] was handed out; at[1..n-1] is where it was found. */
static void verify_one(const struct snapshot_model *model, const struct place *at, size_t n,
                       struct findings *out)
{
    char job[JOB_TEXT_MAX];
    struct text where = {0};
    if (!is_visible(model, at->node)) {
        out->unseen++;
        return;
    }
    if (n == 2)
        return;
    if (n > 2 && are_older(model, at, n)) {
        out->stale += n - 2;
        return;
    }
    list_places(at + 1, n - 1, &where);
    findings_add(out, FINDING_VIOLATION,
                 "operations: R%" PRIu64 " of job %s (attempt %" PRIu64
                 "), handed out to node %" PRIu64 ", is %s%s",
                 at->op, job_id_text(at->job, job), at->attempt, at->node,
                 n == 1 ? "nowhere" : "in more than one place: ", where.at);
}

static void verify_places(const struct snapshot_model *model, struct findings *out)
{
    struct places places = {0};
    collect(model, &places);
    if (places.n)
        qsort(places.at, places.n, sizeof *places.at, compare);
    for (size_t i = 0, next; i < places.n; i = next) {
        for (next = i + 1; next < places.n && is_same(&places.at[i], &places.at[next]);)
            next++;
        if (places.at[i].kind == PLACE_HANDED_OUT)
            verify_one(model, &places.at[i], next - i, out);
        else
            out->stale += next - i;
    }
    if (out->unseen)
        findings_add(out, FINDING_UNKNOWN,
                     "operations: where %" PRIu64 " are that were handed out to nodes or over "
                     "channels that are missing, or to nodes of a later term",
                     out->unseen);
    out->handed_out = model->handed_out.n;
    free(places.at);
}

/* --- jobs --- */

/* What is handed out of a job, a copy that overtakes another not counted twice. */
static uint64_t handed_out_of(const struct snapshot_model *model, uint64_t job)
{
    struct places places = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < model->handed_out.n; i++)
        if (model->handed_out.at[i].job == job)
            add(&places, &model->handed_out.at[i], 0, PLACE_HANDED_OUT);
    if (places.n)
        qsort(places.at, places.n, sizeof *places.at, compare);
    for (size_t i = 0; i < places.n; i++)
        if (!i || places.at[i].op != places.at[i - 1].op)
            sum += places.at[i].operations;
    free(places.at);
    return sum;
}

static void verify_job(const struct snapshot_model *model, const struct wire_cut_job *row,
                       struct findings *out)
{
    char job[JOB_TEXT_MAX];
    uint64_t sum = row->done + row->returned + row->assigned + row->pending,
             handed_out = handed_out_of(model, row->job);
    job_id_text(row->job, job);
    bool fits = row->done <= row->total && row->returned <= row->total &&
                row->assigned <= row->total && row->pending <= row->total && row->total <= OP_MAX;
    if (!fits || sum != row->total)
        findings_add(out, FINDING_VIOLATION,
                     "operations: job %s: %" PRIu64 " done + %" PRIu64 " returned + %" PRIu64
                     " handed out + %" PRIu64 " pending = %" PRIu64 ", but its plan has %" PRIu64,
                     job, row->done, row->returned, row->assigned, row->pending, sum, row->total);
    if (handed_out != row->assigned)
        findings_add(out, FINDING_VIOLATION,
                     "operations: job %s: %" PRIu64 " handed out, but the coordinator's list has "
                     "%" PRIu64,
                     job, row->assigned, handed_out);
}

void verify_operations(const struct snapshot_model *model, struct findings *out)
{
    size_t before = out->violations;
    if (!model->coordinator) {
        findings_add(out, FINDING_UNKNOWN,
                     "operations: no coordinator's state is in it, so jobs cannot be checked");
        return;
    }
    if (model->claims > 1)
        findings_add(out, FINDING_UNKNOWN,
                     "operations: %u nodes believed to be coordinator; node %" PRIu64
                     " of the highest term is",
                     model->claims, model->coordinator);
    for (size_t i = 0; i < model->jobs.n; i++)
        verify_job(model, &model->jobs.at[i], out);
    verify_places(model, out);
    if (out->violations == before)
        findings_add(out, FINDING_CHECKED,
                     "operations: running jobs: %zu, they add up; subtrees handed out: %" PRIu64
                     ", seen in one place each: %" PRIu64 "; stale: %" PRIu64,
                     model->jobs.n, out->handed_out, out->handed_out - out->unseen, out->stale);
}

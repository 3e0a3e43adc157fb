#include "clients/map/task_cluster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/job_row.h"
#include "clients/ask/stored.h"
#include "clients/map/task_bundle.h"
#include "clients/map/task_kept.h"
#include "clients/map/task_list.h"
#include "clients/map/task_states.h"
#include "clients/show/bar.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"
#include "shared/base/clock.h"
#include "shared/base/options.h"

#define SEGMENT_READ_MAX (16 * MIB_BYTES) /* nodes make them of 1 MiB and a row */
#define WAIT_MS          500              /* how often new outputs are looked for */
#define BAR_WAIT_MS      250              /* the same, when somebody watches the bar */
/* Jobs that repeat each other: each is asked for, and none is forgotten before the next. */
#define PARENTS_MAX 32

struct task_cluster {
    struct conclave *connection;
    job_id_t job;
    struct task_cluster_wants wants;
    struct task_source source;
    struct message *row; /* owned: the last answer about the job */
    uint64_t deadline_us;
    bool finished; /* nothing will come any more */
    int exit_code; /* of the last error */

    struct task_kept kept;
    uint64_t segments; /* that were read */
    struct task_states states;
    struct bundle_reader bundles;

    bool listed; /* `list` is open */
    struct task_list list;
    struct spool spool; /* of the list, when it was fetched */

    struct task_cluster *parent; /* owned; NULL: none, or it is not wanted */
    job_id_t forgotten;          /* it was, and is not there any more; JOB_NONE */
    struct bar bar;
};

/* --- asking --- */

static int fail(struct task_cluster *cluster, int code, int error)
{
    cluster->exit_code = code;
    return error;
}

/* What is about a job that is there is asked for until the deadline. */
static int ask(struct task_cluster *cluster, struct message *request, uint64_t wait_us,
               enum message_type expected, struct message **reply, struct text *why)
{
    struct client *client = connection_client(cluster->connection);
    enum client_need need = cluster->row           ? CLIENT_LASTING
                            : cluster->wants.waits ? CLIENT_WAITING
                                                   : CLIENT_PATIENT;
    char shown[TEXT_MAX / 2], id[JOB_TEXT_MAX];
    int error = client_ask(client, request, need, wait_us, cluster->deadline_us, reply);
    if (error == ERR_INTERRUPTED)
        return fail(cluster, 128 + interrupt_seen(), error);
    if (error) {
        if (error == ERR_TIMEOUT)
            text_add(why, "--timeout has passed; job %s continues", job_id_text(cluster->job, id));
        else
            text_add(why, "%s", client_reason(client));
        return fail(cluster, outcome_code(error), error);
    }
    if ((*reply)->type == expected)
        return OK;
    if ((*reply)->type == MESSAGE_ERROR) {
        cluster->exit_code = refusal_code(*reply);
        text_add(why, "%s", text_escape(shown, sizeof shown, (*reply)->as.error.reason));
    } else {
        cluster->exit_code = EXIT_FAILED;
        text_add(why, "the answer is %s instead of %s", message_name((*reply)->type),
                 message_name(expected));
    }
    message_drop(reply);
    return ERR_REFUSED;
}

static int damaged(struct task_cluster *cluster, struct text *why, const char *what)
{
    text_add(why, "%s", what);
    return fail(cluster, EXIT_FAILED, ERR_CORRUPT);
}

static int ask_row(struct task_cluster *cluster, uint64_t wait_ms, struct text *why)
{
    struct message *request = message_new(MESSAGE_JOB_GET), *reply = NULL;
    request->as.job_get.job = cluster->job;
    request->as.job_get.wait_ms = wait_ms;
    int error = ask(cluster, request, wait_ms * MS_US, MESSAGE_JOB, &reply, why);
    if (error)
        return error;
    if (reply->as.job.jobs.n != 1) {
        message_drop(&reply);
        return damaged(cluster, why, "the answer is not about one job");
    }
    message_drop(&cluster->row);
    cluster->row = reply;
    return OK;
}

/* --- segments --- */

/* What comes at once of a value of the job, at most the rest of it. */
static int fetch_chunk(void *context, uint64_t op, uint64_t offset, struct blob **out,
                       struct text *why)
{
    struct task_cluster *cluster = context;
    struct message *request = message_new(MESSAGE_SEGMENT_GET), *reply = NULL;
    request->as.segment_get.job = cluster->job;
    request->as.segment_get.op = op;
    request->as.segment_get.offset = offset;
    int error = ask(cluster, request, 0, MESSAGE_SEGMENT_CHUNK, &reply, why);
    if (error)
        return error;
    struct blob *bytes = message_frame(reply, 1);
    bool fits = bytes && bytes->len && reply->as.segment_chunk.offset == offset;
    *out = fits ? blob_ref(bytes) : NULL;
    message_drop(&reply);
    return fits ? OK : damaged(cluster, why, "a part of the tasks' details does not fit");
}

static int fetch(struct task_cluster *cluster, const struct wire_task_segment *segment, uint8_t *at,
                 struct text *why)
{
    uint8_t hash[HASH_BYTES];
    for (uint64_t done = 0; done < segment->len;) {
        struct blob *bytes;
        int error = fetch_chunk(cluster, segment->op, done, &bytes, why);
        if (error)
            return error;
        bool fits = bytes->len <= segment->len - done;
        if (fits) {
            memcpy(at + done, bytes->at, bytes->len);
            done += bytes->len;
        }
        blob_drop(&bytes);
        if (!fits)
            return damaged(cluster, why, "a part of the tasks' details does not fit");
    }
    hash_bytes(at, segment->len, hash);
    if (segment->hash.len != HASH_BYTES || memcmp(hash, segment->hash.at, HASH_BYTES))
        return damaged(cluster, why, "details of tasks differ from their SHA-256");
    return OK;
}

static int take_segment(struct task_cluster *cluster, const struct wire_task_segment *segment,
                        struct text *why)
{
    if (segment->len > SEGMENT_READ_MAX)
        return damaged(cluster, why, "details of tasks are longer than they can be");
    uint8_t *at = mem_new((size_t)segment->len, 1);
    int error = fetch(cluster, segment, at, why);
    if (!error) {
        error = task_kept_add(&cluster->kept, (struct slice){at, (size_t)segment->len}, why);
        cluster->exit_code = EXIT_FAILED;
    }
    free(at);
    cluster->segments += !error;
    return error;
}

/* Reads all segments that came since the last time. */
static int take_segments(struct task_cluster *cluster, struct text *why)
{
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_JOB_SEGMENTS), *reply = NULL;
        request->as.job_segments.job = cluster->job;
        request->as.job_segments.from = cluster->segments;
        int error = ask(cluster, request, 0, MESSAGE_SEGMENT_PAGE, &reply, why);
        if (error)
            return error;
        const struct wire_segment_page *page = &reply->as.segment_page;
        for (size_t i = 0; i < page->segments.n && !error; i++)
            error = take_segment(cluster, &page->segments.at[i], why);
        more = page->segments.n && cluster->segments < page->total;
        message_drop(&reply);
        if (error)
            return error;
    }
    return OK;
}

/* --- states --- */

static int take_states(struct task_cluster *cluster, struct text *why)
{
    uint64_t after = 0;
    task_states_clear(&cluster->states);
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_JOB_TASKS), *reply = NULL;
        request->as.job_tasks.job = cluster->job;
        request->as.job_tasks.after = after;
        int error = ask(cluster, request, 0, MESSAGE_TASK_PAGE, &reply, why);
        if (error)
            return error;
        uint64_t before = after;
        bool fits = task_states_add(&cluster->states, &reply->as.task_page, &after);
        more = reply->as.task_page.more && after > before;
        message_drop(&reply);
        if (!fits)
            return damaged(cluster, why, "the list of tasks is not in order");
    }
    return OK;
}

/* In this order: of what has ended there are details already. */
static int take_all(struct task_cluster *cluster, struct text *why)
{
    int error = take_states(cluster, why);
    return error ? error : take_segments(cluster, why);
}

/* --- inputs --- */

/* The connection knows why. */
static int refused(struct task_cluster *cluster, int code, struct text *why)
{
    text_add(why, "%s", cluster->connection->reason.at);
    return fail(cluster, code, ERR_REFUSED);
}

static int fetch_list(struct task_cluster *cluster, job_id_t value, struct text *why)
{
    char id[JOB_TEXT_MAX], line[TEXT_MAX];
    struct message *page = NULL;
    const struct wire_value_row *found;
    struct stored_reader reader;
    struct slice bytes;
    int code = stored_find(cluster->connection, job_id_text(value, id), &page, &found);
    if (code)
        return refused(cluster, code, why);
    spool_begin(&cluster->spool);
    stored_reader_begin(&reader, cluster->connection, found);
    int error = OK;
    while (!code && !error && !(code = stored_reader_next(&reader, &bytes)) && bytes.len)
        error = spool_add(&cluster->spool, bytes.at, bytes.len, line);
    stored_reader_end(&reader);
    message_drop(&page);
    if (code)
        return refused(cluster, code, why);
    if (error)
        text_add(why, "%s", line);
    return error;
}

static int open_list(struct task_cluster *cluster, struct text *why)
{
    const struct wire_job_row *row = task_cluster_row(cluster);
    struct spool *spool = &cluster->spool;
    int error = OK;
    if ((!cluster->wants.inputs && !cluster->wants.commands) || cluster->listed || !row->inputs.n)
        return OK;
    if (cluster->wants.content)
        spool = (struct spool *)(uintptr_t)&cluster->wants.content->spool;
    else
        error = fetch_list(cluster, row->inputs.at[0].value, why);
    if (!error)
        error = task_list_open(&cluster->list, spool, why);
    cluster->listed = true;
    return error;
}

static int add_input(struct task_cluster *cluster, struct task_view *out, struct text *why)
{
    cluster->exit_code = EXIT_FAILED;
    if (!cluster->listed || !cluster->list.spec)
        return OK;
    return task_list_read(&cluster->list, out->task, &out->input,
                          cluster->wants.commands ? &out->command : NULL, why);
}

/* --- the source --- */

/* Whether the parent says what became of the task: here it ended without having been begun. */
static bool is_of_parent(const struct task_cluster *cluster, uint64_t task)
{
    return cluster->parent && !task_kept_has(&cluster->kept, task) &&
           task_view_is_end(task_states_of(&cluster->states, task));
}

static int cluster_get(void *context, uint64_t task, struct task_view *out, struct text *why)
{
    struct task_cluster *cluster = context;
    if (is_of_parent(cluster, task))
        return cluster_get(cluster->parent, task, out, why);
    *out = (struct task_view){.task = task, .exit = -1};
    cluster->exit_code = EXIT_FAILED;
    int error = task_kept_view(&cluster->kept, task, out, why);
    if (error == ERR_NOT_FOUND) {
        task_states_view(&cluster->states, task, out);
        error = OK;
    }
    return error ? error : add_input(cluster, out, why);
}

static int cluster_ended(void *context, struct task_view *out, struct text *why)
{
    struct task_cluster *cluster = context;
    *out = (struct task_view){.exit = -1};
    cluster->exit_code = EXIT_FAILED;
    int error = task_kept_next(&cluster->kept, out, why);
    return error ? error : add_input(cluster, out, why);
}

static void draw(struct task_cluster *cluster)
{
    const struct wire_job_row *row = task_cluster_row(cluster);
    struct task_sum sum = tasks_sum(row);
    if (cluster->wants.bar && tasks_are(row))
        bar_draw_tasks(&cluster->bar, &sum, clock_now_us());
}

/* All that is known after the job has ended. */
static int finish(struct task_cluster *cluster, struct text *why)
{
    int error = take_all(cluster, why);
    cluster->finished = !error;
    return error;
}

static int cluster_wait(void *context, struct text *why)
{
    struct task_cluster *cluster = context;
    uint64_t rows = cluster->kept.rows;
    int error = OK;
    while (!error && !cluster->finished && cluster->kept.rows == rows) {
        error = ask_row(cluster, cluster->bar.on ? BAR_WAIT_MS : WAIT_MS, why);
        if (error)
            break;
        draw(cluster);
        error = job_is_finished(task_cluster_row(cluster)) ? finish(cluster, why)
                                                           : take_segments(cluster, why);
    }
    bar_erase(&cluster->bar);
    return error || cluster->kept.rows > rows ? error : ERR_NOT_FOUND;
}

/* Where the task's bundle is, and how its bytes come. */
static int find_bundle(struct task_cluster *cluster, uint64_t task, struct task_bundle *bundle,
                       struct bundle_fetch *from, struct text *why)
{
    cluster->exit_code = EXIT_FAILED;
    *from = (struct bundle_fetch){fetch_chunk, cluster};
    return task_kept_bundle(&cluster->kept, task, bundle, why);
}

static int cluster_read(void *context, uint64_t task, enum task_stream_kind kind, uint64_t offset,
                        uint8_t *at, size_t len, struct text *why)
{
    struct task_cluster *cluster = context;
    struct task_bundle bundle;
    struct bundle_fetch from;
    if (is_of_parent(cluster, task))
        return cluster_read(cluster->parent, task, kind, offset, at, len, why);
    int error = find_bundle(cluster, task, &bundle, &from, why);
    if (error)
        return error;
    if (kind == TASK_STDERR ? bundle.err_len : bundle.out_len)
        return bundle_read_stream(&cluster->bundles, &from, &bundle, kind, offset, at, len, why);
    return task_kept_read(&cluster->kept, task, kind, offset, at, len, why);
}

static int cluster_file(void *context, uint64_t task, uint64_t file, struct task_source_file *out,
                        struct text *why)
{
    struct task_cluster *cluster = context;
    struct task_bundle bundle;
    struct bundle_fetch from;
    if (is_of_parent(cluster, task))
        return cluster_file(cluster->parent, task, file, out, why);
    int error = find_bundle(cluster, task, &bundle, &from, why);
    return error ? error : bundle_file(&cluster->bundles, &from, task, &bundle, file, out, why);
}

static int cluster_read_file(void *context, uint64_t task, uint64_t file, uint64_t offset,
                             uint8_t *at, size_t len, struct text *why)
{
    struct task_cluster *cluster = context;
    struct task_bundle bundle;
    struct bundle_fetch from;
    if (is_of_parent(cluster, task))
        return cluster_read_file(cluster->parent, task, file, offset, at, len, why);
    int error = find_bundle(cluster, task, &bundle, &from, why);
    return error ? error
                 : bundle_read_file(&cluster->bundles, &from, task, &bundle, file, offset, at, len,
                                    why);
}

/* --- opening --- */

static int open_at(struct conclave *connection, job_id_t job,
                   const struct task_cluster_wants *wants, unsigned depth,
                   struct task_cluster **out, struct text *why);

static int open_parent(struct task_cluster *cluster, unsigned depth, struct text *why)
{
    const struct wire_job_row *row = task_cluster_row(cluster);
    struct task_cluster_wants wants = cluster->wants;
    wants.bar = false;
    if (!wants.merged || !row->parent || depth == PARENTS_MAX)
        return OK;
    int error = open_at(cluster->connection, row->parent, &wants, depth + 1, &cluster->parent, why);
    if (!error)
        return OK;
    cluster->exit_code = cluster->parent->exit_code;
    task_cluster_destroy(&cluster->parent);
    if (cluster->exit_code != EXIT_NOT_FOUND)
        return error;
    *why = (struct text){0};
    cluster->forgotten = row->parent;
    return OK;
}

static int look(struct task_cluster *cluster, unsigned depth, struct text *why)
{
    char id[JOB_TEXT_MAX];
    int error = ask_row(cluster, 0, why);
    if (error)
        return error;
    const struct wire_job_row *row = task_cluster_row(cluster);
    if (!tasks_are(row)) {
        text_add(why, "job %s has operations, not tasks; `conclave job show %s --ops` lists them",
                 job_id_text(cluster->job, id), id);
        return fail(cluster, EXIT_USAGE, ERR_UNSUPPORTED);
    }
    cluster->source.total = row->tasks.at[0].total;
    task_kept_begin(&cluster->kept, cluster->source.total, cluster->wants.streams);
    cluster->finished = job_is_finished(row);
    error = take_all(cluster, why);
    if (!error)
        error = open_list(cluster, why);
    return error ? error : open_parent(cluster, depth, why);
}

static int open_at(struct conclave *connection, job_id_t job,
                   const struct task_cluster_wants *wants, unsigned depth,
                   struct task_cluster **out, struct text *why)
{
    struct task_cluster *cluster = *out = mem_new(1, sizeof *cluster);
    *cluster =
        (struct task_cluster){.connection = connection,
                              .job = job,
                              .wants = *wants,
                              .source = {.context = cluster,
                                         .get = cluster_get,
                                         .ended = cluster_ended,
                                         .wait = cluster_wait,
                                         .read = cluster_read,
                                         .file = cluster_file,
                                         .read_file = cluster_read_file},
                              .deadline_us = wants->deadline_us ? wants->deadline_us
                                                                : clock_now_us() + TIME_NEVER_US,
                              .exit_code = EXIT_FAILED,
                              .spool.fd = -1};
    if (wants->bar)
        bar_begin(&cluster->bar, clock_now_us());
    return look(cluster, depth, why);
}

int task_cluster_open(struct conclave *connection, job_id_t job,
                      const struct task_cluster_wants *wants, struct task_cluster **out)
{
    struct text why = {0};
    int error = open_at(connection, job, wants, 0, out, &why);
    return error ? task_cluster_fail(*out, &why) : EXIT_OK;
}

const struct task_source *task_cluster_source(const struct task_cluster *cluster)
{
    return &cluster->source;
}

const struct wire_job_row *task_cluster_row(const struct task_cluster *cluster)
{
    return &cluster->row->as.job.jobs.at[0];
}

int task_cluster_fail(const struct task_cluster *cluster, const struct text *why)
{
    return connection_fail(cluster->connection,
                           cluster->exit_code ? cluster->exit_code : EXIT_FAILED, "%s", why->at);
}

void task_cluster_set_deadline(struct task_cluster *cluster, uint64_t deadline_us)
{
    cluster->deadline_us = deadline_us;
}

job_id_t task_cluster_forgotten(const struct task_cluster *cluster)
{
    while (cluster && !cluster->forgotten)
        cluster = cluster->parent;
    return cluster ? cluster->forgotten : JOB_NONE;
}

void task_cluster_destroy(struct task_cluster **cluster)
{
    struct task_cluster *it = *cluster;
    *cluster = NULL;
    if (!it)
        return;
    task_cluster_destroy(&it->parent);
    task_kept_clear(&it->kept);
    bundle_reader_clear(&it->bundles);
    task_states_clear(&it->states);
    task_list_clear(&it->list);
    spool_clear(&it->spool);
    message_drop(&it->row);
    free(it);
}

/* The rows and outputs of a job's tasks, from a broker that is a thread of the test: what is asked
 * for, how often, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/ask/interrupt.h"
#include "clients/map/outputs.h"
#include "clients/map/task_cluster_told.h"
#include "shared/base/task_row.h"
#include "shared/bus/bus.h"
#include "tests/harness/fake_broker.h"

enum { JOB = 7, PARENT = 5, TASKS_OF_JOB = 4 };

/* A job, one of whose tasks ends whenever somebody waits for it; each is a segment. */
struct fake_job {
    uint64_t id, parent;
    uint64_t order[TASKS_OF_JOB + 1]; /* in which tasks end; 0: no more */
    uint64_t failed;                  /* which of them fails; 0: none */
    uint64_t ended;                   /* so many of them have */
    uint64_t inherited;               /* a bit for each task that was done in the parent */
    bool running;                     /* for ever: nothing more comes */
};

struct broker {
    struct fake_broker thread;
    struct fake_job jobs[2];
    bool rots, forbids, operations;
    bool hurries; /* a task ends after each question about what has ended */
};

static struct broker broker;

static bool is_finished(const struct fake_job *job)
{
    return !job->order[job->ended] && !job->running;
}

static bool has_ended(const struct fake_job *job, uint64_t task)
{
    for (uint64_t i = 0; i < job->ended; i++)
        if (job->order[i] == task)
            return true;
    return job->inherited & 1u << task;
}

/* Task 3 of job 7 writes "7.3", and to stderr "e3". */
static size_t write_segment(const struct fake_job *job, size_t number, uint8_t *at)
{
    char out[16], err[16];
    uint64_t task = job->order[number];
    struct task_row row = {.first = task,
                           .count = 1,
                           .state = job->failed == task ? 2 : 1,
                           .node = 1,
                           .attempts = 1,
                           .exit = job->failed == task};
    text_format(out, sizeof out, "%d.%d\n", (int)job->id, (int)task);
    text_format(err, sizeof err, "e%d\n", (int)task);
    row.out = (struct task_stream){.bytes = strlen(out), .at = slice_of(out)};
    row.err = (struct task_stream){.bytes = strlen(err), .at = slice_of(err)};
    hash_bytes(out, strlen(out), row.out.hash);
    hash_bytes(err, strlen(err), row.err.hash);
    return task_row_write(at, &row);
}

/* --- answers --- */

static struct message *answer_job(struct broker *it, struct fake_job *job,
                                  const struct message *request)
{
    struct message *message = message_new(MESSAGE_JOB);
    struct wire_job *body = &message->as.job;
    bool waits = request->as.job_get.wait_ms;
    if (waits && job->order[job->ended])
        job->ended++;
    body->jobs.at = message_room(message, 1, sizeof *body->jobs.at);
    body->jobs.n = 1;
    struct wire_job_row *row = &body->jobs.at[0];
    *row = (struct wire_job_row){.job = job->id,
                                 .key = slice_of("k"),
                                 .kind = slice_of("empty"),
                                 .spec = slice_of("4"),
                                 .state = slice_of(is_finished(job) ? "done" : "running"),
                                 .total = TASKS_OF_JOB,
                                 .parent = job->parent};
    row->tasks.at = message_room(message, 1, sizeof *row->tasks.at);
    row->tasks.at[0] = (struct wire_task_counts){.total = TASKS_OF_JOB, .done = job->ended};
    row->tasks.n = !it->operations;
    return message;
}

static struct message *answer_tasks(const struct fake_job *job)
{
    struct message *message = message_new(MESSAGE_TASK_PAGE);
    struct wire_task_page *page = &message->as.task_page;
    page->counts.at = message_room(message, 1, sizeof *page->counts.at);
    page->counts.at[0].total = TASKS_OF_JOB;
    page->counts.n = 1;
    page->rows.at = message_room(message, TASKS_OF_JOB, sizeof *page->rows.at);
    for (uint64_t task = 1; task <= TASKS_OF_JOB; task++)
        page->rows.at[page->rows.n++] = (struct wire_task_exception){
            .first = task,
            .count = 1,
            .state = slice_of(!has_ended(job, task) ? is_finished(job) ? "cancelled" : "queued"
                              : job->failed == task ? "failed"
                                                    : "done")};
    return message;
}

static struct message *answer_segments(const struct fake_job *job, uint64_t from)
{
    struct message *message = message_new(MESSAGE_SEGMENT_PAGE);
    struct wire_segment_page *page = &message->as.segment_page;
    page->total = job->ended;
    page->segments.at = message_room(message, TASKS_OF_JOB, sizeof *page->segments.at);
    for (uint64_t i = from; i < job->ended && page->segments.n < 1; i++) { /* one a page */
        uint8_t at[512], hash[HASH_BYTES];
        size_t len = write_segment(job, i, at);
        hash_bytes(at, len, hash);
        page->segments.at[page->segments.n++] =
            (struct wire_task_segment){.op = i + 1,
                                       .len = len,
                                       .hash =
                                           message_copy(message, (struct slice){hash, HASH_BYTES}),
                                       .first = job->order[i],
                                       .last = job->order[i]};
    }
    return message;
}

static struct message *answer_chunk(const struct broker *it, const struct fake_job *job,
                                    const struct wire_segment_get *ask)
{
    struct message *message = message_new(MESSAGE_SEGMENT_CHUNK);
    uint8_t at[512];
    size_t len = write_segment(job, (size_t)ask->op - 1, at), half = len / 2;
    if (it->rots)
        at[len - 1] ^= 1;
    size_t n = ask->offset ? len - (size_t)ask->offset : half; /* two chunks each */
    struct blob *bytes = blob_copy(at + ask->offset, n);
    message->as.segment_chunk = (struct wire_segment_chunk){.offset = ask->offset, .total = len};
    message_add_frame(message, bytes);
    blob_drop(&bytes);
    return message;
}

static void hurry(const struct broker *it, struct fake_job *job)
{
    if (it->hurries && job->order[job->ended])
        job->ended++;
}

static struct message *answer(void *test, const struct message *request)
{
    struct broker *it = test;
    uint64_t id = request->as.job_get.job; /* in all of these at the same place */
    struct fake_job *job = id == it->jobs[0].id   ? &it->jobs[0]
                           : id == it->jobs[1].id ? &it->jobs[1]
                                                  : NULL;
    if (request->type == MESSAGE_SEGMENT_GET)
        job = request->as.segment_get.job == it->jobs[0].id ? &it->jobs[0] : &it->jobs[1];
    if (!job)
        return fake_broker_refuse("not_found");
    struct message *page;
    switch (request->type) {
    case MESSAGE_JOB_GET:
        return answer_job(it, job, request);
    case MESSAGE_JOB_TASKS:
        page = answer_tasks(job);
        hurry(it, job);
        return page;
    case MESSAGE_JOB_SEGMENTS:
        page = it->forbids ? fake_broker_refuse("forbidden")
                           : answer_segments(job, request->as.job_segments.from);
        hurry(it, job);
        return page;
    case MESSAGE_SEGMENT_GET:
        return answer_chunk(it, job, &request->as.segment_get);
    default:
        return fake_broker_refuse("invalid");
    }
}

/* --- the scene --- */

static struct cli cli;

static void begin(struct fake_job job, struct fake_job parent)
{
    char why[TEXT_MAX];
    cli = (struct cli){.connection = {.insecure = true,
                                      .timeout_us = 10 * SECOND_US,
                                      .make_context = bus_open,
                                      .end_context = bus_close},
                       .timeout_given = true};
    broker = (struct broker){.jobs = {job, parent}, .thread = {.answer = answer, .test = &broker}};
    fake_broker_bind(&broker.thread, cli_context(&cli));
    assert_int_equal(addresses_parse(broker.thread.address, &cli.connection.brokers, why), OK);
}

static void start(void)
{
    fake_broker_start(&broker.thread);
}

static void end(void)
{
    fake_broker_end(&broker.thread);
    cli_close(&cli);
}

static char *write_all(struct task_cluster *cluster, struct outputs *outputs, int expected)
{
    static const struct task_choice all;
    struct text why = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    outputs->source = task_cluster_source(cluster);
    outputs->choice = &all;
    assert_int_equal(outputs_write(outputs, out, &why), expected);
    fclose(out);
    return text;
}

static const struct task_cluster_wants wants_both = {.streams = {true, true}};

/* --- tests --- */

static void segments_are_read_once_while_the_job_runs(void **state)
{
    (void)state;
    struct task_cluster *cluster = NULL;
    struct outputs outputs = {.streams = {true, true}, .wait = true};
    begin((struct fake_job){.id = JOB, .order = {3, 1, 4, 2}, .failed = 4}, (struct fake_job){0});
    start();
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants_both, &cluster), EXIT_OK);
    char *text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "7.1\ne1\n7.2\ne2\n7.3\ne3\n7.4\ne4\n");
    free(text);
    outputs.unordered = true;
    text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "7.3\ne3\n7.1\ne1\n7.4\ne4\n7.2\ne2\n");
    free(text);
    assert_true(slice_equals(task_cluster_row(cluster)->state, "done"));
    task_cluster_destroy(&cluster);
    end();
    assert_int_equal(broker.thread.asked[MESSAGE_SEGMENT_GET], 2 * TASKS_OF_JOB);
}

static void nothing_is_lost_that_ends_between_two_questions(void **state)
{
    (void)state;
    struct task_cluster *cluster = NULL;
    struct outputs outputs = {.streams = {true, false}, .wait = true};
    begin((struct fake_job){.id = JOB, .order = {1, 2, 3, 4}}, (struct fake_job){0});
    broker.hurries = true;
    start();
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants_both, &cluster), EXIT_OK);
    char *text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "7.1\n7.2\n7.3\n7.4\n");
    free(text);
    task_cluster_destroy(&cluster);
    end();
}

static void what_did_not_end_has_its_state(void **state)
{
    (void)state;
    struct task_cluster *cluster = NULL;
    struct task_view view;
    struct text why = {0};
    begin((struct fake_job){.id = JOB, .order = {2}, .ended = 1, .running = true},
          (struct fake_job){0});
    start();
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants_both, &cluster), EXIT_OK);
    const struct task_source *source = task_cluster_source(cluster);
    assert_int_equal(source->total, TASKS_OF_JOB);
    assert_int_equal(source->get(source->context, 1, &view, &why), OK);
    assert_int_equal(view.state, VIEW_QUEUED);
    assert_int_equal(source->get(source->context, 2, &view, &why), OK);
    assert_int_equal(view.state, VIEW_DONE);
    broker.jobs[0].running = false; /* it was cancelled; the thread answers nothing meanwhile */
    assert_int_equal(source->wait(source->context, &why), ERR_NOT_FOUND);
    assert_int_equal(source->wait(source->context, &why), ERR_NOT_FOUND);
    assert_int_equal(source->get(source->context, 1, &view, &why), OK);
    assert_int_equal(view.state, VIEW_CANCELLED);
    task_cluster_destroy(&cluster);
    end();
}

static void a_retry_is_merged_with_what_it_repeats(void **state)
{
    (void)state;
    struct task_cluster *cluster = NULL;
    struct outputs outputs = {.streams = {true, false}};
    struct task_cluster_wants wants = wants_both;
    const struct fake_job parent = {.id = PARENT, .order = {1, 2, 3, 4}, .ended = 4, .failed = 2},
                          job = {.id = JOB,
                                 .parent = PARENT,
                                 .order = {2},
                                 .ended = 1,
                                 .inherited = 1u << 1 | 1u << 3 | 1u << 4};
    begin(job, parent);
    start();
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants, &cluster), EXIT_OK);
    char *text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "7.2\n");
    free(text);
    task_cluster_destroy(&cluster);
    wants.merged = true;
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants, &cluster), EXIT_OK);
    text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "5.1\n7.2\n5.3\n5.4\n");
    free(text);
    task_cluster_destroy(&cluster);
    end();
    /* What is forgotten is gone, and no error. */
    begin(job, (struct fake_job){0});
    start();
    assert_int_equal(task_cluster_open_told(&cli, JOB, &wants, &cluster), EXIT_OK);
    text = write_all(cluster, &outputs, OK);
    assert_string_equal(text, "7.2\n");
    free(text);
    task_cluster_destroy(&cluster);
    end();
}

static int open_wrong(struct task_cluster **cluster)
{
    start();
    int code = task_cluster_open_told(&cli, JOB, &wants_both, cluster);
    task_cluster_destroy(cluster);
    end();
    return code;
}

static void what_is_wrong_is_an_exit_code(void **state)
{
    (void)state;
    struct task_cluster *cluster = NULL;
    const struct fake_job job = {.id = JOB, .order = {1, 2}, .ended = 2};
    begin(job, (struct fake_job){0});
    broker.rots = true;
    assert_int_equal(open_wrong(&cluster), EXIT_FAILED);
    begin(job, (struct fake_job){0});
    broker.forbids = true;
    assert_int_equal(open_wrong(&cluster), EXIT_KEY_REFUSED);
    begin(job, (struct fake_job){0});
    broker.operations = true;
    assert_int_equal(open_wrong(&cluster), EXIT_USAGE);
    begin((struct fake_job){.id = PARENT}, (struct fake_job){0});
    assert_int_equal(open_wrong(&cluster), EXIT_NOT_FOUND);
}

static int open_interrupts(void **state)
{
    (void)state;
    interrupt_open();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_read_once_while_the_job_runs),
        cmocka_unit_test(nothing_is_lost_that_ends_between_two_questions),
        cmocka_unit_test(what_did_not_end_has_its_state),
        cmocka_unit_test(a_retry_is_merged_with_what_it_repeats),
        cmocka_unit_test(what_is_wrong_is_an_exit_code),
    };
    return cmocka_run_group_tests(tests, open_interrupts, NULL);
}

#include "clients/ask/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clients/show/bar.h"
#include "clients/show/inputs_told.h"
#include "clients/ask/session.h"
#include "clients/ask/single.h"
#include "shared/base/clock.h"

/* Jobs between the first one that is not reported and the last one submitted. */
#define WINDOW              128
#define SESSION_IDLE_US     (60 * SECOND_US) /* without a key: then a new one is opened */
#define SESSION_PATIENCE_US SECOND_US
#define FOLLOW_MS           100 /* how often a growing file is looked at */
#define PROGRESS_MS         200 /* how often a terminal is drawn */

struct flight {
    const struct batch *batch;
    struct client *client;
    struct submission *ring[WINDOW];
    uint64_t first, next; /* reported, started */
    struct bar bar;
    bool drained;               /* no more jobs will come */
    struct session_key session; /* of the keys; id 0: none yet */
    uint64_t renew_us;          /* when the next key needs another one */
    uint64_t deadline_us;       /* of the whole call */
    int code;
};

static void note_code(struct flight *flight, int code)
{
    flight->code = flight->code ? flight->code : code;
}

static void launch(struct flight *flight, struct submission *submission)
{
    submission->no_wait = flight->batch->no_wait;
    submission->plan = flight->batch->plan;
    submission->poll_us = CLIENT_POLL_MS * MS_US;
    submission->deadline_us = flight->deadline_us;
    flight->ring[flight->next++ % WINDOW] = submission;
    submission_start(submission, flight->client);
}

/* One that was idle may have been evicted: then even a new key of it would be refused. Without a
 * session, for there is no coordinator yet, free keys do. */
static void make_key(struct flight *flight, char at[JOB_KEY_TEXT_MAX])
{
    uint64_t now_us = clock_now_us();
    if (now_us >= flight->renew_us &&
        session_open(flight->client, 0, now_us + SESSION_PATIENCE_US, &flight->session))
        flight->session.id = 0;
    if (flight->session.id || now_us >= flight->renew_us)
        flight->renew_us = clock_now_us() + SESSION_IDLE_US;
    if (flight->session.id)
        session_next_key(&flight->session, at);
    else
        jobspec_new_key(at);
}

/* Uploads what a line names. False: that failed, and the line is reported. */
static bool prepare(struct flight *flight, struct submission *submission)
{
    bar_erase(&flight->bar);
    int code = submission_prepare_told(flight->batch->cli, submission);
    if (!code)
        return true;
    cli_note("line %" PRIu64 ": it was not submitted", submission->line);
    note_code(flight, code);
    submission_clear(submission);
    free(submission);
    return false;
}

static void fill_window(struct flight *flight)
{
    struct jobfile *file = flight->batch->file;
    char why[TEXT_MAX];
    if (flight->drained)
        return;
    jobfile_fill(file);
    while (flight->next - flight->first < WINDOW && clock_now_us() < flight->deadline_us) {
        struct jobspec spec;
        int error = jobfile_next(file, &spec, why);
        if (error == ERR_NOT_FOUND) {
            flight->drained = file->ended;
            return;
        }
        if (error) {
            bar_erase(&flight->bar);
            note_code(flight, cli_fail(EXIT_USAGE, "line %" PRIu64 ": %s", file->line, why));
            continue;
        }
        struct submission *submission = mem_new(1, sizeof *submission);
        submission->spec = spec;
        submission->line = file->line;
        if (spec.inputs && !prepare(flight, submission))
            continue;
        make_key(flight, submission->key);
        launch(flight, submission);
    }
}

static void report_ended(struct flight *flight)
{
    while (flight->first < flight->next && flight->ring[flight->first % WINDOW]->ended) {
        struct submission *submission = flight->ring[flight->first++ % WINDOW];
        bar_erase(&flight->bar);
        note_code(flight,
                  report_submission(flight->batch->cli, submission, &flight->batch->report));
        fflush(stdout);
        submission_clear(submission);
        free(submission);
    }
}

static void draw(struct flight *flight)
{
    const struct batch *batch = flight->batch;
    uint64_t now_us = clock_now_us();
    if (batch->n_jobs)
        bar_draw(&flight->bar, flight->first, batch->n_jobs, "jobs", now_us);
}

/* Returns ERR_INTERRUPTED when a signal ended it, OK when all is done. */
static int fly(struct flight *flight)
{
    for (;;) {
        fill_window(flight);
        if (flight->first == flight->next && flight->drained)
            return OK;
        uint64_t pause_ms = flight->batch->file->follow ? FOLLOW_MS : PROGRESS_MS;
        int error = client_work(flight->client, clock_now_us() + pause_ms * MS_US);
        for (struct client_call *call; (call = client_finished(flight->client));)
            submission_take(call->context, flight->client, call);
        if (error == ERR_INTERRUPTED)
            return error;
        report_ended(flight);
        draw(flight);
        /* Jobs end by the same deadline; a file that is followed does not end. */
        if (clock_now_us() >= flight->deadline_us && flight->first == flight->next)
            return flight->drained ? OK : ERR_TIMEOUT;
    }
}

/* After a signal: whoever follows a file ends it that way; what is submitted goes on without us. */
static int leave(struct flight *flight)
{
    const struct batch *batch = flight->batch;
    uint64_t open = flight->next - flight->first;
    if (open)
        single_note_open(open);
    for (; flight->first < flight->next; flight->first++) {
        struct submission *submission = flight->ring[flight->first % WINDOW];
        submission_clear(submission);
        free(submission);
    }
    return batch->file->follow ? flight->code : cli_interrupted();
}

static int end_in_time(const struct flight *flight)
{
    int code = cli_fail(EXIT_TIMEOUT, "--timeout has passed; what is left of the file was not "
                                      "submitted");
    return flight->code ? flight->code : code;
}

int batch_run(const struct batch *batch)
{
    struct flight *flight = mem_new(1, sizeof *flight);
    flight->batch = batch;
    flight->client = cli_client(batch->cli);
    flight->deadline_us = cli_wait_deadline_us(batch->cli);
    bar_begin(&flight->bar, clock_now_us());
    int error = fly(flight);
    bar_erase(&flight->bar);
    int code = error == ERR_TIMEOUT ? end_in_time(flight) : error ? leave(flight) : flight->code;
    free(flight);
    return code;
}

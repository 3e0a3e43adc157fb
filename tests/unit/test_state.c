/* The replicated state through its door: all of it is saved and loaded, and what
 * differs is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/session_key.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/harness/reload.h"
#include "tests/harness/stored.h"
#include "tests/harness/task_entries.h"

#define TERM     ((term_t)3)
#define TOKEN    77
#define NAMES    220 /* of fields, of all tables */
#define OPEN_JOB (TERM << JOB_INDEX_BITS | 1)
#define DONE_JOB (TERM << JOB_INDEX_BITS | 2)
#define BAD_JOB  (TERM << JOB_INDEX_BITS | 3)

/* --- a state in which nothing is zero --- */

static void begin(struct step *step, struct state *state)
{
    *step = (struct step){.config = {.id = 1,
                                     .n_nodes = 3,
                                     .n_voters = 3,
                                     .keys = {.snaps = 2, .sessions = 4, .block = 2, .blocks = 3}},
                          .identity = {.cluster_id = {1}},
                          .term = TERM,
                          .now_us = SECOND_US};
    *state = (struct state){0};
    state_init(state, step);
}

static void apply(struct state *state, struct message *entry)
{
    assert_true(state_entry_is_valid(entry));
    state_apply(state, state->applied + 1, TERM, entry);
    message_drop(&entry);
    state_check_invariants(state);
}

static void submit(struct state *state, const char *key, const char *spec, unsigned level)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, spec),
                                          .level = level,
                                          .time_ms = 1000,
                                          .owner = message_text(entry, "alice")};
    apply(state, entry);
}

static void fill_done(struct message *entry, job_id_t job, size_t n_ops)
{
    struct wire_done *done = &entry->as.done;
    done->job = job;
    done->executed = 11;
    done->reassigned = 2;
    done->tallies.n = 1;
    done->tallies.at = message_room(entry, 1, sizeof *done->tallies.at);
    done->tallies.at[0] = (struct wire_tally){
        .node = 2, .operations = 4, .conversions = 1, .incarnation = 9, .executed = 7};
    done->losses.n = 2;
    done->losses.at = message_room(entry, 2, sizeof *done->losses.at);
    done->losses.at[0] = (struct wire_loss){.node = 3, .values = 2, .operations = 5, .us = 700};
    done->losses.at[1] = (struct wire_loss){.node = 1, .values = 1, .operations = 1, .us = 9};
    done->ops.n = n_ops;
    done->ops.at = message_room(entry, n_ops, sizeof *done->ops.at);
}

/* Two live results: the value of one is in the log, that of the other on all disks. */
static void log_results(struct state *state, job_id_t job)
{
    static const uint8_t hash[HASH_BYTES] = {5, 6, 7};
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    struct blob *value = blob_copy("value", 5);
    fill_done(entry, job, 2);
    entry->as.entry_ops_done.source = 1;
    entry->as.done.ops.at[0] = (struct wire_done_op){.op = 26,
                                                     .unit = true,
                                                     .node = 2,
                                                     .attempt = 3,
                                                     .len = value->len,
                                                     .frame = message_add_frame(entry, value)};
    entry->as.done.ops.at[1] =
        (struct wire_done_op){.op = 27,
                              .unit = true,
                              .node = 3,
                              .attempt = 1,
                              .len = 9,
                              .hash = message_copy(entry, (struct slice){hash, sizeof hash})};
    blob_drop(&value);
    apply(state, entry);
}

static void finish_job(struct state *state, job_id_t job)
{
    static const uint8_t hash[HASH_BYTES] = {1, 2, 3};
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    fill_done(entry, job, 0);
    done->source = 1;
    done->time_ms = 2000;
    done->digits = 7;
    done->converter = 2;
    done->sha256 = message_copy(entry, (struct slice){hash, sizeof hash});
    done->text = message_text(entry, "3628800");
    done->head = message_text(entry, "362");
    done->tail = message_text(entry, "800");
    apply(state, entry);
}

static void fail_job(struct state *state, job_id_t job)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_FAILED);
    entry->as.entry_job_failed =
        (struct wire_entry_job_failed){.job = job,
                                       .time_ms = 3000,
                                       .reason = message_text(entry, "refused by all")};
    apply(state, entry);
}

static void set_progress(struct state *state, const char *snap)
{
    struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SET);
    entry->as.entry_progress_set =
        (struct wire_entry_progress_set){.index = 3, .state = 17 + state->progress.snapshots};
    apply(state, entry);
    entry = message_new(MESSAGE_ENTRY_PROGRESS_SNAPPED);
    entry->as.entry_progress_snapped.key = message_text(entry, snap);
    apply(state, entry);
}

static void set_retention(struct state *state, uint64_t jobs, uint64_t bytes)
{
    struct message *entry = message_new(MESSAGE_ENTRY_RETENTION_SET);
    entry->as.entry_retention_set = (struct wire_entry_retention_set){.jobs = jobs, .bytes = bytes};
    apply(state, entry);
}

static void set_access(struct state *state, uint64_t version, const char *list)
{
    struct message *entry = message_new(MESSAGE_ENTRY_ACCESS_CHANGED);
    entry->as.entry_access_changed.version = version;
    entry->as.entry_access_changed.list = message_text(entry, list);
    apply(state, entry);
}

static void open_session(struct state *state)
{
    char key[SESSION_KEY_MAX + 1];
    struct message *entry = message_new(MESSAGE_ENTRY_SESSION_OPENED);
    entry->as.entry_session_opened.token = TOKEN;
    apply(state, entry);
    session_key_write(key, (struct session_key){.id = state->keys.newest->id,
                                                .token = TOKEN,
                                                .sequence = 4});
    keys_forget(&state->keys, KEY_OF_JOB, slice_of(key));
}

static void fill(struct state *state)
{
    submit(state, "open", "100", 1);
    submit(state, "done", "10", 0);
    submit(state, "failed", "20", 0);
    log_results(state, OPEN_JOB);
    set_retention(state, 100, 1000);
    set_access(state, 7, "a list");
    set_access(state, 6, "an older one");
    assert_true(state->access_list.version == 7 && state->access_list.bytes->len == 6);
    finish_job(state, DONE_JOB);
    fail_job(state, BAD_JOB);
    apply(state, message_new(MESSAGE_ENTRY_NOOP));
    set_progress(state, "snap-1");
    set_progress(state, "snap-2");
    set_progress(state, "snap-3"); /* the first one is forgotten ... */
    keys_forget(&state->keys, KEY_OF_JOB, slice_of("forgotten-1")); /* ... a block is sealed */
    keys_forget(&state->keys, KEY_OF_JOB, slice_of("forgotten-2"));
    keys_forget(&state->keys, KEY_OF_JOB, slice_of("forgotten-3")); /* ... another one */
    keys_forget(&state->keys, KEY_OF_JOB, slice_of("forgotten-4")); /* stays in the open block */
    open_session(state);
    stored_fill(state, TERM);
    for (node_id_t id = 1; id <= 3; id++)
        state->head.births[id] = 100 + id;
    task_entries_fill(state, TERM);
    state_check_invariants(state);
}

/* --- which fields were seen with something in them --- */

struct seen {
    const char *names[NAMES];
    bool set[NAMES];
    size_t n;
};

static void note(void *context, const char *name, bool same)
{
    struct seen *seen = context;
    size_t at = 0;
    while (at < seen->n && strcmp(seen->names[at], name) != 0)
        at++;
    assert_true(at < NAMES);
    seen->n += at == seen->n;
    seen->names[at] = name;
    seen->set[at] = seen->set[at] || !same;
}

static bool has(const struct seen *seen, const char *of)
{
    for (size_t i = 0; i < seen->n; i++)
        if (!strncmp(seen->names[i], of, strlen(of)))
            return true;
    return false;
}

/* --- saving and loading --- */

static void all_of_a_state_is_saved_and_loaded(void **unused)
{
    static const char *const structs[] = {"state.",         "head.",         "snaps.",
                                          "jobs.",          "job.",          "done_op.",
                                          "job_loss.",      "job_losses.",   "snap_key.",
                                          "keys.",          "key_session.",  "key_window.",
                                          "key_block.",     "progress.",     "progress_mark.",
                                          "retention.",     "access_list.",  "finished_jobs.",
                                          "task_job.",      "task_jobs.",    "task_exception.",
                                          "task_start.",    "task_segment.", "task_options.",
                                          "stored_values.", "stored_value.", "stored_segment."};
    struct step step;
    struct state state, empty;
    struct seen seen = {0};
    (void)unused;
    begin(&step, &empty);
    begin(&step, &state);
    fill(&state);
    /* A field that is new must be filled here, too: else nobody knows whether it is saved. */
    state_compare(&state, &empty, note, &seen);
    for (size_t i = 0; i < seen.n; i++)
        if (!seen.set[i])
            fail_msg("%s is zero in all rows of this test", seen.names[i]);
    for (size_t i = 0; i < sizeof structs / sizeof *structs; i++)
        assert_true(has(&seen, structs[i]));
    struct state *loaded = reload_state(&step, &state);
    const char *differs = state_differs(&state, loaded);
    if (differs)
        fail_msg("%s is not saved, or not loaded", differs);
    assert_true(state_digest(&state) == state_digest(loaded));
    /* And what is replaced by it goes on from there. */
    checkpoint_replace_state(&empty, &loaded);
    submit(&empty, "next", "5", 0);
    submit(&state, "next", "5", 0);
    assert_null(state_differs(&state, &empty));
    state_clear(&empty);
    state_clear(&state);
}

static void what_differs_is_named(void **unused)
{
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state);
    fill(&state);
    struct state *other = reload_state(&step, &state);
    struct job *job = jobs_find(&other->jobs, OPEN_JOB);
    job->executed++;
    assert_string_equal(state_differs(&state, other), "job.executed");
    assert_true(state_digest(&state) != state_digest(other));
    job->executed--;
    job->trace[30].attempt++;
    assert_string_equal(state_differs(&state, other), "job.trace");
    job->trace[30].attempt--;
    struct done_op *live = map_get(&job->live, (struct map_key){26, 0});
    live->value->at[0]++; /* the value alone: neither length nor hash tells of it */
    assert_string_equal(state_differs(&state, other), "done_op.value");
    live->value->at[0]--;
    other->keys.oldest->watermark++;
    assert_string_equal(state_differs(&state, other), "key_session.watermark");
    other->keys.oldest->watermark--;
    assert_null(state_differs(&state, other));
    submit(other, "one-more", "5", 0);
    assert_non_null(state_differs(&state, other));
    checkpoint_scratch_drop(&other);
    state_clear(&state);
}

/* When marks that nobody can read any more are forgotten depends on the room that a node has. */
static void what_cannot_be_read_is_not_compared(void **unused)
{
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state);
    step.config.progress_snaps_max = 2;
    state_init(&state, &step);
    fill(&state);
    struct state *loaded = reload_state(&step, &state);
    struct progress_node *node = progress_find(&state.progress, 3);
    for (uint64_t i = 0; i < 3; i++) {
        progress_set_state(&state.progress, 3, 100 + i);
        progress_snap(&state.progress);
        progress_set_state(&loaded->progress, 3, 100 + i);
        progress_snap(&loaded->progress);
    }
    loaded->progress.snaps_max = 2;
    assert_true(progress_first_mark(&state.progress, node) > 0);
    node->marks[0].state++;
    assert_null(state_differs(&state, loaded));
    node->marks[node->n - 1].state++;
    assert_string_equal(state_differs(&state, loaded), "progress_mark.state");
    checkpoint_scratch_drop(&loaded);
    state_clear(&state);
}

/* Packs the message (takes it) and loads it. */
static int load_part(struct state *state, struct message *message)
{
    struct blob *packed = codec_pack(message);
    int error = checkpoint_load_part(state, (struct slice){packed->at, packed->len}, NULL, NULL);
    blob_drop(&packed);
    message_drop(&message);
    return error;
}

/* One with a zero byte in it is another key as text than as bytes: it would be found under neither.
 * No client can send one, but a damaged disk or a wrong peer can. */
static void a_key_is_printable(void **state)
{
    static const char *const wrong[] = {"", "\0b", "a\0b", "a b", "a\n", "\x80"};
    static const size_t lengths[] = {0, 2, 3, 3, 2, 1};
    struct step step;
    struct state it;
    (void)state;
    begin(&step, &it);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct slice key = {(const uint8_t *)wrong[i], lengths[i]};
        struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
        entry->as.entry_job_submitted =
            (struct wire_entry_job_submitted){.key = message_copy(entry, key),
                                              .kind = message_text(entry, "factorial"),
                                              .spec = message_text(entry, "10")};
        assert_false(state_entry_is_valid(entry));
        message_drop(&entry);
        entry = message_new(MESSAGE_ENTRY_PROGRESS_SNAPPED);
        entry->as.entry_progress_snapped.key = message_copy(entry, key);
        assert_false(state_entry_is_valid(entry));
        message_drop(&entry);
    }
    state_clear(&it);
}

/* The same of a checkpoint. */
static void keys_in_a_checkpoint_are_printable(void **state)
{
    struct step step;
    struct state it;
    struct slice key = {(const uint8_t *)"a\0b", 3};
    (void)state;
    begin(&step, &it);
    struct message *head = message_new(MESSAGE_IMAGE_HEAD),
                   *snaps = message_new(MESSAGE_IMAGE_SNAPS);
    struct message *job = message_new(MESSAGE_IMAGE_JOB);
    head->as.image_head.index = head->as.image_head.index_term = 1;
    snaps->as.image_snaps.key = message_copy(snaps, key);
    job->as.image_job.jobs.n = 1;
    job->as.image_job.jobs.at = message_room(job, 1, sizeof *job->as.image_job.jobs.at);
    job->as.image_job.jobs.at[0] = (struct wire_job_row){.job = 7,
                                                         .key = message_copy(job, key),
                                                         .kind = message_text(job, "factorial"),
                                                         .spec = message_text(job, "10"),
                                                         .state = message_text(job, "queued")};
    assert_int_equal(load_part(&it, head), OK);
    assert_int_equal(load_part(&it, snaps), ERR_MALFORMED);
    assert_int_equal(load_part(&it, job), ERR_MALFORMED);
    state_clear(&it);
}

/* A client that asks for the rest of a result after its text's end would have been given other
 * memory. */
static void a_text_is_as_long_as_its_digits(void **state)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    (void)state;
    for (uint64_t digits = 2; digits <= 4; digits++) {
        struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
        entry->as.entry_job_done.sha256 = (struct slice){hash, sizeof hash};
        entry->as.entry_job_done.digits = digits;
        entry->as.entry_job_done.text = message_text(entry, "720");
        assert_int_equal(state_entry_is_valid(entry), digits == 3);
        message_drop(&entry);
    }
}

/* A part with one job, which is in order. */
static struct message *make_job(job_id_t id, const char *state)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct message *job = message_new(MESSAGE_IMAGE_JOB);
    job->as.image_job.jobs.n = 1;
    job->as.image_job.jobs.at = message_room(job, 1, sizeof *job->as.image_job.jobs.at);
    job->as.image_job.jobs.at[0] =
        (struct wire_job_row){.job = id,
                              .key = message_text(job, state),
                              .kind = message_text(job, "factorial"),
                              .spec = message_text(job, "6"),
                              .state = message_text(job, state),
                              .digits = slice_equals(slice_of(state), "done") ? 3 : 0,
                              .sha256 = (struct slice){hash, sizeof hash}};
    return job;
}

static void add_tally(struct message *job)
{
    job->as.image_job.tallies.n = 1;
    job->as.image_job.tallies.at = message_room(job, 1, sizeof(struct wire_tally));
    job->as.image_job.tallies.at[0] = (struct wire_tally){.node = 1, .incarnation = 7};
}

static void a_job_in_a_checkpoint_is_as_its_state_says(void **state)
{
    struct step step;
    struct state it;
    (void)state;
    begin(&step, &it);
    struct message *head = message_new(MESSAGE_IMAGE_HEAD), *job;
    head->as.image_head.index = 5;
    head->as.image_head.index_term = TERM;
    assert_int_equal(load_part(&it, head), OK);
    job = make_job(OPEN_JOB, "queued"); /* and has a result */
    job->as.image_job.jobs.at[0].text = message_text(job, "720");
    assert_int_equal(load_part(&it, job), ERR_MALFORMED);
    job = make_job(OPEN_JOB, "done"); /* and its text is not all of it */
    job->as.image_job.jobs.at[0].text = message_text(job, "72");
    assert_int_equal(load_part(&it, job), ERR_MALFORMED);
    job = make_job(OPEN_JOB, "failed"); /* and somebody works for it */
    add_tally(job);
    assert_int_equal(load_part(&it, job), ERR_MALFORMED);
    assert_int_equal(load_part(&it, make_job(TERM << JOB_INDEX_BITS | 6, "queued")),
                     ERR_MALFORMED); /* of an entry that is still to come */
    job = make_job(OPEN_JOB, "queued");
    add_tally(job);
    assert_int_equal(load_part(&it, job), OK);
    job = make_job(DONE_JOB, "done");
    job->as.image_job.jobs.at[0].text = message_text(job, "720");
    assert_int_equal(load_part(&it, job), OK);
    state_check_invariants(&it);
    state_clear(&it);
}

/* Whatever the order of the parts. */
static void marks_are_not_newer_than_the_snaps(void **state)
{
    struct step step;
    struct state it;
    (void)state;
    begin(&step, &it);
    struct message *head = message_new(MESSAGE_IMAGE_HEAD),
                   *snaps = message_new(MESSAGE_IMAGE_SNAPS);
    struct message *fewer = message_new(MESSAGE_IMAGE_SNAPS);
    struct message *progress = message_new(MESSAGE_IMAGE_PROGRESS);
    head->as.image_head.index = head->as.image_head.index_term = 1;
    snaps->as.image_snaps.snapshots = 5;
    fewer->as.image_snaps.snapshots = 4;
    progress->as.image_progress.marks.n = 1;
    progress->as.image_progress.marks.at = message_room(progress, 1, sizeof(struct wire_mark));
    progress->as.image_progress.marks.at[0].snapshot = 5;
    assert_int_equal(load_part(&it, head), OK);
    assert_int_equal(load_part(&it, snaps), OK);
    assert_int_equal(load_part(&it, progress), OK);
    assert_int_equal(load_part(&it, fewer), ERR_MALFORMED);
    state_check_invariants(&it);
    state_clear(&it);
}

/* Checkpoints have those of voters only: others would be gone with the next one. */
static void only_voters_have_births(void **state)
{
    struct step step;
    struct state it;
    (void)state;
    begin(&step, &it);
    struct message *message = message_new(MESSAGE_IMAGE_HEAD);
    struct wire_image_head *head = &message->as.image_head;
    head->index = head->index_term = 1;
    head->cluster_id = step_cluster_id(&step);
    head->births.n = 2;
    head->births.at = message_room(message, 2, sizeof *head->births.at);
    head->births.at[0] = (struct wire_voter_birth){3, 8};
    head->births.at[1] = (struct wire_voter_birth){4, 9};
    assert_int_equal(load_part(&it, message), OK);
    assert_int_equal(it.head.births[3], 8);
    assert_int_equal(it.head.births[4], 0);
    state_clear(&it);
}

/* --- traces of finished jobs --- */

static job_id_t job_number(size_t number)
{
    return TERM << JOB_INDEX_BITS | number;
}

/* Its operation 1 is done, so it has a trace. */
static void trace_job(struct state *state, job_id_t job)
{
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    struct blob *value = blob_copy("v", 1);
    fill_done(entry, job, 1);
    entry->as.done.ops.at[0] = (struct wire_done_op){
        .op = 1, .node = 2, .attempt = 1, .len = 1, .frame = message_add_frame(entry, value)};
    blob_drop(&value);
    apply(state, entry);
}

static bool has_trace(const struct state *state, size_t number)
{
    const struct job *job = jobs_find(&state->jobs, job_number(number));
    return job && job->trace;
}

static void the_oldest_traces_go_first_whoever_finishes_last(void **unused)
{
    (void)unused;
    struct step step;
    struct state state;
    char key[32];
    enum { KEPT = 1000, ALL = 1300 };
    begin(&step, &state);
    for (size_t i = 1; i <= ALL; i++) {
        text_format(key, sizeof key, "key-%zu", i);
        submit(&state, key, "10", 0);
    }
    for (size_t i = 1; i <= ALL; i++)
        trace_job(&state, job_number(i));
    /* 1 and 150 take longer than all others. */
    for (size_t i = 2; i <= ALL; i++)
        if (i != 150)
            fail_job(&state, job_number(i));
    size_t first = ALL - KEPT + 1;
    assert_int_equal(state.jobs.traces, KEPT);
    assert_true(has_trace(&state, 1) && has_trace(&state, 150)); /* as those of open jobs */
    assert_true(has_trace(&state, first) && !has_trace(&state, first - 1));
    fail_job(&state, job_number(150));
    fail_job(&state, job_number(1));
    assert_false(has_trace(&state, 1) || has_trace(&state, 150));
    assert_true(has_trace(&state, first) && state.jobs.traces == KEPT);
    /* The same after a checkpoint, which does not say where to look. */
    struct state *again = reload_state(&step, &state);
    size_t late = (size_t)again->applied + 1;
    submit(again, "late", "10", 0);
    trace_job(again, job_number(late));
    fail_job(again, job_number(late));
    assert_true(has_trace(again, late) && !has_trace(again, first));
    assert_true(has_trace(again, first + 1) && again->jobs.traces == KEPT);
    state_clear(again);
    free(again);
    state_clear(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_state_is_saved_and_loaded),
        cmocka_unit_test(what_differs_is_named),
        cmocka_unit_test(what_cannot_be_read_is_not_compared),
        cmocka_unit_test(a_key_is_printable),
        cmocka_unit_test(keys_in_a_checkpoint_are_printable),
        cmocka_unit_test(a_text_is_as_long_as_its_digits),
        cmocka_unit_test(a_job_in_a_checkpoint_is_as_its_state_says),
        cmocka_unit_test(marks_are_not_newer_than_the_snaps),
        cmocka_unit_test(only_voters_have_births),
        cmocka_unit_test(the_oldest_traces_go_first_whoever_finishes_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

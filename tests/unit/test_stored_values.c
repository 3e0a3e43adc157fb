/* Stored values: what entries make of them, and how clients bring, read and drop them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "nodes/core/state/state_table.h"
#include "tests/harness/stage.h"

static const struct asker alice = {.role = ROLE_submit, .name = "alice"},
                          bob = {.role = ROLE_submit, .name = "bob"},
                          root = {.role = ROLE_admin, .name = "root", .proof = PROOF_OWN};

enum { LEN = 300000, SEGMENT = 120000, CHUNK = 50000 };

/* Of what is uploaded from now on, and how many bytes an item has. */
static const char *format = "bytes";
static uint64_t item_bytes = 1;

/* --- a client --- */

static uint8_t bytes_at(uint64_t seed, uint64_t at)
{
    return (uint8_t)(seed * 31 + at * 7 + at / 251);
}

static struct blob *content(uint64_t seed, uint64_t from, uint64_t len)
{
    struct blob *blob = blob_new(len);
    for (uint64_t i = 0; i < len; i++)
        blob->at[i] = bytes_at(seed, from + i);
    return blob;
}

static struct slice sha_of(struct message *message, uint64_t seed, uint64_t from, uint64_t len)
{
    uint8_t hash[HASH_BYTES];
    struct blob *blob = content(seed, from, len);
    hash_bytes(blob->at, blob->len, hash);
    blob_drop(&blob);
    return message_copy(message, (struct slice){hash, HASH_BYTES});
}

static struct stage *stage_of(const struct asker *who)
{
    struct stage *stage = stage_new(3, 3);
    stage->asker = who;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    return stage;
}

static void ask(struct stage *stage, const struct asker *who, struct message *request)
{
    message_drop(&stage->answer);
    stage->asker = who;
    stage_ask(stage, stage_coordinator(stage), request);
    for (unsigned i = 0; i < 200 && !stage->answer; i++)
        stage_run(stage, 10 * MS_US);
    assert_non_null(stage->answer);
}

static const struct wire_value_row *answered_row(const struct stage *stage)
{
    if (!stage_answered(stage, MESSAGE_VALUE))
        fail_msg("%.*s", (int)stage->answer->as.error.reason.len,
                 (const char *)stage->answer->as.error.reason.at);
    return &stage->answer->as.value.values.at[0];
}

static struct message *begin_request(uint64_t seed, uint64_t len)
{
    struct message *request = message_new(MESSAGE_VALUE_BEGIN);
    request->as.value_begin.sha256 = sha_of(request, seed, 0, len);
    request->as.value_begin.len = len;
    request->as.value_begin.format = message_text(request, format);
    request->as.value_begin.name = message_text(request, "numbers");
    return request;
}

static struct wire_value_row begin_value(struct stage *stage, const struct asker *who,
                                         uint64_t seed, uint64_t len)
{
    ask(stage, who, begin_request(seed, len));
    return *answered_row(stage);
}

static struct message *put_request(job_id_t value, uint64_t seed, uint64_t from, uint64_t len,
                                   uint64_t segment, uint64_t offset)
{
    struct message *request = message_new(MESSAGE_VALUE_PUT);
    uint64_t n = len - offset < CHUNK ? len - offset : CHUNK;
    struct blob *bytes = content(seed, from + offset, n);
    request->as.value_put = (struct wire_value_put){.value = value,
                                                    .segment = segment,
                                                    .offset = offset,
                                                    .len = len,
                                                    .items = n / item_bytes,
                                                    .sha256 = sha_of(request, seed, from, len)};
    message_add_frame(request, bytes);
    blob_drop(&bytes);
    return request;
}

/* Sends segments from what is durable on, `most` of them; false: it must begin again. */
static bool send_segments(struct stage *stage, const struct asker *who,
                          const struct wire_value_row *row, uint64_t seed, unsigned most)
{
    uint64_t from = row->bytes;
    for (uint64_t segment = row->segments + 1; from < row->len && most-- > 0; segment++) {
        uint64_t len = row->len - from < SEGMENT ? row->len - from : SEGMENT;
        for (uint64_t offset = 0; offset < len; offset += CHUNK) {
            ask(stage, who, put_request(row->value, seed, from, len, segment, offset));
            if (!stage_answered(stage, MESSAGE_VALUE_CHUNK_TAKEN))
                return false;
        }
        from += len;
    }
    return true;
}

static void ask_end(struct stage *stage, const struct asker *who, job_id_t value)
{
    struct message *request = message_new(MESSAGE_VALUE_END);
    request->as.value_end.value = value;
    ask(stage, who, request);
}

static job_id_t upload(struct stage *stage, const struct asker *who, uint64_t seed, uint64_t len)
{
    struct wire_value_row row = begin_value(stage, who, seed, len);
    assert_true(send_segments(stage, who, &row, seed, 100));
    ask_end(stage, who, row.value);
    assert_true(answered_row(stage)->whole);
    return row.value;
}

static void ask_drop(struct stage *stage, const struct asker *who, job_id_t value)
{
    struct message *request = message_new(MESSAGE_VALUE_DROP);
    request->as.value_drop.value = value;
    ask(stage, who, request);
}

/* Reads all of it, in pieces, and compares. */
static void read_back(struct stage *stage, const struct asker *who, job_id_t value, uint64_t seed,
                      uint64_t len)
{
    for (uint64_t at = 0; at < len;) {
        struct message *request = message_new(MESSAGE_VALUE_READ);
        request->as.value_read =
            (struct wire_value_read){.value = value, .offset = at, .len = 77777};
        ask(stage, who, request);
        assert_true(stage_answered(stage, MESSAGE_VALUE_BYTES));
        const struct blob *bytes = message_frame(stage->answer, 1);
        assert_true(bytes && bytes->len && stage->answer->as.value_bytes.total == len);
        for (size_t i = 0; i < bytes->len; i++)
            assert_int_equal(bytes->at[i], bytes_at(seed, at + i));
        at += bytes->len;
    }
}

static job_id_t submit(struct stage *stage, const struct asker *who, const char *key,
                       job_id_t value)
{
    struct message *request = stage_submit_request(key, "10");
    request->as.submit.inputs.n = 1;
    request->as.submit.inputs.at = message_room(request, 1, sizeof(struct wire_value_ref));
    request->as.submit.inputs.at[0].value = value;
    ask(stage, who, request);
    return stage_answered(stage, MESSAGE_JOB) ? stage->answer->as.job.jobs.at[0].job : JOB_NONE;
}

static void ask_forget(struct stage *stage, const struct asker *who, job_id_t job)
{
    struct message *request = message_new(MESSAGE_JOB_FORGET);
    request->as.job_forget.jobs.n = 1;
    request->as.job_forget.jobs.at = message_room(request, 1, sizeof(struct wire_job_ref));
    request->as.job_forget.jobs.at[0].job = job;
    ask(stage, who, request);
    assert_true(stage_answered(stage, MESSAGE_JOBS_FORGOTTEN));
}

/* --- what holds --- */

static void what_is_uploaded_is_on_the_disks_of_a_majority_and_read_back_V1(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(NULL);
    job_id_t value = upload(stage, NULL, 1, LEN);
    read_back(stage, NULL, value, 1, LEN);
    size_t held = 0;
    for (node_id_t id = 1; id <= 3; id++)
        held += stage->nodes[id].values.count == (LEN + SEGMENT - 1) / SEGMENT;
    assert_true(held >= 2);
    /* The same again is the same, and nothing is to be sent. */
    struct wire_value_row row = begin_value(stage, NULL, 1, LEN);
    assert_true(row.value == value && row.whole && row.bytes == LEN && row.segments == 3);
    assert_false(stage->answer->as.value.created);
    job_id_t nothing = upload(stage, NULL, 2, 0);
    assert_true(stored_values_find(&stage_state(stage, 1)->stored, nothing)->whole);
    stage_free(&stage);
}

static void an_upload_goes_on_behind_what_is_durable_at_another_coordinator_V1(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(NULL);
    struct wire_value_row row = begin_value(stage, NULL, 1, LEN);
    job_id_t value = row.value;
    assert_true(send_segments(stage, NULL, &row, 1, 1));
    ask(stage, NULL, put_request(value, 1, SEGMENT, SEGMENT, 2, 0));
    assert_true(stage_answered(stage, MESSAGE_VALUE_CHUNK_TAKEN));
    stage_kill(stage, 1);
    stage_run(stage, 2 * SECOND_US);
    /* What was on its way is not known to the next one. */
    ask(stage, NULL, put_request(value, 1, SEGMENT, SEGMENT, 2, CHUNK));
    assert_true(stage_refused(stage, "unknown"));
    ask_end(stage, NULL, value);
    assert_true(stage_refused(stage, "unknown"));
    row = begin_value(stage, NULL, 1, LEN);
    assert_true(row.value == value && row.segments == 1 && row.bytes == SEGMENT && !row.whole);
    assert_true(send_segments(stage, NULL, &row, 1, 100));
    ask_end(stage, NULL, value);
    assert_true(answered_row(stage)->whole);
    stage_start(stage, 1);
    stage_run(stage, SECOND_US);
    read_back(stage, NULL, value, 1, LEN);
    assert_null(state_differs(stage_state(stage, 1), stage_state(stage, 2)));
    stage_free(&stage);
}

static void who_waits_for_a_segment_is_told_that_its_fate_is_unknown_R8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(NULL);
    struct wire_value_row row = begin_value(stage, NULL, 1, 1000);
    stage_hold(stage, 1, NODE_NONE, MESSAGE_APPEND);
    message_drop(&stage->answer);
    stage_ask(stage, 1, put_request(row.value, 1, 0, 1000, 1, 0));
    stage_run(stage, 100 * MS_US);
    assert_null(stage->answer); /* not before it is committed */
    stage_cut(stage, 1, 2, true);
    stage_cut(stage, 1, 3, true);
    stage_run(stage, 5 * SECOND_US);
    assert_true(stage_refused(stage, "not_coordinator"));
    stage_free(&stage);
}

static void what_a_job_names_is_kept_until_it_is_forgotten_V2(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(NULL);
    job_id_t value = upload(stage, NULL, 1, LEN);
    assert_int_equal(submit(stage, NULL, "none", value + 1), JOB_NONE);
    assert_true(stage_refused(stage, "not_found"));
    struct wire_value_row half = begin_value(stage, NULL, 2, LEN);
    assert_int_equal(submit(stage, NULL, "half", half.value), JOB_NONE);
    assert_true(stage_refused(stage, "unavailable"));
    job_id_t job = submit(stage, NULL, "one", value);
    assert_true(job);
    assert_int_equal(submit(stage, NULL, "one", value), job);
    stage_run(stage, SECOND_US); /* it is done */
    ask_drop(stage, NULL, value);
    assert_true(stage_refused(stage, "in_use"));
    assert_non_null(strstr((const char *)stage->answer->as.error.reason.at, "1-"));
    ask_forget(stage, NULL, job);
    ask_drop(stage, NULL, value);
    assert_true(answered_row(stage)->value == value);
    assert_int_equal(submit(stage, NULL, "two", value), JOB_NONE);
    assert_true(stage_refused(stage, "not_found"));
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(stage_state(stage, id)->stored.n, 1);
    stage_free(&stage);
}

static job_id_t submit_map(struct stage *stage, const char *spec, job_id_t value, job_id_t files,
                           job_id_t parent)
{
    struct message *request = message_new(MESSAGE_SUBMIT_COMMANDS);
    char key[32];
    static unsigned number;
    text_format(key, sizeof key, "map-%u", ++number);
    request->as.submit = (struct wire_submit){.key = message_text(request, key),
                                              .kind = message_text(request, "map"),
                                              .spec = message_text(request, spec),
                                              .parent = parent};
    request->as.submit.inputs.n = files ? 2 : 1;
    request->as.submit.inputs.at = message_room(request, 2, sizeof(struct wire_value_ref));
    request->as.submit.inputs.at[0].value = value;
    request->as.submit.inputs.at[1].value = files;
    ask(stage, &root, request);
    return stage_answered(stage, MESSAGE_JOB) ? stage->answer->as.job.jobs.at[0].job : JOB_NONE;
}

static bool says(const struct stage *stage, const char *why)
{
    struct slice reason = stage->answer->as.error.reason;
    return memmem(reason.at, reason.len, why, strlen(why)) != NULL;
}

static void a_job_of_commands_names_the_tasks_that_its_argument_says(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(&root);
    job_id_t bytes = upload(stage, &root, 1, 400);
    format = "tasks";
    item_bytes = 8;
    job_id_t value = upload(stage, &root, 1, 400), other = upload(stage, &root, 2, 400);
    format = "bytes";
    item_bytes = 1;
    assert_true(value && value != bytes);
    static const char *const wrong[] = {"48 1 400", "49 2 400", "49 1 401"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(submit_map(stage, wrong[i], value, JOB_NONE, JOB_NONE), JOB_NONE);
        assert_true(stage_refused(stage, "invalid"));
        assert_true(says(stage, "its input 1 is 50 tasks in 1 segments"));
    }
    assert_int_equal(submit_map(stage, "49 1 400", bytes, JOB_NONE, JOB_NONE), JOB_NONE);
    assert_true(stage_refused(stage, "invalid") && says(stage, "400 bytes in 1 segments"));
    assert_int_equal(submit_map(stage, "49 1 400", other + 1, JOB_NONE, JOB_NONE), JOB_NONE);
    assert_true(stage_refused(stage, "not_found"));
    job_id_t job = submit_map(stage, "49 1 400", value, JOB_NONE, JOB_NONE);
    assert_true(job);
    /* Their files are a second one, of bytes. */
    assert_int_equal(submit_map(stage, "49 1 400", value, other, JOB_NONE), JOB_NONE);
    assert_true(stage_refused(stage, "invalid") && says(stage, "its input 2 is tasks, not bytes"));
    assert_int_equal(submit_map(stage, "48 1 400", value, bytes, JOB_NONE), JOB_NONE);
    assert_true(stage_refused(stage, "invalid") && says(stage, "its input 1 is 50 tasks"));
    assert_true(submit_map(stage, "49 1 400", value, bytes, JOB_NONE));
    ask_drop(stage, &root, bytes);
    assert_true(stage_refused(stage, "in_use"));
    struct message *cancel = message_new(MESSAGE_JOB_CANCEL);
    cancel->as.job_cancel.job = job;
    ask(stage, &root, cancel);
    /* It is done again with the same tasks alone. */
    assert_int_equal(submit_map(stage, "49 1 400", other, JOB_NONE, job), JOB_NONE);
    assert_true(stage_refused(stage, "invalid") && says(stage, "has other tasks"));
    assert_int_equal(submit_map(stage, "49 1 400", value, bytes, job), JOB_NONE);
    assert_true(stage_refused(stage, "invalid") && says(stage, "has other tasks"));
    assert_true(submit_map(stage, "49 1 400", value, JOB_NONE, job));
    stage_free(&stage);
}

/* Whichever comes first in the log: both were asked for before either was committed. */
static void a_drop_and_a_submit_are_decided_by_the_log_V2(void **unused)
{
    (void)unused;
    for (int drop_first = 0; drop_first < 2; drop_first++) {
        struct stage *stage = stage_of(NULL);
        job_id_t value = upload(stage, NULL, 1, 1000);
        stage_run(stage, 100 * MS_US);
        stage_hold(stage, 1, NODE_NONE, MESSAGE_APPEND);
        struct message *drop = message_new(MESSAGE_VALUE_DROP);
        struct message *request = stage_submit_request("key", "10");
        drop->as.value_drop.value = value;
        request->as.submit.inputs.n = 1;
        request->as.submit.inputs.at = message_room(request, 1, sizeof(struct wire_value_ref));
        request->as.submit.inputs.at[0].value = value;
        /* A drop is read first, so a majority must answer: appends may pass until then. */
        stage_no_rules(stage);
        if (drop_first)
            stage_ask(stage, 1, drop);
        stage_ask(stage, 1, request);
        if (!drop_first)
            stage_ask(stage, 1, drop);
        stage_run(stage, SECOND_US);
        const struct stored_values *stored = &stage_state(stage, 1)->stored;
        const struct job *job = jobs_find_key(&stage_state(stage, 1)->jobs, slice_of("key"));
        assert_int_equal(stored->n, job != NULL);
        assert_true(!job || stored->at[0]->n_jobs == 1);
        stage_free(&stage);
    }
}

static void a_job_whose_value_is_gone_is_not_made_and_uses_no_key_V2(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(NULL);
    struct state *state = (struct state *)stage_state(stage, 1);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted.key = message_text(entry, "key");
    entry->as.entry_job_submitted.kind = message_text(entry, "factorial");
    entry->as.entry_job_submitted.spec = message_text(entry, "10");
    entry->as.entry_job_submitted.inputs.n = 1;
    entry->as.entry_job_submitted.inputs.at = message_room(entry, 1, sizeof(struct wire_value_ref));
    entry->as.entry_job_submitted.inputs.at[0].value = 77;
    size_t n = state->jobs.n;
    assert_null(state_tables[TABLE_JOBS]->apply(state, state->applied + 1, 2, entry));
    assert_int_equal(state->jobs.n, n);
    message_drop(&entry);
    stage_free(&stage);
}

static void a_value_is_its_owners_X14(void **unused)
{
    (void)unused;
    struct stage *stage = stage_of(&alice);
    job_id_t value = upload(stage, &alice, 1, 1000);
    job_id_t other = upload(stage, &bob, 1, 1000); /* the same bytes, another owner */
    assert_int_not_equal(value, other);
    ask_drop(stage, &bob, value);
    assert_true(stage_refused(stage, "not_found"));
    assert_int_equal(submit(stage, &bob, "key", value), JOB_NONE);
    assert_true(stage_refused(stage, "not_found"));
    ask_end(stage, &bob, value);
    assert_true(stage_refused(stage, "not_found"));
    ask(stage, &bob, message_new(MESSAGE_VALUE_LIST));
    assert_true(stage_answered(stage, MESSAGE_VALUE_PAGE));
    assert_int_equal(stage->answer->as.value_page.values.n, 1);
    assert_true(stage->answer->as.value_page.values.at[0].value == other);
    ask(stage, &root, message_new(MESSAGE_VALUE_LIST));
    assert_int_equal(stage->answer->as.value_page.values.n, 2);
    struct message *list = message_new(MESSAGE_VALUE_LIST);
    list->as.value_list.prefix = message_text(list, "zz");
    ask(stage, &root, list);
    assert_int_equal(stage->answer->as.value_page.values.n, 0);
    read_back(stage, &root, value, 1, 1000);
    ask_drop(stage, &root, value);
    assert_true(stage_answered(stage, MESSAGE_VALUE));
    stage_free(&stage);
}

static void stored_bytes_count_in_the_quota_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->asker = &alice;
    stage->quota_bytes = 1500;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    job_id_t value = upload(stage, &alice, 1, 1000);
    ask(stage, &alice, begin_request(2, 501));
    assert_true(stage_refused(stage, "quota"));
    assert_non_null(strstr((const char *)stage->answer->as.error.reason.at, "keeps 1000 bytes"));
    assert_non_null(strstr((const char *)stage->answer->as.error.reason.at, "may keep 1500"));
    begin_value(stage, &alice, 3, 500); /* what is only begun counts, too */
    ask(stage, &alice, begin_request(4, 1));
    assert_true(stage_refused(stage, "quota"));
    assert_int_equal(submit(stage, &alice, "key", value), JOB_NONE);
    assert_true(stage_refused(stage, "quota"));
    begin_value(stage, &bob, 4, 1500);
    begin_value(stage, &root, 5, 5000);
    ask_drop(stage, &alice, value);
    begin_value(stage, &alice, 4, 1000);
    stage_free(&stage);
}

/* Each coordinator is killed in turn, comes back from its disk, or gets a checkpoint. */
static void values_survive_checkpoints_installs_and_empty_disks_V1(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->compact_entries = 8;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    job_id_t value = upload(stage, NULL, 1, LEN);
    job_id_t job = submit(stage, NULL, "key", value);
    assert_true(job);
    for (unsigned life = 0; life < 4; life++) {
        node_id_t old = stage_coordinator(stage);
        stage_kill(stage, old);
        stage_run(stage, 2 * SECOND_US);
        for (uint64_t i = 0; i < 30; i++)
            stage_set(stage, stage_coordinator(stage), 9, i);
        if (life % 2)
            stage_wipe(stage, old);
        stage_start(stage, old);
        stage_run(stage, 2 * SECOND_US);
        read_back(stage, NULL, value, 1, LEN);
        ask_drop(stage, NULL, value);
        assert_true(stage_refused(stage, "in_use"));
        for (node_id_t id = 1; id <= 3; id++) {
            assert_int_equal(stage->nodes[id].values.count, 3);
            assert_int_equal(stage_state(stage, id)->stored.at[0]->n_jobs, 1);
        }
    }
    stage_free(&stage);
}

static void a_node_of_an_earlier_release_keeps_values_out(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->earlier = 3;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    ask(stage, NULL, begin_request(1, 10));
    assert_true(stage_refused(stage, "invalid"));
    assert_int_equal(stage_state(stage, 1)->stored.n, 0);
    stage_free(&stage);
}

static void what_nobody_names_is_dropped_when_it_is_old_V3(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->keep_values_us = 4 * SECOND_US;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    job_id_t value = upload(stage, NULL, 1, 1000);
    upload(stage, NULL, 2, 1000);
    job_id_t job = submit(stage, NULL, "key", value);
    stage_run(stage, 3500 * MS_US);
    assert_int_equal(stage_state(stage, 1)->stored.n, 2);
    stage_run(stage, 3 * SECOND_US);
    assert_int_equal(stage_state(stage, 1)->stored.n, 1);
    stage_run(stage, 20 * SECOND_US);
    assert_true(stage_state(stage, 1)->stored.at[0]->id == value);
    ask_forget(stage, NULL, job);
    stage_run(stage, 3 * SECOND_US);
    stage_kill(stage, 1); /* what passed since the last entry is lost, never counted twice */
    stage_run(stage, 1 * SECOND_US);
    begin_value(stage, NULL, 1, 1000); /* asked for again it is young */
    stage_run(stage, 3500 * MS_US);
    assert_int_equal(stage_state(stage, stage_coordinator(stage))->stored.n, 1);
    stage_run(stage, 3 * SECOND_US);
    assert_int_equal(stage_state(stage, stage_coordinator(stage))->stored.n, 0);
    stage_free(&stage);
}

/* The newest of a name does not grow old; one that a job names loses its name when it is dropped.
 */
static void an_operator_is_kept_for_its_name(void **unused)
{
    (void)unused;
    static const struct asker carol = {.role = ROLE_commands, .name = "carol"};
    struct stage *stage = stage_new(3, 3);
    stage->keep_values_us = 4 * SECOND_US;
    stage->asker = &carol;
    stage->topics = 0;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    format = "operator";
    ask(stage, &alice, begin_request(1, 1000));
    assert_true(stage_refused(stage, "forbidden"));
    job_id_t first = upload(stage, &carol, 1, 1000);
    stage_run(stage, 10 * SECOND_US);
    const struct stored_values *stored = &stage_state(stage, 1)->stored;
    assert_true(stored->n == 1 && stored->at[0]->id == first);
    job_id_t second = upload(stage, &carol, 2, 1000);
    assert_true(!stored_values_mean(stored, stored->at[0]) &&
                stored_values_mean(stored, stored->at[1]));
    stage_run(stage, 10 * SECOND_US);
    assert_true(stored->n == 1 && stored->at[0]->id == second);
    job_id_t job = submit(stage, &carol, "key", second);
    ask_drop(stage, &carol, second);
    assert_int_equal(answered_row(stage)->value, second);
    assert_true(stored->n == 1 && !stored->at[0]->name[0] && stored->at[0]->n_jobs == 1);
    ask_forget(stage, &carol, job);
    stage_run(stage, 10 * SECOND_US);
    assert_int_equal(stored->n, 0);
    format = "bytes";
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_uploaded_is_on_the_disks_of_a_majority_and_read_back_V1),
        cmocka_unit_test(an_upload_goes_on_behind_what_is_durable_at_another_coordinator_V1),
        cmocka_unit_test(who_waits_for_a_segment_is_told_that_its_fate_is_unknown_R8),
        cmocka_unit_test(what_a_job_names_is_kept_until_it_is_forgotten_V2),
        cmocka_unit_test(a_job_of_commands_names_the_tasks_that_its_argument_says),
        cmocka_unit_test(a_drop_and_a_submit_are_decided_by_the_log_V2),
        cmocka_unit_test(a_job_whose_value_is_gone_is_not_made_and_uses_no_key_V2),
        cmocka_unit_test(a_value_is_its_owners_X14),
        cmocka_unit_test(stored_bytes_count_in_the_quota_X8),
        cmocka_unit_test(values_survive_checkpoints_installs_and_empty_disks_V1),
        cmocka_unit_test(a_node_of_an_earlier_release_keeps_values_out),
        cmocka_unit_test(what_nobody_names_is_dropped_when_it_is_old_V3),
        cmocka_unit_test(an_operator_is_kept_for_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Snapshots as files: nothing gets lost between the container, the model and the JSON (X11), and
 * what a cluster goes on from holds the same (S15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/show/snapshot_json.h"
#include "shared/snapshot/pack.h"
#include "shared/snapshot/settle.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/harness/sound.h"

static char *dump(const struct snapshot_model *model)
{
    json_t *object = snapshot_json(model, (struct snapshot_json_parts){.checkpoint = true});
    char *text = json_dumps(object, JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

static void add_values(struct snapshot_model *model)
{
    struct wire_cut_pair text = {slice_of("greeting"), slice_of("hello")},
                         bytes = {slice_of("raw"), {(const uint8_t *)"\xff\0\x80", 3}},
                         empty = {slice_of("none"), {0}};
    struct wire_cut_pending app = {.node = 3,
                                   .number = 2,
                                   .sent = true,
                                   .name = slice_of("greeting"),
                                   .value = slice_of("hi")};
    MODEL_APPEND(model, model->nodes[2].pairs, &text, 1);
    MODEL_APPEND(model, model->nodes[2].pairs, &bytes, 1);
    MODEL_APPEND(model, model->nodes[2].pairs, &empty, 1);
    MODEL_APPEND(model, model->nodes[2].outbox, &app, 1);
}

static void all_forms_say_the_same(struct snapshot_model *model)
{
    struct snapshot_model *from_json = NULL, *again = NULL;
    struct text why = {0};
    assert_int_equal(snapshot_model_check(model, &why), OK);
    char *first = dump(model);
    assert_int_equal(snapshot_load_any(slice_of(first), &from_json, &why), OK);
    struct blob *container = snapshot_pack(from_json, 0);
    assert_non_null(container);
    for (uint64_t id = 1; id <= 3; id++) { /* the reports are cut into parts again */
        model->nodes[id].about.parts = from_json->nodes[id].about.parts = 0;
    }
    int error = snapshot_load_any((struct slice){container->at, container->len}, &again, &why);
    if (error)
        print_message("%s\n", why.at);
    assert_int_equal(error, OK);
    for (uint64_t id = 1; id <= 3; id++)
        again->nodes[id].about.parts = 0;
    char *a = dump(model), *b = dump(from_json), *c = dump(again);
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    free(first);
    free(a);
    free(b);
    free(c);
    blob_drop(&container);
    snapshot_model_destroy(&from_json);
    snapshot_model_destroy(&again);
    snapshot_model_destroy(&model);
}

static struct slice pack_into(struct snapshot_model *model, struct message *part)
{
    struct blob *packed = codec_pack(part);
    uint8_t *at = arena_new(&model->arena, packed->len);
    struct slice copy = {memcpy(at, packed->at, packed->len), packed->len};
    blob_drop(&packed);
    message_drop(&part);
    return copy;
}

/* A container holds only messages that are known; the checkpoint of a sound_snapshot() is just
 * words. */
static struct snapshot_model *with_checkpoint(void)
{
    struct snapshot_model *model = sound_snapshot();
    struct message *checkpoint = message_new(MESSAGE_IMAGE_SNAPS);
    checkpoint->as.image_snaps.snapshots = 7;
    model->checkpoint.at[0] = pack_into(model, checkpoint);
    return model;
}

static void nothing_is_lost_between_container_and_json(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint();
    add_values(model);
    all_forms_say_the_same(model);
    model = with_checkpoint();
    sound_lose_node(model, 3);
    all_forms_say_the_same(model);
}

static void large_ledgers_are_cut_into_parts(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint();
    for (uint64_t i = 0; i < 5000; i++) {
        char name[32];
        size_t len = text_format(name, sizeof name, "account-%u", (unsigned)i);
        uint8_t *at = arena_new(&model->arena, len);
        memcpy(at, name, len);
        struct wire_cut_account row = {{at, len}, i};
        struct wire_cut_pair pair = {{at, len}, {at, len}};
        MODEL_APPEND(model, model->nodes[2].accounts, &row, 1);
        MODEL_APPEND(model, model->nodes[2].pairs, &pair, 1);
        sound_owe(model, 2, 3, 2 + i, i, false);
        sound_put(model, 1, 3,
                  (struct wire_cut_message){.kind = slice_of("release"), .job = SOUND_JOB});
    }
    all_forms_say_the_same(model);
}

static void a_share_holds_one_node_and_the_jobs_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint(), *share = NULL;
    struct text why = {0};
    assert_int_equal(snapshot_model_check(model, &why), OK);
    struct blob *packed = snapshot_pack(model, 2);
    assert_int_equal(snapshot_model_load((struct slice){packed->at, packed->len}, &share, &why),
                     OK);
    assert_false(share->nodes[1].present || share->nodes[3].present);
    assert_int_equal(share->nodes[2].accounts.at[0].balance, 1000);
    assert_int_equal(share->nodes[2].outbox.n, 1);
    assert_int_equal(share->nodes[2].state.epoch, 0xe2);
    assert_int_equal(share->checkpoint.n, 1);
    blob_drop(&packed);
    snapshot_model_destroy(&share);
    snapshot_model_destroy(&model);
}

/* Nothing is under way twice, nothing is lost, and all of it is numbered from 1 in its order. */
static void a_settled_snapshot_holds_the_same_money_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint();
    struct restore_notes notes = {0};
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    sound_owe(model, 1, 2, 8, 0, false);
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_losses(model, &notes);
    assert_int_equal(notes.lines.n, 0);
    snapshot_settle(model, &(struct snapshot_values){0}, &notes);
    const struct model_node *node = &model->nodes[1];
    assert_int_equal(node->outbox.n, 2); /* 6 was applied */
    assert_int_equal(node->outbox.at[0].number, 1);
    assert_int_equal(node->outbox.at[0].amount, 100);
    assert_int_equal(node->outbox.at[1].number, 2);
    assert_int_equal(model->nodes[3].outbox.n, 0);
    for (uint64_t from = 1; from <= 3; from++) { /* the channels of a fresh cluster are empty */
        model->nodes[from].applied.n = 0;
        for (uint64_t to = 1; to <= 3; to++)
            model_channel(model, from, to)->messages.n = 0;
    }
    snapshot_verify(model, &total, &findings);
    assert_true(sound_finds(&findings, FINDING_CHECKED, "= 2100, as expected"));
    findings_clear(&findings);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

/* A job of which R9 is a value on disk, and a stored value that it names or not. */
static struct snapshot_model *with_values(uint64_t input)
{
    static const uint8_t hash[HASH_BYTES] = {4, 4};
    struct snapshot_model *model = sound_snapshot();
    struct wire_value_ref named = {.value = input};
    struct wire_job_row row = {.job = SOUND_JOB,
                               .done = 3,
                               .total = 14,
                               .state = slice_of("queued"),
                               .inputs = {&named, input != 0}};
    struct wire_done_op done = {
        .op = 9, .node = 2, .attempt = 1, .len = 100000, .hash = {hash, HASH_BYTES}};
    uint8_t segment[VALUE_SEGMENT_BYTES] = {[0] = 1, [8] = 50};
    struct message *job = message_new(MESSAGE_IMAGE_JOB), *ops = message_new(MESSAGE_IMAGE_OPS),
                   *value = message_new(MESSAGE_IMAGE_VALUE);
    job->as.image_job.jobs.at = &row;
    job->as.image_job.jobs.n = 1;
    ops->as.image_ops.job = SOUND_JOB;
    ops->as.image_ops.ops.at = &done;
    ops->as.image_ops.ops.n = 1;
    value->as.image_value.value = input ? input : 77;
    value->as.image_value.packed = (struct slice){segment, sizeof segment};
    struct slice parts[] = {pack_into(model, job), pack_into(model, ops), pack_into(model, value)};
    model->checkpoint.n = 0;
    model->checkpoint.at = NULL;
    MODEL_APPEND(model, model->checkpoint, parts, 3);
    return model;
}

/* Settles it with the values that are at these places of the list, by job and op. */
static size_t settle_with(struct snapshot_model *model, bool live, bool stored,
                          struct restore_notes *notes)
{
    struct snapshot_values values;
    snapshot_values_of(model, &values);
    assert_int_equal(values.n, 2);
    for (size_t i = 0; i < values.n; i++)
        values.at[i].here = values.at[i].job == SOUND_JOB ? live : stored;
    snapshot_settle(model, &values, notes);
    snapshot_values_clear(&values);
    return model->checkpoint.n;
}

static uint64_t done_of(const struct snapshot_model *model)
{
    struct message *got;
    struct text why = {0};
    assert_int_equal(codec_unpack(model->checkpoint.at[0], &got, &why), OK);
    assert_int_equal(got->type, MESSAGE_IMAGE_JOB);
    uint64_t done = got->as.image_job.jobs.at[0].done;
    message_drop(&got);
    return done;
}

/* The value of R9 is on a disk that the fresh cluster does not have. */
static void a_job_without_its_values_restarts_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_values(0);
    struct restore_notes notes = {0};
    assert_int_equal(settle_with(model, false, true, &notes), 2);
    assert_int_equal(notes.lines.n, 1);
    assert_non_null(strstr(notes.lines.at[0], "job 2-5 restarts"));
    assert_int_equal(done_of(model), 0);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

static void a_job_with_its_values_goes_on_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_values(77);
    struct restore_notes notes = {0};
    assert_int_equal(settle_with(model, true, true, &notes), 3);
    assert_int_equal(notes.lines.n, 0);
    assert_int_equal(done_of(model), 3);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

static void a_job_without_its_input_stays_behind_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_values(77);
    struct restore_notes notes = {0};
    assert_int_equal(settle_with(model, true, false, &notes), 0);
    assert_int_equal(notes.lines.n, 2);
    assert_non_null(strstr(notes.lines.at[0], "1 stored values stay behind"));
    assert_non_null(strstr(notes.lines.at[1], "job 2-5 stays behind"));
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

/* The tasks changed while the snapshot was packed, so they were packed before their turn. */
static void tasks_come_behind_their_job_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = with_values(0);
    struct restore_notes notes = {0};
    struct message *tasks = message_new(MESSAGE_IMAGE_TASKS);
    struct message *more = message_new(MESSAGE_IMAGE_TASKS_MORE), *got;
    struct text why = {0};
    tasks->as.image_tasks.job = more->as.image_tasks_more.job = SOUND_JOB;
    tasks->as.image_tasks.total = 9;
    struct slice parts[] = {pack_into(model, tasks), pack_into(model, more), {0}, {0}, {0}};
    memcpy(parts + 2, model->checkpoint.at, 3 * sizeof *parts);
    model->checkpoint.n = 0;
    MODEL_APPEND(model, model->checkpoint, parts, 5);
    assert_int_equal(settle_with(model, true, true, &notes), 5);
    assert_int_equal(done_of(model), 3); /* the job is the first one */
    static const enum message_type last[] = {MESSAGE_IMAGE_TASKS, MESSAGE_IMAGE_TASKS_MORE};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(codec_unpack(model->checkpoint.at[3 + i], &got, &why), OK);
        assert_int_equal(got->type, last[i]);
        message_drop(&got);
    }
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

static void a_partial_snapshot_says_what_it_would_lose_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    struct restore_notes notes = {0};
    sound_lose_node(model, 3);
    snapshot_losses(model, &notes);
    assert_int_equal(notes.lines.n, 1);
    assert_non_null(strstr(notes.lines.at[0], "of node 3, which is missing"));
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

/* Every prefix, and every byte changed: an error with a reason, or a model that can
 * be worked with. */
static void damaged_files_are_refused_X11(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint();
    struct text why = {0};
    assert_int_equal(snapshot_model_check(model, &why), OK);
    struct blob *packed = snapshot_pack(model, 0);
    char *json = dump(model);
    size_t json_len = strlen(json);
    for (size_t i = 0; i < packed->len; i++) {
        struct snapshot_model *got = NULL;
        struct findings findings;
        why = (struct text){0};
        assert_int_not_equal(snapshot_load_any((struct slice){packed->at, i}, &got, &why), OK);
        assert_true(why.len && !got);
        packed->at[i] ^= 0x41;
        why = (struct text){0};
        if (snapshot_load_any((struct slice){packed->at, packed->len}, &got, &why)) {
            assert_true(why.len && !got);
        } else {
            snapshot_verify(got, NULL, &findings);
            findings_clear(&findings);
            free(dump(got));
            snapshot_model_destroy(&got);
        }
        packed->at[i] ^= 0x41;
    }
    for (size_t i = 0; i < json_len; i += 7) {
        struct snapshot_model *got = NULL;
        why = (struct text){0};
        json[i] ^= 0x11;
        if (snapshot_load_any((struct slice){(uint8_t *)json, json_len}, &got, &why))
            assert_true(why.len && !got);
        snapshot_model_destroy(&got);
        json[i] ^= 0x11;
    }
    free(json);
    blob_drop(&packed);
    snapshot_model_destroy(&model);
}

static void names_are_read_as_they_are_written_S8(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "3",
                                      "3-1-4",
                                      "0-00000001b9ffba8b-4",
                                      "101-00000001b9ffba8b-4",
                                      "3-00000001B9ffba8b-4",
                                      "3-00000001b9ffba8b-",
                                      "3-00000001b9ffba8b-4x",
                                      "3-000000001b9ffba8b-4",
                                      "-00000001b9ffba8b-4"};
    struct snapshot_name name;
    char at[SNAPSHOT_NAME_MAX];
    assert_int_equal(snapshot_name_parse(slice_of("3-00000001b9ffba8b-4"), &name), OK);
    assert_int_equal(name.initiator, 3);
    assert_int_equal(name.incarnation, 0x1b9ffba8b);
    assert_string_equal(snapshot_name_text(&name, at), "3-00000001b9ffba8b-4");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(snapshot_name_parse(slice_of(bad[i]), &name), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_between_container_and_json),
        cmocka_unit_test(large_ledgers_are_cut_into_parts),
        cmocka_unit_test(a_share_holds_one_node_and_the_jobs_S15),
        cmocka_unit_test(a_settled_snapshot_holds_the_same_money_S15),
        cmocka_unit_test(a_job_without_its_values_restarts_S15),
        cmocka_unit_test(a_job_with_its_values_goes_on_S15),
        cmocka_unit_test(a_job_without_its_input_stays_behind_S15),
        cmocka_unit_test(tasks_come_behind_their_job_S15),
        cmocka_unit_test(a_partial_snapshot_says_what_it_would_lose_S12),
        cmocka_unit_test(damaged_files_are_refused_X11),
        cmocka_unit_test(names_are_read_as_they_are_written_S8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

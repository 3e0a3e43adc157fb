/* Snapshots as files: what verification finds (S12, S13, S14), and that nothing gets lost between
 * the container, the model and the JSON (X11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/show/snapshot_json.h"
#include "shared/snapshot/pack.h"
#include "clients/command/snapshot_restore.h"
#include "shared/snapshot/verify.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

#define JOB  ((job_id_t)2 << JOB_INDEX_BITS | 5)
#define LIFE 0xa000000000000000u /* of node i: LIFE + i */

/* --- a sound snapshot, by hand ---
 *
 *   node 1, the coordinator: A has 900; 100 are on their way to B on node 2, in the channel
 *   node 2: B has 1000; 30 for C on node 3 wait in the outbox
 *   node 3: C has 70; one transfer of 5 to A was applied there, but not acknowledged
 *   job 2-5 of 10 units: 3 done, 1 returned; R5 in the channel to node 2, R6 at node 2, R7 in the
 *   channel back from node 3 */

static struct slice s(const char *text)
{
    return slice_of(text);
}

static void add_node(struct snapshot_model *model, uint64_t id, const char *account,
                     uint64_t balance)
{
    struct model_node *node = &model->nodes[id];
    struct wire_cut_account row = {s(account), balance};
    node->present = true;
    node->about.incarnation = node->state.incarnation = LIFE + id;
    node->about.parts = 3;
    node->state.clock = 1000;
    node->state.term = 2;
    node->state.epoch = 0xe0 + id;
    node->state.role = s(id == 1 ? "coordinator" : "worker");
    node->state.counts.at = arena_new(&model->arena, 3 * sizeof *node->state.counts.at);
    for (uint64_t peer = 1; peer <= 3; peer++)
        if (peer != id)
            node->state.counts.at[node->state.counts.n++] =
                (struct wire_cut_count){peer, LIFE + peer, 50, 50};
    MODEL_APPEND(model, node->accounts, &row, 1);
}

static struct wire_cut_count *count(struct snapshot_model *model, uint64_t node, uint64_t peer)
{
    return (struct wire_cut_count *)model_count(model, node, peer);
}

/* Sent, not received, recorded. */
static void put(struct snapshot_model *model, uint64_t from, uint64_t to,
                struct wire_cut_message message)
{
    struct model_channel *channel = model_channel(model, from, to);
    message.seq = 60 + channel->messages.n;
    message.clock = message.clock ? message.clock : 900;
    channel->recorded++;
    count(model, from, to)->sent++;
    MODEL_APPEND(model, channel->messages, &message, 1);
}

static void put_op(struct snapshot_model *model, uint64_t from, uint64_t to, const char *kind,
                   uint64_t op)
{
    struct model_channel *channel = model_channel(model, from, to);
    put(model, from, to, (struct wire_cut_message){.kind = s(kind)});
    struct wire_cut_op row = {.job = JOB,
                              .op = op,
                              .attempt = 1,
                              .seq = channel->messages.at[channel->messages.n - 1].seq};
    MODEL_APPEND(model, channel->ops, &row, 1);
}

static void owe(struct snapshot_model *model, uint64_t from, uint64_t to, uint64_t number,
                uint64_t amount, bool sent)
{
    struct wire_cut_pending row = {.node = to,
                                   .number = number,
                                   .sent = sent,
                                   .amount = amount,
                                   .from_account = s("X"),
                                   .to_account = s("Y")};
    MODEL_APPEND(model, model->nodes[from].outbox, &row, 1);
}

static struct wire_cut_message transfer(uint64_t number, uint64_t amount)
{
    return (struct wire_cut_message){.kind = s("transfer"),
                                     .number = number,
                                     .amount = amount,
                                     .from_account = s("X"),
                                     .to_account = s("Y")};
}

static void applied(struct snapshot_model *model, uint64_t at, uint64_t from, uint64_t upto)
{
    struct wire_cut_applied row = {from, 0xe0 + from, upto};
    MODEL_APPEND(model, model->nodes[at].applied, &row, 1);
}

static void hand_out(struct snapshot_model *model, uint64_t op, uint64_t node)
{
    struct wire_cut_op row = {.job = JOB, .op = op, .attempt = 1, .node = node, .operations = 2};
    MODEL_APPEND(model, model->handed_out, &row, 1);
}

static void queue(struct snapshot_model *model, uint64_t node, uint64_t op)
{
    struct wire_cut_op row = {.job = JOB, .op = op, .attempt = 1};
    MODEL_APPEND(model, model->nodes[node].queued, &row, 1);
}

static void add_work(struct snapshot_model *model)
{
    struct wire_cut_job job = {.job = JOB,
                               .spec = s("40"),
                               .total = 14,
                               .done = 3,
                               .returned = 1,
                               .assigned = 6,
                               .pending = 4};
    struct slice part = s("a part of the checkpoint");
    model->coordinator = model->claims = 1;
    MODEL_APPEND(model, model->jobs, &job, 1);
    MODEL_APPEND(model, model->checkpoint, &part, 1);
    hand_out(model, 5, 2);
    hand_out(model, 6, 2);
    hand_out(model, 7, 3);
    put_op(model, 1, 2, "task", 5);
    queue(model, 2, 6);
    put_op(model, 3, 1, "result", 7);
    queue(model, 3, 4); /* cancelled meanwhile: stale */
}

static struct snapshot_model *sound(void)
{
    struct snapshot_model *model = snapshot_model_new(3);
    model->name = (struct snapshot_name){3, LIFE + 3, 4};
    model->complete = true;
    model->time_ms = 1795000000123;
    model->took_us = 4321;
    for (uint64_t from = 1; from <= 3; from++)
        for (uint64_t to = 1; to <= 3; to++)
            model_channel(model, from, to)->known = from != to;
    add_node(model, 1, "A", 900);
    add_node(model, 2, "B", 1000);
    add_node(model, 3, "C", 70);
    applied(model, 2, 1, 6);
    owe(model, 1, 2, 6, 11, true); /* applied there, not acknowledged */
    owe(model, 1, 2, 7, 100, true);
    put(model, 1, 2, transfer(6, 11)); /* a copy that came again */
    put(model, 1, 2, transfer(7, 100));
    owe(model, 2, 3, 1, 30, false);
    applied(model, 1, 3, 1);
    owe(model, 3, 1, 1, 5, true);
    add_work(model);
    return model;
}

/* --- what is found --- */

static bool finds(const struct findings *findings, enum finding_kind kind, const char *words)
{
    for (size_t i = 0; i < findings->lines.n; i++)
        if (findings->lines.at[i].kind == kind && strstr(findings->lines.at[i].text, words))
            return true;
    return false;
}

static void print_all(const struct findings *findings)
{
    for (size_t i = 0; i < findings->lines.n; i++)
        print_message("%d %s\n", (int)findings->lines.at[i].kind, findings->lines.at[i].text);
}

/* Verifies, destroys the model, and wants exactly `offences`, one of them with these words. */
static void offends(struct snapshot_model *model, size_t offences, const char *words)
{
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.offences != offences || !finds(&findings, FINDING_OFFENCE, words))
        print_all(&findings);
    assert_int_equal(findings.offences, offences);
    assert_true(finds(&findings, FINDING_OFFENCE, words));
    findings_clear(&findings);
    snapshot_model_destroy(&model);
}

static void a_sound_snapshot_verifies_S13_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.offences)
        print_all(&findings);
    assert_int_equal(findings.offences, 0);
    assert_int_equal(findings.balances, 1970);
    assert_int_equal(findings.in_channels, 100);
    assert_int_equal(findings.in_outboxes, 30);
    assert_int_equal(findings.duplicates, 1);
    assert_int_equal(findings.stale, 1);
    assert_int_equal(findings.channels_holding, 2);
    assert_true(finds(&findings, FINDING_CHECKED, "as expected"));
    assert_true(finds(&findings, FINDING_CHECKED, "seen in one place each: 3"));
    assert_false(finds(&findings, FINDING_UNKNOWN, ""));
    findings_clear(&findings);
    snapshot_model_destroy(&model);
}

static void a_message_that_is_missing_is_found_S13(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    model_channel(model, 1, 2)->recorded--; /* the recorder is off by one */
    offends(model, 2, "sent 53 - received 50 = 3, but 2 recorded: 1 missing");
    model = sound();
    struct model_channel *channel = model_channel(model, 1, 2);
    channel->recorded--;
    channel->messages.at[1] = channel->messages.at[2]; /* the transfer of 100 */
    channel->messages.n--;
    offends(model, 2, "transfer 7 from node 1 to node 2 (amount 100) is lost");
    model = sound();
    count(model, 2, 3)->sent++;
    offends(model, 1, "sent 51 - received 50 = 1, but 0 recorded: 1 missing");
}

static void an_orphan_is_found_S13(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    count(model, 3, 2)->received = 51; /* received, and never sent */
    offends(model, 1, "orphans: node 3 received 51 messages at the cut, node 2 had sent 50");
    model = sound();
    model_channel(model, 1, 2)->messages.at[0].clock = 1001; /* it overtook the marker */
    offends(model, 1, "was sent after node 1 recorded its state");
    model = sound();
    put(model, 1, 2, transfer(8, 3));
    offends(model, 1, "orphan: transfer 8 (amount 3) in channel 1-2 is not in the outbox");
    model = sound();
    model->nodes[1].applied.at[0].upto = 2;
    offends(model, 1, "orphan: node 1 has applied number 2 of node 3");
}

static void a_transfer_in_two_places_is_found_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    put(model, 1, 2, transfer(7, 100));
    offends(model, 1, "(amount 100) is 2 times in the channel");
    model = sound();
    put(model, 2, 3, transfer(1, 30)); /* it may not leave before it is on disk */
    offends(model, 1, "is in the channel before it was sent");
    model = sound();
    model_channel(model, 1, 2)->messages.at[1].amount = 101;
    offends(model, 1, "is another one than in the outbox");
}

static void money_that_is_off_by_one_is_found_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    model->nodes[3].accounts.at[0].balance--;
    offends(model, 1, "the total is 2099, expected were 2100: 1 missing");
    model = sound();
    model->nodes[3].accounts.at[0].balance++;
    offends(model, 1, "the total is 2101, expected were 2100: 1 too many");
    model = sound();
    applied(model, 3, 2, 4);
    model->nodes[2].outbox.at[0].number = 6; /* 5 is gone and was not applied */
    offends(model, 1, "node 2 has forgotten numbers 5 to 5 for node 3");
}

static void an_operation_that_is_nowhere_or_twice_is_found(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    model->nodes[2].queued.n = 0;
    offends(model, 1, "R6 of job 2-5 (attempt 1), handed out to node 2, is nowhere");
    model = sound();
    queue(model, 2, 5);
    offends(model, 1,
            "R5 of job 2-5 (attempt 1), handed out to node 2, is in more than one place: "
            "in the channel to it, at it");
    model = sound();
    model->jobs.at[0].pending--;
    offends(model, 1, "= 13, but its plan has 14");
    model = sound();
    model->handed_out.n--;
    offends(model, 1, "6 handed out, but the coordinator's list has 4");
}

static void counts_of_another_life_are_found_S5(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    count(model, 2, 3)->incarnation++;
    offends(model, 2,
            "node 2 counts for incarnation a000000000000004, and node 3 recorded its "
            "state as a000000000000003");
}

static void what_calls_itself_complete_must_be_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    model_channel(model, 2, 3)->known = false;
    offends(model, 1, "channel 2-3 is missing: it was not recorded");
}

static void lose_node(struct snapshot_model *model, uint64_t id)
{
    model->complete = false;
    model->nodes[id] = (struct model_node){.about.node = id,
                                           .about.missing = s("it was not alive"),
                                           .state.node = id};
    for (uint64_t peer = 1; peer <= 3; peer++) {
        *model_channel(model, id, peer) = (struct model_channel){0};
        *model_channel(model, peer, id) = (struct model_channel){0};
    }
}

static void of_a_partial_snapshot_is_checked_what_can_be_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    lose_node(model, 3);
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.offences)
        print_all(&findings);
    assert_int_equal(findings.offences, 0);
    assert_int_equal(findings.channels_known, 2);
    assert_true(finds(&findings, FINDING_UNKNOWN, "node 3 is missing: it was not alive"));
    assert_true(finds(&findings, FINDING_UNKNOWN, "money: the total"));
    assert_true(finds(&findings, FINDING_UNKNOWN, "where 1 are that were handed out"));
    findings_clear(&findings);
    model->nodes[2].queued.n = 0; /* what is left is still checked */
    offends(model, 1, "R6 of job 2-5");
}

/* --- files --- */

static char *dump(const struct snapshot_model *model)
{
    json_t *object = snapshot_json(model, (struct snapshot_json_parts){.checkpoint = true});
    char *text = json_dumps(object, JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

static void add_values(struct snapshot_model *model)
{
    struct wire_cut_pair text = {s("greeting"), s("hello")},
                         bytes = {s("raw"), {(const uint8_t *)"\xff\0\x80", 3}},
                         empty = {s("none"), {0}};
    struct wire_cut_pending app = {
        .node = 3, .number = 2, .sent = true, .name = s("greeting"), .value = s("hi")};
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
    for (uint64_t id = 1; id <= 3; id++) { /* the reports are cut into parts anew */
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

/* A container holds only messages that are known; the checkpoint of a sound() is just words. */
static struct snapshot_model *with_checkpoint(void)
{
    struct snapshot_model *model = sound();
    struct message *image = message_new(MESSAGE_IMAGE_SNAPS);
    image->as.image_snaps.snapshots = 7;
    model->checkpoint.at[0] = pack_into(model, image);
    return model;
}

static void nothing_is_lost_between_container_and_json(void **state)
{
    (void)state;
    struct snapshot_model *model = with_checkpoint();
    add_values(model);
    all_forms_say_the_same(model);
    model = with_checkpoint();
    lose_node(model, 3);
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
        owe(model, 2, 3, 2 + i, i, false);
        put(model, 1, 3, (struct wire_cut_message){.kind = s("release"), .job = JOB});
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
    owe(model, 1, 2, 8, 0, false);
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_losses(model, &notes);
    assert_int_equal(notes.lines.n, 0);
    snapshot_settle(model, &notes);
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
    assert_true(finds(&findings, FINDING_CHECKED, "= 2100, as expected"));
    findings_clear(&findings);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

/* The value of R9 is on a disk that the fresh cluster does not have. */
static void a_job_without_its_values_begins_anew_S15(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    struct restore_notes notes = {0};
    struct wire_job_row row = {.job = JOB, .done = 3, .total = 14, .state = s("queued")};
    struct wire_done_op done = {.op = 9, .node = 2, .attempt = 1, .len = 100000};
    struct message *job = message_new(MESSAGE_IMAGE_JOB), *ops = message_new(MESSAGE_IMAGE_OPS);
    job->as.image_job.jobs.at = &row;
    job->as.image_job.jobs.n = 1;
    ops->as.image_ops.job = JOB;
    ops->as.image_ops.ops.at = &done;
    ops->as.image_ops.ops.n = 1;
    struct slice parts[] = {pack_into(model, job), pack_into(model, ops)};
    model->checkpoint.n = 0;
    model->checkpoint.at = NULL;
    MODEL_APPEND(model, model->checkpoint, parts, 2);
    snapshot_settle(model, &notes);
    assert_int_equal(notes.lines.n, 1);
    assert_non_null(strstr(notes.lines.at[0], "job 2-5 begins anew"));
    assert_int_equal(model->checkpoint.n, 1);
    struct message *got;
    struct text why = {0};
    assert_int_equal(codec_unpack(model->checkpoint.at[0], &got, &why), OK);
    assert_int_equal(got->type, MESSAGE_IMAGE_JOB);
    assert_int_equal(got->as.image_job.jobs.at[0].done, 0);
    message_drop(&got);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

static void a_partial_snapshot_says_what_it_would_lose_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound();
    struct restore_notes notes = {0};
    lose_node(model, 3);
    snapshot_losses(model, &notes);
    assert_int_equal(notes.lines.n, 1);
    assert_non_null(strstr(notes.lines.at[0], "of node 3, which is missing"));
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
}

/* Every prefix, and every byte changed: an error with a reason, or a model that can be worked with.
 */
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
    assert_int_equal(snapshot_name_parse(s("3-00000001b9ffba8b-4"), &name), OK);
    assert_int_equal(name.initiator, 3);
    assert_int_equal(name.incarnation, 0x1b9ffba8b);
    assert_string_equal(snapshot_name_text(&name, at), "3-00000001b9ffba8b-4");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(snapshot_name_parse(s(bad[i]), &name), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_snapshot_verifies_S13_S14),
        cmocka_unit_test(a_message_that_is_missing_is_found_S13),
        cmocka_unit_test(an_orphan_is_found_S13),
        cmocka_unit_test(a_transfer_in_two_places_is_found_S14),
        cmocka_unit_test(money_that_is_off_by_one_is_found_S14),
        cmocka_unit_test(an_operation_that_is_nowhere_or_twice_is_found),
        cmocka_unit_test(counts_of_another_life_are_found_S5),
        cmocka_unit_test(what_calls_itself_complete_must_be_S12),
        cmocka_unit_test(of_a_partial_snapshot_is_checked_what_can_be_S12),
        cmocka_unit_test(nothing_is_lost_between_container_and_json),
        cmocka_unit_test(large_ledgers_are_cut_into_parts),
        cmocka_unit_test(a_share_holds_one_node_and_the_jobs_S15),
        cmocka_unit_test(a_settled_snapshot_holds_the_same_money_S15),
        cmocka_unit_test(a_job_without_its_values_begins_anew_S15),
        cmocka_unit_test(a_partial_snapshot_says_what_it_would_lose_S12),
        cmocka_unit_test(damaged_files_are_refused_X11),
        cmocka_unit_test(names_are_read_as_they_are_written_S8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

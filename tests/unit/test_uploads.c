/* A coordinator's uploads through their door: chunks become segments, and those proposals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/uploads/uploads.h"
#include "nodes/core/link/link.h"

enum { SELF = 1, CHUNK = 1000, TERM = 3 };

struct scene {
    struct step step;
    struct links links;
    struct state state;
    struct raft raft;
    struct uploads uploads;
};

static void note_applied(void *context, log_index_t index, void *made)
{
    (void)context;
    (void)index;
    (void)made;
}

static bool names_nothing(const void *context, struct value_id id)
{
    (void)context;
    (void)id;
    return false;
}

static const struct raft_owner owner = {.applied = note_applied, .names = names_nothing};

static struct scene *begin(void)
{
    struct scene *it = mem_new(1, sizeof *it);
    it->step = (struct step){.config = {.id = SELF,
                                        .n_nodes = 3,
                                        .n_voters = 1,
                                        .result_max_bytes = MIB_BYTES,
                                        .keep_values_us = 8 * SECOND_US},
                             .identity = {.cluster_id = {1}},
                             .term = TERM,
                             .coordinator = SELF,
                             .now_us = SECOND_US};
    outbox_begin(&it->step.out);
    it->links.step = &it->step;
    state_init(&it->state, &it->step);
    it->raft = (struct raft){.step = &it->step,
                             .links = &it->links,
                             .machine = &state_machine,
                             .state = &it->state,
                             .owner = &owner};
    it->raft.election.role = ROLE_COORDINATOR;
    it->raft.election.serving = it->raft.election.voter = true;
    it->state.head.births[SELF] = it->step.birth = 7;
    it->uploads = (struct uploads){.step = &it->step, .raft = &it->raft, .state = &it->state};
    uploads_start(&it->uploads);
    return it;
}

static void end(struct scene *it)
{
    uploads_check_invariants(&it->uploads);
    uploads_clear(&it->uploads);
    raft_clear(&it->raft);
    state_clear(&it->state);
    links_clear(&it->links);
    outbox_destroy(&it->step.out);
    free(it);
}

/* As if it were committed. */
static void apply(struct scene *it, struct message *entry)
{
    assert_true(state_entry_is_valid(entry));
    state_apply(&it->state, it->state.applied + 1, TERM, entry);
    message_drop(&entry);
}

static const struct stored_value *begin_value(struct scene *it, uint64_t len, uint8_t name)
{
    const uint8_t hash[HASH_BYTES] = {name};
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    entry->as.entry_value_begun.sha256 = message_copy(entry, (struct slice){hash, HASH_BYTES});
    entry->as.entry_value_begun.len = len;
    entry->as.entry_value_begun.format = message_text(entry, "bytes");
    apply(it, entry);
    return it->state.stored.at[it->state.stored.n - 1];
}

/* A chunk of a segment of so many bytes, all of which are `fill`. */
static enum upload_answer put_of(struct scene *it, const struct stored_value *value,
                                 uint64_t segment, uint64_t len, uint64_t offset, uint8_t fill,
                                 uint64_t items)
{
    struct text why = {0};
    struct message *request = message_new(MESSAGE_VALUE_PUT);
    size_t n = len - offset < CHUNK ? len - offset : CHUNK;
    struct blob *bytes = blob_new(n);
    const uint8_t hash[HASH_BYTES] = {fill};
    memset(bytes->at, fill, n);
    request->as.value_put =
        (struct wire_value_put){.value = value->id,
                                .segment = segment,
                                .offset = offset,
                                .len = len,
                                .items = items,
                                .sha256 = message_copy(request, (struct slice){hash, HASH_BYTES})};
    message_add_frame(request, bytes);
    blob_drop(&bytes);
    enum upload_answer answer = uploads_put(&it->uploads, value, request, &why);
    message_drop(&request);
    uploads_check_invariants(&it->uploads);
    return answer;
}

static enum upload_answer put(struct scene *it, const struct stored_value *value, uint64_t segment,
                              uint64_t len, uint64_t offset)
{
    return put_of(it, value, segment, len, offset, (uint8_t)segment, 0);
}

static size_t count(const struct scene *it, enum output_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < it->step.out.n; i++)
        n += it->step.out.at[i].kind == kind;
    return n;
}

/* The last entry that was proposed. */
static const struct message *proposed(const struct scene *it, enum message_type type)
{
    bool any = it->raft.log.last > it->raft.log.applied;
    const struct message *entry = any ? raft_log_waiting(&it->raft, it->raft.log.last) : NULL;
    return entry && entry->type == type ? entry : NULL;
}

static struct value_id id_of(const struct stored_value *value, uint64_t segment)
{
    return (struct value_id){value->id, stored_op(TERM, segment)};
}

static void run(struct scene *it, uint64_t us)
{
    it->step.now_us += us;
    uploads_tick(&it->uploads);
    uploads_pump(&it->uploads);
    uploads_check_invariants(&it->uploads);
}

static void a_segment_is_checked_kept_and_proposed_and_then_committed_V1(void **state)
{
    (void)state;
    struct scene *it = begin();
    const struct stored_value *value = begin_value(it, 4000, 1);
    assert_int_equal(put(it, value, 1, 2500, 0), UPLOAD_TAKEN);
    assert_int_equal(put(it, value, 1, 2500, CHUNK), UPLOAD_TAKEN);
    assert_int_equal(put(it, value, 1, 2500, CHUNK), UPLOAD_TAKEN); /* again */
    assert_int_equal(put(it, value, 1, 2500, 2 * CHUNK), UPLOAD_WAITS);
    assert_int_equal(put(it, value, 1, 2500, 2 * CHUNK), UPLOAD_WAITS);
    assert_int_equal(count(it, OUTPUT_FEED), 3);
    run(it, 0);
    assert_int_equal(it->raft.log.last, 0);
    uploads_value_ready(&it->uploads, id_of(value, 1));
    assert_int_equal(count(it, OUTPUT_KEEP), 1);
    run(it, 0);
    assert_int_equal(it->raft.log.last, 0); /* not before it is on disk */
    uploads_value_kept(&it->uploads, id_of(value, 1));
    run(it, 0);
    const struct message *entry = proposed(it, MESSAGE_ENTRY_VALUE_SEGMENT);
    assert_non_null(entry);
    assert_true(entry->as.entry_value_segment.op == stored_op(TERM, 1));
    assert_int_equal(uploads_status(&it->uploads, value->id, 1), UPLOAD_WAITS);
    apply(it, message_ref((struct message *)entry));
    assert_int_equal(uploads_status(&it->uploads, value->id, 1), UPLOAD_TAKEN);
    run(it, 0);
    assert_int_equal(it->uploads.n, 0);
    assert_int_equal(count(it, OUTPUT_DROP), 1);
    /* What is durable is taken again, whoever sends it; other bytes are not. */
    assert_int_equal(put(it, value, 1, 2500, 0), UPLOAD_TAKEN);
    assert_int_equal(put_of(it, value, 1, 2500, 0, 9, 0), UPLOAD_INVALID);
    end(it);
}

static void segments_are_proposed_in_their_order(void **state)
{
    (void)state;
    struct scene *it = begin();
    const struct stored_value *value = begin_value(it, 4000, 1);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(put(it, value, i, 500, 0), UPLOAD_WAITS);
    for (uint64_t i = 3; i >= 1; i--) {
        run(it, 0);
        assert_int_equal(it->raft.log.last, 0);
        uploads_value_ready(&it->uploads, id_of(value, i));
        uploads_value_kept(&it->uploads, id_of(value, i));
    }
    run(it, 0);
    assert_int_equal(it->raft.log.last, 3);
    for (log_index_t i = 1; i <= 3; i++)
        assert_true(raft_log_waiting(&it->raft, i)->as.entry_value_segment.segment == i);
    end(it);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct scene *it = begin();
    const struct stored_value *value = begin_value(it, 20 * MIB_BYTES, 1);
    assert_int_equal(put(it, value, 1, 2500, CHUNK),
                     UPLOAD_UNKNOWN); /* its beginning is not here */
    assert_int_equal(put(it, value, 2, 2500, 0), UPLOAD_UNKNOWN);
    assert_int_equal(put(it, value, 0, 2500, 0), UPLOAD_INVALID);
    assert_int_equal(put(it, value, 1, SEGMENT_BYTES_MAX + 1, 0), UPLOAD_INVALID);
    assert_int_equal(put_of(it, value, 1, 5 * MIB_BYTES, 0, 1, 1), UPLOAD_TAKEN);
    assert_int_equal(put(it, value, 2, 2500, 0), UPLOAD_UNKNOWN); /* the first is not all here */
    /* Another try cuts it otherwise. */
    assert_int_equal(put_of(it, value, 1, 600, 0, 2, 0), UPLOAD_WAITS);
    assert_int_equal(it->uploads.bytes, 600);
    assert_int_equal(put_of(it, value, 1, 700, 0, 3, 0), UPLOAD_UNKNOWN); /* too late for that */
    const struct stored_value *small = begin_value(it, 100, 2);
    assert_int_equal(put(it, small, 1, 101, 0), UPLOAD_INVALID);
    assert_int_equal(it->uploads.n, 1);
    end(it);
}

static void memory_is_bounded_and_given_back(void **state)
{
    (void)state;
    struct scene *it = begin();
    const struct stored_value *values[20];
    enum upload_answer answer = UPLOAD_TAKEN;
    size_t n = 0;
    for (uint8_t i = 0; i < 20; i++)
        begin_value(it, 20 * MIB_BYTES, i);
    for (size_t i = 0; i < 20; i++)
        values[i] = it->state.stored.at[i];
    while (n < 20 && (answer = put(it, values[n], 1, SEGMENT_BYTES_MAX, 0)) == UPLOAD_TAKEN)
        n++;
    assert_int_equal(n, UPLOADS_BYTES_MAX / SEGMENT_BYTES_MAX);
    assert_int_equal(answer, UPLOAD_BUSY);
    run(it, UPLOAD_IDLE_US / 2);
    assert_int_equal(put(it, values[0], 1, SEGMENT_BYTES_MAX, CHUNK), UPLOAD_TAKEN);
    run(it, UPLOAD_IDLE_US / 2); /* nothing more came of the others */
    assert_int_equal(it->uploads.n, 1);
    assert_int_equal(it->uploads.bytes, SEGMENT_BYTES_MAX);
    assert_int_equal(put(it, values[1], 1, SEGMENT_BYTES_MAX, CHUNK), UPLOAD_UNKNOWN);
    for (uint64_t i = 1; i <= UPLOAD_SEGMENTS_MAX; i++)
        assert_int_equal(put(it, values[2], i, 10, 0), UPLOAD_WAITS);
    assert_int_equal(put(it, values[2], UPLOAD_SEGMENTS_MAX + 1, 10, 0), UPLOAD_BUSY);
    uploads_stop(&it->uploads);
    assert_int_equal(uploads_status(&it->uploads, values[2]->id, 1), UPLOAD_UNKNOWN);
    end(it);
}

static void bytes_that_are_not_what_was_said_are_not_kept(void **state)
{
    (void)state;
    struct scene *it = begin();
    const struct stored_value *value = begin_value(it, 4000, 1);
    assert_int_equal(put(it, value, 1, 500, 0), UPLOAD_WAITS);
    assert_int_equal(put(it, value, 2, 500, 0), UPLOAD_WAITS);
    uploads_value_failed(&it->uploads, id_of(value, 1));
    assert_int_equal(uploads_status(&it->uploads, value->id, 1), UPLOAD_INVALID);
    assert_int_equal(uploads_status(&it->uploads, value->id, 2), UPLOAD_UNKNOWN);
    assert_int_equal(it->uploads.n, 0);
    assert_int_equal(it->uploads.bytes, 0);
    end(it);
}

/* --- age --- */

static void take_proposed(struct scene *it, enum message_type type)
{
    const struct message *entry = proposed(it, type);
    assert_non_null(entry);
    apply(it, message_ref((struct message *)entry));
    it->raft.log.applied = it->raft.log.last;
}

static void age_counts_once_by_the_log_and_what_is_old_is_dropped_V3(void **state)
{
    (void)state;
    struct scene *it = begin();
    uint64_t begun_us = it->step.now_us, rounds = 0;
    run(it, 5 * SECOND_US); /* nothing ages yet */
    assert_true(uploads_deadline(&it->uploads) == UINT64_MAX);
    begun_us = it->step.now_us;
    const struct stored_value *value = begin_value(it, 4000, 1);
    while (it->state.stored.n && rounds++ < 100) {
        run(it, 300 * MS_US);
        if (proposed(it, MESSAGE_ENTRY_VALUE_DROPPED)) {
            take_proposed(it, MESSAGE_ENTRY_VALUE_DROPPED);
            break;
        }
        if (it->raft.log.last > it->raft.log.applied)
            take_proposed(it, MESSAGE_ENTRY_VALUE_AGED);
        uint64_t age_us = it->state.stored.clock_ms * MS_US;
        assert_true(age_us <= it->step.now_us - begun_us);
        assert_true(age_us + 2 * SECOND_US >= it->step.now_us - begun_us);
        assert_true(it->state.stored.at[0] == value);
    }
    uint64_t took_us = it->step.now_us - begun_us;
    assert_true(took_us >= 8 * SECOND_US && took_us <= 11 * SECOND_US);
    assert_int_equal(it->state.stored.n, 0);
    end(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_checked_kept_and_proposed_and_then_committed_V1),
        cmocka_unit_test(segments_are_proposed_in_their_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(memory_is_bounded_and_given_back),
        cmocka_unit_test(bytes_that_are_not_what_was_said_are_not_kept),
        cmocka_unit_test(age_counts_once_by_the_log_and_what_is_old_is_dropped_V3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Runs of small entries in one frame of an append: what is sent is what is read, to whom it may be
 * sent, and what a follower makes of one that is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/core/raft/log.h"
#include "nodes/core/raft/runs.h"
#include "shared/base/bytes.h"
#include "shared/base/memory.h"
#include "shared/wire/codec.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage.h"

static struct stage *serving(void)
{
    struct stage *stage = stage_new(3, 3);
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    return stage;
}

static struct raft *raft_of(struct stage *stage, node_id_t id)
{
    return (struct raft *)(uintptr_t)stage_raft(stage, id);
}

static struct message *append_of(struct raft *raft, node_id_t peer, log_index_t from, size_t n)
{
    struct message *message = message_new(MESSAGE_APPEND);
    message->as.append.entries.at = message_room(message, n, sizeof(struct wire_log_item));
    for (size_t added = 0; added < n;)
        added += runs_add(raft, peer, from + added, n - added, message);
    return message;
}

/* What is read are the entries from an index on, and no more. */
static void check(const struct raft *raft, const struct message *message, log_index_t from,
                  size_t n)
{
    struct runs_reader reader = {.message = message};
    struct blob *packed;
    bool sound;
    for (; runs_next(&reader, &packed, &sound); from++, n--) {
        const struct log_entry *entry = raft_log_at(raft, from);
        assert_true(reader.term == entry->term && n);
        assert_true(packed->len == entry->packed->len &&
                    !memcmp(packed->at, entry->packed->at, packed->len));
        blob_drop(&packed);
    }
    assert_true(sound && !n);
}

static struct blob *entry_of(size_t len)
{
    struct message *entry = message_new(MESSAGE_ENTRY_NOOP);
    uint8_t *bytes = mem_new(len, 1);
    struct blob *frame = blob_copy(bytes, len);
    if (len)
        message_add_frame(entry, frame);
    struct blob *packed = codec_pack(entry);
    blob_drop(&frame);
    free(bytes);
    message_drop(&entry);
    return packed;
}

static void add(struct raft *raft, size_t len)
{
    struct blob *packed = entry_of(len);
    raft_log_append(raft, raft->step->term, packed, NULL);
    blob_drop(&packed);
}

/* Followers that want the same share a frame; one that wants more or less gets its own. */
static void what_is_sent_is_what_is_read_R16(void **state)
{
    (void)state;
    struct stage *stage = serving();
    struct raft *raft = raft_of(stage, 1);
    log_index_t from = raft->log.last + 1;
    for (size_t i = 0; i < 10; i++)
        add(raft, i == 4 ? RUN_ENTRY_BYTES : i);
    struct message *all = append_of(raft, 2, from, 10), *same = append_of(raft, 3, from, 10),
                   *few = append_of(raft, 3, from + 5, 3), *few2 = append_of(raft, 2, from + 5, 5),
                   *few3 = append_of(raft, 3, from + 5, 5), *one = append_of(raft, 2, from, 1);
    assert_int_equal(all->as.append.entries.n, 3); /* the fifth one is large */
    assert_int_equal(all->as.append.entries.at[0].count, 4);
    assert_int_equal(all->as.append.entries.at[1].count, 0);
    assert_int_equal(all->as.append.entries.at[2].count, 5);
    assert_ptr_equal(few2->frames[0], few3->frames[0]);
    check(raft, all, from, 10);
    check(raft, same, from, 10);
    check(raft, few, from + 5, 3);
    check(raft, few2, from + 5, 5);
    assert_int_equal(one->as.append.entries.at[0].count, 0);
    check(raft, one, from, 1);
    message_drop(&all);
    message_drop(&same);
    message_drop(&few);
    message_drop(&few2);
    message_drop(&few3);
    message_drop(&one);
    stage_free(&stage);
}

/* Nodes of an earlier release get each entry in a frame of its own. */
static void who_does_not_know_runs_gets_none(void **state)
{
    (void)state;
    struct stage *stage = serving();
    struct raft *raft = raft_of(stage, 1);
    log_index_t from = raft->log.last + 1;
    for (size_t i = 0; i < 5; i++)
        add(raft, 10);
    raft->links->peers[2].heartbeat->as.heartbeat.entries = ENTRY_LEVEL_RUNS - 1;
    struct message *old = append_of(raft, 2, from, 5), *young = append_of(raft, 3, from, 5);
    assert_int_equal(old->as.append.entries.n, 5);
    assert_int_equal(young->as.append.entries.n, 1);
    check(raft, old, from, 5);
    check(raft, young, from, 5);
    message_drop(&old);
    message_drop(&young);
    stage_free(&stage);
}

/* An entry and a half, or an entry too many, in a frame: what is whole before it is taken in. */
static void a_malformed_run_is_rejected(void **state)
{
    (void)state;
    struct blob *entry = entry_of(0);
    for (int how = 0; how < 4; how++) {
        struct stage *stage = serving();
        struct raft *raft = raft_of(stage, 2);
        log_index_t last = raft->log.last, commit = raft->log.commit;
        uint64_t rejected = raft->step->rejected_here;
        size_t n = 3, len = n * (BYTES_LENGTH + entry->len);
        struct blob *frame = blob_new(len);
        for (size_t i = 0, at = 0; i < n; i++)
            at += bytes_put_part(frame->at + at, entry->at, entry->len);
        if (how == 1)
            frame->at[2 * (BYTES_LENGTH + entry->len)]++; /* cut short */
        struct message *message = message_new(MESSAGE_APPEND);
        struct wire_log_item item = {.term = raft->step->term, .count = how == 2 ? 4 : 3};
        item.count = how == 3 ? 2 : item.count;
        item.frame = message_add_frame(message, frame);
        blob_drop(&frame);
        message->as.append = (struct wire_append){.term = raft->step->term,
                                                  .round = 1,
                                                  .prev_index = last,
                                                  .commit = commit};
        raft_log_term(raft, last, &message->as.append.prev_term);
        message->as.append.entries.n = 1;
        message->as.append.entries.at = &item;
        stage_say(stage, 1, 2, PLANE_CHECKPOINT, message);
        static const size_t taken[] = {3, 2, 3, 1};
        assert_int_equal(raft->log.last, last + taken[how]);
        assert_int_equal(raft->step->rejected_here > rejected, how > 0);
        stage_free(&stage);
    }
    blob_drop(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_what_is_read_R16),
        cmocka_unit_test(who_does_not_know_runs_gets_none),
        cmocka_unit_test(a_malformed_run_is_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

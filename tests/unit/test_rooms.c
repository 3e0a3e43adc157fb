/* Rooms through their doors, without a node: what each does alone, and that what must hold of it
 * holds after each step. The schedule's is test_schedule.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/ledger/ledger.h"
#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "nodes/core/worker/worker.h"
#include "tests/harness/rooms.h"

static void check(const struct rooms *it)
{
    step_check_invariants(&it->step);
    links_check_invariants(&it->links);
    raft_check_invariants(&it->raft);
    state_check_invariants(&it->state);
}

/* --- step --- */

static void what_is_written_is_one_batch_and_gates_what_must_wait_for_it(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(1);
    uint64_t seq = outbox_write_vote(&it->step.out, &(struct node_durable){.term = 4});
    struct message *message = message_new(MESSAGE_GOODBYE);
    outbox_send(&it->step.out, PLANE_CONTROL, PEER, message);
    outbox_end(&it->step.out);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_PERSIST), 1);
    assert_int_equal(it->step.out.at[0].kind, OUTPUT_SEND);
    assert_int_equal(it->step.out.at[0].after_seq, seq); /* nothing of a term leaves before (R1) */
    step_check_invariants(&it->step);
    rooms_free(it);
}

/* --- link --- */

static void a_life_of_a_peer_is_reported_as_facts_in_their_order(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct link_fact fact;
    peers_link_up(&it->links, PLANE_CONTROL, PEER);
    peers_meet(&it->links, PEER, 22);
    assert_true(peers_take_fact(&it->links, &fact) && fact.kind == LINK_MET && fact.node == PEER);
    struct message *heartbeat = message_new(MESSAGE_HEARTBEAT);
    heartbeat->as.heartbeat.incarnation = 22;
    assert_true(peers_heartbeat(&it->links, PEER, heartbeat));
    message_drop(&heartbeat);
    assert_true(peers_take_fact(&it->links, &fact) && fact.kind == LINK_BACK);
    check(it);
    peers_link_down(&it->links, PLANE_CONTROL, PEER);
    assert_true(peers_take_fact(&it->links, &fact) && fact.kind == LINK_LOST && fact.died);
    assert_true(peers_take_fact(&it->links, &fact) && fact.kind == LINK_GONE);
    assert_false(peers_take_fact(&it->links, &fact));
    check(it);
    rooms_free(it);
}

static void a_greeting_that_nobody_welcomes_is_made_again_when_it_is_due(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    peers_link_up(&it->links, PLANE_CHANNEL, PEER);
    uint64_t due_us = links_deadline(&it->links);
    assert_true(due_us > it->step.now_us && due_us < UINT64_MAX);
    it->step.now_us = due_us - 1;
    links_tick(&it->links);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_RELINK), 0);
    it->step.now_us = due_us;
    links_tick(&it->links);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_RELINK), 1);
    assert_true(links_deadline(&it->links) == UINT64_MAX);
    rooms_free(it);
}

/* --- raft, over the state --- */

static void the_only_voter_elects_itself_and_serves_once_its_entry_is_durable(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(1);
    struct raft_fact fact;
    rooms_elect_alone(it);
    assert_true(raft_take_fact(&it->raft, &fact) && fact.kind == RAFT_FOLLOWS);
    assert_false(raft_serves(&it->raft));
    outbox_end(&it->step.out);
    raft_persisted(&it->raft, it->step.out.seq);
    assert_true(raft_serves(&it->raft));
    assert_true(raft_take_fact(&it->raft, &fact) && fact.kind == RAFT_SERVES);
    assert_int_equal(it->applied, 1);
    check(it);
    rooms_free(it);
}

static void what_no_entry_names_is_the_owners_to_keep(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(1);
    assert_false(sweep_keeps(&it->raft, (struct value_id){1, 1}));
    it->snapshots_named = true;
    assert_true(sweep_keeps(&it->raft, (struct value_id){1, 1}));
    rooms_free(it);
}

/* --- worker --- */

static struct worker worker_of(struct rooms *it)
{
    return (struct worker){.step = &it->step,
                           .links = &it->links,
                           .raft = &it->raft,
                           .state = &it->state};
}

static void a_worker_drops_what_another_term_had_given_it(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct worker worker = worker_of(it);
    worker_reset(&worker, 5);
    assert_int_equal(worker.term, 5);
    worker_pump(&worker);
    worker_check_invariants(&worker);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_COMPUTE), 0);
    assert_int_equal(worker_executing(&worker).op, 0);
    assert_true(worker_deadline(&worker) == UINT64_MAX);
    worker_clear(&worker);
    rooms_free(it);
}

static struct message *tasks(job_id_t job, size_t n)
{
    struct message *message = message_new(MESSAGE_TASK);
    message->as.task.ops.at = message_room(message, n, sizeof(struct wire_task_op));
    message->as.task.ops.n = n;
    for (size_t i = 0; i < n; i++)
        message->as.task.ops.at[i] = (struct wire_task_op){
            .job = job, .op = i + 1, .opcode = slice_of("multiply"), .first = 9, .count = 4};
    return message;
}

/* What is called off ends at the compute thread, too. A coordinator that begins counts attempts
 * from 1 again: the end of an old one is not the result of the new one. */
static void what_is_called_off_ends_and_is_no_result_of_what_comes_after(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct worker worker = worker_of(it);
    struct message *message = tasks(1, 1);
    worker_task(&worker, PEER, message);
    worker_pump(&worker);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_COMPUTE), 1);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_CANCEL), 0);
    worker_release(&worker, PEER, 1, 2); /* another one */
    assert_int_equal(rooms_count_outputs(it, OUTPUT_CANCEL), 0);
    worker_release(&worker, PEER, 1, 1);
    worker_release(&worker, PEER, 1, 1);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_CANCEL), 1);
    worker_reset(&worker, 6);
    worker_task(&worker, PEER, message);
    worker_pump(&worker);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_COMPUTE), 2);
    struct computed ended = {.id = {1, 1}, .error = "it was cancelled"};
    worker_computed(&worker, &ended, 1);
    worker_check_invariants(&worker);
    assert_int_equal(worker.queued, 1);
    assert_int_equal(worker.computing, 1);
    worker_computed(&worker, &(struct computed){.id = {1, 1}, .len = 8, .operations = 1}, 1);
    assert_int_equal(worker.queued, 0);
    worker_check_invariants(&worker);
    message_drop(&message);
    worker_clear(&worker);
    rooms_free(it);
}

/* Whoever claims to coordinate can fill a worker's queue no further than any coordinator would. */
static void a_worker_refuses_what_is_more_than_any_credit(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct worker worker = worker_of(it);
    for (job_id_t job = 1; job <= 1000; job++) {
        struct message *message = tasks(job, BATCH_OPS_MAX);
        worker_task(&worker, PEER, message);
        message_drop(&message);
        worker_check_invariants(&worker);
    }
    assert_int_equal(worker.queued, WORK_QUEUED_MAX);
    assert_int_equal(it->step.rejected_here, 0); /* it was well-formed */
    worker_release(&worker, PEER, 1, 0);
    assert_int_equal(worker.queued, WORK_QUEUED_MAX - BATCH_OPS_MAX);
    struct message *message = tasks(2000, BATCH_OPS_MAX);
    worker_task(&worker, PEER, message); /* there is room again */
    message_drop(&message);
    assert_int_equal(worker.queued, WORK_QUEUED_MAX);
    worker_clear(&worker);
    rooms_free(it);
}

/* --- lines --- */

static void lines_that_others_cause_are_limited_and_counted(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    it->step.out.level = LOG_INFO;
    for (int i = 0; i < 1000; i++)
        step_reject(&it->step, PEER, "it is not to be believed");
    assert_int_equal(rooms_count_outputs(it, OUTPUT_LOG), LOG_REJECTED_PER_S);
    assert_int_equal(it->step.rejected_here, 1000);
    for (int i = 0; i < 1000; i++)
        step_event(&it->step, "job_done", NODE_NONE, 1, "job %d is done", i);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_LOG), LOG_REJECTED_PER_S + LOG_LINES_PER_S);
    assert_int_equal(rooms_count_outputs(it, OUTPUT_PUBLISH), 1000); /* the feed tells all */
    step_event(&it->step, "elected", SELF, JOB_NONE, "other kinds have room");
    assert_int_equal(rooms_count_outputs(it, OUTPUT_LOG), LOG_REJECTED_PER_S + LOG_LINES_PER_S + 1);
    it->step.now_us += SECOND_US;
    step_reject(&it->step, PEER, "it is not to be believed");
    assert_int_equal(rooms_count_outputs(it, OUTPUT_LOG), LOG_REJECTED_PER_S + LOG_LINES_PER_S + 3);
    const struct output *last = &it->step.out.at[it->step.out.n - 2];
    assert_string_equal(last->log.text, "999 lines of this kind were left out: rejected");
    rooms_free(it);
}

/* --- ledger --- */

static void money_goes_from_an_account_only_with_an_outbox_message_and_survives(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct ledger ledger = {.step = &it->step, .links = &it->links, .raft = &it->raft};
    struct ledger_row *row = ledger_credit(&ledger, slice_of("a"), 10);
    ledger_check_invariants(&ledger);
    ledger_debit(&ledger, row, 4);
    struct message *pending = message_new(MESSAGE_TRANSFER);
    pending->as.transfer.amount = 4;
    pending->as.transfer.from = message_text(pending, "a");
    pending->as.transfer.to = message_text(pending, "b");
    ledger.epoch = 1;
    ledger_send(&ledger, PEER, pending, 4);
    ledger_check_invariants(&ledger);
    assert_int_equal(ledger.total, 6);
    assert_int_equal(ledger.in_transit, 4);
    peers_meet(&it->links, PEER, 22);
    rooms_drop_facts(it);
    ledger_peer_met(&ledger, PEER);
    ledger_pump(&ledger);
    ledger_check_invariants(&ledger);
    assert_int_equal(it->links.peers[PEER].channel.queue.n, 1);
    ledger_clear(&ledger);
    rooms_free(it);
}

/* Keeps a copy of the parts that a room writes. */
static uint64_t keep_part(void *context, struct message *part)
{
    struct message **kept = context;
    if (part->type != MESSAGE_CUT_PAIRS) {
        message_drop(&part);
        return 1;
    }
    *kept = part;
    return 1;
}

static uint64_t count_rest(void *context, uint64_t bytes)
{
    (void)context;
    return bytes;
}

static void a_value_that_is_deleted_after_the_cut_is_in_it(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct ledger ledger = {.step = &it->step, .links = &it->links, .raft = &it->raft};
    struct message *kept = NULL;
    const struct cut_writer writer = {.add = keep_part, .add_rest = count_rest, .context = &kept};
    assert_true(ledger_put(&ledger, slice_of("colour"), slice_of("red")));
    assert_true(ledger_put(&ledger, slice_of("shape"), slice_of("round")));
    void *rest = ledger_participant.record(&ledger, &writer);
    assert_true(ledger_delete(&ledger, slice_of("colour")));
    assert_false(ledger_delete(&ledger, slice_of("colour")));
    ledger_check_invariants(&ledger);
    assert_int_equal(ledger.values.n, 1);
    assert_int_equal(ledger_participant.pack(&ledger, rest, &writer, UINT64_MAX), CUT_WRITTEN);
    assert_int_equal(kept->as.cut_pairs.rows.n, 2);
    assert_true(slice_equals(kept->as.cut_pairs.rows.at[0].name, "colour"));
    message_drop(&kept);
    ledger_participant.drop(&ledger, rest);
    ledger_clear(&ledger);
    rooms_free(it);
}

/* --- snapshot --- */

struct witness {
    unsigned recorded, packed, dropped;
};

static void *record(void *room, const struct cut_writer *writer)
{
    struct witness *it = room;
    it->recorded++;
    return writer->add_rest(writer->context, 100) ? it : NULL;
}

static enum cut_progress pack(void *room, void *rest, const struct cut_writer *writer,
                              uint64_t bytes)
{
    struct witness *it = room;
    (void)bytes;
    assert_ptr_equal(room, rest);
    if (it->packed++ < 2)
        return CUT_GOES_ON;
    assert_true(writer->add(writer->context, message_new(MESSAGE_CUT_LEDGER)) > 0);
    return CUT_WRITTEN;
}

static bool can_pack(const void *rest)
{
    return rest;
}

static void drop(void *room, void *rest)
{
    (void)rest;
    ((struct witness *)room)->dropped++;
}

static const struct participant witness_participant = {
    .name = "witness", .record = record, .pack = pack, .can_pack = can_pack, .drop = drop};

/* Nobody else is there, so the snapshot is whole when all that took part have written theirs. */
static void a_snapshot_is_of_whoever_takes_part_and_waits_until_all_is_packed(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(3);
    struct witness witness = {0};
    struct snapshots snapshots = {.step = &it->step, .links = &it->links, .raft = &it->raft};
    snapshot_join(&snapshots, &witness_participant, &witness);
    snapshot_take(&snapshots, 1, 1);
    snapshot_check_invariants(&snapshots);
    assert_int_equal(witness.recorded, 1);
    assert_int_equal(snapshots.n_recordings, 1);
    for (int i = 0; i < 4 && snapshots.n_recordings; i++) {
        it->step.now_us = snapshot_deadline(&snapshots);
        snapshot_tick(&snapshots);
        snapshot_pump(&snapshots);
        snapshot_check_invariants(&snapshots);
    }
    assert_int_equal(snapshots.n_recordings, 0);
    assert_int_equal(witness.dropped, 1);
    snapshot_clear(&snapshots);
    rooms_free(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_one_batch_and_gates_what_must_wait_for_it),
        cmocka_unit_test(a_life_of_a_peer_is_reported_as_facts_in_their_order),
        cmocka_unit_test(a_greeting_that_nobody_welcomes_is_made_again_when_it_is_due),
        cmocka_unit_test(the_only_voter_elects_itself_and_serves_once_its_entry_is_durable),
        cmocka_unit_test(what_no_entry_names_is_the_owners_to_keep),
        cmocka_unit_test(a_worker_drops_what_another_term_had_given_it),
        cmocka_unit_test(what_is_called_off_ends_and_is_no_result_of_what_comes_after),
        cmocka_unit_test(a_worker_refuses_what_is_more_than_any_credit),
        cmocka_unit_test(lines_that_others_cause_are_limited_and_counted),
        cmocka_unit_test(a_value_that_is_deleted_after_the_cut_is_in_it),
        cmocka_unit_test(money_goes_from_an_account_only_with_an_outbox_message_and_survives),
        cmocka_unit_test(a_snapshot_is_of_whoever_takes_part_and_waits_until_all_is_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

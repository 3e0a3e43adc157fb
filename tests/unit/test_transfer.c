/* Fetches of values with several users: each has its own end, and nobody ends another's. The test
 * plays the network and the hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/values/transfer.h"
#include "shared/base/error.h"

#define CHUNK 1000
#define LEN   3500

static const struct value_id ID = {7, 3};

/* What has come out of the transfer. */
struct seen {
    unsigned asks[4];       /* by node */
    unsigned ready, failed; /* sets of users */
    uint64_t seq;           /* of the stream that is complete; 0: none */
    unsigned abandoned;
    unsigned waiting; /* pieces that nobody has moved yet */
};

struct bench {
    struct values values;
    struct transfer *transfer;
    struct blob *value;
    uint64_t now_us;
    bool slow; /* what comes is not moved */
};

static int setup(void **state)
{
    struct bench *bench = mem_new(1, sizeof *bench);
    struct transfer_config config = {.self = 1, .len_max = 1000000, .chunk_bytes = CHUNK};
    bench->transfer = transfer_new(&config, &bench->values);
    bench->value = blob_new(LEN);
    for (size_t i = 0; i < LEN; i++)
        bench->value->at[i] = (uint8_t)(i * 7);
    bench->now_us = SECOND_US;
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    transfer_destroy(&bench->transfer);
    values_clear(&bench->values);
    blob_drop(&bench->value);
    free(bench);
    return 0;
}

static void fetch(struct bench *bench, enum value_user user, node_id_t from)
{
    struct fetch_order order = {.user = user, .id = ID, .from = from, .len = LEN};
    hash_bytes(bench->value->at, LEN, order.hash);
    transfer_fetch(bench->transfer, &order, bench->now_us);
}

static void drop(struct bench *bench, enum value_user user)
{
    transfer_drop(bench->transfer, user, ID, bench->now_us);
}

static void move(struct bench *bench, const struct transfer_output *output, struct seen *seen)
{
    memcpy(output->blob->at + output->offset, output->piece->at, output->piece->len);
    seen->seq = output->last ? output->seq : seen->seq;
    seen->waiting += bench->slow;
    if (!output->last && !bench->slow)
        transfer_moved(bench->transfer, output->seq, output->piece->len, bench->now_us);
}

static struct seen take(struct bench *bench)
{
    struct seen seen = {0};
    struct transfer_output output;
    while (transfer_next(bench->transfer, &output)) {
        if (output.kind == TRANSFER_ASK)
            seen.asks[output.node]++;
        else if (output.kind == TRANSFER_ABANDON)
            seen.abandoned++;
        else if (output.kind == TRANSFER_MOVE)
            move(bench, &output, &seen);
        else if (output.ready)
            seen.ready += value_user_bit(output.user); /* a second end would not fit */
        else
            seen.failed += value_user_bit(output.user);
        transfer_output_clear(&output);
    }
    return seen;
}

static void answer(struct bench *bench, node_id_t from, uint64_t offset, bool found)
{
    struct message *message = message_new(MESSAGE_VALUE_CHUNK);
    struct text why = {0};
    message->as.value_chunk = (struct wire_value_chunk){
        .src = from, .job = ID.job, .op = ID.op, .offset = offset, .total = LEN, .found = found};
    size_t rest = LEN - offset;
    struct blob *bytes = blob_copy(bench->value->at + offset, rest < CHUNK ? rest : CHUNK);
    if (found)
        message_add_frame(message, bytes);
    assert_int_equal(transfer_chunk(bench->transfer, from, message, bench->now_us, &why), OK);
    blob_drop(&bytes);
    message_drop(&message);
}

/* All of it comes from one node; returns what came out at the end. */
static struct seen deliver(struct bench *bench, node_id_t from, bool sound)
{
    uint8_t hash[HASH_BYTES] = {0};
    struct seen seen = {0};
    for (uint64_t offset = 0; offset < LEN; offset += CHUNK) {
        answer(bench, from, offset, true);
        seen = take(bench);
    }
    assert_true(seen.seq);
    if (sound)
        hash_bytes(bench->value->at, LEN, hash);
    transfer_hashed(bench->transfer, seen.seq, hash, bench->now_us);
    return take(bench);
}

static const unsigned WORKER = 1u << USER_WORKER, FOLLOWER = 1u << USER_FOLLOWER;

static void two_users_pull_once_and_have_an_end_each_W1(void **state)
{
    struct bench *bench = *state;
    fetch(bench, USER_WORKER, 2);
    fetch(bench, USER_FOLLOWER, 2);
    fetch(bench, USER_FOLLOWER, 2);
    assert_int_equal(take(bench).asks[2], 4);
    struct seen seen = deliver(bench, 2, true);
    assert_int_equal(seen.ready, WORKER + FOLLOWER);
    assert_int_equal(seen.failed, 0);
    /* Each holds it: it goes with the last one. */
    drop(bench, USER_WORKER);
    assert_non_null(values_get(&bench->values, ID));
    drop(bench, USER_FOLLOWER);
    assert_null(values_get(&bench->values, ID));
    assert_int_equal(transfer_deadline(bench->transfer), UINT64_MAX);
}

static void who_gives_up_gives_up_alone_W3(void **state)
{
    struct bench *bench = *state;
    struct seen seen;
    fetch(bench, USER_WORKER, 2);
    fetch(bench, USER_FOLLOWER, 2);
    take(bench);
    answer(bench, 2, 0, true);
    transfer_drop(bench->transfer, USER_WORKER, (struct value_id){ID.job, 0}, bench->now_us);
    assert_true(transfer_is_wanted(bench->transfer, USER_FOLLOWER, ID));
    assert_false(transfer_is_wanted(bench->transfer, USER_WORKER, ID));
    seen = take(bench);
    for (uint64_t offset = CHUNK; offset < LEN; offset += CHUNK) {
        answer(bench, 2, offset, true);
        seen = take(bench);
    }
    /* What has just come for the follower and is let go by the worker is still there. */
    uint8_t hash[HASH_BYTES];
    hash_bytes(bench->value->at, LEN, hash);
    transfer_hashed(bench->transfer, seen.seq, hash, bench->now_us);
    drop(bench, USER_WORKER);
    assert_non_null(values_get(&bench->values, ID));
    assert_int_equal(take(bench).ready, FOLLOWER);
    /* The last one that gives up ends the pulling. */
    drop(bench, USER_FOLLOWER);
    fetch(bench, USER_WORKER, 2);
    take(bench);
    drop(bench, USER_WORKER);
    seen = take(bench);
    assert_true(seen.abandoned == 1 && !seen.failed && !seen.ready);
}

static void an_end_that_nobody_has_taken_is_cancelled_too_W1(void **state)
{
    struct bench *bench = *state;
    values_put(&bench->values, ID, bench->value, value_user_bit(USER_SCHEDULE));
    fetch(bench, USER_WORKER, 2); /* at hand: ready at once */
    assert_int_equal(transfer_deadline(bench->transfer), 0);
    drop(bench, USER_WORKER);
    assert_int_equal(take(bench).ready, 0);
    assert_non_null(values_get(&bench->values, ID));
}

static void another_source_is_an_alternative_W3(void **state)
{
    struct bench *bench = *state;
    fetch(bench, USER_WORKER, 2);
    fetch(bench, USER_FOLLOWER, 3);
    assert_int_equal(take(bench).asks[2], 4);
    answer(bench, 2, 0, false); /* it is not there */
    struct seen seen = take(bench);
    assert_true(!seen.failed && seen.asks[3] == 4);
    /* A wrong hash is a failed source as well; then both have failed. */
    fetch(bench, USER_SCHEDULE, 2);
    seen = deliver(bench, 3, false);
    assert_true(!seen.failed && seen.asks[2] == 4);
    answer(bench, 2, 0, false);
    seen = take(bench);
    assert_int_equal(seen.failed, WORKER + FOLLOWER + value_user_bit(USER_SCHEDULE));
    assert_int_equal(seen.ready, 0);
}

static void silence_and_a_lost_link_end_it_W2(void **state)
{
    struct bench *bench = *state;
    fetch(bench, USER_WORKER, 2);
    fetch(bench, USER_FOLLOWER, 3);
    take(bench);
    bench->now_us += FETCH_RETRY_US;
    transfer_tick(bench->transfer, bench->now_us);
    assert_int_equal(take(bench).asks[2], 4);
    unsigned others = 0;
    while (transfer_source(bench->transfer, ID) == 2) {
        bench->now_us = transfer_deadline(bench->transfer);
        transfer_tick(bench->transfer, bench->now_us);
        others += take(bench).asks[3];
    }
    assert_true(bench->now_us <= SECOND_US + FETCH_FAIL_US);
    assert_int_equal(others, 4);
    transfer_link_down(bench->transfer, 3, bench->now_us);
    assert_int_equal(take(bench).failed, WORKER + FOLLOWER);
    assert_int_equal(transfer_deadline(bench->transfer), UINT64_MAX);
}

static void another_value_of_that_name_is_refused_for_who_asks(void **state)
{
    struct bench *bench = *state;
    struct fetch_order order = {.user = USER_FOLLOWER, .id = ID, .from = 3, .len = LEN};
    fetch(bench, USER_WORKER, 2);
    take(bench);
    transfer_fetch(bench->transfer, &order, bench->now_us); /* another hash */
    assert_int_equal(take(bench).failed, FOLLOWER);
    assert_int_equal(deliver(bench, 2, true).ready, WORKER);
}

/* Pieces that wait for their place are bounded: more are asked for when they are there. */
static void what_is_not_moved_yet_is_bounded_W5(void **state)
{
    struct bench *bench = *state;
    struct fetch_order order = {.user = USER_WORKER, .id = ID, .from = 2, .len = 100 * CHUNK};
    transfer_fetch(bench->transfer, &order, bench->now_us);
    bench->slow = true;
    unsigned asked = take(bench).asks[2], waiting = 0;
    for (uint64_t offset = 0; offset < asked * CHUNK && asked < 100; offset += CHUNK) {
        struct message *message = message_new(MESSAGE_VALUE_CHUNK);
        struct text why = {0};
        struct blob *bytes = blob_new(CHUNK);
        memset(bytes->at, 1, CHUNK);
        message->as.value_chunk = (struct wire_value_chunk){.src = 2,
                                                            .job = ID.job,
                                                            .op = ID.op,
                                                            .offset = offset,
                                                            .total = order.len,
                                                            .found = true};
        message_add_frame(message, bytes);
        blob_drop(&bytes);
        assert_int_equal(transfer_chunk(bench->transfer, 2, message, bench->now_us, &why), OK);
        message_drop(&message);
        struct seen seen = take(bench);
        asked += seen.asks[2];
        waiting += seen.waiting;
    }
    assert_int_equal(asked, FETCH_WINDOW);
    assert_int_equal(waiting, FETCH_WINDOW);
    /* Time alone asks for nothing more, and its ticks have an end. */
    bench->now_us += FETCH_RETRY_US;
    transfer_tick(bench->transfer, bench->now_us);
    assert_int_equal(take(bench).asks[2], 0);
    assert_true(transfer_deadline(bench->transfer) > bench->now_us);
    transfer_moved(bench->transfer, 1, CHUNK, bench->now_us);
    assert_int_equal(take(bench).asks[2], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_users_pull_once_and_have_an_end_each_W1, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_gives_up_gives_up_alone_W3, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_that_nobody_has_taken_is_cancelled_too_W1, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_source_is_an_alternative_W3, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_and_a_lost_link_end_it_W2, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_moved_yet_is_bounded_W5, setup, teardown),
        cmocka_unit_test_setup_teardown(another_value_of_that_name_is_refused_for_who_asks, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}

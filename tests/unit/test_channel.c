/* Two ends of a channel over a network that loses, doubles and reorders: what is delivered is what
 * was sent, once, in order, within a pair of incarnations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/link/link.h"
#include "shared/base/error.h"
#include "shared/base/random.h"

#define FLYING_MAX 8192

/* One end: numbers what it sends, and checks what it is delivered, by the field `job`. */
struct end {
    struct channel channel;
    incarnation_t self;
    uint64_t clock;
    uint64_t sent, delivered; /* in the present pair of incarnations */
};

/* What a message was when it was sent: the very message is stamped again when it is sent again. */
struct flying {
    struct wire_release body;
    enum message_type type;
    bool gap;
};

struct lane {
    struct flying at[FLYING_MAX];
    size_t n;
};

struct network {
    uint64_t random, now_us;
    struct end ends[2];
    struct lane lanes[2];                   /* [i]: towards end i */
    uint64_t loss, duplication, reordering; /* per thousand */
    uint64_t lost, duplicated, reordered, delivered, verdicts[CHANNEL_OUT_OF_RANGE + 1];
};

static struct network network; /* too large for the stack */

static void begin(uint64_t seed)
{
    network = (struct network){.random = seed, .now_us = SECOND_US};
    for (int i = 0; i < 2; i++)
        network.ends[i].self = 1 + (incarnation_t)i;
    for (int i = 0; i < 2; i++) {
        channel_open(&network.ends[i].channel, network.ends[1 - i].self);
        channel_linked(&network.ends[i].channel, 0);
    }
}

static void finish(void)
{
    channel_close(&network.ends[0].channel);
    channel_close(&network.ends[1].channel);
}

static bool chance(uint64_t per_thousand)
{
    return random_below(&network.random, 1000) < per_thousand;
}

static int enqueue(struct end *end)
{
    struct message *message = message_new(MESSAGE_RELEASE);
    message->as.release.job = end->sent + 1;
    int error = channel_send(&end->channel, message, end->sent + 1, &end->clock);
    if (error)
        message_drop(&message);
    else
        end->sent++;
    return error;
}

static void fly(int to, const struct message *message)
{
    struct lane *lane = &network.lanes[to];
    if (chance(network.loss)) {
        network.lost++;
        return;
    }
    bool twice = chance(network.duplication);
    network.duplicated += twice;
    for (int copies = 0; copies <= twice && lane->n < FLYING_MAX; copies++)
        lane->at[lane->n++] = (struct flying){
            .body = message->as.release,
            .type = message->type,
            .gap = message->type == MESSAGE_CHANNEL_ACK && message->as.channel_ack.gap,
        };
}

/* After every step; in a long queue, where it is slow, now and then. */
static void check(const struct end *end)
{
    static unsigned steps;
    if (end->channel.queue.n < 3000 || ++steps % 1000 == 0)
        channel_check_invariants(&end->channel);
}

/* What peers_traffic.c does after every step. */
static void pump(int from)
{
    struct end *end = &network.ends[from];
    struct message *message;
    uint64_t after_seq;
    while ((message = channel_next(&end->channel, network.now_us, &after_seq))) {
        /* Sent again, it still waits for what it waited for. */
        assert_int_equal(after_seq, message->as.release.job);
        channel_stamp(&end->channel, message, (node_id_t)(1 + from), end->self);
        fly(1 - from, message);
    }
    if (channel_ack_due(&end->channel, network.now_us)) {
        message = message_new(MESSAGE_CHANNEL_ACK);
        message->as.channel_ack.gap = end->channel.gap;
        channel_stamp(&end->channel, message, (node_id_t)(1 + from), end->self);
        fly(1 - from, message);
        message_drop(&message);
    }
    check(end);
}

/* Lets one message arrive. */
static void arrive(int to)
{
    struct lane *lane = &network.lanes[to];
    struct end *end = &network.ends[to];
    if (!lane->n)
        return;
    size_t at = chance(network.reordering) ? (size_t)random_below(&network.random, lane->n) : 0;
    network.reordered += at > 0;
    struct flying flying = lane->at[at];
    memmove(&lane->at[at], &lane->at[at + 1], (--lane->n - at) * sizeof flying);
    struct message *message = message_new(flying.type);
    if (flying.type == MESSAGE_CHANNEL_ACK) {
        memcpy(&message->as.channel, &flying.body, sizeof message->as.channel);
        message->as.channel_ack.gap = flying.gap;
    } else {
        message->as.release = flying.body;
    }
    uint64_t clock_before = end->clock;
    enum channel_verdict verdict =
        channel_receive(&end->channel, end->self, message, network.now_us, &end->clock);
    network.verdicts[verdict]++;
    if (verdict == CHANNEL_DELIVER) {
        /* Nothing is missing, nothing comes twice, nothing overtakes. */
        assert_int_equal(message->as.release.job, end->delivered + 1);
        end->delivered++;
        network.delivered++;
        /* Lamport's clock: later than both. */
        assert_true(end->clock > clock_before && end->clock > message->as.channel.clock);
    }
    assert_int_not_equal(verdict, CHANNEL_OUT_OF_RANGE); /* honest ends say nothing absurd */
    check(end);
    message_drop(&message);
}

static void tick(uint64_t us)
{
    network.now_us += us;
    for (int i = 0; i < 2; i++)
        channel_tick(&network.ends[i].channel, network.now_us);
}

/* Runs until everything that was sent has arrived and is acknowledged; false: not
 * within an hour. */
static bool settle(void)
{
    for (uint64_t until = network.now_us + 3600 * SECOND_US; network.now_us < until;) {
        for (int i = 0; i < 2; i++)
            pump(i);
        bool flying = network.lanes[0].n || network.lanes[1].n;
        for (int i = 0; i < 2; i++)
            arrive(i);
        if (network.ends[0].delivered == network.ends[1].sent &&
            network.ends[1].delivered == network.ends[0].sent && !network.ends[0].channel.queue.n &&
            !network.ends[1].channel.queue.n)
            return true;
        if (flying)
            continue;
        uint64_t due = channel_deadline(&network.ends[0].channel);
        uint64_t other = channel_deadline(&network.ends[1].channel);
        due = other < due ? other : due;
        assert_true(due != UINT64_MAX); /* something is missing, so somebody must have a plan */
        tick(due > network.now_us ? due - network.now_us : 0);
    }
    return false;
}

/* --- honest networks --- */

static void all_arrives_in_order_over_a_good_network(void **state)
{
    (void)state;
    begin(1);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(enqueue(&network.ends[i % 2]), OK);
        pump(i % 2);
        arrive(1 - i % 2);
    }
    uint64_t began_us = network.now_us;
    assert_true(settle());
    assert_true(network.now_us - began_us <=
                CHANNEL_ACK_DELAY_US); /* nothing had to wait for a resend */
    assert_int_equal(network.delivered, 5000);
    assert_int_equal(network.verdicts[CHANNEL_DUPLICATE] + network.verdicts[CHANNEL_GAP], 0);
    finish();
}

static void pure_acks_are_few(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 100 * CHANNEL_ACK_EVERY; i++) {
        assert_int_equal(enqueue(&network.ends[0]), OK);
        pump(0);
        arrive(1);
        pump(1);
        arrive(0);
    }
    assert_in_range(network.verdicts[CHANNEL_ACK_ONLY], 99, 101);
    finish();
}

static void loss_duplication_and_reordering_change_nothing(void **state)
{
    (void)state;
    uint64_t lost = 0, duplicated = 0, reordered = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        begin(seed);
        network.loss = random_below(&network.random, 300);
        network.duplication = random_below(&network.random, 300);
        network.reordering = random_below(&network.random, 500);
        for (int i = 0; i < 300; i++) {
            for (uint64_t n = random_below(&network.random, 5); n; n--)
                enqueue(&network.ends[random_below(&network.random, 2)]);
            pump((int)random_below(&network.random, 2));
            arrive((int)random_below(&network.random, 2));
            tick(random_below(&network.random, 30 * MS_US));
        }
        assert_true(settle());
        lost += network.lost;
        duplicated += network.duplicated;
        reordered += network.reordered;
        finish();
    }
    assert_true(lost > 1000 && duplicated > 1000 && reordered > 1000);
}

/* --- connections and incarnations --- */

/* Our connection breaks and another is made; WELCOME says how far the peer is. Some of what flew on
 * the old one may still arrive, fair-queued with the new one's. */
static void reconnect(int from)
{
    struct lane *lane = &network.lanes[1 - from];
    channel_unlinked(&network.ends[from].channel);
    uint64_t after_seq;
    assert_null(channel_next(&network.ends[from].channel, network.now_us, &after_seq));
    lane->n = (size_t)random_below(&network.random, lane->n + 1);
    for (uint64_t n = random_below(&network.random, 4); n; n--)
        enqueue(&network.ends[from]);
    channel_linked(&network.ends[from].channel, network.ends[1 - from].channel.delivered);
}

/* An end dies and comes back as another incarnation; both begin a new channel. What still flies is
 * of the old one, or for it. */
static void restart(int which)
{
    struct end *end = &network.ends[which], *other = &network.ends[1 - which];
    channel_close(&end->channel);
    end->self += 100;
    end->clock = 0;
    channel_open(&end->channel, other->self);
    channel_open(&other->channel, end->self);
    end->sent = end->delivered = other->sent = other->delivered = 0;
    channel_linked(&end->channel, 0);
    channel_linked(&other->channel, 0);
}

static void reconnections_lose_and_double_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        begin(seed);
        network.loss = random_below(&network.random, 100);
        network.reordering = random_below(&network.random, 300);
        for (int i = 0; i < 1000; i++) {
            enqueue(&network.ends[random_below(&network.random, 2)]);
            pump((int)random_below(&network.random, 2));
            if (chance(50))
                reconnect((int)random_below(&network.random, 2));
            arrive((int)random_below(&network.random, 2));
            tick(random_below(&network.random, 5 * MS_US));
        }
        assert_true(settle());
        finish();
    }
}

static void a_new_incarnation_begins_a_new_channel(void **state)
{
    (void)state;
    uint64_t foreign = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        begin(seed);
        network.loss = 50;
        network.reordering = 100;
        for (int i = 0; i < 1000; i++) {
            enqueue(&network.ends[random_below(&network.random, 2)]);
            pump((int)random_below(&network.random, 2));
            if (chance(20))
                restart((int)random_below(&network.random, 2));
            if (chance(20))
                reconnect((int)random_below(&network.random, 2));
            arrive((int)random_below(&network.random, 2));
            tick(random_below(&network.random, 5 * MS_US));
        }
        assert_true(settle());
        foreign += network.verdicts[CHANNEL_FOREIGN];
        finish();
    }
    assert_true(foreign > 1000);
}

/* --- bounds --- */

static void the_window_and_the_queue_are_bounded(void **state)
{
    (void)state;
    begin(3);
    struct end *end = &network.ends[0];
    for (uint64_t i = 0; i < CHANNEL_QUEUE_MAX; i++)
        assert_int_equal(enqueue(end), OK);
    assert_int_equal(enqueue(end), ERR_FULL);
    pump(0);
    assert_int_equal(network.lanes[1].n, CHANNEL_WINDOW);
    pump(0);
    assert_int_equal(network.lanes[1].n, CHANNEL_WINDOW); /* no more before an acknowledgement */
    arrive(1);
    network.now_us += CHANNEL_ACK_DELAY_US;
    pump(1);
    arrive(0);
    pump(0);
    assert_int_equal(network.lanes[1].n, CHANNEL_WINDOW);
    assert_int_equal(enqueue(end), OK); /* one has left the queue */
    assert_int_equal(enqueue(end), ERR_FULL);
    assert_true(settle());
    finish();
}

static void a_closed_channel_takes_nothing(void **state)
{
    (void)state;
    struct channel channel = {0};
    uint64_t clock = 0;
    struct message *message = message_new(MESSAGE_RELEASE);
    assert_int_equal(channel_send(&channel, message, 0, &clock), ERR_UNAVAILABLE);
    message->as.channel.dst_incarnation = 5;
    assert_int_equal(channel_receive(&channel, 5, message, 0, &clock), CHANNEL_FOREIGN);
    assert_null(channel_next(&channel, 0, &clock));
    assert_false(channel_ack_due(&channel, UINT64_MAX));
    assert_true(channel_deadline(&channel) == UINT64_MAX);
    message_drop(&message);
    channel_close(&channel);
}

static void what_is_lost_is_sent_again_after_the_timeout(void **state)
{
    (void)state;
    begin(4);
    enqueue(&network.ends[0]);
    pump(0);
    network.lanes[1].n = 0; /* lost */
    uint64_t due = channel_deadline(&network.ends[0].channel);
    assert_int_equal(due, network.now_us + CHANNEL_RESEND_US);
    tick(CHANNEL_RESEND_US - 1);
    pump(0);
    assert_int_equal(network.lanes[1].n, 0);
    tick(1);
    pump(0);
    assert_int_equal(network.lanes[1].n, 1);
    arrive(1);
    assert_int_equal(network.ends[1].delivered, 1);
    finish();
}

static void a_gap_is_reported_and_mended_long_before_the_timeout(void **state)
{
    (void)state;
    begin(5);
    for (int i = 0; i < 10; i++)
        enqueue(&network.ends[0]);
    pump(0);
    memmove(&network.lanes[1].at[3], &network.lanes[1].at[4], 6 * sizeof network.lanes[1].at[0]);
    network.lanes[1].n = 9; /* the fourth is lost */
    uint64_t began_us = network.now_us;
    assert_true(settle());
    assert_true(network.now_us - began_us <= 2 * CHANNEL_ACK_DELAY_US);
    finish();
}

/* --- hostile ends --- */

static enum channel_verdict receive(uint64_t src, uint64_t dst, uint64_t seq, uint64_t ack,
                                    uint64_t clock)
{
    struct end *end = &network.ends[1];
    struct message *message = message_new(MESSAGE_RELEASE);
    message->as.release = (struct wire_release){.src = 1,
                                                .src_incarnation = src,
                                                .dst_incarnation = dst,
                                                .seq = seq,
                                                .ack = ack,
                                                .clock = clock};
    enum channel_verdict verdict =
        channel_receive(&end->channel, end->self, message, network.now_us, &end->clock);
    channel_check_invariants(&end->channel);
    message_drop(&message);
    return verdict;
}

static void absurd_numbers_are_refused_X10(void **state)
{
    (void)state;
    begin(6);
    for (int i = 0; i < 5; i++)
        enqueue(&network.ends[1]);
    struct channel before = network.ends[1].channel;
    /* An acknowledgement of what was never sent. */
    assert_int_equal(receive(1, 2, 0, 6, 0), CHANNEL_OUT_OF_RANGE);
    assert_int_equal(receive(1, 2, 1, UINT64_MAX, 0), CHANNEL_OUT_OF_RANGE);
    /* A jump. */
    assert_int_equal(receive(1, 2, CHANNEL_SEQ_JUMP_MAX + 1, 0, 0), CHANNEL_OUT_OF_RANGE);
    assert_int_equal(receive(1, 2, UINT64_MAX, 0, 0), CHANNEL_OUT_OF_RANGE);
    /* Other lives. */
    assert_int_equal(receive(3, 2, 1, 0, 0), CHANNEL_FOREIGN);
    assert_int_equal(receive(1, 3, 1, 0, 0), CHANNEL_FOREIGN);
    assert_int_equal(receive(0, 2, 1, 0, 0), CHANNEL_FOREIGN);
    /* Nothing of it changed anything. */
    assert_memory_equal(&before, &network.ends[1].channel, sizeof before);
    /* A clock near its end does not drag ours along, where it would overflow. */
    assert_int_equal(receive(1, 2, 1, 0, UINT64_MAX), CHANNEL_DELIVER);
    assert_true(network.ends[1].clock < 100);
    finish();
}

static void old_acknowledgements_take_nothing_back(void **state)
{
    (void)state;
    begin(7);
    for (int i = 0; i < 5; i++)
        enqueue(&network.ends[1]);
    pump(1);
    assert_int_equal(receive(1, 2, 0, 4, 0), CHANNEL_ACK_ONLY);
    assert_int_equal(network.ends[1].channel.acked, 4);
    assert_int_equal(receive(1, 2, 0, 2, 0), CHANNEL_ACK_ONLY);
    assert_int_equal(network.ends[1].channel.acked, 4);
    /* Nor does a WELCOME that is behind, or ahead of all that was ever sent. */
    channel_linked(&network.ends[1].channel, 1);
    assert_int_equal(network.ends[1].channel.acked, 4);
    channel_linked(&network.ends[1].channel, 1000);
    channel_check_invariants(&network.ends[1].channel);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives_in_order_over_a_good_network),
        cmocka_unit_test(pure_acks_are_few),
        cmocka_unit_test(loss_duplication_and_reordering_change_nothing),
        cmocka_unit_test(reconnections_lose_and_double_nothing),
        cmocka_unit_test(a_new_incarnation_begins_a_new_channel),
        cmocka_unit_test(the_window_and_the_queue_are_bounded),
        cmocka_unit_test(a_closed_channel_takes_nothing),
        cmocka_unit_test(what_is_lost_is_sent_again_after_the_timeout),
        cmocka_unit_test(a_gap_is_reported_and_mended_long_before_the_timeout),
        cmocka_unit_test(absurd_numbers_are_refused_X10),
        cmocka_unit_test(old_acknowledgements_take_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

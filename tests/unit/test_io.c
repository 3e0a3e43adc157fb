/* The parts around the core between two nodes over real sockets: the gate, the inbox, and values on
 * their way. The test plays the cores: it greets, and it decides what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "nodes/io/inbox.h"
#include "nodes/io/pull.h"
#include "nodes/io/serve.h"
#include "nodes/io/turns.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/random.h"
#include "tests/harness/tree.h"

#define NODES       2
#define PATIENCE_US (20 * SECOND_US)
#define SEEN_MAX    256

/* One node without a core. */
struct side {
    node_id_t id;
    struct mesh *mesh;
    struct clients clients;
    struct gate *gate;
    struct inbox *inbox;
    struct values values;
    struct disk *disk;
    struct store *store;
    struct bulk *bulk;
    struct transfer *transfer;
    struct pull pull;
    struct serve *serve;
    bool mute;            /* serves nobody */
    unsigned patience;    /* serves so many chunks and falls mute; 0: any number */
    uint64_t chunk_bytes; /* of values received */
    bool greeted[PLANE_COUNT], heard[PLANE_COUNT];
    uint64_t seen[SEEN_MAX]; /* the terms of vote requests, in the order of their arrival */
    size_t n_seen;
    uint64_t client; /* the last request's */
    size_t ready, failed;
};

#define PORT_TRIES 50
#define PORT_STEP  40 /* beyond all ports of a cluster of two */

static void *context;
static struct doors *doors;
static char root[64];
static unsigned port;
static struct side sides[NODES + 1];

/* --- the two nodes --- */

static void open_side(node_id_t id)
{
    static const char *const hosts[] = {NULL, "127.0.0.1", "127.0.0.1"};
    struct side *side = &sides[id];
    struct mesh_config config = {
        .id = id, .n_nodes = NODES, .port = port, .bind = hosts[1], .hosts = hosts, .doors = doors};
    config.feed_silent_us = SECOND_US;
    struct text why = {0};
    char dir[128];
    text_format(dir, sizeof dir, "%s/node%u", root, (unsigned)id);
    *side = (struct side){.id = id};
    /* Somebody else may use these ports: then others, for the first node decides for both. */
    int error = mesh_open(context, &config, &side->mesh, &why);
    for (unsigned tries = 0; error && id == 1 && tries < PORT_TRIES; tries++) {
        config.port = port += PORT_STEP;
        why = (struct text){0};
        error = mesh_open(context, &config, &side->mesh, &why);
    }
    if (error || disk_open(dir, "conclave", id, DURABILITY_OS, &side->disk, &why))
        fail_msg("%s", why.at);
    side->gate = gate_new(side->mesh, &side->clients, NODES);
    side->inbox = inbox_new("conclave", id, NODES, side->mesh, &side->clients, side->gate);
    side->store = store_start(side->disk);
    side->bulk = bulk_start();
    struct transfer_config transfer = {.self = id, .len_max = 64 * MIB_BYTES};
    side->transfer = transfer_new(&transfer, &side->values);
    side->pull = (struct pull){.transfer = side->transfer, .bulk = side->bulk, .gate = side->gate};
    side->serve = serve_new(id, &side->values, side->store, side->gate);
    mesh_connect(side->mesh, clock_now_us());
}

static void take_reports(struct side *side)
{
    for (struct store_report *next, *report = store_take(side->store); report; report = next) {
        next = store_next(report);
        if (report->kind == STORE_READ)
            serve_read(side->serve, report, 0);
        store_report_free(report);
    }
    if (side->transfer)
        pull_take_moved(&side->pull, clock_now_us());
}

static void close_side(node_id_t id)
{
    struct side *side = &sides[id];
    transfer_destroy(&side->transfer);
    pull_clear(&side->pull);
    bulk_stop(side->bulk);
    store_stop(side->store);
    take_reports(side);
    store_destroy(&side->store);
    disk_close(&side->disk);
    serve_destroy(&side->serve);
    inbox_destroy(&side->inbox);
    gate_destroy(&side->gate);
    values_clear(&side->values);
    clients_clear(&side->clients);
    mesh_close(&side->mesh, 0);
    bulk_destroy(&side->bulk);
}

/* --- what they do in a turn --- */

static incarnation_t incarnation_of(node_id_t id)
{
    return (incarnation_t)1 << 32 | id;
}

static void greet(struct side *side, enum plane plane, node_id_t peer)
{
    struct message *message = message_new(MESSAGE_HELLO);
    message->as.hello = (struct wire_hello){.cluster = slice_of("conclave"),
                                            .plane = plane,
                                            .src = side->id,
                                            .incarnation = incarnation_of(side->id),
                                            .dst = peer,
                                            .connection = 1};
    gate_send(side->gate, plane, peer, message, 0);
    message_drop(&message);
    side->greeted[plane] = true;
}

static void serve(struct side *side, node_id_t from, const struct wire_value_get *get)
{
    struct text why = {0};
    serve_peer(side->serve, from, get, false, &why);
    side->mute = side->patience && --side->patience == 0;
}

static void take_chunk(struct side *side, node_id_t from, const struct message *message)
{
    struct text why = {0};
    side->chunk_bytes += message->n_frames ? message->frames[0]->len : 0;
    transfer_chunk(side->transfer, from, message, clock_now_us(), &why);
}

static void take(struct side *side, const struct event *event)
{
    if (event->kind == EVENT_REQUEST) {
        side->client = event->request.client;
        return;
    }
    const struct message *message = event->message.message;
    assert_int_equal(event->message.from, NODES + 1 - side->id);
    if (message->type == MESSAGE_HELLO)
        side->heard[event->message.plane] = true;
    else if (message->type == MESSAGE_VALUE_GET && !side->mute)
        serve(side, event->message.from, &message->as.value_get);
    else if (message->type == MESSAGE_VALUE_CHUNK)
        take_chunk(side, event->message.from, message);
    else if (message->type == MESSAGE_VOTE_REQUEST && side->n_seen < SEEN_MAX)
        side->seen[side->n_seen++] = message->as.vote_request.term;
}

static void turn(struct side *side)
{
    bool up;
    enum plane plane;
    node_id_t peer;
    struct transfer_output end;
    mesh_sweep_now(side->mesh);
    while (mesh_next(side->mesh, clock_now_us(), &up, &plane, &peer))
        if (up)
            greet(side, plane, peer);
    for (int at = 0; at < PLANE_COUNT; at++) {
        struct event event;
        int error;
        while ((error = inbox_receive(side->inbox, (enum plane)at, clock_now_us(), &event)) !=
               ERR_NOT_FOUND)
            if (!error)
                take(side, &event);
    }
    take_reports(side);
    transfer_tick(side->transfer, clock_now_us());
    while (pull_next(&side->pull, &end))
        *(end.ready ? &side->ready : &side->failed) += 1;
}

/* Turns both until the condition holds. */
#define until(condition)                                \
    do {                                                \
        uint64_t end_us = clock_now_us() + PATIENCE_US; \
        while (!(condition)) {                          \
            turn(&sides[1]);                            \
            turn(&sides[2]);                            \
            if (clock_now_us() > end_us)                \
                fail_msg("never: %s", #condition);      \
            usleep(200);                                \
        }                                               \
    } while (0)

static bool is_connected(const struct side *side)
{
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        if (plane != PLANE_HEARTBEAT && (!side->greeted[plane] || !side->heard[plane]))
            return false;
    return true;
}

static int open_both(void **state)
{
    (void)state;
    log_open("test", LOG_ERROR);
    text_format(root, sizeof root, "/tmp/conclave-io-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    context = bus_open();
    doors = doors_open_to_all();
    port = 25000 + (unsigned)getpid() % 5000;
    open_side(1);
    open_side(2);
    until(is_connected(&sides[1]) && is_connected(&sides[2]));
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    close_side(1);
    close_side(2);
    doors_close(&doors);
    bus_close(context);
    return tree_remove(root);
}

/* --- the gate --- */

static void ask_for_vote(struct side *side, uint64_t term, uint64_t after_seq)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request = (struct wire_vote_request){.term = term};
    gate_send(side->gate, PLANE_CONTROL, NODES + 1 - side->id, message, after_seq);
    message_drop(&message);
}

static void nothing_leaves_before_it_is_durable_and_all_in_order(void **state)
{
    (void)state;
    struct side *from = &sides[1], *to = &sides[2];
    size_t before = to->n_seen;
    gate_durable(from->gate, 10);
    ask_for_vote(from, 1, 10); /* at once */
    ask_for_vote(from, 2, 12);
    ask_for_vote(from, 3, 0); /* behind it, all the same */
    ask_for_vote(from, 4, 11);
    ask_for_vote(from, 5, 13);
    until(to->n_seen == before + 1);
    gate_durable(from->gate, 11);
    for (int i = 0; i < 50; i++) {
        turn(to);
        usleep(200);
    }
    assert_int_equal(to->n_seen, before + 1);
    gate_durable(from->gate, 12);
    until(to->n_seen == before + 4);
    gate_durable(from->gate, 20);
    until(to->n_seen == before + 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(to->seen[before + i] == i + 1);
}

/* While a disk hangs, clients go on asking for pieces of results that are in memory. */
static void answers_that_wait_for_the_disk_are_bounded_in_bytes(void **state)
{
    (void)state;
    struct side *from = &sides[1];
    struct message *piece = message_new(MESSAGE_RESULT_CHUNK);
    struct blob *bytes = blob_new(VALUE_CHUNK_BYTES);
    message_add_frame(piece, bytes);
    blob_drop(&bytes);
    gate_durable(from->gate, 50);
    struct slice broker = slice_of("broker"), client = slice_of("client");
    for (int i = 0; i < 1000; i++)
        gate_reply(from->gate, clients_add(&from->clients, broker, client, false, SIZE_MAX), piece,
                   60);
    assert_int_equal(from->clients.map.count, GATE_HELD_BYTES / VALUE_CHUNK_BYTES);
    gate_durable(from->gate, 60); /* to nobody that is there */
    assert_int_equal(from->clients.map.count, 0);
    message_drop(&piece);
}

static void what_was_meant_for_a_lost_connection_is_forgotten(void **state)
{
    (void)state;
    struct side *from = &sides[1], *to = &sides[2];
    size_t before = to->n_seen;
    ask_for_vote(from, 1, 100);
    ask_for_vote(from, 2, 100);
    gate_forget(from->gate, PLANE_CONTROL, to->id);
    ask_for_vote(from, 3, 0);
    gate_durable(from->gate, 100);
    until(to->n_seen == before + 1);
    assert_true(to->seen[before] == 3);
}

/* --- the inbox --- */

static void *stranger(enum plane plane)
{
    void *dealer = bus_socket(context, ZMQ_DEALER);
    assert_int_equal(bus_connect(dealer, "127.0.0.1", mesh_base_port(port, 2) + plane), OK);
    return dealer;
}

static void say(void *dealer, const struct message *message)
{
    assert_int_equal(bus_send(dealer, NULL, 0, message), OK);
}

static void strangers_are_counted_and_not_heard(void **state)
{
    (void)state;
    struct side *side = &sides[2];
    uint64_t before = inbox_rejected(side->inbox);
    size_t seen = side->n_seen;
    void *dealer = stranger(PLANE_CONTROL), *channel = stranger(PLANE_CHANNEL);
    struct message *vote = message_new(MESSAGE_VOTE_REQUEST), *hello = message_new(MESSAGE_HELLO);
    vote->as.vote_request.term = 9;
    hello->as.hello = (struct wire_hello){
        .cluster = slice_of("other"), .src = 1, .incarnation = 77, .dst = 2, .connection = 9};
    say(dealer, vote);   /* without a HELLO */
    say(dealer, hello);  /* of another cluster */
    say(channel, hello); /* and on the wrong plane */
    say(channel, vote);
    zmq_send(dealer, "\x81\xa4type", 6, 0); /* cut off */
    zmq_send(dealer, "", 0, 0);
    zmq_send(dealer, "a", 1, ZMQ_SNDMORE); /* an envelope around nothing */
    zmq_send(dealer, "", 0, 0);
    until(inbox_rejected(side->inbox) == before + 7);
    assert_int_equal(side->n_seen, seen);
    ask_for_vote(&sides[1], 7, 0); /* whom it knows it hears as before */
    until(side->n_seen == seen + 1);
    message_drop(&hello);
    message_drop(&vote);
    bus_socket_close(&dealer, 0);
    bus_socket_close(&channel, 0);
}

static struct message *answer_to(void *dealer)
{
    struct bus_parts parts = {0};
    struct message *answer;
    struct text why = {0};
    until(bus_receive(dealer, &parts) == OK);
    assert_int_equal(parts.n, 3);
    assert_true(slice_equals(bus_part(&parts, 0), "me") && !bus_part(&parts, 1).len);
    assert_int_equal(bus_decode(&parts, 2, &answer, &why), OK);
    bus_parts_clear(&parts);
    return answer;
}

static void a_client_is_answered_once_in_its_envelope(void **state)
{
    (void)state;
    struct side *side = &sides[2];
    void *broker = stranger(PLANE_CONTROL);
    struct slice envelope[] = {slice_of("me"), {NULL, 0}};
    struct message *request = message_new(MESSAGE_STATUS_GET), *answer;
    request->as.status_get.request = 5;
    side->client = 0;
    assert_int_equal(bus_send(broker, envelope, 2, request), OK);
    until(side->client);
    struct message *reply = message_new(MESSAGE_ERROR);
    reply->as.error =
        (struct wire_error){.request = 5, .code = slice_of("busy"), .reason = slice_of("test")};
    gate_reply(side->gate, side->client, reply, 0);
    gate_reply(side->gate, side->client, reply, 0); /* nobody waits any more */
    answer = answer_to(broker);
    assert_true(answer->type == MESSAGE_ERROR && answer->as.error.request == 5);
    message_drop(&answer);
    /* What cannot be read, and what is no request, is answered as well. */
    zmq_send(broker, "me", 2, ZMQ_SNDMORE);
    zmq_send(broker, "", 0, ZMQ_SNDMORE);
    zmq_send(broker, "\xc1", 1, 0);
    answer = answer_to(broker);
    assert_true(slice_equals(answer->as.error.code, "malformed"));
    message_drop(&answer);
    assert_int_equal(bus_send(broker, envelope, 2, reply), OK);
    answer = answer_to(broker);
    assert_true(slice_equals(answer->as.error.code, "malformed"));
    message_drop(&answer);
    message_drop(&reply);
    message_drop(&request);
    assert_int_equal(side->clients.map.count, 0);
    bus_socket_close(&broker, 0);
}

/* --- values --- */

static struct blob *random_blob(size_t len)
{
    uint64_t random = len;
    struct blob *blob = blob_new(len);
    for (size_t i = 0; i < len; i++)
        blob->at[i] = (uint8_t)random_u64(&random);
    return blob;
}

static void fetch(struct value_id id, const struct blob *value, uint64_t len)
{
    struct fetch_order order = {.user = USER_WORKER, .id = id, .from = 2, .len = len};
    hash_bytes(value->at, value->len, order.hash);
    transfer_fetch(sides[1].transfer, &order, clock_now_us());
}

static void big_values_are_pulled_whole_T10(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 65537, VALUE_CHUNK_BYTES, VALUE_CHUNK_BYTES + 1, 5000001};
    struct side *side = &sides[1];
    side->ready = side->failed = 0;
    for (size_t i = 0; i < 5; i++) {
        struct value_id id = {1, i + 1};
        struct blob *value = random_blob(lens[i]);
        if (i % 2)
            values_put(&sides[2].values, id, value, ~0u);
        else
            store_keep(sides[2].store, USER_WORKER, id, value); /* served from its disk */
        fetch(id, value, value->len);
        fetch(id, value, value->len); /* twice is once */
        until(side->ready == i + 1);
        assert_int_equal(values_get(&side->values, id)->len, lens[i]);
        assert_memory_equal(values_get(&side->values, id)->at, value->at, lens[i]);
        blob_drop(&value);
    }
    struct blob *value = random_blob(1);
    fetch((struct value_id){1, 1}, value, 1); /* at hand already */
    until(side->ready == 6);
    assert_int_equal(side->failed, 0);
    blob_drop(&value);
}

static void what_is_missing_wrong_or_absurd_fails(void **state)
{
    (void)state;
    struct side *side = &sides[1];
    side->ready = side->failed = 0;
    struct blob *value = random_blob(700000), *other = random_blob(700001);
    other->len = value->len; /* the same length, another hash */
    values_put(&sides[2].values, (struct value_id){2, 1}, value, ~0u);
    fetch((struct value_id){2, 2}, value, value->len); /* not there */
    until(side->failed == 1);
    fetch((struct value_id){2, 1}, other, value->len); /* another hash */
    until(side->failed == 2);
    fetch((struct value_id){2, 1}, value, UINT64_MAX / 2);
    until(side->failed == 3);
    fetch((struct value_id){2, 1}, value,
          value->len + 1); /* a length that is not its own: no progress */
    fetch((struct value_id){2, 3}, value, 0);
    until(side->failed == 5);
    assert_int_equal(side->ready, 0);
    fetch((struct value_id){2, 1}, value, value->len);
    until(side->ready == 1);
    blob_drop(&value);
    blob_drop(&other);
}

static void a_silent_source_is_asked_again_and_given_up(void **state)
{
    (void)state;
    struct side *side = &sides[1];
    side->ready = side->failed = 0;
    struct value_id id = {3, 1};
    struct blob *value = random_blob(3000000);
    values_put(&sides[2].values, id, value, ~0u);
    sides[2].mute = true;
    fetch(id, value, value->len);
    for (int i = 0; i < 100; i++) { /* its questions are lost */
        turn(&sides[1]);
        turn(&sides[2]);
        usleep(500);
    }
    sides[2].mute = false;
    until(side->ready == 1); /* because it asked again */
    sides[2].mute = true;
    values_drop(&side->values, USER_WORKER, id);
    fetch(id, value, value->len);
    until(side->failed == 1);
    fetch(id, value, value->len);
    transfer_link_down(side->transfer, 2, clock_now_us());
    until(side->failed == 2);
    fetch(id, value, value->len);
    transfer_drop(side->transfer, USER_WORKER, (struct value_id){3, 0}, clock_now_us());
    sides[2].mute = false;
    turn(side);
    assert_true(side->ready == 1 && side->failed == 2);
    blob_drop(&value);
}

static void a_value_goes_on_from_where_it_stopped_T10(void **state)
{
    (void)state;
    struct side *side = &sides[1];
    struct value_id id = {4, 1};
    struct blob *value = random_blob(10000000);
    values_put(&sides[2].values, id, value, ~0u);
    fetch((struct value_id){4, 2}, value, 1);
    side->failed = 0;
    until(side->failed == 1); /* behind it nothing of earlier fetches is left on the way */
    side->ready = side->chunk_bytes = 0;
    sides[2].patience = 10;
    fetch(id, value, value->len);
    until(side->chunk_bytes == 10 * VALUE_CHUNK_BYTES);
    assert_true(sides[2].mute && !side->ready);
    sides[2].mute = false;
    until(side->ready == 1);
    /* Only what was behind the gap came twice. */
    assert_in_range(side->chunk_bytes, value->len, value->len + FETCH_WINDOW * VALUE_CHUNK_BYTES);
    blob_drop(&value);
}

/* --- turns of the loop --- */

static void take_turn(struct turns *turns, uint64_t at_us, uint64_t store_us, uint64_t value_us)
{
    turns_begin(turns, at_us);
    turns_part(turns, "store", at_us + store_us);
    turns_part(turns, "value", at_us + store_us + value_us);
    turns_end(turns, at_us + store_us + value_us);
}

static void the_longest_turn_of_the_last_minute_is_known(void **state)
{
    struct turns turns = {0};
    (void)state;
    assert_int_equal(turns_longest(&turns, 500 * SECOND_US).us, 0);
    take_turn(&turns, 500 * SECOND_US, 300, 100);
    take_turn(&turns, 501 * SECOND_US, 10, 20);
    assert_int_equal(turns_longest(&turns, 501 * SECOND_US).us, 400);
    assert_string_equal(turns_longest(&turns, 501 * SECOND_US).in, "store");
    take_turn(&turns, 515 * SECOND_US, 100, 500);
    assert_int_equal(turns_longest(&turns, 559 * SECOND_US).us, 600);
    assert_int_equal(turns_longest(&turns, 559 * SECOND_US).own_us, 600);
    assert_string_equal(turns_longest(&turns, 559 * SECOND_US).in, "value");
    assert_string_equal(turns_longest(&turns, 559 * SECOND_US).own_in, "value");
    take_turn(&turns, 570 * SECOND_US, 1, 2);
    assert_int_equal(turns_longest(&turns, 579 * SECOND_US).us, 600);
    assert_int_equal(turns_longest(&turns, 580 * SECOND_US).us, 3);
    assert_int_equal(turns_longest(&turns, 900 * SECOND_US).us, 0);
}

/* The file that the kernel would show; a turn of 100 ms waits 70 ms for a processor. */
static void waiting_for_a_processor_is_told_apart(void **state)
{
    struct turns turns = {0};
    (void)state;
    FILE *schedstat = tmpfile();
    assert_non_null(schedstat);
    turns.schedstat = fileno(schedstat);
    assert_int_equal(pwrite(turns.schedstat, "5000 90000000 7\n", 16, 0), 16);
    turns_begin(&turns, 500 * SECOND_US);
    assert_int_equal(pwrite(turns.schedstat, "30005000 160000000 9\n", 21, 0), 21);
    turns_part(&turns, "tick", 500 * SECOND_US + 100 * MS_US);
    turns_end(&turns, 500 * SECOND_US + 100 * MS_US);
    assert_int_equal(turns_longest(&turns, 501 * SECOND_US).us, 100 * MS_US);
    assert_int_equal(turns_longest(&turns, 501 * SECOND_US).own_us, 30 * MS_US);
    fclose(schedstat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_before_it_is_durable_and_all_in_order),
        cmocka_unit_test(answers_that_wait_for_the_disk_are_bounded_in_bytes),
        cmocka_unit_test(what_was_meant_for_a_lost_connection_is_forgotten),
        cmocka_unit_test(strangers_are_counted_and_not_heard),
        cmocka_unit_test(a_client_is_answered_once_in_its_envelope),
        cmocka_unit_test(big_values_are_pulled_whole_T10),
        cmocka_unit_test(what_is_missing_wrong_or_absurd_fails),
        cmocka_unit_test(a_silent_source_is_asked_again_and_given_up),
        cmocka_unit_test(a_value_goes_on_from_where_it_stopped_T10),
        cmocka_unit_test(the_longest_turn_of_the_last_minute_is_known),
        cmocka_unit_test(waiting_for_a_processor_is_told_apart),
    };
    return cmocka_run_group_tests_name("io", tests, open_both, close_both);
}

/* Key files and the list of keys, who is admitted at which door, and what a sealed message may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/bus/doors.h"
#include "shared/bus/intake.h"
#include "shared/bus/link.h"
#include "shared/bus/monitor.h"
#include "tests/harness/datadir.h"

#define HOST        "127.0.0.1"
#define CLUSTER     "00112233aabbccdd"
#define PATIENCE_US (5 * SECOND_US)
#define REFUSED_US  (500 * MS_US) /* what is admitted is so in 10 ms */
#define FILE_MAX    8192

/* Somebody with a key, as the files would have it. */
struct person {
    const char *name;
    enum key_role role;
    node_id_t node;
    char public_key[KEY_TEXT_MAX], *secret_key;
};

static struct person people[] = {{.name = "node1", .role = ROLE_node, .node = 1},
                                 {.name = "node2", .role = ROLE_node, .node = 2},
                                 {.name = "broker", .role = ROLE_broker},
                                 {.name = "admin", .role = ROLE_admin},
                                 {.name = "alice", .role = ROLE_submit},
                                 {.name = "bob", .role = ROLE_commands},
                                 {.name = "tail", .role = ROLE_monitor},
                                 {.name = "front", .role = ROLE_broker}};
enum { NODE_1, NODE_2, BROKER, ADMIN, ALICE, BOB, TAIL, FRONT, PEOPLE };

static void *context;
static unsigned next_port;

/* --- files --- */

static const char *path_of(const char *name)
{
    static char path[2][160];
    static unsigned turn;
    char *at = path[turn++ % 2];
    text_format(at, sizeof path[0], "%s/%s", datadir, name);
    return at;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    const char *path = path_of(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static const char *file_of(const struct person *person, const char *expires)
{
    static char text[FILE_MAX];
    char node[16] = "null";
    if (person->node)
        text_format(node, sizeof node, "%u", (unsigned)person->node);
    text_format(text, sizeof text,
                "{\"format\": 1, \"cluster\": \"" CLUSTER "\", \"name\": \"%s\", \"role\": \"%s\", "
                "\"node\": %s, \"expires\": %s, \"public\": \"%s\", \"secret\": \"%s\", "
                "\"brokers_public\": \"%s\", \"brokers\": [\"tcp://127.0.0.1:7000\"]%s%s%s}",
                person->name, role_name(person->role), node, expires, person->public_key,
                person->secret_key, people[FRONT].public_key,
                person->role == ROLE_broker ? ", \"brokers_secret\": \"" : "",
                person->role == ROLE_broker ? people[FRONT].secret_key : "",
                person->role == ROLE_broker ? "\"" : "");
    return text;
}

/* Of all but one (-1: of all), in the cluster of that id. */
static const char *list_without(int left_out, const char *cluster)
{
    static char text[FILE_MAX];
    size_t len =
        text_format(text, sizeof text, "{\"format\": 1, \"cluster\": \"%s\", \"keys\": [", cluster);
    for (int i = 0, nth = 0; i < FRONT; i++) {
        char node[16] = "null";
        if (people[i].node)
            text_format(node, sizeof node, "%u", (unsigned)people[i].node);
        if (i != left_out)
            len += text_format(text + len, sizeof text - len,
                               "%s{\"name\": \"%s\", \"role\": \"%s\", \"node\": %s, "
                               "\"public\": \"%s\", \"expires\": null}",
                               nth++ ? ", " : "", people[i].name, role_name(people[i].role), node,
                               people[i].public_key);
    }
    text_format(text + len, sizeof text - len, "]}");
    return text;
}

static int open_all(void **state)
{
    assert_int_equal(datadir_make(state), 0);
    for (int i = 0; i < PEOPLE; i++)
        secret_make_pair(people[i].public_key, &people[i].secret_key);
    write_file(ALLOWED_FILE, list_without(-1, CLUSTER), 0600);
    for (int i = 0; i < FRONT; i++) {
        char name[64];
        text_format(name, sizeof name, "%s.json", people[i].name);
        write_file(name, file_of(&people[i], "null"), 0600);
    }
    context = bus_open();
    next_port = 25000 + (unsigned)getpid() % 5000;
    return 0;
}

static int close_all(void **state)
{
    bus_close(context);
    for (int i = 0; i < PEOPLE; i++)
        secret_free(&people[i].secret_key);
    return datadir_remove(state);
}

static struct doors *doors_of(int who)
{
    struct doors *doors = NULL;
    struct text why = {0};
    char name[64];
    text_format(name, sizeof name, "%s.json", people[who].name);
    if (doors_open(context, path_of(name), people[who].node, &doors, &why))
        fail_msg("%s", why.at);
    return doors;
}

static unsigned bind_somewhere(struct doors *doors, void *socket, enum door door)
{
    int error = doors_bind(doors, socket, door, HOST, ++next_port);
    while (error == ERR_EXISTS) {
        error = bus_bind(socket, HOST, ++next_port); /* a door it is already */
        intake_expect_keys(next_port);
    }
    assert_int_equal(error, OK);
    return next_port;
}

/* --- knocking --- */

static void set_text(void *socket, int option, const char *text)
{
    assert_int_equal(zmq_setsockopt(socket, option, text, strlen(text)), 0);
}

/* A socket that connects with somebody's key (NULL: none), and knows that of the server. */
static void *visit(const struct person *person, const char *server, int type, unsigned port)
{
    void *socket = bus_socket(context, type);
    if (person) {
        set_text(socket, ZMQ_CURVE_PUBLICKEY, person->public_key);
        set_text(socket, ZMQ_CURVE_SECRETKEY, person->secret_key);
        set_text(socket, ZMQ_CURVE_SERVERKEY, server);
    }
    if (type == ZMQ_SUB)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(bus_connect(socket, HOST, port), OK);
    return socket;
}

/* Whether a message from there arrives; who sent it. */
static bool is_admitted(struct doors *doors, void *router, unsigned port, const struct person *as,
                        const char *server, struct visitor *who)
{
    struct bus_parts parts = {0};
    void *dealer = visit(as, server, ZMQ_DEALER, port);
    assert_true(zmq_send(dealer, "hello", 5, 0) == 5);
    zmq_pollitem_t item = {.socket = router, .events = ZMQ_POLLIN};
    bool came = zmq_poll(&item, 1, REFUSED_US / MS_US) > 0 && !bus_receive(router, &parts);
    if (came && !doors_are_insecure(doors))
        came = doors_who(doors, &parts, 1, who);
    bus_parts_clear(&parts);
    bus_socket_close(&dealer, 0);
    return came;
}

/* --- key files --- */

static int read_own(const char *text, mode_t mode, struct text *why)
{
    struct access *access = NULL;
    *why = (struct text){0};
    write_file("read.json", text, mode);
    int error = access_load(AT_FDCWD, path_of("read.json"), "read.json", &access, why);
    assert_true(error ? !access && strstr(why->at, "read.json") : access != NULL);
    for (int i = 0; i < PEOPLE; i++)
        assert_null(strstr(why->at, people[i].secret_key));
    access_destroy(&access);
    access_destroy(&access);
    return error;
}

static void a_key_file_that_others_may_read_or_that_is_damaged_is_refused_X9(void **state)
{
    (void)state;
    struct text why;
    char text[FILE_MAX];
    assert_int_equal(read_own(file_of(&people[ALICE], "null"), 0600, &why), OK);
    assert_int_equal(read_own(file_of(&people[ALICE], "\"2999-01-01T00:00:00.000Z\""), 0400, &why),
                     OK);
    for (mode_t mode = 1; mode < 0100; mode <<= 1)
        assert_int_equal(read_own(file_of(&people[ALICE], "null"), 0600 | mode, &why),
                         ERR_MALFORMED);
    assert_non_null(strstr(why.at, "chmod 600"));
    assert_int_equal(read_own(file_of(&people[ALICE], "\"2020-01-01T00:00:00.000Z\""), 0600, &why),
                     ERR_STALE);
    assert_non_null(strstr(why.at, "expired at 2020-01-01"));
    assert_int_equal(read_own(file_of(&people[ALICE], "\"soon\""), 0600, &why), ERR_MALFORMED);
    /* Whatever is cut off, or is another byte, is noticed, or was nothing. */
    text_format(text, sizeof text, "%s", file_of(&people[BROKER], "null"));
    size_t len = strlen(text);
    for (size_t end = 1; end < len; end++) {
        char cut[FILE_MAX];
        text_format(cut, end + 1, "%s", text);
        assert_int_equal(read_own(cut, 0600, &why), ERR_MALFORMED);
    }
    for (int i = 0; i < 2; i++) {
        const char *secret = i ? people[FRONT].secret_key : people[BROKER].secret_key;
        char *at = strstr(text, secret);
        at[7] = at[7] == 'a' ? 'b' : 'a';
        assert_int_equal(read_own(text, 0600, &why), ERR_MALFORMED);
        text_format(text, sizeof text, "%s", file_of(&people[BROKER], "null"));
    }
}

static void keys_are_forty_characters_and_a_number_of_32_bytes(void **state)
{
    (void)state;
    char text[KEY_TEXT_MAX];
    uint8_t bytes[KEY_BYTES];
    memset(bytes, 0xff, sizeof bytes);
    zmq_z85_encode(text, bytes, sizeof bytes);
    assert_true(key_is_valid(text, KEY_TEXT_LEN));
    text[4]++; /* more than four bytes can be */
    assert_false(key_is_valid(text, KEY_TEXT_LEN));
    assert_false(key_is_valid(text, KEY_TEXT_LEN - 1));
    memset(text, '"', KEY_TEXT_LEN);
    assert_false(key_is_valid(text, KEY_TEXT_LEN));
    char derived[KEY_TEXT_MAX];
    secret_derive(people[ALICE].secret_key, derived);
    assert_string_equal(derived, people[ALICE].public_key);
}

static void of_several_keys_of_a_node_each_has_its_turn(void **state)
{
    (void)state;
    struct allowed *list = NULL;
    struct text why = {0};
    char text[FILE_MAX];
    text_format(text, sizeof text,
                "{\"format\": 1, \"cluster\": \"a\", \"keys\": ["
                "{\"name\": \"node7\", \"role\": \"node\", \"node\": 7, \"public\": \"%s\", "
                "\"expires\": \"2020-01-01T00:00:00.000Z\"},"
                "{\"name\": \"node7\", \"role\": \"node\", \"node\": 7, \"public\": \"%s\"},"
                "{\"name\": \"node7\", \"role\": \"node\", \"node\": 7, \"public\": \"%s\"}]}",
                people[ALICE].public_key, people[BOB].public_key, people[TAIL].public_key);
    assert_int_equal(allowed_parse(text, strlen(text), "list", &list, &why), OK);
    uint64_t now_ms = clock_wall_ms();
    const struct allowed_key *first = allowed_of_node(list, 7, 0, now_ms),
                             *second = allowed_of_node(list, 7, 1, now_ms);
    assert_true(first && second && first != second);
    assert_ptr_equal(allowed_of_node(list, 7, 2, now_ms), first);
    assert_null(allowed_find(list, people[ALICE].public_key, now_ms)); /* over */
    assert_non_null(allowed_find(list, people[ALICE].public_key, 1000));
    assert_non_null(allowed_find(list, people[BOB].public_key, now_ms));
    assert_null(allowed_of_node(list, 8, 0, now_ms));
    free(list);
    /* The same key for two, or a node without its number. */
    text_format(text, sizeof text,
                "{\"format\": 1, \"cluster\": \"a\", \"keys\": ["
                "{\"name\": \"x\", \"role\": \"admin\", \"public\": \"%s\"},"
                "{\"name\": \"y\", \"role\": \"%s\", \"public\": \"%s\"}]}",
                people[ALICE].public_key, "admin", people[ALICE].public_key);
    assert_int_equal(allowed_parse(text, strlen(text), "list", &list, &why), ERR_MALFORMED);
    text_format(text, sizeof text,
                "{\"format\": 1, \"cluster\": \"a\", \"keys\": ["
                "{\"name\": \"x\", \"role\": \"node\", \"public\": \"%s\"}]}",
                people[ALICE].public_key);
    assert_int_equal(allowed_parse(text, strlen(text), "list", &list, &why), ERR_MALFORMED);
}

static void doors_do_not_open_with_the_wrong_files_X1(void **state)
{
    (void)state;
    struct doors *doors = NULL;
    struct text why = {0};
    assert_int_equal(doors_open(context, path_of("none.json"), 1, &doors, &why), ERR_NOT_FOUND);
    assert_int_equal(doors_open(context, path_of("node2.json"), 1, &doors, &why), ERR_MALFORMED);
    assert_int_equal(doors_open(context, path_of("admin.json"), 1, &doors, &why), ERR_MALFORMED);
    assert_int_equal(doors_open(context, path_of("node1.json"), NODE_NONE, &doors, &why),
                     ERR_MALFORMED);
    why = (struct text){0};
    write_file(ALLOWED_FILE, list_without(-1, "ffff"), 0600);
    assert_int_equal(doors_open(context, path_of("node1.json"), 1, &doors, &why), ERR_MALFORMED);
    assert_non_null(strstr(why.at, "of another cluster"));
    write_file(ALLOWED_FILE, list_without(NODE_1, CLUSTER), 0600);
    assert_int_equal(doors_open(context, path_of("node1.json"), 1, &doors, &why), ERR_MALFORMED);
    write_file(ALLOWED_FILE, list_without(-1, CLUSTER), 0600);
    assert_null(doors);
}

/* --- doors --- */

static void who_is_admitted_at_a_door_is_in_one_table_X1_X2(void **state)
{
    (void)state;
    static const char *const admitted[DOOR_COUNT] = {[DOOR_control] = "node1 node2 broker",
                                                     [DOOR_channel] = "node1 node2",
                                                     [DOOR_checkpoint] = "node1 node2",
                                                     [DOOR_heartbeat] = "node1 node2 broker",
                                                     [DOOR_value] = "node1 node2",
                                                     [DOOR_front] = "admin alice bob tail",
                                                     [DOOR_feed] = "admin tail"};
    for (int door = 0; door < DOOR_COUNT; door++) {
        bool of_broker = door == DOOR_front || door == DOOR_feed;
        struct doors *doors = doors_of(of_broker ? BROKER : NODE_1);
        const char *server = people[of_broker ? FRONT : NODE_1].public_key;
        void *router = bus_socket(context, ZMQ_ROUTER);
        unsigned port = bind_somewhere(doors, router, (enum door)door);
        for (int i = 0; i < FRONT; i++) {
            struct visitor who = {0};
            bool expected = strstr(admitted[door], people[i].name) != NULL;
            if (is_admitted(doors, router, port, &people[i], server, &who) != expected)
                fail_msg("%s at the %s door", people[i].name, door_name((enum door)door));
            assert_true(!expected || (!strcmp(who.name, people[i].name) &&
                                      who.role == people[i].role && who.node == people[i].node));
        }
        struct person stranger = {.name = "stranger"};
        struct visitor who;
        uint64_t refused = doors_refused(doors);
        secret_make_pair(stranger.public_key, &stranger.secret_key);
        assert_false(is_admitted(doors, router, port, &stranger, server, &who));
        assert_true(doors_refused(doors) > refused);
        refused = doors_refused(doors);
        assert_false(is_admitted(doors, router, port, NULL, NULL, &who)); /* no key */
        assert_true(doors_refused(doors) > refused);
        assert_false(is_admitted(doors, router, port, &people[NODE_2], stranger.public_key, &who));
        secret_free(&stranger.secret_key);
        bus_socket_close(&router, 0);
        doors_close(&doors);
    }
}

/* Somebody else answers ZAP, or nobody could: then nothing would be refused. */
static void without_a_handler_nothing_starts_X1(void **state)
{
    (void)state;
    struct doors *doors = NULL;
    struct text why = {0};
    void *other = zmq_socket(context, ZMQ_REP);
    assert_int_equal(zmq_bind(other, "inproc://zeromq.zap.01"), 0);
    assert_int_equal(doors_open(context, path_of("node1.json"), 1, &doors, &why), ERR_IO);
    assert_null(doors);
    assert_non_null(strstr(why.at, "nothing starts"));
    zmq_unbind(other, "inproc://zeromq.zap.01");
    zmq_close(other);
    /* And a handler that ends admits nobody more: the domain is enforced. */
    struct visitor who;
    doors = doors_of(NODE_1);
    void *router = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(doors, router, DOOR_control);
    struct doors *open = doors_open_to_all();
    doors_close(&doors);
    assert_false(is_admitted(open, router, port, &people[NODE_2], people[NODE_1].public_key, &who));
    doors_close(&open);
    bus_socket_close(&router, 0);
}

static void wait_admitted(struct doors *doors, void *router, unsigned port, int who, bool wanted)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    struct visitor visitor;
    while (is_admitted(doors, router, port, &people[who], people[FRONT].public_key, &visitor) !=
           wanted)
        assert_true(clock_now_us() < until_us);
}

static void the_list_is_read_again_when_it_changes_and_only_whole_X12(void **state)
{
    (void)state;
    struct doors *doors = doors_of(BROKER);
    struct visitor who;
    struct bus_parts parts = {0};
    void *router = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(doors, router, DOOR_front);
    void *dealer = visit(&people[ALICE], people[FRONT].public_key, ZMQ_DEALER, port);
    wait_admitted(doors, router, port, ALICE, true);
    write_file(ALLOWED_FILE, list_without(ALICE, CLUSTER), 0600);
    wait_admitted(doors, router, port, ALICE, false);
    wait_admitted(doors, router, port, BOB, true);
    /* What comes on the connection that she has is from nobody. */
    assert_true(zmq_send(dealer, "still here", 10, 0) > 0);
    while (bus_receive(router, &parts))
        zmq_poll(&(zmq_pollitem_t){.socket = router, .events = ZMQ_POLLIN}, 1, 100);
    assert_false(doors_who(doors, &parts, 1, &who));
    bus_parts_clear(&parts);
    /* A list that is cut off, of another cluster, or open to others changes nothing. */
    char cut[FILE_MAX];
    text_format(cut, 300, "%s", list_without(-1, CLUSTER));
    write_file(ALLOWED_FILE, cut, 0600);
    wait_admitted(doors, router, port, BOB, true);
    write_file(ALLOWED_FILE, list_without(-1, "ffff"), 0600);
    wait_admitted(doors, router, port, ALICE, false);
    write_file(ALLOWED_FILE, list_without(-1, CLUSTER), 0644);
    wait_admitted(doors, router, port, ALICE, false);
    write_file(ALLOWED_FILE, list_without(-1, CLUSTER), 0600);
    wait_admitted(doors, router, port, ALICE, true);
    bus_socket_close(&dealer, 0);
    bus_socket_close(&router, 0);
    doors_close(&doors);
}

static void a_link_that_is_refused_comes_up_once_its_key_is_allowed(void **state)
{
    (void)state;
    write_file(ALLOWED_FILE, list_without(NODE_2, CLUSTER), 0600);
    struct doors *doors = doors_of(NODE_1), *open = doors_open_to_all();
    void *router = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(doors, router, DOOR_channel);
    /* Node 1's own key stands for that of another node: the list has no other at first. */
    struct link_config config = {
        .doors = doors, .node = 2, .host = HOST, .port = port, .queue_max = 10, .watch = -1};
    struct link *link = link_new(context, &config, clock_now_us());
    assert_int_equal(link_next(link, clock_now_us()), LINK_NOTHING);
    assert_int_equal(link_fd(link), -1); /* it does not even connect: whom would it talk to? */
    link_destroy(&link, 0);
    config.node = 1;
    link = link_new(context, &config, clock_now_us());
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    while (link_next(link, clock_now_us()) != LINK_UP)
        assert_true(clock_now_us() < until_us);
    link_destroy(&link, 0);
    write_file(ALLOWED_FILE, list_without(-1, CLUSTER), 0600);
    bus_socket_close(&router, 0);
    doors_close(&open);
    doors_close(&doors);
}

/* --- sealed messages --- */

/* Whether a message of so many parts and bytes each ends the connection. */
static bool ends(void *dealer, void *monitor, int parts, size_t bytes)
{
    char *part = calloc(1, bytes + 1);
    for (int i = 0; i < parts; i++)
        zmq_send(dealer, part, bytes, i + 1 < parts ? ZMQ_SNDMORE : 0);
    free(part);
    uint64_t until_us = clock_now_us() + REFUSED_US;
    unsigned event = 0;
    while (!(event & ZMQ_EVENT_DISCONNECTED) && clock_now_us() < until_us) {
        zmq_poll(&(zmq_pollitem_t){.socket = monitor, .events = ZMQ_POLLIN}, 1, 50);
        event = monitor_next(monitor, NULL);
    }
    return event & ZMQ_EVENT_DISCONNECTED;
}

static void a_sealed_message_is_bounded_as_an_open_one_X4(void **state)
{
    (void)state;
    struct doors *doors = doors_of(NODE_1);
    void *router = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(doors, router, DOOR_control);
    const struct {
        int parts;
        size_t bytes;
        bool ends;
    } cases[] = {{1, MIB_BYTES, false},
                 {1, MIB_BYTES + 1, true},
                 {1000, 10, false},
                 {INTAKE_PARTS_MAX + 10, 10, true},
                 {6, MIB_BYTES - 100, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = intake_ended();
        void *dealer = bus_socket(context, ZMQ_DEALER);
        void *monitor = monitor_open(context, dealer, ZMQ_EVENT_DISCONNECTED);
        set_text(dealer, ZMQ_CURVE_PUBLICKEY, people[NODE_2].public_key);
        set_text(dealer, ZMQ_CURVE_SECRETKEY, people[NODE_2].secret_key);
        set_text(dealer, ZMQ_CURVE_SERVERKEY, people[NODE_1].public_key);
        assert_int_equal(bus_connect(dealer, HOST, port), OK);
        if (ends(dealer, monitor, cases[i].parts, cases[i].bytes) != cases[i].ends)
            fail_msg("%d parts of %zu bytes", cases[i].parts, cases[i].bytes);
        assert_int_equal(intake_ended() > before, cases[i].ends && cases[i].parts > 1);
        monitor_close(dealer, &monitor);
        bus_socket_close(&dealer, 0);
    }
    bus_socket_close(&router, 0);
    doors_close(&doors);
}

static void topics_of_a_sealed_subscriber_are_bounded_X4(void **state)
{
    (void)state;
    struct doors *doors = doors_of(BROKER);
    void *feed = bus_socket(context, ZMQ_XPUB);
    unsigned port = bind_somewhere(doors, feed, DOOR_feed);
    uint64_t before = intake_ended();
    void *sub = visit(&people[TAIL], people[FRONT].public_key, ZMQ_SUB, port);
    uint8_t topic[100] = {0};
    zmq_pollitem_t item = {.socket = feed, .events = ZMQ_POLLIN};
    assert_true(zmq_poll(&item, 1, PATIENCE_US / MS_US) > 0); /* one topic is what everybody has */
    assert_int_equal(intake_ended(), before);
    for (int i = 0; i < 50; i++) {
        topic[0] = (uint8_t)i;
        zmq_setsockopt(sub, ZMQ_SUBSCRIBE, topic, sizeof topic);
    }
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    while (intake_ended() == before)
        assert_true(clock_now_us() < until_us);
    bus_socket_close(&sub, 0);
    bus_socket_close(&feed, 0);
    doors_close(&doors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_that_others_may_read_or_that_is_damaged_is_refused_X9),
        cmocka_unit_test(keys_are_forty_characters_and_a_number_of_32_bytes),
        cmocka_unit_test(of_several_keys_of_a_node_each_has_its_turn),
        cmocka_unit_test(doors_do_not_open_with_the_wrong_files_X1),
        cmocka_unit_test(who_is_admitted_at_a_door_is_in_one_table_X1_X2),
        cmocka_unit_test(without_a_handler_nothing_starts_X1),
        cmocka_unit_test(the_list_is_read_again_when_it_changes_and_only_whole_X12),
        cmocka_unit_test(a_link_that_is_refused_comes_up_once_its_key_is_allowed),
        cmocka_unit_test(a_sealed_message_is_bounded_as_an_open_one_X4),
        cmocka_unit_test(topics_of_a_sealed_subscriber_are_bounded_X4),
    };
    return cmocka_run_group_tests_name("doors", tests, open_all, close_all);
}

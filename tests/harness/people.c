#include "tests/harness/people.h"

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

#include "shared/base/error.h"
#include "shared/bus/intake.h"
#include "tests/harness/datadir.h"

struct person people[] = {{.name = "node1", .role = ROLE_node, .node = 1},
                          {.name = "node2", .role = ROLE_node, .node = 2},
                          {.name = "broker", .role = ROLE_broker},
                          {.name = "admin", .role = ROLE_admin},
                          {.name = "alice", .role = ROLE_submit},
                          {.name = "bob", .role = ROLE_commands},
                          {.name = "tail", .role = ROLE_monitor},
                          {.name = "front", .role = ROLE_broker}};

void *people_context;
static unsigned next_port;

/* --- files --- */

const char *people_path(const char *name)
{
    static char path[2][160];
    static unsigned turn;
    char *at = path[turn++ % 2];
    text_format(at, sizeof path[0], "%s/%s", datadir, name);
    return at;
}

void people_write(const char *name, const char *text, mode_t mode)
{
    const char *path = people_path(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

const char *people_file(const struct person *person, const char *expires)
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
const char *people_list(int left_out, const char *cluster)
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

int people_open(void **state)
{
    assert_int_equal(datadir_make(state), 0);
    for (int i = 0; i < PEOPLE; i++)
        secret_make_pair(people[i].public_key, &people[i].secret_key);
    people_write(ALLOWED_FILE, people_list(-1, CLUSTER), 0600);
    for (int i = 0; i < FRONT; i++) {
        char name[64];
        text_format(name, sizeof name, "%s.json", people[i].name);
        people_write(name, people_file(&people[i], "null"), 0600);
    }
    people_context = bus_open();
    next_port = 25000 + (unsigned)getpid() % 5000;
    return 0;
}

int people_close(void **state)
{
    bus_close(people_context);
    for (int i = 0; i < PEOPLE; i++)
        secret_free(&people[i].secret_key);
    return datadir_remove(state);
}

struct doors *people_doors(int who)
{
    struct doors *doors = NULL;
    struct text why = {0};
    char name[64];
    text_format(name, sizeof name, "%s.json", people[who].name);
    if (doors_open(people_context, people_path(name), people[who].node, &doors, &why))
        fail_msg("%s", why.at);
    return doors;
}

unsigned people_bind(struct doors *doors, void *socket, enum door door)
{
    int error = doors_bind(doors, socket, door, HOST, ++next_port);
    while (error == ERR_EXISTS) {
        error = bus_bind(socket, HOST, ++next_port); /* a door it is already */
        intake_expect_keys(next_port);
    }
    assert_int_equal(error, OK);
    return next_port;
}

void people_set(void *socket, int option, const char *text)
{
    assert_int_equal(zmq_setsockopt(socket, option, text, strlen(text)), 0);
}

/* A socket that connects with somebody's key (NULL: none), and knows that of the server. */
void *people_visit(const struct person *person, const char *server, int type, unsigned port)
{
    void *socket = bus_socket(people_context, type);
    if (person) {
        people_set(socket, ZMQ_CURVE_PUBLICKEY, person->public_key);
        people_set(socket, ZMQ_CURVE_SECRETKEY, person->secret_key);
        people_set(socket, ZMQ_CURVE_SERVERKEY, server);
    }
    if (type == ZMQ_SUB)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(bus_connect(socket, HOST, port), OK);
    return socket;
}

#include "tests/harness/coreless.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/error.h"

#define HERE       "127.0.0.1"
#define PORT_FIRST 20000
#define PORT_RANGE 5000 /* two runs at once do not meet */
#define PORT_TRIES 50
#define PORT_STEP  40 /* beyond all ports of such a cluster */

void coreless_open(struct coreless *node, void *context, struct doors *doors, node_id_t id)
{
    static const char *const hosts[] = {NULL, HERE, HERE};
    struct mesh_config config = {.id = id, .n_nodes = CORELESS_NODES};
    struct text why = {0};
    int error = ERR_EXISTS;
    config.bind = HERE;
    config.hosts = hosts;
    config.doors = doors;
    config.feed_silent_us = SECOND_US;
    node->port = PORT_FIRST + (unsigned)getpid() % PORT_RANGE;
    for (unsigned tries = 0; error == ERR_EXISTS && tries < PORT_TRIES; tries++) {
        config.port = node->port += PORT_STEP;
        error = mesh_open(context, &config, &node->mesh, &why);
    }
    if (error)
        fail_msg("%s", why.at);
    node->gate = gate_new(node->mesh, &node->clients, CORELESS_NODES);
    node->inbox = inbox_new("conclave", id, CORELESS_NODES, node->mesh, &node->clients, node->gate);
}

void coreless_close(struct coreless *node)
{
    inbox_destroy(&node->inbox);
    gate_destroy(&node->gate);
    clients_clear(&node->clients);
    mesh_close(&node->mesh, 0);
}

unsigned coreless_port(const struct coreless *node, node_id_t id, enum plane plane)
{
    return mesh_base_port(node->port, id) + plane;
}

#include "clients/local/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/types.h"

#define FIND_FROM  10000
#define FIND_TRIES 50

static bool is_free(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0)
        return false;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    /* As ZeroMQ binds: a connection that lingers from before is no obstacle. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bool works = !bind(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return works;
}

unsigned ports_in_use(unsigned port, uint64_t nodes, uint64_t brokers)
{
    for (unsigned i = 0; i < 2 * brokers; i++)
        if (!is_free(port + i))
            return port + i;
    for (unsigned node = 1; node <= nodes; node++)
        for (unsigned plane = 0; plane < PLANE_COUNT; plane++) {
            unsigned at = port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * node + plane;
            if (!is_free(at))
                return at;
        }
    return 0;
}

int ports_fit(unsigned port, uint64_t nodes)
{
    return port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * nodes + PLANE_COUNT <= PORT_LIMIT;
}

unsigned ports_find(uint64_t nodes, uint64_t brokers)
{
    unsigned span = PORT_NODES_OFFSET + PORT_NODE_STRIDE * ((unsigned)nodes + 1);
    for (int i = 0; i < FIND_TRIES; i++) {
        uint32_t random;
        hash_random(&random, sizeof random);
        unsigned port = FIND_FROM + random % (PORT_LIMIT - FIND_FROM - span);
        if (!ports_in_use(port, nodes, brokers))
            return port;
    }
    return 0;
}

#include "clients/ask/knock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/bus/bus.h"
#include "shared/bus/monitor.h"

#define SHUT_MAX       2   /* a broker that ends may shut once; then it is asked */
#define ASK_MS         300 /* a broker that lives answers in one */
#define GREETING_BYTES 64  /* of ZMTP 3 (RFC 23): signature, version, mechanism, the rest zeros */
#define MECHANISM_AT   12
#define MECHANISM_MAX  20

void knock_present(void *socket, const struct access *access)
{
    const struct {
        int option;
        const char *key;
    } keys[] = {{ZMQ_CURVE_PUBLICKEY, access ? access->public_key : NULL},
                {ZMQ_CURVE_SECRETKEY, access ? access->secret_key : NULL},
                {ZMQ_CURVE_SERVERKEY, access ? access->brokers_key : NULL}};
    for (size_t i = 0; access && i < sizeof keys / sizeof *keys; i++)
        if (zmq_setsockopt(socket, keys[i].option, keys[i].key, KEY_TEXT_LEN))
            panic("a key is refused by ZeroMQ: %s", zmq_strerror(errno));
    if (access)
        bus_allow_sealed(socket);
}

/* --- asking for the greeting --- */

static int dial(const struct address *broker)
{
    struct addrinfo *found = NULL, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    char port[16];
    text_format(port, sizeof port, "%u", broker->port);
    if (getaddrinfo(broker->host, port, &wanted, &found))
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) && errno != EINPROGRESS) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool wait_for(int fd, short events, uint64_t until_us)
{
    uint64_t now_us = clock_now_us();
    struct pollfd item = {.fd = fd, .events = events};
    return now_us < until_us && poll(&item, 1, (int)((until_us - now_us) / MS_US) + 1) > 0;
}

/* Reads which mechanism the other side wants; false: it says nothing. */
static bool ask_mechanism(const struct address *broker, char mechanism[MECHANISM_MAX + 1])
{
    /* Signature and version: they are answered by all of a greeting. With a mechanism the other
     * side would hang up, should it want another one. */
    static const uint8_t ours[MECHANISM_AT] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0};
    uint8_t theirs[GREETING_BYTES];
    size_t len = 0;
    uint64_t until_us = clock_now_us() + ASK_MS * MS_US;
    int fd = dial(broker);
    if (fd < 0)
        return false;
    bool open = wait_for(fd, POLLOUT, until_us) &&
                send(fd, ours, sizeof ours, MSG_NOSIGNAL) == (ssize_t)sizeof ours;
    while (open && len < sizeof theirs && wait_for(fd, POLLIN, until_us)) {
        ssize_t got = recv(fd, theirs + len, sizeof theirs - len, 0);
        open = got > 0;
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    memcpy(mechanism, theirs + MECHANISM_AT, MECHANISM_MAX);
    mechanism[MECHANISM_MAX] = '\0';
    return len == sizeof theirs;
}

bool knock_listens(const struct address *broker)
{
    int fd = dial(broker), error = 0;
    socklen_t len = sizeof error;
    if (fd < 0)
        return false;
    bool open = wait_for(fd, POLLOUT, clock_now_us() + ASK_MS * MS_US) &&
                !getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) && !error;
    close(fd);
    return open;
}

/* --- events --- */

enum knock knock_next(void *monitor, const struct address *broker, const struct access *access,
                      unsigned *shut)
{
    char mechanism[MECHANISM_MAX + 1];
    unsigned event = monitor_next(monitor, NULL);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        *shut = 0;
        return KNOCK_IN;
    }
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return KNOCK_REFUSED;
    if (!(event & MONITOR_FAILED) ||
        (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL && ++*shut < SHUT_MAX))
        return KNOCK_NOTHING;
    *shut = 0;
    if (!ask_mechanism(broker, mechanism))
        return KNOCK_SHUT;
    bool wants_key = !strcmp(mechanism, "CURVE");
    if (access)
        return wants_key ? KNOCK_REFUSED : KNOCK_NO_KEYS;
    return wants_key ? KNOCK_NO_KEY : KNOCK_SHUT;
}

#include "shared/bus/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/mutant.h"

#define PORTS 65536

/* ZMTP 3: a greeting of 64 bytes, then frames: flags, a length of one byte or of eight, a body. */
#define SIGNATURE_FIRST 0xff
#define VERSION_AT      10
#define VERSION_MIN     3
#define GREETING_BYTES  64
#define FLAG_MORE       1
#define FLAG_LONG       2
#define FLAG_COMMAND    4
/* A command begins with its name and that name's length; those of 4 and 5 letters (PING, PONG,
 * READY, ERROR) leave nothing behind, SUBSCRIBE and CANCEL do. */
#define NAME_SHORT_MIN 4
#define NAME_SHORT_MAX 5

enum stage { NOT_FOLLOWED, IN_GREETING, AT_FLAGS, IN_LENGTH, AT_BODY, IN_BODY };

struct connection {
    uint8_t stage;
    uint8_t flags;
    uint8_t n; /* bytes of the greeting that were seen, or of the length that are to come */
    bool subscriptions;
    uint32_t parts; /* of the message at hand */
    uint64_t left;  /* bytes of the frame to come */
    uint64_t bytes; /* of the message at hand, or of all topics */
};

/* By descriptor; for the thread of ZeroMQ. Pages that no connection has used take no memory. */
static struct connection connections[FILES_MAX];
static _Atomic bool is_feed[PORTS];
static _Atomic uint64_t ended;

uint64_t intake_ended(void)
{
    return ended;
}

void intake_listen(unsigned port, bool subscriptions)
{
    if (port < PORTS)
        is_feed[port] = subscriptions;
}

void intake_begin(int fd, int listener)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    unsigned port = 0;
    if (fd < 0 || fd >= FILES_MAX || getsockname(listener, (struct sockaddr *)&at, &len))
        return;
    if (at.ss_family == AF_INET)
        port = ntohs(((struct sockaddr_in *)&at)->sin_port);
    else if (at.ss_family == AF_INET6)
        port = ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    connections[fd] = (struct connection){.stage = IN_GREETING, .subscriptions = is_feed[port]};
}

/* --- following the frames: NULL, or why the connection has to end --- */

static const char *greet(struct connection *it, uint8_t byte)
{
    if ((it->n == 0 && byte != SIGNATURE_FIRST) || (it->n == VERSION_AT && byte < VERSION_MIN))
        return "does not speak ZMTP 3";
    if (++it->n == GREETING_BYTES)
        it->stage = AT_FLAGS;
    return NULL;
}

static const char *count(struct connection *it, bool harmless)
{
    if (harmless)
        return NULL;
    it->parts++;
    it->bytes += it->left;
    if (it->subscriptions)
        return it->bytes + (uint64_t)it->parts * INTAKE_TOPIC_BYTES > INTAKE_TOPICS_BYTES &&
                       !MUTANT(subscriptions_unbounded)
                   ? "names too many topics"
                   : NULL;
    return (it->parts > INTAKE_PARTS_MAX || it->bytes > INTAKE_BYTES_MAX) &&
                   !MUTANT(message_never_ends)
               ? "sends a message that does not end"
               : NULL;
}

static void end_frame(struct connection *it)
{
    it->stage = AT_FLAGS;
    if (!it->subscriptions && !(it->flags & (FLAG_MORE | FLAG_COMMAND))) {
        it->parts = 0;
        it->bytes = 0;
    }
}

static const char *begin_body(struct connection *it, uint8_t first)
{
    bool command = it->flags & FLAG_COMMAND;
    bool harmless =
        command && (!it->subscriptions || (first >= NAME_SHORT_MIN && first <= NAME_SHORT_MAX));
    it->stage = IN_BODY;
    return count(it, harmless);
}

static const char *take_length(struct connection *it, uint8_t byte)
{
    it->left = it->left << 8 | byte;
    if (--it->n)
        return NULL;
    it->stage = AT_BODY;
    if (it->left)
        return NULL;
    const char *why = count(it, it->flags & FLAG_COMMAND);
    end_frame(it);
    return why;
}

static const char *follow(struct connection *it, const uint8_t *at, size_t len)
{
    const char *why = NULL;
    for (size_t i = 0; i < len && !why;) {
        if (it->stage == IN_BODY) {
            uint64_t here = it->left < len - i ? it->left : len - i;
            it->left -= here;
            i += here;
            if (!it->left)
                end_frame(it);
        } else if (it->stage == AT_BODY) {
            why = begin_body(it, at[i]); /* which is left for the body */
        } else if (it->stage == IN_GREETING) {
            why = greet(it, at[i++]);
        } else if (it->stage == AT_FLAGS) {
            it->flags = at[i++];
            it->n = it->flags & FLAG_LONG ? 8 : 1;
            it->left = 0;
            it->stage = IN_LENGTH;
        } else {
            why = take_length(it, at[i++]);
        }
    }
    return why;
}

/* --- receiving --- */

static void say_ended(const char *why)
{
    static struct log_limit limit;
    uint64_t unsaid;
    ended++;
    if (log_limit_allows(&limit, clock_now_us(), LOG_REJECTED_PER_S, &unsaid))
        log_write(LOG_WARN, "ended %" PRIu64 " connection%s; the last one %s", unsaid + 1,
                  unsaid ? "s" : "", why);
}

ssize_t recv(int fd, void *at, size_t len, int flags)
{
    ssize_t got = syscall(SYS_recvfrom, fd, at, len, flags, NULL, NULL);
    if (got <= 0 || fd < 0 || fd >= FILES_MAX || connections[fd].stage == NOT_FOLLOWED)
        return got;
    const char *why = follow(&connections[fd], at, (size_t)got);
    if (!why)
        return got;
    connections[fd].stage = NOT_FOLLOWED; /* nothing of it is read any more */
    say_ended(why);
    errno = ECONNRESET;
    return -1;
}

/* A descriptor of a connection that has ended is used again, for one that we make. */
int socket(int domain, int type, int protocol)
{
    int fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (fd >= 0 && fd < FILES_MAX)
        connections[fd].stage = NOT_FOLLOWED;
    return fd;
}

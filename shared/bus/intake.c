#include "shared/bus/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/mutant.h"
#include "shared/bus/owners.h"

#define PORTS 65536

/* ZMTP 3: a greeting of 64 bytes, then frames: flags, a length of one byte or of eight, a body. */
#define SIGNATURE_FIRST 0xff
#define VERSION_AT      10
#define VERSION_MIN     3
#define MECHANISM_AT    12
#define SEALED_FIRST    'C' /* of CURVE; the others are NULL, PLAIN and GSSAPI */
#define GREETING_BYTES  64
#define FLAG_MORE       1
#define FLAG_LONG       2
#define FLAG_COMMAND    4
/* A command begins with its name and that name's length; those of 4 and 5 letters (PING, PONG,
 * READY, ERROR) leave nothing behind, SUBSCRIBE and CANCEL do. */
#define NAME_SHORT_MIN 4
#define NAME_SHORT_MAX 5
/* RFC 26: what a client's messages are sealed with begins so; then comes a counter. */
#define NONCE_OF_CLIENT "CurveZMQMESSAGEC"
/* Bytes of an opened message before its own, which begins with flags as a frame does. */
#define OPENED_AT      crypto_box_ZEROBYTES
#define OPENED_COMMAND 2 /* where a frame's flags have FLAG_COMMAND */

enum stage { NOT_FOLLOWED, IN_GREETING, AT_FLAGS, IN_LENGTH, AT_BODY, IN_BODY, CONDEMNED };

struct connection {
    uint8_t stage;
    uint8_t flags;
    uint8_t n; /* bytes of the greeting that were seen, or of the length that are to come */
    bool subscriptions;
    bool wanted;    /* to be sealed */
    bool sealed;    /* by CURVE: its frames tell nothing, what is in them is followed */
    uint64_t key;   /* of a sealed one, some of the key that opens its messages; 0: not seen yet */
    uint32_t parts; /* of the message at hand */
    uint64_t left;  /* bytes of the frame to come */
    uint64_t bytes; /* of the message at hand, or of all topics */
    bool half_open; /* accepted, and not shown yet that it can speak: in the list below */
    int older, newer;
};

/* By descriptor; for the thread of ZeroMQ. Pages that no connection has used take no memory. */
static struct connection connections[FILES_MAX];
static void (*_Atomic once)(void);
static _Atomic bool is_feed[PORTS];
static _Atomic bool wants_keys[PORTS];
static _Atomic bool is_left[PORTS];
static _Atomic uint64_t ended, keyless;
static _Thread_local int received_from = -1; /* the descriptor that was read last */
static _Atomic int files_used;               /* above the highest descriptor that was accepted */

/* Half-open connections, for the thread of ZeroMQ. */
static struct {
    int max; /* 0: any number */
    int n, oldest, newest;
} half_open = {.oldest = -1, .newest = -1};

uint64_t intake_ended(void)
{
    return ended;
}

uint64_t intake_keyless(void)
{
    return keyless;
}

void intake_expect_keys(unsigned port)
{
    if (port < PORTS)
        wants_keys[port] = true;
}

void intake_leave(unsigned port)
{
    if (port < PORTS)
        is_left[port] = true;
}

void intake_listen(unsigned port, bool subscriptions)
{
    if (port < PORTS)
        is_feed[port] = subscriptions;
}

static void say_ended(const char *why)
{
    static struct log_limit limit;
    uint64_t unsaid;
    ended++;
    if (log_limit_allows(&limit, clock_now_us(), LOG_REJECTED_PER_S, &unsaid))
        log_write(LOG_WARN, "ended %" PRIu64 " connection%s; the last one %s", unsaid + 1,
                  unsaid ? "s" : "", why);
}

/* --- half-open connections --- */

void intake_bound_half_open(int max)
{
    half_open.max = max;
}

static void add_half_open(int fd)
{
    struct connection *it = &connections[fd];
    it->half_open = true;
    it->older = half_open.newest;
    it->newer = -1;
    if (half_open.newest >= 0)
        connections[half_open.newest].newer = fd;
    else
        half_open.oldest = fd;
    half_open.newest = fd;
    half_open.n++;
}

static void take_half_open(int fd)
{
    struct connection *it = &connections[fd];
    if (!it->half_open)
        return;
    it->half_open = false;
    if (it->older >= 0)
        connections[it->older].newer = it->newer;
    else
        half_open.oldest = it->newer;
    if (it->newer >= 0)
        connections[it->newer].older = it->older;
    else
        half_open.newest = it->older;
    half_open.n--;
}

/* Who has a key is done with its handshake long before its turn comes. */
static void end_oldest(void)
{
    while (half_open.max && half_open.n > half_open.max && !MUTANT(half_open_unbounded)) {
        int fd = half_open.oldest;
        take_half_open(fd);
        connections[fd].stage = CONDEMNED;
        shutdown(fd, SHUT_RDWR);
        say_ended("brought no key while others waited to be accepted");
    }
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
    if (is_left[port])
        return;
    connections[fd] = (struct connection){.stage = IN_GREETING,
                                          .subscriptions = is_feed[port],
                                          .wanted = wants_keys[port]};
    if (fd >= files_used)
        files_used = fd + 1;
    owners_begin(fd, port);
    add_half_open(fd);
    end_oldest();
}

/* Only those that were accepted are of interest, and whoever accepts them closes them: of the
 * descriptor of another thread nothing is written. */
void intake_end(int fd)
{
    if (fd < 0 || fd >= FILES_MAX || MUTANT(descriptor_stays_followed))
        return;
    take_half_open(fd);
    if (connections[fd].stage != NOT_FOLLOWED)
        connections[fd] = (struct connection){.stage = NOT_FOLLOWED};
}

int intake_reading(void)
{
    int fd = received_from;
    return fd >= 0 && fd < FILES_MAX && connections[fd].stage != NOT_FOLLOWED ? fd : -1;
}

/* --- following the frames: NULL, or why the connection has to end --- */

static const char *greet(struct connection *it, uint8_t byte)
{
    if ((it->n == 0 && byte != SIGNATURE_FIRST) || (it->n == VERSION_AT && byte < VERSION_MIN))
        return "does not speak ZMTP 3";
    if (it->n == MECHANISM_AT) {
        it->sealed = byte == SEALED_FIRST;
        keyless += it->wanted && !it->sealed;
    }
    if (++it->n == GREETING_BYTES)
        it->stage = AT_FLAGS;
    return NULL;
}

static const char *count_part(struct connection *it, uint64_t len)
{
    it->parts++;
    it->bytes += len;
    if (it->subscriptions)
        return it->bytes + (uint64_t)it->parts * INTAKE_TOPIC_BYTES > INTAKE_TOPICS_BYTES &&
                       !MUTANT(subscriptions_unbounded)
                   ? "names too many topics"
                   : NULL;
    return (it->parts > INTAKE_PARTS_MAX || it->bytes > INTAKE_BYTES_MAX) &&
                   !MUTANT(message_never_ends) && !(it->sealed && MUTANT(sealed_never_ends))
               ? "sends a message that does not end"
               : NULL;
}

static const char *count(struct connection *it, bool harmless)
{
    if (harmless || it->sealed)
        return NULL;
    return count_part(it, it->left);
}

static void end_part(struct connection *it, uint8_t flags)
{
    if (!it->subscriptions && !(flags & (FLAG_MORE | FLAG_COMMAND))) {
        it->parts = 0;
        it->bytes = 0;
    }
}

static void end_frame(struct connection *it)
{
    it->stage = AT_FLAGS;
    if (it->sealed)
        return;
    end_part(it, it->flags);
    if (!it->wanted) /* else libzmq refuses it for its greeting */
        take_half_open((int)(it - connections));
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

void intake_call_once(void (*what)(void))
{
    atomic_store(&once, what);
}

ssize_t recv(int fd, void *at, size_t len, int flags)
{
    void (*call)(void) = once ? atomic_exchange(&once, NULL) : NULL;
    if (call)
        call();
    if (fd >= 0 && fd < FILES_MAX && connections[fd].stage == CONDEMNED) {
        errno = ECONNRESET;
        return -1;
    }
    ssize_t got = syscall(SYS_recvfrom, fd, at, len, flags, NULL, NULL);
    received_from = fd;
    if (!got && fd >= 0 && fd < FILES_MAX)
        take_half_open(fd);
    if (got <= 0 || fd < 0 || fd >= FILES_MAX || connections[fd].stage == NOT_FOLLOWED)
        return got;
    const char *why = follow(&connections[fd], at, (size_t)got);
    if (!why)
        return got;
    connections[fd].stage = CONDEMNED; /* nothing of it is read any more */
    say_ended(why);
    errno = ECONNRESET;
    return -1;
}

/* --- sealed messages --- */

/* Which connection a message came from: usually the one that was read last. One whose reader was
 * full goes on later, between others, and is known by its key. */
static struct connection *sealed_by(uint64_t key)
{
    struct connection *last =
        received_from >= 0 && received_from < FILES_MAX ? &connections[received_from] : NULL;
    if (last && last->sealed && last->key == key)
        return last;
    for (int fd = 0; fd < files_used; fd++)
        if (connections[fd].sealed && connections[fd].key == key)
            return &connections[fd];
    if (!last || !last->sealed || last->key)
        return NULL; /* of a connection that we made */
    last->key = key;
    return last;
}

/* It ends with the next read, which its end brings about at once. A failure to open the message
 * would not do: libzmq 4.3.4 then stops to read, and keeps the connection. */
static void condemn(struct connection *it, const char *why)
{
    it->stage = CONDEMNED;
    shutdown((int)(it - connections), SHUT_RDWR);
    say_ended(why);
}

static void follow_sealed(uint64_t key, const uint8_t *at, size_t len)
{
    struct connection *it = sealed_by(key);
    if (!it || !len || it->stage == NOT_FOLLOWED || it->stage == CONDEMNED)
        return;
    take_half_open((int)(it - connections)); /* its key was admitted: it speaks */
    bool command = at[0] & OPENED_COMMAND;
    uint8_t flags = (at[0] & FLAG_MORE) | (command ? FLAG_COMMAND : 0), first = len > 1 ? at[1] : 0;
    bool harmless =
        command && (!it->subscriptions || (first >= NAME_SHORT_MIN && first <= NAME_SHORT_MAX));
    const char *why = harmless ? NULL : count_part(it, len - 1);
    end_part(it, flags);
    if (why)
        condemn(it, why);
}

static void note_opened(const uint8_t *opened, unsigned long long len, const uint8_t *nonce,
                        const uint8_t *key)
{
    uint64_t known_by;
    if (memcmp(nonce, NONCE_OF_CLIENT, sizeof NONCE_OF_CLIENT - 1) != 0)
        return;
    memcpy(&known_by, key, sizeof known_by);
    follow_sealed(known_by | 1, opened, (size_t)len);
}

/* libzmq opens each message by one of two functions of libsodium: from 4.3.4 on by this one ... */
int crypto_box_open_easy_afternm(unsigned char *out, const unsigned char *in,
                                 unsigned long long len, const unsigned char *nonce,
                                 const unsigned char *key)
{
    if (len < crypto_box_MACBYTES)
        return -1;
    unsigned long long left = len - crypto_box_MACBYTES;
    int error =
        crypto_box_open_detached_afternm(out, in + crypto_box_MACBYTES, in, left, nonce, key);
    if (!error)
        note_opened(out, left, nonce, key);
    return error;
}

/* ... before by that one, which has zeros in front. */
int crypto_box_open_afternm(unsigned char *out, const unsigned char *in, unsigned long long len,
                            const unsigned char *nonce, const unsigned char *key)
{
    int error = crypto_box_curve25519xsalsa20poly1305_open_afternm(out, in, len, nonce, key);
    if (!error && len > OPENED_AT)
        note_opened(out + OPENED_AT, len - OPENED_AT, nonce, key);
    return error;
}

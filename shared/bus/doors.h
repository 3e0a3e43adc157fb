/* doors.h - which key may connect to which socket, and who is behind a message.
 *
 * Every socket that others connect to is a door. Who binds is the CURVE server; a handler of ZAP
 * (RFC 27) in a thread of its own asks for each connection whether the list of allowed keys has the
 * key, and whether the key's role is admitted at this door. libzmq fails open: without a handler,
 * or without a domain, it admits everybody. So doors are opened before anything is bound, and a
 * socket is bound only through here. The thread reads the list again when its file changes
 * (doors_watch()), and counts who was refused. Connections with a key that is not in the list any
 * more, or has ended, or has another role now, are ended then, and with them what was subscribed to
 * (owners.h).
 *
 * Without keys (`--insecure`) the same functions do nothing. One object a process. */
#ifndef CONCLAVE_BUS_DOORS_H
#define CONCLAVE_BUS_DOORS_H

#include "shared/bus/allowed.h"
#include "shared/bus/bus.h"

/* X(door, roles that are admitted). The planes of a node come first, in their order. */
#define DOORS(X)                                                                  \
    X(control, BIT_OF(node) | BIT_OF(broker))                                     \
    X(channel, BIT_OF(node))                                                      \
    X(checkpoint, BIT_OF(node))                                                   \
    X(heartbeat, BIT_OF(node) | BIT_OF(broker))                                   \
    X(value, BIT_OF(node))                                                        \
    X(front, BIT_OF(admin) | BIT_OF(submit) | BIT_OF(commands) | BIT_OF(monitor)) \
    X(feed, BIT_OF(admin) | BIT_OF(monitor))
enum door {
#define X(door, roles) DOOR_##door,
    DOORS(X)
#undef X
        DOOR_COUNT
};

const char *door_name(enum door door);
bool door_admits(enum door door, enum key_role role);

struct doors;

/* Who sent a message. */
struct visitor {
    enum key_role role;
    node_id_t node;
    char name[ACCESS_NAME_MAX];
    char public_key[KEY_TEXT_MAX], signing_key[KEY_TEXT_MAX];
};

/* Reads the key file, and allowed.json beside it, and starts the handler. `node`: whose key it must
 * be; NODE_NONE: a broker's. ERR_MALFORMED and ERR_STALE: the files are wrong; ERR_IO: the handler
 * does not start; one line in `why`. Caller closes, after all sockets and before bus_close(). */
int doors_open(void *context, const char *access_path, node_id_t node, struct doors **out,
               struct text *why);

/* Doors without keys: everybody who can reach a port is admitted. To be closed, too. */
struct doors *doors_open_to_all(void);

/* Accepts NULL, nulls the pointer. */
void doors_close(struct doors **doors);

/* The id of the cluster whose keys they are; empty without keys. Borrowed. */
const char *doors_cluster(const struct doors *doors);

/* Whether there are no keys. */
bool doors_are_insecure(const struct doors *doors);

/* Makes the socket a door, then binds it as bus_bind() does. */
int doors_bind(struct doors *doors, void *socket, enum door door, const char *host, unsigned port);

/* Which key the other side of a socket of ours has to have. Zero-initialize. */
struct presented {
    char server[KEY_TEXT_MAX]; /* "": none is asked for */
    uint64_t generation;       /* of the list in which it was seen last */
};

/* Lets the socket show our key to a node, and know the node's: before bus_connect(). Of several
 * keys of the node the `attempt`-th, in turn; notes which. ERR_NOT_FOUND: the list has none; do not
 * connect. */
int doors_present(struct doors *doors, void *socket, node_id_t node, unsigned attempt,
                  struct presented *out);

/* Whether the key on the other side is still allowed; else whoever made the socket closes it.
 * Cheap. */
bool doors_still_allow(struct doors *doors, struct presented *presented);

/* Looks whether the list's file has changed: it counts at once then. Call it every 500 ms or so,
 * from the thread that opened the doors; cheap. Without it that takes ten seconds, or until
 * somebody connects: a thread that wakes by itself to look costs more than all it finds. */
void doors_watch(struct doors *doors, uint64_t now_us);

/* The version of the list that counts; 0: it has none, or there are no keys. */
uint64_t doors_version(struct doors *doors);

/* Whether the bytes are a list of this cluster, of that version. ERR_MALFORMED after one line. */
int doors_check(struct doors *doors, struct slice bytes, uint64_t version, struct text *why);

/* Takes a list with a higher version than ours from whoever may change it: it counts at once, and
 * is written to allowed.json; that this failed is logged. ERR_STALE: it is no newer;
 * ERR_MALFORMED; after one line. */
int doors_take(struct doors *doors, struct slice bytes, struct text *why);

/* Reads allowed.json as it goes into the log. Caller frees. */
int doors_copy(struct doors *doors, char **bytes, size_t *len, uint64_t *version);

/* Who sent the message at hand, by a part that came from the wire (libzmq 4.3.4 forgets it for
 * routing ids). false: nobody who may speak now. Without keys: nobody asks. */
bool doors_who(struct doors *doors, struct bus_parts *parts, size_t part, struct visitor *out);

/* Whose key it is: what the list says now of a public key, as text. Whoever wants to know what a
 * key may do asks here. false: it is not allowed. */
bool doors_identify(struct doors *doors, struct slice public_key, struct visitor *out);

/* The public key of this process, as text; empty without keys. */
const char *doors_own_key(const struct doors *doors);

/* How many connections were refused for their keys. */
uint64_t doors_refused(const struct doors *doors);

#endif

#include "shared/bus/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/private_file.h"
#include "shared/bus/doors_internal.h"
#include "shared/bus/intake.h"
#include "shared/bus/monitor.h"
#include "shared/bus/owners.h"

#define ADDRESS_SHOWN 64
#define LIST_LOOK_US  (250 * MS_US) /* between two looks at the list's file */
/* Draft in the header of libzmq 4.3, and in the library all the same: without a handler nobody is
 * admitted. The test of it is test_doors.c. */
#define ENFORCE_DOMAIN 93

const char *door_name(enum door door)
{
    static const char *const names[] = {
#define X(door, roles) #door,
        DOORS(X)
#undef X
    };
    return door < DOOR_COUNT ? names[door] : "no";
}

bool door_admits(enum door door, enum key_role role)
{
    static const unsigned admitted[] = {
#define BIT_OF(role)   (1u << ROLE_##role)
#define X(door, roles) roles,
        DOORS(X)
#undef X
#undef BIT_OF
    };
    return door < DOOR_COUNT && role < ROLE_COUNT && admitted[door] >> role & 1;
}

/* --- the list --- */

/* Copies what the list says of a key; false: it is not allowed now. */
static bool find(struct doors *doors, const char *public_key, struct visitor *out)
{
    pthread_mutex_lock(&doors->lock);
    const struct allowed_key *key = allowed_find(doors->list, public_key, clock_wall_ms());
    if (key) {
        *out = (struct visitor){.role = key->role, .node = key->node};
        memcpy(out->name, key->name, sizeof out->name);
        memcpy(out->public_key, key->public_key, sizeof out->public_key);
        memcpy(out->signing_key, key->signing_key, sizeof out->signing_key);
    }
    pthread_mutex_unlock(&doors->lock);
    return key != NULL;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int check_cluster(struct doors *doors, const char *shown, struct allowed **list,
                         struct text *why)
{
    if (!strcmp((*list)->cluster, doors->own->cluster))
        return OK;
    text_add(why, "%s is of another cluster (%s) than the key of %s (%s)", shown, (*list)->cluster,
             doors->own->name, doors->own->cluster);
    free(*list);
    *list = NULL;
    return ERR_MALFORMED;
}

static int load(struct doors *doors, struct allowed **list, struct text *why)
{
    int error = allowed_load(doors->list_path, list, why);
    return error ? error : check_cluster(doors, doors->list_path, list, why);
}

/* Puts the list in the place of ours, unless that is newer; frees the one that counts no more.
 * `higher`: one of the same version does not do. */
static int replace(struct doors *doors, struct allowed *list, bool higher, struct text *why)
{
    pthread_mutex_lock(&doors->lock);
    uint64_t ours = doors->list->version;
    bool newer = list->version > ours || (list->version == ours && !higher);
    struct allowed *old = newer ? doors->list : list;
    if (newer)
        doors->list = list;
    pthread_mutex_unlock(&doors->lock);
    if (!newer)
        text_add(why, "it has version %" PRIu64 ", and version %" PRIu64 " counts", list->version,
                 ours);
    free(old);
    return newer ? OK : ERR_STALE;
}

/* Whether a connection to one of our ports may go on. */
static bool stays(void *context, unsigned port, const uint8_t bytes[KEY_BYTES])
{
    struct doors *doors = context;
    char public_key[KEY_TEXT_MAX];
    struct visitor who;
    zmq_z85_encode(public_key, bytes, KEY_BYTES);
    for (int door = 0; door < DOOR_COUNT; door++)
        if (doors->ports[door] == port)
            return find(doors, public_key, &who) && door_admits((enum door)door, who.role);
    return true;
}

static uint64_t next_end_ms(const struct allowed *list, uint64_t wall_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < list->n; i++) {
        uint64_t end_ms = list->at[i].expires_ms;
        next_ms = end_ms > wall_ms && end_ms < next_ms ? end_ms : next_ms;
    }
    return next_ms;
}

/* Somebody may not be allowed any more: who is connected already is not asked again by ZeroMQ. */
static void end_old(struct doors *doors)
{
    pthread_mutex_lock(&doors->lock);
    doors->next_end_ms = next_end_ms(doors->list, clock_wall_ms());
    pthread_mutex_unlock(&doors->lock);
    doors->generation++;
    size_t ended = owners_end(stays, doors);
    if (ended)
        log_write(LOG_WARN, "ended %zu connection%s with keys that are no longer allowed", ended,
                  ended == 1 ? "" : "s");
}

static void read_again(struct doors *doors)
{
    struct stat is;
    struct allowed *list = NULL;
    struct text why = {0};
    if (stat(doors->list_path, &is) || is_same_file(&is, &doors->list_stat))
        return;
    doors->list_stat = is;
    if (load(doors, &list, &why)) {
        log_write(LOG_WARN, "the list of keys stays as it was: %s", why.at);
        return;
    }
    size_t n = list->n;
    uint64_t version = list->version;
    if (replace(doors, list, false, &why)) {
        log_write(LOG_WARN, "%s was read again and changes nothing: %s", doors->list_path, why.at);
        return;
    }
    log_write(LOG_INFO, "%s was read again: %zu keys, version %" PRIu64, doors->list_path, n,
              version);
    end_old(doors);
}

/* A file that changes and cannot be read changes nothing: the last list that could be counts. */
void doors_look_again(struct doors *doors)
{
    read_again(doors);
    if (atomic_exchange(&doors->replaced, false) || clock_wall_ms() >= doors->next_end_ms)
        end_old(doors);
}

void doors_watch(struct doors *doors, uint64_t now_us)
{
    struct stat is;
    if (doors->insecure || now_us < doors->watched_us + LIST_LOOK_US)
        return;
    doors->watched_us = now_us;
    if (stat(doors->list_path, &is) || is_same_file(&is, &doors->watched))
        return;
    doors->watched = is;
    doors_wake_handler(doors);
}

uint64_t doors_version(struct doors *doors)
{
    pthread_mutex_lock(&doors->lock);
    uint64_t version = doors->list ? doors->list->version : 0;
    pthread_mutex_unlock(&doors->lock);
    return version;
}

static int parse(struct doors *doors, struct slice bytes, struct allowed **list, struct text *why)
{
    if (doors->insecure) {
        text_add(why, "this cluster runs without keys");
        return ERR_MALFORMED;
    }
    int error = allowed_parse((const char *)bytes.at, bytes.len, "the list", list, why);
    return error ? error : check_cluster(doors, "the list", list, why);
}

int doors_check(struct doors *doors, struct slice bytes, uint64_t version, struct text *why)
{
    struct allowed *list = NULL;
    int error = parse(doors, bytes, &list, why);
    if (!error && list->version != version) {
        text_add(why, "the list is of another version than it is said to be");
        error = ERR_MALFORMED;
    }
    free(list);
    return error;
}

int doors_take(struct doors *doors, struct slice bytes, struct text *why)
{
    struct allowed *list = NULL;
    int error = parse(doors, bytes, &list, why);
    if (error)
        return error;
    uint64_t version = list->version;
    error = replace(doors, list, true, why);
    if (error)
        return error;
    doors->replaced = true;
    doors_wake_handler(doors);
    log_write(LOG_INFO, "version %" PRIu64 " of the list of keys counts now", version);
    struct text unwritten = {0};
    if (private_file_put(doors->list_path, bytes, true, &unwritten))
        log_write(LOG_WARN, "%s; the list counts until this process ends", unwritten.at);
    return OK;
}

int doors_copy(struct doors *doors, char **bytes, size_t *len, uint64_t *version)
{
    struct text why = {0};
    return allowed_compact(doors->list_path, bytes, len, version, &why);
}

/* --- the handler: a thread of its own --- */

static void complain(struct doors *doors, const char *what)
{
    uint64_t unsaid;
    if (log_limit_allows(&doors->complaints, clock_now_us(), LOG_REJECTED_PER_S, &unsaid))
        log_write(LOG_WARN, "refused %" PRIu64 " connection%s; the last one %s", unsaid + 1,
                  unsaid ? "s" : "", what);
}

static bool is_door(const char *name, enum door *out)
{
    for (int door = 0; door < DOOR_COUNT; door++) {
        if (!strcmp(name, door_name((enum door)door))) {
            *out = (enum door)door;
            return true;
        }
    }
    return false;
}

/* Whether a key is admitted. What is logged is the name that the key has in the list, never the
 * key. */
bool doors_judge(struct doors *doors, const char *domain, const char *address,
                 const char *mechanism, const char *public_key)
{
    struct visitor who;
    enum door door;
    struct text what = {0};
    char from[ADDRESS_SHOWN];
    doors_look_again(doors); /* a key may be in the list, or out of it, since a moment ago */
    bool known = !strcmp(mechanism, "CURVE") && find(doors, public_key, &who);
    if (known && is_door(domain, &door) &&
        (door_admits(door, who.role) || MUTANT(doors_admit_all_roles)))
        return true;
    text_escape(from, sizeof from, slice_of(address));
    if (known)
        text_add(&what, "came from %s to the %s door with the key of %s, a %s", from, domain,
                 who.name, role_name(who.role));
    else
        text_add(&what, "came from %s to the %s door with a key that is not allowed", from, domain);
    complain(doors, what.at);
    return MUTANT(doors_admit_all_keys);
}

void doors_note_failed(struct doors *doors, unsigned event, uint32_t value)
{
    /* Who greets without a key is counted where greetings are read: often they hang up first. */
    doors->refused += value != ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        complain(doors, "brought no key, or does not know ours");
}

/* --- opening and closing --- */

/* allowed.json lies beside the key file. */
static char *path_of_list(const char *access_path)
{
    const char *slash = strrchr(access_path, '/');
    int len = slash ? (int)(slash - access_path) + 1 : 0;
    size_t size = (size_t)len + sizeof ALLOWED_FILE;
    char *path = mem_new(size, 1);
    text_format(path, size, "%.*s%s", len, access_path, ALLOWED_FILE);
    return path;
}

static int check_own(struct doors *doors, const char *path, node_id_t node, struct text *why)
{
    const struct access *own = doors->own;
    struct visitor who;
    char needed[32] = "a broker";
    if (node)
        text_format(needed, sizeof needed, "node %" PRIu32, node);
    if (node ? own->role != ROLE_node || own->node != node : own->role != ROLE_broker)
        text_add(why, "%s is the key of %s, a %s; that of %s is needed", path, own->name,
                 role_name(own->role), needed);
    else if (!find(doors, own->public_key, &who) || who.role != own->role || who.node != own->node)
        text_add(why, "the key in %s is not, or no longer, in %s", path, doors->list_path);
    else
        return OK;
    return ERR_MALFORMED;
}

int doors_open(void *context, const char *access_path, node_id_t node, struct doors **out,
               struct text *why)
{
    struct doors *doors = mem_new(1, sizeof *doors);
    doors->context = context;
    pthread_mutex_init(&doors->lock, NULL);
    doors->list_path = path_of_list(access_path);
    int error = access_load(AT_FDCWD, access_path, access_path, &doors->own, why);
    stat(doors->list_path, &doors->list_stat);
    doors->watched = doors->list_stat;
    if (!error)
        error = load(doors, &doors->list, why);
    if (!error)
        error = check_own(doors, access_path, node, why);
    if (!error)
        error = doors_start_handler(doors);
    if (error == ERR_IO)
        text_add(why, "nothing checks keys, so no one would be refused: nothing starts");
    /* That a file is missing is a wrong option. */
    *out = doors;
    if (error)
        doors_close(out);
    return error;
}

struct doors *doors_open_to_all(void)
{
    struct doors *doors = mem_new(1, sizeof *doors);
    pthread_mutex_init(&doors->lock, NULL);
    doors->insecure = true;
    return doors;
}

void doors_close(struct doors **doors)
{
    struct doors *it = *doors;
    *doors = NULL;
    if (!it)
        return;
    doors_end_handler(it);
    access_destroy(&it->own);
    pthread_mutex_destroy(&it->lock);
    free(it->list);
    free(it->list_path);
    free(it);
}

const char *doors_cluster(const struct doors *doors)
{
    return doors->own ? doors->own->cluster : "";
}

bool doors_are_insecure(const struct doors *doors)
{
    return doors->insecure;
}

uint64_t doors_refused(const struct doors *doors)
{
    return doors->refused + intake_keyless();
}

/* --- sockets --- */

static void set_text(void *socket, int option, const char *value)
{
    if (zmq_setsockopt(socket, option, value, strlen(value)))
        panic("socket option %d refused: %s", option, zmq_strerror(errno));
}

static void set_keys(void *socket, const char *public_key, const char *secret_key)
{
    set_text(socket, ZMQ_CURVE_PUBLICKEY, public_key);
    set_text(socket, ZMQ_CURVE_SECRETKEY, secret_key);
    bus_allow_sealed(socket);
}

static void guard(struct doors *doors, void *socket, enum door door)
{
    const struct access *own = doors->own;
    bool brokers = door == DOOR_front || door == DOOR_feed;
    int on = 1;
    if (brokers)
        set_keys(socket, own->brokers_key, own->brokers_secret);
    else
        set_keys(socket, own->public_key, own->secret_key);
    set_text(socket, ZMQ_ZAP_DOMAIN, door_name(door));
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on) ||
        zmq_setsockopt(socket, ENFORCE_DOMAIN, &on, sizeof on))
        panic("a socket cannot be closed to strangers: %s", zmq_strerror(errno));
    void *monitor =
        monitor_open(doors->context, socket,
                     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    if (!monitor)
        panic("cannot watch a socket: %s", zmq_strerror(errno));
    doors_hand_over(doors, monitor);
}

int doors_bind(struct doors *doors, void *socket, enum door door, const char *host, unsigned port)
{
    if (!doors->insecure) {
        guard(doors, socket, door);
        intake_expect_keys(port);
    }
    doors->ports[door] = port;
    return bus_bind(socket, host, port);
}

int doors_present(struct doors *doors, void *socket, node_id_t node, unsigned attempt,
                  struct presented *out)
{
    *out = (struct presented){.generation = doors->generation};
    if (doors->insecure)
        return OK;
    pthread_mutex_lock(&doors->lock);
    const struct allowed_key *key = allowed_of_node(doors->list, node, attempt, clock_wall_ms());
    if (key)
        memcpy(out->server, key->public_key, sizeof out->server);
    pthread_mutex_unlock(&doors->lock);
    if (!*out->server)
        return ERR_NOT_FOUND;
    set_keys(socket, doors->own->public_key, doors->own->secret_key);
    set_text(socket, ZMQ_CURVE_SERVERKEY, out->server);
    return OK;
}

bool doors_still_allow(struct doors *doors, struct presented *presented)
{
    struct visitor who;
    uint64_t generation = doors->generation;
    if (presented->generation == generation || !*presented->server)
        return true;
    presented->generation = generation;
    return find(doors, presented->server, &who) || MUTANT(revoked_stay_connected);
}

const char *doors_own_key(const struct doors *doors)
{
    return doors->own ? doors->own->public_key : "";
}

bool doors_identify(struct doors *doors, struct slice public_key, struct visitor *out)
{
    char text[KEY_TEXT_MAX];
    if (public_key.len != KEY_TEXT_LEN)
        return false;
    text_copy(text, sizeof text, public_key);
    return find(doors, text, out);
}

bool doors_who(struct doors *doors, struct bus_parts *parts, size_t part, struct visitor *out)
{
    const char *user = part < parts->n ? zmq_msg_gets(&parts->at[part], "User-Id") : NULL;
    return user && find(doors, user, out);
}

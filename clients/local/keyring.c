#include "clients/local/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/entry.h"
#include "clients/local/outfile.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/private_file.h"
#include "shared/bus/allowed.h"

#define FRONT     "front"
#define ADMIN     "admin"
#define HIDDEN    "0000000000000000000000000000000000000000" /* in the place of a secret */
#define NODE_NAME "node"
#define DIR_MODE  0700

struct keyring {
    const char *dir;
    int lock; /* the directory of the keys, locked: one at a time changes them */
    char list_path[LOCAL_PATH_MAX];
    json_t *list; /* {"format", "cluster", "keys"} */
    struct access *front;
};

/* --- paths --- */

static int path_of(const char *dir, const char *name, char at[LOCAL_PATH_MAX], char *why)
{
    char file[ACCESS_NAME_MAX + sizeof KEYRING_DIR + 16];
    text_format(file, sizeof file, KEYRING_DIR "/%s.json", name);
    if (!local_path(dir, file, at))
        return OK;
    text_format(why, TEXT_MAX, "--dir: the name is too long");
    return ERR_TOO_BIG;
}

static int make_dir(const char *path, char *why)
{
    struct text reason = {0};
    if (mkdir(path, DIR_MODE) && errno != EEXIST) {
        text_format(why, TEXT_MAX, "cannot make %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        text_format(why, TEXT_MAX, "cannot open %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    int error = access_check_dir(fd, path, &reason);
    close(fd);
    text_format(why, TEXT_MAX, "%s", reason.at);
    return error;
}

/* --- writing key files --- */

static json_t *json_of(const struct access *access)
{
    char when[CLOCK_TEXT_MAX];
    json_t *brokers = json_array();
    for (size_t i = 0; i < access->n_brokers; i++)
        json_array_append_new(brokers, json_string(access->brokers[i]));
    json_t *object =
        json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:o}", "format", ACCESS_FORMAT,
                  "cluster", access->cluster, "name", access->name, "role", role_name(access->role),
                  "node", access->node ? json_integer(access->node) : json_null(), "expires",
                  access->expires_ms ? json_string(clock_text(access->expires_ms, when))
                                     : json_null(),
                  "public", access->public_key, "secret", HIDDEN, "brokers_public",
                  access->brokers_key, "brokers", brokers);
    if (access->brokers_secret)
        json_object_set_new(object, "brokers_secret", json_string(HIDDEN));
    if (access->signing_secret) {
        json_object_set_new(object, "signing_public", json_string(access->signing_key));
        json_object_set_new(object, "signing_secret", json_string(HIDDEN));
    }
    return object;
}

/* Puts a secret where `name` has HIDDEN. */
static void fill_in(char *bytes, const char *name, const char *secret)
{
    char wanted[ACCESS_NAME_MAX + sizeof HIDDEN + 8];
    size_t before = text_format(wanted, sizeof wanted, "\"%s\": \"", name);
    char *at = secret ? strstr(bytes, wanted) : NULL;
    if (at)
        memcpy(at + before, secret, KEY_TEXT_LEN);
}

/* `why` has TEXT_MAX bytes. */
static int put(const char *path, struct slice bytes, bool replace, char *why)
{
    struct text text = {0};
    int error = private_file_put(path, bytes, replace, &text);
    if (error)
        text_format(why, TEXT_MAX, "%s", text.at);
    return error;
}

static int write_access(const char *path, const struct access *access, bool replace, char *why)
{
    json_t *object = json_of(access);
    char *text = json_dumps(object, JSON_INDENT(2));
    size_t len = strlen(text);
    char *bytes = secret_new(len + 2);
    memcpy(bytes, text, len);
    bytes[len++] = '\n';
    fill_in(bytes, "secret", access->secret_key);
    fill_in(bytes, "brokers_secret", access->brokers_secret);
    fill_in(bytes, "signing_secret", access->signing_secret);
    int error = put(path, (struct slice){(uint8_t *)bytes, len}, replace, why);
    secret_free(&bytes);
    free(text);
    json_decref(object);
    return error;
}

/* Each list that is written has a higher version than the one before. */
static int write_list(const struct keyring *ring, char *why)
{
    json_int_t version = json_integer_value(json_object_get(ring->list, "version"));
    json_object_set_new(ring->list, "version", json_integer(version + 1));
    char *text = json_dumps(ring->list, JSON_INDENT(2));
    int error = put(ring->list_path, slice_of(text), true, why);
    free(text);
    return error;
}

/* --- opening --- */

static int load(const char *path, struct access **out, char *why)
{
    struct text reason = {0};
    int error = access_load(AT_FDCWD, path, path, out, &reason);
    text_format(why, TEXT_MAX, "%s", reason.at);
    return error;
}

static int load_list(struct keyring *ring, char *why)
{
    struct text reason = {0};
    struct allowed *checked = NULL;
    char *bytes = NULL;
    size_t len = 0;
    int error = access_read_private(AT_FDCWD, ring->list_path, ring->list_path, ALLOWED_FILE_BYTES,
                                    &bytes, &len, &reason);
    if (!error)
        error = allowed_parse(bytes, len, ring->list_path, &checked, &reason);
    if (!error && strcmp(checked->cluster, ring->front->cluster) != 0) {
        text_add(&reason, "%s is of another cluster than the other files beside it",
                 ring->list_path);
        error = ERR_MALFORMED;
    }
    if (!error)
        ring->list = json_loadb(bytes, len, 0, NULL);
    secret_free(&bytes);
    free(checked);
    text_format(why, TEXT_MAX, "%s", reason.at);
    return error;
}

static int begin_anew(struct keyring *ring, const char *front_path, char *why)
{
    uint8_t id[(ACCESS_CLUSTER_MAX - 1) / 2];
    struct access *front = ring->front = mem_new(1, sizeof *front);
    hash_random(id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++)
        text_format(front->cluster + 2 * i, 3, "%02x", id[i]);
    text_format(front->name, sizeof front->name, FRONT);
    front->role = ROLE_broker;
    secret_make_pair(front->public_key, &front->secret_key);
    memcpy(front->brokers_key, front->public_key, KEY_TEXT_MAX);
    front->brokers_secret = secret_new(KEY_TEXT_MAX);
    memcpy(front->brokers_secret, front->secret_key, KEY_TEXT_MAX);
    ring->list = json_pack("{s:i, s:s, s:i, s:[]}", "format", ACCESS_FORMAT, "cluster",
                           front->cluster, "version", 0, "keys");
    /* The list first: a directory with a front and no list would be damaged. */
    int error = write_list(ring, why);
    return error ? error : write_access(front_path, front, false, why);
}

static void ring_close(struct keyring *ring)
{
    access_destroy(&ring->front);
    json_decref(ring->list);
    if (ring->lock >= 0)
        close(ring->lock);
    *ring = (struct keyring){.lock = -1};
}

static int ring_open(struct keyring *ring, const char *dir, bool make, char *why)
{
    char keys[LOCAL_PATH_MAX], front[LOCAL_PATH_MAX];
    *ring = (struct keyring){.dir = dir, .lock = -1};
    if (local_path(dir, KEYRING_DIR, keys) || path_of(dir, FRONT, front, why) ||
        path_of(dir, "allowed", ring->list_path, why))
        return ERR_TOO_BIG;
    if (!make && access(front, F_OK)) {
        text_format(why, TEXT_MAX, "there are no keys in %s; `conclave keys init` makes them",
                    keys);
        return ERR_NOT_FOUND;
    }
    int error = make ? make_dir(dir, why) : OK;
    if (!error)
        error = make_dir(keys, why);
    if (error)
        return error;
    ring->lock = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ring->lock < 0 || flock(ring->lock, LOCK_EX)) {
        text_format(why, TEXT_MAX, "%s cannot be locked: %s", keys, strerror(errno));
        error = ERR_IO;
    } else if (access(front, F_OK)) {
        error = begin_anew(ring, front, why);
    } else {
        error = load(front, &ring->front, why);
        if (!error)
            error = load_list(ring, why);
    }
    if (error)
        ring_close(ring);
    return error;
}

/* --- rows --- */

static bool is_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, "name"));
    return text && !strcmp(text, name);
}

static bool has_name(const struct keyring *ring, const char *name)
{
    const json_t *rows = json_object_get(ring->list, "keys");
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (is_of(json_array_get(rows, i), name))
            return true;
    return false;
}

static size_t remove_name(const struct keyring *ring, const char *name)
{
    json_t *rows = json_object_get(ring->list, "keys");
    size_t removed = 0;
    for (size_t i = json_array_size(rows); i-- > 0;)
        if (is_of(json_array_get(rows, i), name) && !json_array_remove(rows, i))
            removed++;
    return removed;
}

static void append_row(const struct keyring *ring, const struct access *access)
{
    char when[CLOCK_TEXT_MAX];
    json_array_append_new(json_object_get(ring->list, "keys"),
                          json_pack("{s:s, s:s, s:o, s:s, s:s?, s:o}", "name", access->name, "role",
                                    role_name(access->role), "node",
                                    access->node ? json_integer(access->node) : json_null(),
                                    "public", access->public_key, "signing",
                                    access->signing_secret ? access->signing_key : NULL, "expires",
                                    access->expires_ms
                                        ? json_string(clock_text(access->expires_ms, when))
                                        : json_null()));
}

/* --- keys --- */

/* A new key of this name and role. Caller destroys. */
static struct access *new_access(const struct keyring *ring, const char *name, enum key_role role,
                                 node_id_t node)
{
    struct access *access = mem_new(1, sizeof *access);
    memcpy(access->cluster, ring->front->cluster, sizeof access->cluster);
    text_format(access->name, sizeof access->name, "%s", name);
    access->role = role;
    access->node = node;
    secret_make_pair(access->public_key, &access->secret_key);
    memcpy(access->brokers_key, ring->front->public_key, KEY_TEXT_MAX);
    if (role != ROLE_node && role != ROLE_broker)
        secret_make_signing_pair(access->signing_key, &access->signing_secret);
    if (role == ROLE_broker) {
        access->brokers_secret = secret_new(KEY_TEXT_MAX);
        memcpy(access->brokers_secret, ring->front->secret_key, KEY_TEXT_MAX);
    }
    return access;
}

static void name_brokers(struct access *access, const struct addresses *brokers)
{
    access->n_brokers = brokers->n;
    for (size_t i = 0; i < brokers->n; i++)
        address_text(&brokers->at[i], access->brokers[i]);
}

/* The list first: a file whose key is not in it would be of no use, and is made again. */
static int publish(const struct keyring *ring, const struct access *access, const char *path,
                   bool replace, char *why)
{
    append_row(ring, access);
    int error = write_list(ring, why);
    return error ? error : write_access(path, access, replace, why);
}

static bool is_listed(const struct keyring *ring, const struct access *access)
{
    const json_t *rows = json_object_get(ring->list, "keys");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *key = json_string_value(json_object_get(json_array_get(rows, i), "public"));
        if (key && !strcmp(key, access->public_key))
            return true;
    }
    return false;
}

/* Makes a key unless its file is there and belongs here. */
static int ensure_key(const struct keyring *ring, const char *name, enum key_role role,
                      node_id_t node, const char *path, const struct addresses *brokers, char *why)
{
    struct access *access = NULL, *old = NULL;
    int error = load(path, &old, why);
    if (error && error != ERR_NOT_FOUND)
        return error;
    if (!error && strcmp(old->cluster, ring->front->cluster) != 0) {
        text_format(why, TEXT_MAX, "%s is of another cluster than the keys in %s/" KEYRING_DIR,
                    path, ring->dir);
        error = ERR_MALFORMED;
    } else if (!error && !is_listed(ring, old)) {
        text_format(why, TEXT_MAX, "the key in %s was revoked; remove it, and a new one is made",
                    path);
        error = ERR_MALFORMED;
    } else if (error == ERR_NOT_FOUND) {
        remove_name(ring, name);
        access = new_access(ring, name, role, node);
        if (brokers)
            name_brokers(access, brokers);
        error = publish(ring, access, path, false, why);
    } else if (brokers) {
        struct access now = *old;
        name_brokers(&now, brokers);
        if (memcmp(now.brokers, old->brokers, sizeof now.brokers) != 0)
            error = write_access(path, &now, true, why);
    }
    access_destroy(&access);
    access_destroy(&old);
    return error;
}

int keyring_ensure(const char *dir, uint64_t nodes, const struct addresses *brokers, char *why)
{
    struct keyring ring;
    char name[ACCESS_NAME_MAX], path[LOCAL_PATH_MAX];
    int error = ring_open(&ring, dir, true, why);
    if (!error && !(error = local_path(dir, ENTRY_FILE, path)))
        error = ensure_key(&ring, ADMIN, ROLE_admin, NODE_NONE, path, brokers, why);
    for (uint64_t id = 1; id <= nodes && !error; id++) {
        text_format(name, sizeof name, NODE_NAME "%" PRIu64, id);
        error = path_of(dir, name, path, why);
        if (!error)
            error = ensure_key(&ring, name, ROLE_node, (node_id_t)id, path, NULL, why);
    }
    for (uint64_t i = 0; i < brokers->n && !error; i++) {
        text_format(name, sizeof name, "broker%.*" PRIu64, i ? 1 : 0, i ? i + 1 : 0);
        error = path_of(dir, name, path, why);
        if (!error)
            error = ensure_key(&ring, name, ROLE_broker, NODE_NONE, path, NULL, why);
    }
    ring_close(&ring);
    return error;
}

/* The node whose name it is; NODE_NONE: of none. */
static node_id_t node_of(const char *name)
{
    uint64_t id = 0;
    size_t len = strlen(NODE_NAME);
    if (strncmp(name, NODE_NAME, len) || parse_u64(slice_of(name + len), NODES_MAX, &id))
        return NODE_NONE;
    return (node_id_t)id;
}

/* People's files name the brokers that the admin's does. */
static int take_brokers(const struct keyring *ring, struct access *access, char *why)
{
    char path[LOCAL_PATH_MAX];
    struct access *admin = NULL;
    if (access->role == ROLE_node || access->role == ROLE_broker)
        return OK;
    int error = local_path(ring->dir, ENTRY_FILE, path);
    if (!error)
        error = load(path, &admin, why);
    if (!error) {
        access->n_brokers = admin->n_brokers;
        memcpy(access->brokers, admin->brokers, sizeof access->brokers);
    }
    access_destroy(&admin);
    return error;
}

int keyring_add(const char *dir, const char *name, enum key_role role, uint64_t expires_ms,
                char path[LOCAL_PATH_MAX], char *why)
{
    struct keyring ring;
    node_id_t node = role == ROLE_node ? node_of(name) : NODE_NONE;
    if (!access_name_is_valid(name) || !strcmp(name, FRONT) || !strcmp(name, "allowed") ||
        (role == ROLE_node) != (node_of(name) != NODE_NONE)) {
        text_format(why, TEXT_MAX,
                    "this name cannot have a key: it takes up to %d letters, digits, '-', '_' and "
                    "'.'; node1, node2, ... are the names of nodes",
                    ACCESS_NAME_MAX - 1);
        return ERR_MALFORMED;
    }
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    struct access *access = new_access(&ring, name, role, node);
    access->expires_ms = expires_ms;
    if (has_name(&ring, name)) {
        text_format(why, TEXT_MAX,
                    "%s has a key already; `conclave keys rotate %s` makes a new one", name, name);
        error = ERR_EXISTS;
    }
    if (!error)
        error = path_of(dir, name, path, why);
    if (!error)
        error = take_brokers(&ring, access, why);
    if (!error)
        error = publish(&ring, access, path, true, why);
    access_destroy(&access);
    ring_close(&ring);
    return error;
}

static int unknown(const char *name, char *why)
{
    text_format(why, TEXT_MAX, "%s has no key; `conclave keys list` shows who has", name);
    return ERR_NOT_FOUND;
}

int keyring_revoke(const char *dir, const char *name, char *why)
{
    struct keyring ring;
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    error = remove_name(&ring, name) ? write_list(&ring, why) : unknown(name, why);
    ring_close(&ring);
    return error;
}

/* Keys of the name that have no end, or a later one, end then. */
static void end_old_keys(const struct keyring *ring, const char *name, uint64_t until_ms)
{
    const json_t *rows = json_object_get(ring->list, "keys");
    char when[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *ends = json_string_value(json_object_get(row, "expires"));
        if (is_of(row, name) && (!ends || access_time_ms(ends) > until_ms))
            json_object_set_new(row, "expires", json_string(clock_text(until_ms, when)));
    }
}

int keyring_rotate(const char *dir, const char *name, uint64_t until_ms, char *why)
{
    struct keyring ring;
    char path[LOCAL_PATH_MAX] = "";
    struct access *old = NULL, *access = NULL;
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    if (!has_name(&ring, name))
        error = unknown(name, why);
    else if (!strcmp(name, ADMIN))
        error = local_path(dir, ENTRY_FILE, path);
    else
        error = path_of(dir, name, path, why);
    if (!error)
        error = load(path, &old, why);
    if (!error) {
        access = new_access(&ring, name, old->role, old->node);
        access->expires_ms = old->expires_ms;
        access->n_brokers = old->n_brokers;
        memcpy(access->brokers, old->brokers, sizeof access->brokers);
        end_old_keys(&ring, name, until_ms);
        error = publish(&ring, access, path, true, why);
    }
    access_destroy(&old);
    access_destroy(&access);
    ring_close(&ring);
    return error;
}

/* Gives the file of a name the front doors' pair at hand, and the addresses unless there are none.
 * A file that is gone was handed out, and is its owner's. */
static int renew_front(const struct keyring *ring, const char *name,
                       const struct addresses *brokers, char *why)
{
    char path[LOCAL_PATH_MAX];
    struct access *access = NULL;
    int error = !strcmp(name, ADMIN) ? local_path(ring->dir, ENTRY_FILE, path)
                                     : path_of(ring->dir, name, path, why);
    if (error || faccessat(AT_FDCWD, path, F_OK, 0))
        return error;
    error = load(path, &access, why);
    if (error)
        return error;
    memcpy(access->brokers_key, ring->front->public_key, KEY_TEXT_MAX);
    if (access->brokers_secret)
        memcpy(access->brokers_secret, ring->front->secret_key, KEY_TEXT_MAX);
    if (brokers->n && access->n_brokers)
        name_brokers(access, brokers);
    error = write_access(path, access, true, why);
    access_destroy(&access);
    return error;
}

int keyring_rotate_front(const char *dir, const struct addresses *brokers, char *why)
{
    struct keyring ring;
    char path[LOCAL_PATH_MAX];
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    struct access *front = ring.front;
    secret_free(&front->secret_key);
    secret_make_pair(front->public_key, &front->secret_key);
    memcpy(front->brokers_key, front->public_key, KEY_TEXT_MAX);
    memcpy(front->brokers_secret, front->secret_key, KEY_TEXT_MAX);
    error = path_of(dir, FRONT, path, why);
    if (!error)
        error = write_access(path, front, true, why);
    const json_t *rows = json_object_get(ring.list, "keys");
    for (size_t i = 0; i < json_array_size(rows) && !error; i++)
        error =
            renew_front(&ring, json_string_value(json_object_get(json_array_get(rows, i), "name")),
                        brokers, why);
    ring_close(&ring);
    return error;
}

int keyring_adopt(const char *dir, struct slice bytes, char *why)
{
    struct keyring ring;
    struct text reason = {0};
    struct allowed *list = NULL;
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    error = allowed_parse((const char *)bytes.at, bytes.len, "the cluster's list", &list, &reason);
    if (!error && strcmp(list->cluster, ring.front->cluster) != 0) {
        text_add(&reason, "the cluster that answers is another one than that of %s", dir);
        error = ERR_MALFORMED;
    }
    json_int_t ours = json_integer_value(json_object_get(ring.list, "version"));
    if (!error && list->version > (uint64_t)ours) {
        json_decref(ring.list);
        ring.list = json_loadb((const char *)bytes.at, bytes.len, 0, NULL);
        json_object_set_new(ring.list, "version", json_integer((json_int_t)list->version - 1));
        error = write_list(&ring, why);
    } else if (error) {
        text_format(why, TEXT_MAX, "%s", reason.at);
    }
    free(list);
    ring_close(&ring);
    return error;
}

int keyring_compact(const char *dir, char **bytes, size_t *len, uint64_t *version, char *why)
{
    struct text reason = {0};
    char path[LOCAL_PATH_MAX];
    int error = path_of(dir, "allowed", path, why);
    if (error)
        return error;
    error = allowed_compact(path, bytes, len, version, &reason);
    text_format(why, TEXT_MAX, "%s", reason.at);
    return error;
}

int keyring_list(const char *dir, json_t **rows, char *why)
{
    struct keyring ring;
    int error = ring_open(&ring, dir, false, why);
    if (error)
        return error;
    *rows = json_incref(json_object_get(ring.list, "keys"));
    ring_close(&ring);
    return OK;
}

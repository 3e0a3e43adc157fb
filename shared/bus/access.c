#include "shared/bus/access.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define OTHERS  077 /* the rights of everybody but the owner */
#define WRITERS 022 /* of these, to write */

bool access_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.";
    size_t len = strlen(name);
    return len >= 1 && len < ACCESS_NAME_MAX && *name != '.' && *name != '-' &&
           strspn(name, allowed) == len;
}

uint64_t access_time_ms(const char *text)
{
    struct tm at = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &at);
    time_t seconds = rest && (*rest == '.' || *rest == 'Z') ? timegm(&at) : 0;
    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

/* --- the file --- */

static int explain(int error, const char *shown, struct text *why)
{
    text_add(why, "%s cannot be read: %s", shown, strerror(errno));
    return error;
}

static int check_rights(const struct stat *is, const char *shown, struct text *why)
{
    if (!S_ISREG(is->st_mode))
        text_add(why, "%s is not a file", shown);
    else if (is->st_uid != geteuid() && is->st_uid != 0)
        text_add(why, "%s belongs to user %u, who is neither you nor root", shown,
                 (unsigned)is->st_uid);
    else if (is->st_mode & OTHERS)
        text_add(why, "%s is open to others (mode %04o); chmod 600 %s", shown,
                 (unsigned)is->st_mode & 07777, shown);
    else
        return OK;
    return ERR_MALFORMED;
}

int access_read_private(int at, const char *path, const char *shown, size_t most, char **bytes,
                        size_t *len, struct text *why)
{
    struct stat is;
    /* Not to wait for a FIFO: it is refused. */
    int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return explain(errno == ENOENT ? ERR_NOT_FOUND : ERR_MALFORMED, shown, why);
    int error = fstat(fd, &is) ? explain(ERR_MALFORMED, shown, why) : check_rights(&is, shown, why);
    if (!error && (is.st_size < 1 || (uint64_t)is.st_size > most)) {
        text_add(why, "%s is damaged: it has %lld bytes", shown, (long long)is.st_size);
        error = ERR_MALFORMED;
    }
    if (!error) {
        *len = (size_t)is.st_size;
        *bytes = secret_new(*len + 1);
        if (read(fd, *bytes, *len) != (ssize_t)*len) {
            text_add(why, "%s is damaged: it changed while it was read", shown);
            error = ERR_MALFORMED;
            secret_free(bytes);
        }
    }
    close(fd);
    return error;
}

int access_check_dir(int fd, const char *shown, struct text *why)
{
    struct stat is;
    if (fstat(fd, &is))
        text_add(why, "%s cannot be read: %s", shown, strerror(errno));
    else if (is.st_uid != geteuid() && is.st_uid != 0)
        text_add(why, "%s belongs to user %u, who is neither you nor root; nothing in it is used",
                 shown, (unsigned)is.st_uid);
    else if (is.st_mode & WRITERS)
        text_add(why, "others may write to %s (mode %04o), so nothing in it is used; chmod go-w %s",
                 shown, (unsigned)is.st_mode & 07777, shown);
    else
        return OK;
    return ERR_MALFORMED;
}

/* --- its content --- */

/* Copies the key that is called `name` out of the bytes. NULL: there is none. */
static char *take_secret(char *bytes, size_t len, const char *name)
{
    char quoted[ACCESS_NAME_MAX];
    size_t n = text_format(quoted, sizeof quoted, "\"%s\"", name);
    char *at = memmem(bytes, len, quoted, n), *end = bytes + len;
    if (!at)
        return NULL;
    for (at += n; at < end && strchr(" \t\r\n:", *at);)
        at++;
    if (end - at < KEY_TEXT_LEN + 2 || *at != '"' || at[KEY_TEXT_LEN + 1] != '"' ||
        !key_is_valid(at + 1, KEY_TEXT_LEN))
        return NULL;
    char *secret = secret_new(KEY_TEXT_MAX);
    memcpy(secret, at + 1, KEY_TEXT_LEN);
    return secret;
}

/* Wherever it stands in the bytes, once or more, the reader of JSON, whose memory is any memory,
 * never sees it. After all were taken: two of them may be one. */
static void hide(char *bytes, size_t len, const char *secret)
{
    char *at = bytes, *end = bytes + len;
    while (secret && (at = memmem(at, (size_t)(end - at), secret, KEY_TEXT_LEN)))
        at = (char *)memset(at, '0', KEY_TEXT_LEN) + KEY_TEXT_LEN;
}

static const char *string_of(const json_t *object, const char *name, size_t max)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    return text && json_string_length(value) < max && strlen(text) == json_string_length(value)
               ? text
               : NULL;
}

static const char *take_key(const json_t *object, const char *name, char out[KEY_TEXT_MAX])
{
    const char *key = string_of(object, name, KEY_TEXT_MAX);
    if (!key || !key_is_valid(key, strlen(key)))
        return "a public key is missing";
    memcpy(out, key, KEY_TEXT_MAX);
    return NULL;
}

static const char *take_who(const json_t *object, struct access *access)
{
    const char *cluster = string_of(object, "cluster", ACCESS_CLUSTER_MAX);
    const char *name = string_of(object, "name", ACCESS_NAME_MAX);
    const char *role = string_of(object, "role", ACCESS_NAME_MAX);
    const json_t *node = json_object_get(object, "node"),
                 *expires = json_object_get(object, "expires");
    json_int_t id = json_is_integer(node) ? json_integer_value(node) : 0;
    if (json_integer_value(json_object_get(object, "format")) != ACCESS_FORMAT)
        return "its format is not known";
    if (!cluster || strlen(cluster) != strspn(cluster, "0123456789abcdef") || !*cluster)
        return "the cluster's id is missing";
    if (!name || !access_name_is_valid(name))
        return "the name is missing";
    if (!role || role_parse(slice_of(role), &access->role))
        return "its role is not known";
    if (id < 0 || id > NODES_MAX || (access->role == ROLE_node) != (id != 0))
        return "its node is not in a cluster";
    if (json_is_string(expires)) {
        access->expires_ms = access_time_ms(json_string_value(expires));
        if (!access->expires_ms)
            return "its expiry is not a time";
    }
    access->node = (node_id_t)id;
    text_format(access->cluster, sizeof access->cluster, "%s", cluster);
    text_format(access->name, sizeof access->name, "%s", name);
    return NULL;
}

static const char *take_brokers(const json_t *object, struct access *access)
{
    const json_t *brokers = json_object_get(object, "brokers");
    access->n_brokers = json_array_size(brokers);
    if (access->n_brokers > ACCESS_BROKERS_MAX)
        return "it names too many brokers";
    for (size_t i = 0; i < access->n_brokers; i++) {
        const char *address = json_string_value(json_array_get(brokers, i));
        if (!address || strlen(address) >= ACCESS_ADDRESS_MAX)
            return "a broker's address is not valid";
        text_format(access->brokers[i], ACCESS_ADDRESS_MAX, "%s", address);
    }
    return NULL;
}

/* Files of a time before there were signatures have none. */
static const char *take_signing(const json_t *object, struct access *access)
{
    char derived[KEY_TEXT_MAX];
    if (!access->signing_secret)
        return NULL;
    const char *wrong = take_key(object, "signing_public", access->signing_key);
    if (wrong)
        return wrong;
    secret_derive_signing(access->signing_secret, derived);
    return memcmp(derived, access->signing_key, KEY_TEXT_LEN) ? "its signing keys do not match"
                                                              : NULL;
}

static const char *take_all(const json_t *object, struct access *access)
{
    char derived[KEY_TEXT_MAX];
    const char *wrong = json_is_object(object) ? take_who(object, access) : "it is not JSON";
    if (!wrong)
        wrong = take_key(object, "public", access->public_key);
    if (!wrong)
        wrong = take_key(object, "brokers_public", access->brokers_key);
    if (!wrong)
        wrong = take_brokers(object, access);
    if (wrong)
        return wrong;
    if (!access->secret_key)
        return "the secret key is missing";
    secret_derive(access->secret_key, derived);
    if (memcmp(derived, access->public_key, KEY_TEXT_LEN) != 0)
        return "its keys do not match";
    wrong = take_signing(object, access);
    if (wrong || access->role != ROLE_broker)
        return wrong;
    if (!access->brokers_secret)
        return "the brokers' secret key is missing";
    secret_derive(access->brokers_secret, derived);
    return memcmp(derived, access->brokers_key, KEY_TEXT_LEN) ? "the brokers' keys do not match"
                                                              : NULL;
}

int access_parse(char *bytes, size_t len, const char *shown, struct access **out, struct text *why)
{
    struct access *access = mem_new(1, sizeof *access);
    char when[CLOCK_TEXT_MAX];
    access->secret_key = take_secret(bytes, len, "secret");
    access->brokers_secret = take_secret(bytes, len, "brokers_secret");
    access->signing_secret = take_secret(bytes, len, "signing_secret");
    hide(bytes, len, access->secret_key);
    hide(bytes, len, access->brokers_secret);
    hide(bytes, len, access->signing_secret);
    json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = take_all(object, access);
    json_decref(object);
    *out = access;
    if (!wrong && (!access->expires_ms || access->expires_ms > clock_wall_ms()))
        return OK;
    if (wrong)
        text_add(why, "%s is damaged, or no key file: %s", shown, wrong);
    else
        text_add(why, "%s expired at %s", shown, clock_text(access->expires_ms, when));
    access_destroy(out);
    return wrong ? ERR_MALFORMED : ERR_STALE;
}

int access_load(int at, const char *path, const char *shown, struct access **out, struct text *why)
{
    char *bytes;
    size_t len;
    *out = NULL;
    int error = access_read_private(at, path, shown, ACCESS_FILE_BYTES, &bytes, &len, why);
    if (error)
        return error;
    secret_hide_memory();
    error = access_parse(bytes, len, shown, out, why);
    secret_free(&bytes);
    return error;
}

void access_destroy(struct access **access)
{
    struct access *it = *access;
    *access = NULL;
    if (!it)
        return;
    secret_free(&it->secret_key);
    secret_free(&it->brokers_secret);
    secret_free(&it->signing_secret);
    free(it);
}

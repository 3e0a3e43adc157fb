#include "shared/bus/allowed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct allowed_key *)a)->public_key,
                  ((const struct allowed_key *)b)->public_key, KEY_TEXT_LEN);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static int take_row(const json_t *row, struct allowed_key *key)
{
    const char *name = text_of(row, "name"), *public_key = text_of(row, "public");
    const json_t *node = json_object_get(row, "node"), *expires = json_object_get(row, "expires");
    json_int_t id = json_is_integer(node) ? json_integer_value(node) : 0;
    if (!access_name_is_valid(name) || !key_is_valid(public_key, strlen(public_key)) ||
        role_parse(slice_of(text_of(row, "role")), &key->role) || id < 0 || id > NODES_MAX ||
        (key->role == ROLE_node) != (id != 0))
        return ERR_MALFORMED;
    if (json_is_string(expires)) {
        key->expires_ms = access_time_ms(json_string_value(expires));
        if (!key->expires_ms)
            return ERR_MALFORMED;
    }
    const char *signing = text_of(row, "signing");
    if (*signing && !key_is_valid(signing, strlen(signing)))
        return ERR_MALFORMED;
    text_format(key->signing_key, sizeof key->signing_key, "%s", signing);
    key->node = (node_id_t)id;
    memcpy(key->public_key, public_key, KEY_TEXT_MAX);
    text_format(key->name, sizeof key->name, "%s", name);
    return OK;
}

static const char *take_keys(const json_t *keys, struct allowed *list)
{
    for (; list->n < json_array_size(keys); list->n++)
        if (take_row(json_array_get(keys, list->n), &list->at[list->n]))
            return "one of its keys cannot be read";
    qsort(list->at, list->n, sizeof *list->at, compare);
    for (size_t i = 1; i < list->n; i++)
        if (!compare(&list->at[i - 1], &list->at[i]))
            return "a key is listed twice";
    return NULL;
}

int allowed_parse(const char *bytes, size_t len, const char *shown, struct allowed **out,
                  struct text *why)
{
    json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *keys = json_object_get(object, "keys");
    const char *cluster = text_of(object, "cluster"), *wrong = NULL;
    size_t n = json_array_size(keys);
    *out = NULL;
    if (!json_is_array(keys) || n > ALLOWED_KEYS_MAX ||
        json_integer_value(json_object_get(object, "format")) != ACCESS_FORMAT)
        wrong = "it is not a list of keys";
    else if (!*cluster || strlen(cluster) >= ACCESS_CLUSTER_MAX ||
             strspn(cluster, "0123456789abcdef") != strlen(cluster))
        wrong = "the cluster's id is missing";
    const json_t *number = json_object_get(object, "version");
    json_int_t version = json_integer_value(number);
    if (!wrong && number &&
        (!json_is_integer(number) || version < 0 || (uint64_t)version > ACCESS_VERSION_MAX))
        wrong = "its version is not a number, or out of range";
    if (!wrong) {
        *out = mem_new(1, sizeof **out + n * sizeof(struct allowed_key));
        text_format((*out)->cluster, sizeof(*out)->cluster, "%s", cluster);
        (*out)->version = (uint64_t)version;
        wrong = take_keys(keys, *out);
    }
    json_decref(object);
    if (!wrong)
        return OK;
    text_add(why, "%s is damaged: %s", shown, wrong);
    free(*out);
    *out = NULL;
    return ERR_MALFORMED;
}

int allowed_load(const char *path, struct allowed **out, struct text *why)
{
    char *bytes;
    size_t len;
    *out = NULL;
    int error = access_read_private(AT_FDCWD, path, path, ALLOWED_FILE_BYTES, &bytes, &len, why);
    if (error)
        return error;
    error = allowed_parse(bytes, len, path, out, why);
    secret_free(&bytes);
    return error;
}

int allowed_compact(const char *path, char **bytes, size_t *len, uint64_t *version,
                    struct text *why)
{
    struct allowed *list = NULL;
    char *read = NULL;
    int error = access_read_private(AT_FDCWD, path, path, ALLOWED_FILE_BYTES, &read, len, why);
    if (!error)
        error = allowed_parse(read, *len, path, &list, why);
    if (!error) {
        json_t *object = json_loadb(read, *len, 0, NULL);
        *bytes = json_dumps(object, JSON_COMPACT);
        *len = strlen(*bytes);
        *version = list->version;
        json_decref(object);
    }
    secret_free(&read);
    free(list);
    return error;
}

static bool is_valid(const struct allowed_key *key, uint64_t wall_ms)
{
    return !key->expires_ms || wall_ms < key->expires_ms;
}

const struct allowed_key *allowed_find(const struct allowed *list, const char *public_key,
                                       uint64_t wall_ms)
{
    struct allowed_key wanted;
    if (strlen(public_key) != KEY_TEXT_LEN)
        return NULL;
    memcpy(wanted.public_key, public_key, KEY_TEXT_LEN);
    const struct allowed_key *key = bsearch(&wanted, list->at, list->n, sizeof *list->at, compare);
    return key && is_valid(key, wall_ms) ? key : NULL;
}

/* Whether `a` is the newer key of two of the same node: one without an end, or with a later one. */
static bool is_newer(const struct allowed_key *a, const struct allowed_key *b)
{
    uint64_t of_a = a->expires_ms ? a->expires_ms : UINT64_MAX,
             of_b = b->expires_ms ? b->expires_ms : UINT64_MAX;
    return of_a > of_b || (of_a == of_b && a < b);
}

const struct allowed_key *allowed_of_node(const struct allowed *list, node_id_t node,
                                          unsigned attempt, uint64_t wall_ms)
{
    const struct allowed_key *found[ALLOWED_OF_NODE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < list->n && n < ALLOWED_OF_NODE_MAX; i++) {
        const struct allowed_key *key = &list->at[i];
        if (key->node != node || !is_valid(key, wall_ms))
            continue;
        size_t at = n++;
        for (; at > 0 && is_newer(key, found[at - 1]); at--)
            found[at] = found[at - 1];
        found[at] = key;
    }
    return n ? found[attempt % n] : NULL;
}

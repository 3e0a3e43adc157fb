/* kept.c - what nodes keep: libconclave. */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/account.h"
#include "clients/library/library.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

/* --- values by name --- */

int library_name(struct conclave *cluster, const char *what, const char *name)
{
    char shown[TEXT_MAX / 4];
    if (account_name_is_valid(slice_of(name)))
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE,
                           "'%s' is not the name of %s: use 1 to %d of A-Z a-z 0-9 _ . -",
                           text_escape(shown, sizeof shown, slice_of(name)), what, LEDGER_NAME_MAX);
}

static int check_name(struct conclave *cluster, const char *name)
{
    return library_name(cluster, "a value", name);
}

int library_node(struct conclave *cluster, unsigned node)
{
    if (node >= 1 && node <= NODES_MAX)
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE, "a node is a number from 1 to %d, not %u",
                           NODES_MAX, node);
}

static int put(struct conclave *cluster, struct wire_kv_put what, const char *name,
               const char *value, const char *given, int *repeated)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *reply = NULL;
    int code = check_name(cluster, name);
    if (!code && (strlen(value) > KV_VALUE_MAX || !text_is_utf8(slice_of(value))))
        code = connection_fail(cluster, EXIT_USAGE, "a value is UTF-8 text of at most %d bytes",
                               KV_VALUE_MAX);
    if (!code)
        code = library_key(cluster, given, key);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_KV_PUT);
    what.key = message_text(request, key);
    what.name = message_text(request, name);
    what.value = message_text(request, value);
    request->as.kv_put = what;
    code = connection_ask(cluster, request, MESSAGE_KV_VALUE, &reply);
    if (!code && repeated)
        *repeated = reply->as.kv_value.repeated;
    message_drop(&reply);
    return code;
}

int conclave_kv_put(struct conclave *cluster, unsigned node, const char *name, const char *value,
                    const char *key, int *repeated)
{
    int code = library_node(cluster, node);
    return code ? code
                : put(cluster, (struct wire_kv_put){.node = node}, name, value, key, repeated);
}

int conclave_kv_send(struct conclave *cluster, unsigned from, unsigned to, const char *name,
                     const char *value, const char *key, int *repeated)
{
    int code = library_node(cluster, from);
    code = code ? code : library_node(cluster, to);
    return code ? code
                : put(cluster, (struct wire_kv_put){.node = from, .to = to}, name, value, key,
                      repeated);
}

int conclave_kv_get(struct conclave *cluster, unsigned node, const char *name, char **value)
{
    struct message *reply = NULL;
    *value = NULL;
    int code = library_node(cluster, node);
    code = code ? code : check_name(cluster, name);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_KV_GET);
    request->as.kv_get.node = node;
    request->as.kv_get.name = message_text(request, name);
    code = connection_ask(cluster, request, MESSAGE_KV_VALUE, &reply);
    if (code)
        return code;
    const struct slice *found = &reply->as.kv_value.value;
    if (reply->as.kv_value.found) {
        *value = mem_new(found->len + 1, 1);
        if (found->len)
            memcpy(*value, found->at, found->len);
    } else {
        code =
            connection_fail(cluster, EXIT_NOT_FOUND, "there is no value %s on node %u", name, node);
    }
    message_drop(&reply);
    return code;
}

int conclave_kv_del(struct conclave *cluster, unsigned node, const char *name, const char *given,
                    int *repeated)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *reply = NULL;
    int code = library_node(cluster, node);
    code = code ? code : check_name(cluster, name);
    code = code ? code : library_key(cluster, given, key);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_KV_DEL);
    request->as.kv_del.node = node;
    request->as.kv_del.key = message_text(request, key);
    request->as.kv_del.name = message_text(request, name);
    code = connection_ask(cluster, request, MESSAGE_KV_VALUE, &reply);
    if (!code && repeated)
        *repeated = reply->as.kv_value.repeated;
    message_drop(&reply);
    return code;
}

/* Hands out a page; returns 1 when `take` has enough. `last` is the last name. */
static int take_page(const struct wire_kv_page *page, char last[LEDGER_NAME_MAX + 1],
                     int (*take)(void *context, const char *name, const char *value), void *context)
{
    int enough = 0;
    char *value = mem_new(KV_VALUE_MAX + 1, 1);
    for (size_t i = 0; i < page->values.n && !enough; i++) {
        const struct wire_kv_row *row = &page->values.at[i];
        text_copy(last, LEDGER_NAME_MAX + 1, row->name);
        text_copy(value, KV_VALUE_MAX + 1, row->value);
        enough = take(context, last, value);
    }
    free(value);
    return enough;
}

/* A page must be what was asked for: names that did not rise could have us ask for ever. */
static bool page_fits(const struct wire_kv_page *page, const char *prefix, const char *after)
{
    char before[LEDGER_NAME_MAX + 1], name[LEDGER_NAME_MAX + 1];
    text_format(before, sizeof before, "%s", after);
    for (size_t i = 0; i < page->values.n; i++) {
        const struct wire_kv_row *row = &page->values.at[i];
        text_copy(name, sizeof name, row->name);
        if (!account_name_is_valid(row->name) || strcmp(before, name) >= 0 ||
            strncmp(name, prefix, strlen(prefix)) != 0 || !text_is_utf8(row->value))
            return false;
        memcpy(before, name, sizeof before);
    }
    return page->values.n || !page->more;
}

int conclave_kv_list(struct conclave *cluster, unsigned node, const char *prefix,
                     int (*take)(void *context, const char *name, const char *value), void *context)
{
    char after[LEDGER_NAME_MAX + 1] = "";
    prefix = prefix ? prefix : "";
    int code = library_node(cluster, node);
    if (!code && *prefix)
        code = check_name(cluster, prefix);
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_KV_LIST), *reply = NULL;
        request->as.kv_list.node = node;
        request->as.kv_list.prefix = message_text(request, prefix);
        request->as.kv_list.after = message_text(request, after);
        code = connection_ask(cluster, request, MESSAGE_KV_PAGE, &reply);
        if (code)
            break;
        const struct wire_kv_page *page = &reply->as.kv_page;
        if (page_fits(page, prefix, after))
            more = !take_page(page, after, take, context) && page->more;
        else
            code = connection_fail(cluster, EXIT_FAILED, "a page of values does not fit");
        message_drop(&reply);
    }
    return code;
}

/* --- progress --- */

static int check_number(struct conclave *cluster, const char *what, uint64_t number)
{
    if (number <= PROGRESS_STATE_MAX)
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE, "%s is a whole number from 0 to %llu", what,
                           (unsigned long long)PROGRESS_STATE_MAX);
}

int conclave_progress_set(struct conclave *cluster, uint64_t node, uint64_t state)
{
    struct message *request, *reply = NULL;
    int code = check_number(cluster, "a node", node);
    code = code ? code : check_number(cluster, "a state", state);
    if (code)
        return code;
    request = message_new(MESSAGE_PROGRESS_SET);
    request->as.progress_set.index = node;
    request->as.progress_set.state = state;
    code = connection_ask(cluster, request, MESSAGE_PROGRESS, &reply);
    message_drop(&reply);
    return code;
}

int conclave_progress_snap(struct conclave *cluster, const char *given, uint64_t *snap)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *request, *reply = NULL;
    int code = library_key(cluster, given, key);
    if (code)
        return code;
    request = message_new(MESSAGE_PROGRESS_SNAP);
    request->as.progress_snap.key = message_text(request, key);
    code = connection_ask(cluster, request, MESSAGE_PROGRESS, &reply);
    if (!code)
        *snap = reply->as.progress.snapshot;
    message_drop(&reply);
    return code;
}

int conclave_progress_get(struct conclave *cluster, uint64_t node, const uint64_t *snap,
                          uint64_t *state)
{
    struct message *request, *reply = NULL;
    int code = check_number(cluster, "a node", node);
    code = code ? code : check_number(cluster, "a snap", snap ? *snap : 0);
    if (code)
        return code;
    request = message_new(MESSAGE_PROGRESS_GET);
    request->as.progress_get.index = node;
    request->as.progress_get.past = snap;
    request->as.progress_get.snapshot = snap ? *snap : 0;
    code = connection_ask(cluster, request, MESSAGE_PROGRESS, &reply);
    if (!code && !reply->as.progress.found)
        code = connection_fail(cluster, EXIT_NOT_FOUND, "that snap was not taken");
    else if (!code)
        *state = reply->as.progress.state;
    message_drop(&reply);
    return code;
}

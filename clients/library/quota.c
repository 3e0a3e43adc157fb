/* quota.c - what keys have of the jobs and bytes that one key may have: libconclave. */
#include <string.h>

#include "clients/library/library.h"
#include "shared/base/limits.h"

/* Names that did not rise could have us ask for ever. The one of a cluster without keys is empty.
 */
static bool page_fits(const struct wire_quota_page *page, bool first, char after[OWNER_MAX + 1])
{
    char name[OWNER_MAX + 1];
    for (size_t i = 0; i < page->keys.n; i++) {
        text_copy(name, sizeof name, page->keys.at[i].name);
        if (!(first && !i) && strcmp(after, name) >= 0)
            return false;
        memcpy(after, name, sizeof name);
    }
    return page->keys.n || !page->more;
}

static bool take_page(const struct wire_quota_page *page,
                      int (*take)(void *context, const struct conclave_quota_key *key),
                      void *context)
{
    for (size_t i = 0; i < page->keys.n && take; i++) {
        const struct wire_quota_row *row = &page->keys.at[i];
        struct conclave_quota_key key = {.open_jobs = row->open_jobs,
                                         .kept_jobs = row->kept_jobs,
                                         .kept_bytes = row->kept_bytes,
                                         .values = row->values,
                                         .value_bytes = row->value_bytes};
        text_escape(key.name, sizeof key.name, row->name);
        if (take(context, &key))
            return false;
    }
    return take != NULL;
}

int conclave_quota(struct conclave *cluster, struct conclave_quota *quota,
                   int (*take)(void *context, const struct conclave_quota_key *key), void *context)
{
    char after[OWNER_MAX + 1] = "";
    int code = EXIT_OK;
    *quota = (struct conclave_quota){0};
    for (bool more = true, first = true; more && !code; first = false) {
        struct message *request = message_new(MESSAGE_QUOTA_GET), *reply = NULL;
        request->as.quota_get.after = message_text(request, after);
        code = connection_ask(cluster, request, MESSAGE_QUOTA_PAGE, &reply);
        if (code)
            break;
        const struct wire_quota_page *page = &reply->as.quota_page;
        *quota = (struct conclave_quota){.jobs_max = page->jobs_max,
                                         .bytes_max = page->bytes_max,
                                         .bounded = page->bounded};
        if (page_fits(page, first, after))
            more = take_page(page, take, context) && page->more;
        else
            code = connection_fail(cluster, EXIT_FAILED, "a page of keys does not fit");
        message_drop(&reply);
    }
    return code;
}

#include "nodes/core/service/rights.h"

#include <string.h>

#include "nodes/core/service/service_types.h"
#include "shared/base/mutant.h"
#include "shared/base/session_key.h"

#define OWNER_ENDS '/' /* no name has it */

static bool has_keys(const struct service *service)
{
    return !service->step->config.insecure;
}

bool rights_suffice(const struct service *service, const struct request_row *row, struct text *why)
{
    const struct asker *asker = service->asker;
    if (!has_keys(service) || (asker && role_suffices(asker->role, row->needs)) ||
        MUTANT(roles_unchecked))
        return true;
    if (asker)
        text_add(why, "the key of %s has the role %s; %s needs %s", asker->name,
                 role_name(asker->role), message_name(row->type), role_name(row->needs));
    else
        text_add(why, "%s needs a key of the role %s", message_name(row->type),
                 role_name(row->needs));
    return false;
}

bool rights_see_all(const struct service *service)
{
    const struct asker *asker = service->asker;
    if (!has_keys(service) || MUTANT(owners_unchecked))
        return true;
    return asker && (asker->role == ROLE_admin || asker->role == ROLE_monitor);
}

bool rights_see_owner(const struct service *service, const char *owner)
{
    const struct asker *asker = service->asker;
    return rights_see_all(service) || (asker && *owner && !strcmp(owner, asker->name));
}

bool rights_see_job(const struct service *service, const struct job *job)
{
    return rights_see_owner(service, job->owner);
}

bool rights_are_bounded(const struct service *service)
{
    return has_keys(service) && service->asker && service->asker->role != ROLE_admin;
}

bool rights_see_results(const struct service *service)
{
    return !has_keys(service) ||
           (service->asker && role_suffices(service->asker->role, ROLE_submit));
}

const char *rights_owner(const struct service *service)
{
    return has_keys(service) && service->asker ? service->asker->name : "";
}

static struct slice *find_key(struct message *request)
{
    const struct record *record = message_kind(request->type)->record();
    for (size_t i = 0; i < record->n_fields; i++)
        if (record->fields[i].kind == FIELD_STR && !strcmp(record->fields[i].name, "key"))
            return (struct slice *)((uint8_t *)&request->as + record->fields[i].offset);
    return NULL;
}

/* A job of a time without keys, which is admin's: asked for again it is that one, not another. */
static bool is_of_before(const struct service *service, struct slice key)
{
    const struct job *job = jobs_find_key(&service->state->jobs, key);
    return job && !*job->owner && service->asker->role == ROLE_admin;
}

void rights_scope_key(const struct service *service, struct message *request)
{
    char scoped[KEY_STORED_MAX + 1];
    struct session_key ignored;
    const char *owner = rights_owner(service);
    struct slice *key = *owner ? find_key(request) : NULL;
    if (!key || !key->len || session_key_parse(*key, &ignored))
        return;
    bool submit = request->type == MESSAGE_SUBMIT || request->type == MESSAGE_SUBMIT_COMMANDS;
    if (submit && is_of_before(service, *key))
        return;
    text_format(scoped, sizeof scoped, "%s%c%.*s", owner, OWNER_ENDS, (int)key->len,
                (const char *)key->at);
    *key = message_text(request, scoped);
}

const char *rights_given_key(const struct job *job)
{
    size_t len = strlen(job->owner);
    bool scoped = len && !strncmp(job->key, job->owner, len) && job->key[len] == OWNER_ENDS;
    return scoped ? job->key + len + 1 : job->key;
}

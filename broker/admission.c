#include "broker/admission.h"

#include "shared/base/limits.h"

/* Whoever may change the list of keys may do everything. */
static bool needs_admin(enum message_type type)
{
    return type == MESSAGE_ACCESS_SET || type == MESSAGE_ACCESS_GET;
}

const char *admission_refusal(struct quota *quota, bool keyed, const struct visitor *who,
                              enum message_type type, uint64_t now_us, const char **reason)
{
    if (!keyed)
        return NULL;
    *reason = "this key makes more requests a second than one may (--quota-rate of the broker)";
    if (!quota_allows(quota, slice_of(who->name), now_us))
        return "quota";
    *reason = "the list of keys takes an admin's key";
    return needs_admin(type) && who->role != ROLE_admin ? "key_refused" : NULL;
}

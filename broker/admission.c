#include "broker/admission.h"

#include "shared/base/limits.h"

const char *admission_refusal(struct quota *quota, bool keyed, const struct visitor *who,
                              uint64_t now_us, const char **reason)
{
    *reason = "this key makes more requests a second than one may (--quota-rate of the broker)";
    return keyed && !quota_allows(quota, slice_of(who->name), now_us) ? "quota" : NULL;
}

#include "shared/base/key_role.h"

#include "shared/base/error.h"
#include "shared/base/text.h"

const char *role_name(enum key_role role)
{
    static const char *const names[] = {
#define X(role) #role,
        ROLES(X)
#undef X
    };
    return role < ROLE_COUNT ? names[role] : "none";
}

int role_parse(struct slice text, enum key_role *out)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (slice_equals(text, role_name((enum key_role)role))) {
            *out = (enum key_role)role;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* 0: of nobody who asks. A broker asks for the list of keys, for itself. */
static unsigned rank_of(enum key_role role)
{
    static const unsigned ranks[ROLE_COUNT] = {[ROLE_broker] = 1,
                                               [ROLE_monitor] = 1,
                                               [ROLE_submit] = 2,
                                               [ROLE_commands] = 3,
                                               [ROLE_admin] = 4};
    return role < ROLE_COUNT ? ranks[role] : 0;
}

bool role_suffices(enum key_role role, enum key_role needed)
{
    return rank_of(needed) && rank_of(role) >= rank_of(needed);
}

bool role_is_signed(enum key_role needed)
{
    return rank_of(needed) >= rank_of(ROLE_commands);
}

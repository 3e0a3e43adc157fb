/* key_role.h - what a key is for. What a role may do: the column of the table of requests
 * (nodes/core/service/requests_table.h), and at which sockets it is admitted (shared/bus/doors.h).
 */
#ifndef CONCLAVE_BASE_KEY_ROLE_H
#define CONCLAVE_BASE_KEY_ROLE_H

#include <stdbool.h>

#include "shared/base/types.h"

/* X(role). The roles of people follow those of processes. */
#define ROLES(X) X(node) X(broker) X(admin) X(submit) X(commands) X(monitor)
enum key_role {
#define X(role) ROLE_##role,
    ROLES(X)
#undef X
        ROLE_COUNT
};

const char *role_name(enum key_role role);

/* ERR_NOT_FOUND: no role has this name. */
int role_parse(struct slice text, enum key_role *out);

/* Whether a role may do what needs another one: admin may do everything, commands what submit may,
 * submit what monitor may; a node and a broker ask for nothing. */
bool role_suffices(enum key_role role, enum key_role needed);

/* Whether what needs this role is asked for with a signature: its harm is more than a broker's key
 * may do. */
bool role_is_signed(enum key_role needed);

#endif

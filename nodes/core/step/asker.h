/* asker.h - who asks: what the list of keys says of the key that a request comes with. */
#ifndef CONCLAVE_CORE_ASKER_H
#define CONCLAVE_CORE_ASKER_H

#include "shared/base/key_role.h"
#include "shared/base/limits.h"

/* All zero: somebody without a key. */
struct asker {
    enum key_role role;
    char name[OWNER_MAX + 1];
};

#endif

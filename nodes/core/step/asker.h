/* asker.h - who asks: what the list of keys says of the key that a request comes with, and what its
 * signature shows. */
#ifndef CONCLAVE_CORE_ASKER_H
#define CONCLAVE_CORE_ASKER_H

#include "shared/base/key_role.h"
#include "shared/base/limits.h"

enum proof {
    PROOF_NONE,  /* it is not signed */
    PROOF_ASKED, /* it asks what it is to sign */
    PROOF_WRONG, /* its signature is not that of its key over its bytes */
    PROOF_STALE, /* it was signed for another node, or another life of this one */
    PROOF_GOOD,
    PROOF_OWN /* nobody asks: the node offers what its own file says */
};

#define ASKER_KEY_BYTES 40 /* a public key, as text */

/* All zero: somebody without a key. */
struct asker {
    enum key_role role;
    char name[OWNER_MAX + 1];
    char key[ASKER_KEY_BYTES];
    enum proof proof;
    uint64_t counter; /* of a good signature */
};

#endif

/* access_list.h - the list of keys that are allowed, as the log has it.
 *
 * The state knows no more of it than its bytes and its version: whoever guards the doors reads
 * them (shared/bus/doors.h). A list replaces the one before as a whole when its version is higher.
 * Until the log says something, the files alone count. */
#ifndef CONCLAVE_CORE_ACCESS_LIST_H
#define CONCLAVE_CORE_ACCESS_LIST_H

#include <stdint.h>

#include "shared/base/blob.h"
#include "shared/base/hash.h"

struct access_list {
    uint64_t version;         /* 0: the log has not said anything */
    struct blob *bytes;       /* NULL: likewise */
    uint8_t hash[HASH_BYTES]; /* of the bytes */
};

#endif

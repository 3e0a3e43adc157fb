#include "nodes/io/access_follow.h"

#include <inttypes.h>
#include <stdlib.h>

#include "nodes/io/runtime_internal.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"

/* A proposal is refused while an old release lives, or the disk is full: it is made again. */
#define OFFER_US SECOND_US
/* Nobody waits for the answer. */
#define NOBODY 0

static void take(struct runtime *runtime, uint64_t version, struct slice bytes)
{
    struct text why = {0};
    if (version == runtime->access.refused)
        return;
    if (!doors_take(runtime->doors, bytes, &why))
        return;
    runtime->access.refused = version;
    log_write(LOG_WARN, "the list of keys in the log is ignored: %s", why.at);
}

static void offer(struct runtime *runtime, uint64_t now_us)
{
    char *bytes;
    size_t len;
    uint64_t version;
    if (runtime->access.offered_us && now_us < runtime->access.offered_us + OFFER_US)
        return;
    runtime->access.offered_us = now_us;
    if (doors_copy(runtime->doors, &bytes, &len, &version))
        return;
    if (len <= ACCESS_LIST_BYTES) {
        struct message *request = message_new(MESSAGE_ACCESS_SET);
        request->as.access_set.version = version;
        request->as.access_set.list = message_copy(request, (struct slice){(uint8_t *)bytes, len});
        const struct asker own = {.role = ROLE_admin, .name = "its-own-file", .proof = PROOF_OWN};
        struct event event = {.kind = EVENT_REQUEST,
                              .request = {.client = NOBODY, .message = request, .asker = &own}};
        runtime_step(runtime, &event);
        message_drop(&request);
    } else if (version != runtime->access.refused) {
        runtime->access.refused = version;
        log_write(LOG_WARN,
                  "the list of keys is too long for the log: %zu bytes, and %d are the limit; its "
                  "file is to be copied to all machines",
                  len, (int)ACCESS_LIST_BYTES);
    }
    free(bytes);
}

void access_follow(struct runtime *runtime, uint64_t now_us)
{
    struct slice bytes;
    uint64_t logged = node_access_list(runtime->node, &bytes), here = doors_version(runtime->doors);
    if (doors_are_insecure(runtime->doors))
        return;
    if (logged > here)
        take(runtime, logged, bytes);
    else if (here > logged && node_coordinates(runtime->node))
        offer(runtime, now_us);
}

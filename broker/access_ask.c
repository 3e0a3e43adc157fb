#include "broker/access_ask.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"

#define ASK_US SECOND_US
/* No client of the front door has it: ZeroMQ's own ids have 5 bytes, and chosen ones no zero in
 * front. */
static const uint8_t self[] = {0, 'a'};

void access_ask(struct access_ask *ask, const struct tracker *tracker, struct doors *doors,
                void *(*socket)(void *context, node_id_t node), void *context, uint64_t now_us)
{
    const struct tracker_node *has;
    if (doors_are_insecure(doors) || (ask->asked_us && now_us < ask->asked_us + ASK_US))
        return;
    node_id_t node = tracker_access(tracker, doors_version(doors), now_us, &has);
    if (!node || has->access_version == ask->refused)
        return;
    ask->asked_us = now_us;
    ask->version = has->access_version;
    memcpy(ask->hash, has->access_hash, HASH_BYTES);
    const struct slice envelope[] = {{self, sizeof self}, slice_of(doors_own_key(doors))};
    struct message *request = message_new(MESSAGE_ACCESS_GET);
    request->as.access_get.node = node;
    bus_send(socket(context, node), envelope, 2, request); /* what is lost is asked again */
    message_drop(&request);
}

bool access_is_answer(struct slice client)
{
    return client.len == sizeof self && !memcmp(client.at, self, sizeof self);
}

static int judge(const struct access_ask *ask, const struct message *answer)
{
    uint8_t hash[HASH_BYTES];
    if (answer->type != MESSAGE_ACCESS || !answer->as.access.list.len)
        return ERR_MALFORMED;
    hash_bytes(answer->as.access.list.at, answer->as.access.list.len, hash);
    return memcmp(hash, ask->hash, HASH_BYTES) ? ERR_STALE : OK;
}

void access_answered(struct access_ask *ask, struct doors *doors, const struct bus_parts *parts,
                     size_t first)
{
    struct message *answer = NULL;
    struct text why = {0};
    /* One that is not what the majority has told, or none: it is asked again. */
    bool right = !bus_decode(parts, first, &answer, &why) && !judge(ask, answer);
    if (right && doors_take(doors, answer->as.access.list, &why) == ERR_MALFORMED) {
        ask->refused = ask->version;
        log_write(LOG_WARN, "version %" PRIu64 " of the list of keys is ignored: %s", ask->version,
                  why.at);
    }
    message_drop(&answer);
}

#include "broker/admission.h"

#include <inttypes.h>

#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

struct admitted admission_judge(const struct tracker *tracker, struct quota *quota,
                                enum key_role role, struct slice name, struct slice frame,
                                uint64_t now_us)
{
    struct admitted out = {.is = ADMISSION_MALFORMED};
    struct message *message = NULL;
    /* Whatever follows frame 0 is passed on unread. */
    if (codec_decode(frame, &message, &out.why)) {
        /* It may be of a later release: who asked waits for an answer with that number. */
        uint64_t number;
        if (codec_find_number(frame, "request", &number))
            out.request = number;
        return out;
    }
    if (message_kind(message->type)->place != PLACE_REQUEST) {
        text_add(&out.why, "%s is not a request", message_name(message->type));
        message_drop(&message);
        return out;
    }
    out.request = message->as.request.request;
    out.chunk = message->type == MESSAGE_VALUE_PUT;
    if (quota && role != ROLE_admin && !quota_allows(quota, name, now_us)) {
        out.is = ADMISSION_OVER_QUOTA;
    } else if (message->type == MESSAGE_BROKER_GET) {
        out.is = ADMISSION_LOCAL;
    } else {
        out.node = tracker_route(tracker, message, now_us, &out.code, &out.why);
        out.is = out.node ? ADMISSION_FORWARD : ADMISSION_NOBODY;
    }
    message_drop(&message);
    return out;
}

/* Whose feed it is, and who the message says to be. */
static bool is_from(node_id_t node, const struct message *message)
{
    return message->as.heartbeat.node == node || MUTANT(feed_unbound); /* events begin so, too */
}

int admission_hear(struct tracker *tracker, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why)
{
    if (message_kind(message->type)->place != PLACE_FEED) {
        text_add(why, "%s does not belong on the feed", message_name(message->type));
        return ERR_MALFORMED;
    }
    if (!is_from(from, message)) {
        text_add(why, "%s of node %" PRIu64 " on the feed of node %" PRIu32,
                 message_name(message->type), message->as.heartbeat.node, from);
        return ERR_MALFORMED;
    }
    int error = tracker_hear(tracker, message, now_us);
    if (error == ERR_RANGE)
        text_add(why, "%s of a node that the cluster does not have", message_name(message->type));
    return error;
}

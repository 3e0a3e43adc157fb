#include "clients/ask/session.h"

#include "shared/base/error.h"

_Static_assert(SESSION_KEY_MAX + 1 <= JOB_KEY_TEXT_MAX, "a session's key is a key");

int session_open(struct client *client, uint64_t node, uint64_t deadline_us,
                 struct session_key *session)
{
    struct message *request = message_new(MESSAGE_SESSION_OPEN), *reply = NULL;
    request->as.session_open.node = node;
    int error = client_ask(client, request, CLIENT_PATIENT, 0, deadline_us, &reply);
    if (!error && reply->type == MESSAGE_SESSION)
        *session =
            (struct session_key){.id = reply->as.session.session, .token = reply->as.session.token};
    else if (!error)
        error = ERR_UNSUPPORTED;
    message_drop(&reply);
    return error;
}

void session_next_key(struct session_key *session, char at[JOB_KEY_TEXT_MAX])
{
    session->sequence++;
    session_key_write(at, *session);
}

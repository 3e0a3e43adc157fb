/* founded.h - an identity for tests that begin with a cluster that was founded already. */
#ifndef CONCLAVE_SIM_FOUNDED_H
#define CONCLAVE_SIM_FOUNDED_H

#include "nodes/core/step/identity.h"
#include "shared/wire/message.h"

/* The births that the test's voters have: fills in all but these. */
static inline struct identity founded_identity(uint32_t n_nodes, uint32_t n_voters)
{
    struct identity identity = {.founder = 1, .n_nodes = n_nodes, .n_voters = n_voters};
    memset(identity.cluster_id, 0xc1, CLUSTER_ID_BYTES);
    return identity;
}

/* Makes a message of the test's one that a voter of that cluster could have sent, unless it names
 * another cluster. */
static inline void founded_sign(struct message *message)
{
    const struct identity identity = founded_identity(1, 1);
    struct slice id = message_copy(message, (struct slice){identity.cluster_id, CLUSTER_ID_BYTES});
    struct slice *at = NULL;
    switch (message->type) {
    case MESSAGE_HELLO:
        at = &message->as.hello.cluster_id;
        break;
    case MESSAGE_HEARTBEAT:
        at = &message->as.heartbeat.cluster_id;
        message->as.heartbeat.voter = true;
        break;
    case MESSAGE_VOTE_REQUEST:
        at = &message->as.vote_request.cluster_id;
        break;
    case MESSAGE_VOTE_REPLY:
        at = &message->as.vote_reply.cluster_id;
        message->as.vote_reply.voter = true;
        break;
    case MESSAGE_APPEND:
        at = &message->as.append.cluster_id;
        break;
    case MESSAGE_INSTALL:
        at = &message->as.install.cluster_id;
        break;
    case MESSAGE_APPEND_REPLY:
        message->as.append_reply.voter = true;
        break;
    case MESSAGE_INSTALL_REPLY:
        message->as.install_reply.voter = true;
        break;
    default:
        break;
    }
    if (at && !at->len)
        *at = id;
}

#endif

/* session.h - sessions for the keys of commands that make many requests (docs/protocol.md, "Keys
 * for ever"). A command that makes one uses a free key: see jobspec_new_key(). */
#ifndef CONCLAVE_CLIENTS_SESSION_H
#define CONCLAVE_CLIENTS_SESSION_H

#include "clients/ask/client.h"
#include "clients/ask/jobspec.h"
#include "shared/base/session_key.h"

/* Opens a session with the ledger of a node, or (0) with the coordinator. The outcome of the call:
 * OK, or that of client_ask(), or ERR_UNSUPPORTED when it was refused. */
int session_open(struct client *client, uint64_t node, uint64_t deadline_us,
                 struct session_key *session);

/* The session's next key. */
void session_next_key(struct session_key *session, char at[JOB_KEY_TEXT_MAX]);

#endif

/* sign.h - signs the requests that need it (shared/bus/signature.h). */
#ifndef CONCLAVE_CLIENTS_SIGN_H
#define CONCLAVE_CLIENTS_SIGN_H

#include "shared/bus/access.h"
#include "shared/wire/message.h"

#define SIGN_TRIES_MAX                                                        \
    8 /* of one request: another program may sign with the same key meanwhile \
       */

/* What is to be signed, as a node told last; all zero: not known. */
struct sign {
    node_id_t node;
    incarnation_t incarnation;
    uint64_t counter; /* the next one must be greater */
};

/* Requests that need it: what the table of requests gives to commands and admin. */
bool sign_is_needed(enum message_type type);

/* Gives such a request a signature of its own, each time that it is sent; or an empty frame, which
 * asks what is to be signed. Nothing without a key that can sign, and for other requests. */
void sign_request(struct sign *sign, const struct access *access, struct message *request);

/* An answer says what is to be signed: then true. */
bool sign_take(struct sign *sign, const struct message *answer);

#endif

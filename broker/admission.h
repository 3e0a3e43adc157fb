/* admission.h - what becomes of what has come to a broker, before anything is passed on.
 *
 * Pure: no socket, and the time comes in. broker.c does what it says. */
#ifndef CONCLAVE_BROKER_ADMISSION_H
#define CONCLAVE_BROKER_ADMISSION_H

#include "broker/quota.h"
#include "broker/tracker.h"
#include "shared/base/key_role.h"

enum admission {
    ADMISSION_MALFORMED,  /* it is no request; `why` says so */
    ADMISSION_OVER_QUOTA, /* its key asks too often */
    ADMISSION_LOCAL,      /* the broker answers itself */
    ADMISSION_NOBODY,     /* there is nobody to ask; `code` and `why` are those of the error */
    ADMISSION_FORWARD     /* to `node`, which lives */
};

struct admitted {
    enum admission is;
    uint64_t request; /* the client's number of it; 0: malformed */
    node_id_t node;
    bool chunk; /* of a stored value */
    const char *code;
    struct text why;
};

/* Judges a request by its frame 0. `quota` counts it for `name`, whose key comes with it; NULL:
 * there are no keys. An admin's key, which could give itself any rate, has no quota. */
struct admitted admission_judge(const struct tracker *tracker, struct quota *quota,
                                enum key_role role, struct slice name, struct slice frame,
                                uint64_t now_us);

/* Takes in what is on the feed of a node. OK, or ERR_STALE: it is passed on; ERR_MALFORMED: it is
 * not of the feed, or in another node's name; ERR_RANGE: of a node that there is not; with one line
 * in `why`. */
int admission_hear(struct tracker *tracker, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why);

#endif

/* tracker.h - what the heartbeats of the nodes tell a broker: who lives, and who coordinates.
 *
 * Pure: the time comes in with every call. The broker keeps nothing else, so a new one knows as
 * much after one heartbeat of each node. */
#ifndef CONCLAVE_BROKER_TRACKER_H
#define CONCLAVE_BROKER_TRACKER_H

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

#define TRACKER_ROLE_MAX    17
#define TRACKER_HOST_MAX    65
#define TRACKER_VERSION_MAX 33

struct tracker_node {
    bool heard;        /* at least once */
    uint64_t heard_us; /* last heartbeat or event of the present incarnation */
    incarnation_t incarnation;
    uint64_t seq;
    term_t term;
    node_id_t coordinator;
    bool serving, full, insecure;
    bool bundles;    /* it takes requests in bundles */
    bool founded;    /* its disk belongs to a cluster */
    bool admitted;   /* and counts as a voter's */
    uint32_t voters; /* so many vote, it says; 0: it does not say */
    uint64_t operations, conversions, held, applied, committed, rejected, refused, forbidden,
        queued, pid;
    uint64_t held_bytes, spilled_bytes;
    bool unspillable, pressed;
    uint64_t access_version; /* of the list of keys in its log; 0: none */
    uint8_t access_hash[HASH_BYTES];
    char role[TRACKER_ROLE_MAX], host[TRACKER_HOST_MAX], version[TRACKER_VERSION_MAX];
};

struct tracker {
    uint32_t n_nodes, n_voters;
    uint64_t silence_us;                      /* a node that is silent for this long is not alive */
    struct tracker_node nodes[NODES_MAX + 1]; /* by id, from 1 */
};

/* Begins with nobody heard. `n_voters` 1..n_nodes; what a majority of so many voters says goes
 * before it. */
void tracker_init(struct tracker *tracker, uint32_t n_nodes, uint32_t n_voters,
                  uint64_t silence_us);

/* Takes in a heartbeat or an event. OK; ERR_STALE: it is older than what is known, or of an earlier
 * incarnation; ERR_RANGE: no such node. Nothing changes unless OK. */
int tracker_hear(struct tracker *tracker, const struct message *message, uint64_t now_us);

bool tracker_alive(const struct tracker *tracker, node_id_t node, uint64_t now_us);

/* Returns the living node that serves and that a majority of the voters says it follows; else the
 * one that serves in the highest term; NODE_NONE when nobody serves. */
node_id_t tracker_coordinator(const struct tracker *tracker, uint64_t now_us);

/* Finds a list of keys of a higher version that a majority of the voters says it has, all the same
 * one: its version and hash, and a node that has it; NODE_NONE: there is none. One node's word does
 * not do: its key may be stolen. */
node_id_t tracker_access(const struct tracker *tracker, uint64_t version, uint64_t now_us,
                         const struct tracker_node **out);

/* Who gets a request: the node that it names, else whoever serves; before there is a coordinator,
 * the lowest living node founds. NODE_NONE: nobody, and `code` and `why` are those of the error. */
node_id_t tracker_route(const struct tracker *tracker, const struct message *request,
                        uint64_t now_us, const char **code, struct text *why);

/* Appends why no coordinator serves: "no coordinator: 3 of 6 nodes are alive, 4 needed", whose
 * disks are full, or which voters a new cluster waits for. */
void tracker_reason(const struct tracker *tracker, uint64_t now_us, struct text *out);

/* Makes the answer to broker_get, without the counters. Caller drops. */
struct message *tracker_report(const struct tracker *tracker, uint64_t now_us);

#endif

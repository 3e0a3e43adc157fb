/* heartbeat.h - how often a node is heard when nobody says how often. */
#ifndef CONCLAVE_BASE_HEARTBEAT_H
#define CONCLAVE_BASE_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/limits.h"

/* Twice HEARTBEAT_DEFAULT_US with more than few nodes, four times with many, or with more than few
 * for a node that does not vote, whose silence elects nobody. Where two of them would not fit into
 * an election timeout: once. */
static inline uint64_t heartbeat_default_us(uint64_t nodes, bool votes,
                                            uint64_t election_timeout_us)
{
    uint64_t times = 4;
    if (nodes <= HEARTBEAT_NODES_FEW)
        times = 1;
    else if (nodes <= HEARTBEAT_NODES_MANY && votes)
        times = 2;
    uint64_t usual_us = times * HEARTBEAT_DEFAULT_US;
    return 2 * usual_us <= election_timeout_us ? usual_us : HEARTBEAT_DEFAULT_US;
}

/* The period of a node that has nothing to tell: what lets HEARTBEAT_IDLE_BEATS come in an election
 * timeout, at most HEARTBEAT_IDLE_PERIODS times the usual one; of a coordinator, whose silence
 * elects another, half as long. At least the usual one. */
static inline uint64_t heartbeat_idle_us(uint64_t heartbeat_us, uint64_t election_timeout_us,
                                         bool coordinates)
{
    uint64_t idle_us = election_timeout_us / HEARTBEAT_IDLE_BEATS;
    if (idle_us > HEARTBEAT_IDLE_PERIODS * heartbeat_us)
        idle_us = HEARTBEAT_IDLE_PERIODS * heartbeat_us;
    idle_us /= coordinates ? 2 : 1;
    return idle_us > heartbeat_us ? idle_us : heartbeat_us;
}

#endif

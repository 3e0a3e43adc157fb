/* quota.h - how many requests a second one key may make, whatever the number of its connections.
 *
 * For each key's name the time is kept until which its requests are paid for (GCRA, ITU-T I.371):
 * each one moves it on by a period, and one that would move it further ahead than the burst is
 * refused. Pure: the time comes in. */
#ifndef CONCLAVE_BROKER_QUOTA_H
#define CONCLAVE_BROKER_QUOTA_H

#include "shared/base/map.h"
#include "shared/base/text.h"

struct quota {
    uint64_t rate;         /* requests a second; 0: any number */
    struct map paid_until; /* by name */
};

/* Begins with nobody. */
void quota_init(struct quota *quota, uint64_t rate);
void quota_clear(struct quota *quota);

/* Whether a request of that key, in its name, is within its rate; counts it if it is. */
bool quota_allows(struct quota *quota, struct slice name, uint64_t now_us);

#endif

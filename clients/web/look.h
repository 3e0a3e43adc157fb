/* look.h - the cluster's status for requests, as `conclave status` asks for it, without waiting.
 *
 * However many ask, one look is on its way at a time; who asks gets one that began afterwards. */
#ifndef CONCLAVE_CLIENTS_LOOK_H
#define CONCLAVE_CLIENTS_LOOK_H

#include "clients/ask/cluster.h"
#include "clients/web/http.h"

struct look_broker {
    struct waiter waiter;
    struct web *web;
    size_t number;
    struct client *client;
    struct addresses *only; /* owned */
};

struct look {
    struct waiter waiter;
    struct web *web;
    struct look_broker brokers[BROKERS_MAX]; /* each is asked by itself */
    size_t n_brokers;
    unsigned pending;         /* answers to come; 0: no look is on its way */
    uint64_t begun, finished; /* counts of looks */
    uint64_t began_us;        /* the last one */
    bool wanted;              /* begin another one when this ends */
    struct cluster_view next; /* being made */
    int next_code;
    struct cluster_view view; /* of the last one that finished */
    int code;                 /* its exit code, as cluster_look()'s */
};

void look_init(struct look *look, struct web *web);
void look_clear(struct look *look);

/* Has a look begin now, or after the one that is on its way. Returns its number: it is there when
 * look->finished is not less. */
uint64_t look_want(struct look *look);

/* Lets a request wait for it: `looked` is called then. */
void look_await(struct request *request, void (*looked)(struct request *request));

/* Begins what is wanted. */
void look_turn(struct look *look, uint64_t now_us);

#endif

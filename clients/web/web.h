/* web.h - `conclave web`: a client of the cluster that serves HTTP. One thread, one loop. */
#ifndef CONCLAVE_CLIENTS_WEB_H
#define CONCLAVE_CLIENTS_WEB_H

#include "clients/ask/subscription.h"
#include "clients/cli.h"
#include "clients/web/delegate.h"
#include "clients/web/events.h"
#include "clients/web/http.h"
#include "clients/web/look.h"

struct web {
    struct cli *cli;
    const char *dir; /* of a cluster that `up` started, for its troubles; NULL: .conclave */
    struct guard guard;
    struct http *http;
    struct look look;
    struct events events;
    struct subscription subscription;
    bool subscribed;            /* the feed is open to our key */
    bool asked;                 /* calls were started in this turn of the loop */
    unsigned lists;             /* of jobs that are being made */
    struct delegate *delegates; /* those that run */
    unsigned n_delegates;
};

/* Asks the cluster for a request, patiently; its waiter gets the answer. Takes the message. */
void web_ask(struct web *web, struct message *request, struct waiter *waiter);

/* Serves until a signal. Returns the exit code. */
int web_serve(struct web *web);

#endif

/* guard.h - who may ask the web process for what. Pure.
 *
 * A page of another site, open in a browser on this machine, can send requests to a loopback port.
 * So a request must name a host that is ours (else a foreign name was bound to our address: DNS
 * rebinding), must not come from a page of another origin, and what changes something must bring a
 * token, which no browser adds by itself (it is no cookie). */
#ifndef CONCLAVE_CLIENTS_GUARD_H
#define CONCLAVE_CLIENTS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "clients/web/web_limits.h"

#define WEB_TOKEN_TEXT 64 /* characters: 32 random bytes in hexadecimal */
#define GUARD_HOST_MAX 256

/* What a route needs. */
enum guard_need {
    GUARD_PAGE,  /* the same for everybody: no data of the cluster */
    GUARD_READ,  /* data of the cluster */
    GUARD_CHANGE /* changes something */
};

struct guard {
    char token[WEB_TOKEN_TEXT + 1];
    bool open; /* beyond loopback: reading needs the token, too */
    size_t n_hosts;
    char hosts[WEB_HOSTS_MAX + 4][GUARD_HOST_MAX]; /* without ports */
};

/* The headers of a request; NULL: there is none. */
struct guard_headers {
    const char *host, *origin, *fetch_site, *authorization;
    bool twice; /* one of them comes twice */
};

enum guard_verdict {
    GUARD_OK,
    GUARD_MALFORMED,
    GUARD_FOREIGN_HOST,
    GUARD_FOREIGN_ORIGIN,
    GUARD_NO_TOKEN
};

enum guard_verdict guard_check(const struct guard *guard, const struct guard_headers *headers,
                               enum guard_need need);

/* One line for people, a constant. */
const char *guard_text(enum guard_verdict verdict);

/* Whether only this machine reaches an address, given as digits or `localhost`. */
bool guard_is_loopback(const char *address);

/* Adds a name under which browsers may come. False: there is no room, or it is none. */
bool guard_add_host(struct guard *guard, const char *host);

#endif

/* address.h - where brokers are: "tcp://HOST:PORT", several with commas between. */
#ifndef CONCLAVE_CLIENTS_ADDRESS_H
#define CONCLAVE_CLIENTS_ADDRESS_H

#include <stddef.h>

#define BROKERS_MAX      16
#define ADDRESS_HOST_MAX 256
#define ADDRESS_TEXT_MAX (ADDRESS_HOST_MAX + 16)

struct address {
    char host[ADDRESS_HOST_MAX];
    unsigned port; /* of the front door; the feed is at the next one */
};

struct addresses {
    size_t n; /* 1..BROKERS_MAX */
    struct address at[BROKERS_MAX];
};

/* Parses a list; "tcp://" may be left out, and ":PORT": then it is PORT_DEFAULT. ERR_MALFORMED
 * after one line in `why` (TEXT_MAX bytes). */
int addresses_parse(const char *list, struct addresses *out, char *why);

/* Writes "tcp://HOST:PORT"; returns `at`. */
char *address_text(const struct address *address, char at[ADDRESS_TEXT_MAX]);

#endif

/* clients.h - who waits for an answer: a number for each request, and the envelope that its answer
 * goes back in. */
#ifndef CONCLAVE_IO_CLIENTS_H
#define CONCLAVE_IO_CLIENTS_H

#include "shared/base/tally.h"
#include "shared/base/types.h"

#define ENVELOPE_PARTS \
    3                 /* the broker's routing id, the client's, and one between them and frame 0: */
#define STATED_PART 2 /* of a request the client's public key; of an answer it is empty */

/* Zero-initialize before the first use. */
struct clients {
    struct map map;
    struct tally shares; /* what each broker has in it, and each client of each broker */
    uint64_t last;
};

struct client;

/* Remembers an envelope (copies) and returns its number, from 1; 0 when there is no room for it.
 * `bundled`: it came in a bundle (shared/bus/bundle.h). `limit` may wait in all. A broker may have
 * as many of them as it leaves free, and a client as many as its broker could still have: whoever
 * asks without end finds its own share full, and there is always room for somebody else (the
 * dynamic threshold of Choudhury and Hahne, 1998). */
uint64_t clients_add(struct clients *clients, struct slice broker, struct slice client,
                     bool bundled, size_t limit);

/* Takes the envelope out: the caller frees it with client_free(). NULL when nobody of that number
 * waits. */
struct client *clients_take(struct clients *clients, uint64_t number);

/* Fills in the parts of the envelope (borrowed from the client). */
void client_envelope(const struct client *client, struct slice parts[ENVELOPE_PARTS]);

/* Whether its answer may go in a bundle. */
bool client_is_bundled(const struct client *client);

void client_free(struct client *client);

/* Forgets everybody. */
void clients_clear(struct clients *clients);

#endif

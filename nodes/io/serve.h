/* serve.h - handing out pieces of values: to peers that pull them, and to clients that read a kept
 * result. What is in memory is answered at once, what is on disk when the store thread
 * has read it. */
#ifndef CONCLAVE_IO_SERVE_H
#define CONCLAVE_IO_SERVE_H

#include "nodes/io/gate.h"
#include "nodes/io/store.h"
#include "nodes/core/values/values.h"

#define READS_MAX 256 /* at the store thread at once; beyond, peers get no answer and ask again */

struct serve;

/* Borrows all. Caller destroys, once the store has stopped and its reports were taken. */
struct serve *serve_new(node_id_t self, const struct values *values, struct store *store,
                        struct gate *gate);
void serve_destroy(struct serve **serve);

/* Answers a peer; `used`: with word that nobody needs the value any more. ERR_MALFORMED with one
 * line in `why`: it asks for a range that cannot be. */
int serve_peer(struct serve *serve, node_id_t to, const struct wire_value_get *get, bool used,
               struct text *why);

/* Answers a client with `message` and the range as its further frame, or, when that cannot be read,
 * with an error. Takes a new reference to the message, and changes it. */
void serve_client(struct serve *serve, uint64_t client, struct message *message, struct value_id id,
                  uint64_t offset, uint64_t len, uint64_t after_seq);

/* Takes in STORE_READ. A client's read of a value that is missing or damaged on this disk waits for
 * its repair, for SERVE_REPAIR_US (now_us 0: not at all). */
void serve_read(struct serve *serve, struct store_report *report, uint64_t now_us);

/* The value is sound again: who waited for it is answered. */
void serve_repaired(struct serve *serve, struct value_id id);

/* Who has waited too long is refused. */
void serve_tick(struct serve *serve, uint64_t now_us);

#endif

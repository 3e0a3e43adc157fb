/* supervised.h - what a supervisor knows of its processes and nobody else can: which of them does
 * not start, and why. In DIR/supervisor.json while the cluster runs:
 *
 *   {"pid", "port", "brokers", "served", "processes": [{"name", "node", "pid", "tries", "exit",
 *    "trouble"}]}
 *
 * node, pid, exit and trouble are null where there is none. */
#ifndef CONCLAVE_CLIENTS_SUPERVISED_H
#define CONCLAVE_CLIENTS_SUPERVISED_H

#include <jansson.h>
#include <stdbool.h>

#include "clients/ask/address.h"
#include "clients/local/child.h"

/* Writes the file. `served`: a coordinator has served since the supervisor started. ERR_IO after
 * one line in `why` (TEXT_MAX bytes). */
int supervised_write(const char *dir, uint64_t port, uint64_t brokers, bool served,
                     const struct child *children, size_t n, char *why);
void supervised_forget(const char *dir);

/* Reads it; NULL when no supervisor holds DIR's lock, or, with brokers given, when its brokers are
 * not among them. Caller drops with json_decref(). */
json_t *supervised_read(const char *dir, const struct addresses *brokers);

/* For a command with --dir: that of DIR, or, when it was not given, that of ./.conclave if its
 * brokers are the ones that are asked. */
json_t *supervised_find(const char *dir, const struct addresses *brokers);

/* All troubles as a list of lines. Accepts NULL. */
json_t *supervised_troubles(const json_t *supervised);

/* Whether a coordinator has served. Accepts NULL. */
bool supervised_served(const json_t *supervised);

/* The next process from *at (0 to begin with) on that has trouble: its one line, safe to print, in
 * `line` (TEXT_MAX bytes). Sets *runs when it is running again. False: no more. */
bool supervised_next(const json_t *supervised, size_t *at, char *line, bool *runs);

#endif

/* local.h - a local cluster's directory: its lock, its description, its logs.
 *
 *   DIR/lock          held (fcntl) by the supervisor as long as it lives: the kernel names who
 *                     holds it
 *   DIR/cluster.json  {"pid", "port", "nodes", "brokers", "started"}; there while the cluster runs
 *   DIR/nodeN/        node N's data
 *   DIR/nodeN.log, DIR/broker.log, DIR/supervisor.log */
#ifndef CONCLAVE_CLIENTS_LOCAL_H
#define CONCLAVE_CLIENTS_LOCAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCAL_PATH_MAX    4096
#define LOCAL_DIR_DEFAULT ".conclave"
#define LOCAL_LOCK        "lock"

/* Writes DIR/NAME. ERR_TOO_BIG when it does not fit. */
int local_path(const char *dir, const char *name, char at[LOCAL_PATH_MAX]);

/* Makes the directory and takes its lock. OK with the open lock in *lock; else one line in `why`
 * (TEXT_MAX bytes): ERR_EXISTS when a cluster runs there, ERR_IO when the directory
 * cannot be used. */
int local_claim(const char *dir, int *lock, char *why);

/* Returns the process that holds the directory's lock; 0 when none does; -1 when there is no such
 * directory. */
pid_t local_holder(const char *dir);

/* Writes DIR/NAME, whole or not at all; takes the value. ERR_IO after one line in `why`. */
int local_put_json(const char *dir, const char *name, json_t *value, char *why);

/* Writes and removes cluster.json. */
int local_describe(const char *dir, unsigned port, uint64_t nodes, uint64_t brokers, char *why);
void local_forget(const char *dir);

/* Removes the directory with all that is in it; only for one that this program made. */
void local_remove(const char *dir);

#endif

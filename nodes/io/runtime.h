/* runtime.h - a node's life around its pure core: opens disk and sockets, starts the threads, runs
 * the event loop. */
#ifndef CONCLAVE_IO_RUNTIME_H
#define CONCLAVE_IO_RUNTIME_H

#include "nodes/core/node.h"
#include "nodes/io/disk.h"
#include "nodes/work/command.h"
#include "nodes/work/failure.h"
#include "shared/base/text.h"

struct runtime_config {
    struct node_config node; /* incarnation and random are filled in by runtime_open() */
    const char *dir;
    struct disk *disk;   /* this directory, opened before (takes it); NULL: not yet */
    const char *restore; /* a share of a snapshot to begin with; NULL: see restore.h */
    enum durability durability;
    const char *access; /* the key file; NULL: only with `insecure` */
    bool insecure;      /* run without keys */
    const char *bind;
    unsigned port;            /* of the cluster */
    const char *const *hosts; /* of node 1 is hosts[1] */
    uint64_t delay_us;
    struct failure_config failure;
    struct commands_config commands; /* but for .dir and .node; without keys there are none */
};

struct runtime;

/* Opens everything, in the order in which a failure changes least: sockets, then the data
 * directory. Blocks SIGTERM and SIGINT in the whole process: call it before any thread. Borrows all
 * of config. An error, with one line in `why`; exit_code_of() tells whether the options are to
 * blame (ERR_MALFORMED: an address; ERR_STALE: a directory of another node, cluster or format) or
 * the outside (ERR_EXISTS: a port or the directory is in use; ERR_CORRUPT; ERR_IO; ERR_FULL).
 * Caller closes. */
int runtime_open(const struct runtime_config *config, struct runtime **out, struct text *why);

/* Runs until SIGTERM or SIGINT; returns the exit code: 0, or 2 when another process of this node's
 * id runs already. */
int runtime_run(struct runtime *runtime);

/* Ends cleanly, within two seconds: what is queued is sent, what was asked for is written. Does not
 * return when an operation cannot be interrupted: then the process exits with 0. */
void runtime_close(struct runtime **runtime);

#endif

/* runtime_internal.h - shared by the files that implement runtime.h, and by nobody else. */
#ifndef CONCLAVE_IO_RUNTIME_INTERNAL_H
#define CONCLAVE_IO_RUNTIME_INTERNAL_H

#include "nodes/io/access_follow.h"
#include "nodes/io/inbox.h"
#include "nodes/io/pull.h"
#include "nodes/io/runtime.h"
#include "nodes/io/serve.h"
#include "nodes/io/tasks_run.h"
#include "nodes/io/turns.h"
#include "nodes/work/compute.h"
#include "nodes/work/heap.h"

struct runtime {
    struct runtime_config config;
    void *context;
    struct doors *doors;
    struct access_follow access;
    struct mesh *mesh;
    struct clients clients;
    struct gate *gate;
    struct inbox *inbox;
    struct disk *disk;
    struct store *store;
    struct bulk *bulk;
    struct compute *compute;
    struct executor *executor; /* the same, as the loop uses it */
    uint64_t starved_us;       /* what it said last */
    struct histogram syncs;    /* what the disk said last */
    struct commands *commands; /* NULL: without keys */
    struct programs *programs; /* another executor, over these */
    struct tasks_run *tasks;
    struct values values;
    struct transfer *transfer;
    struct pull pull;
    bool scrubbing; /* a block is being read */
    uint64_t scrub_us;
    struct serve *serve;
    struct node *node;
    bool in_turn;           /* a tick will follow, which does what is due */
    uint64_t pumped_us;     /* when it was done last */
    uint64_t random;        /* state of the generator for events */
    struct failure failure; /* of the coordinator */
    struct turns turns;
    struct heap_idle heap_idle; /* since values or results came last */
    int signal_fd;
    bool stopping;
    int exit_code;
    uint64_t started_us, refusals_us; /* refusals are looked for until some time after the start */
};

/* Fills in the times and the random number, steps the core, does what it asks for. */
void runtime_step(struct runtime *runtime, struct event *event);

/* Runs one turn of the event loop: waits, takes in what there is, steps the core. */
void runtime_turn(struct runtime *runtime);

/* Ends this node when others refuse it because another one of its id lives: refusals.c. */
void runtime_check_refusals(struct runtime *runtime);

/* Fails on purpose, should it be this node's turn: it was about to go on as a coordinator. */
void runtime_fail_coordinating(struct runtime *runtime);

/* Exits on purpose. The others are told that no operation is to blame; of what it was doing they
 * learn nothing. */
_Noreturn void runtime_fail(struct runtime *runtime);

#endif

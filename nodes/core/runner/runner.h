/* runner.h - what a node does with the tasks that the coordinator hands to it.
 *
 *   queued --> executing --> ended: told, and kept until the log tells it, too
 *
 * What a task's end was is kept here until the own log has it, and told to each coordinator that
 * asks: so nothing that has ended is executed again because a coordinator died. What the log says
 * is also what ends tasks here: of a job that is finished, or forgotten, all goes. */
#ifndef CONCLAVE_CORE_RUNNER_H
#define CONCLAVE_CORE_RUNNER_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"

/* Tasks in a row that wait to be executed. */
struct task_work {
    struct task_work *next;
    struct task_order order; /* of the first of them */
    uint64_t count;
    bool instant; /* they do nothing */
    bool copy;    /* another worker executes them, too */
    bool inputs;  /* they need inputs */
};

/* A task that is being executed. */
struct task_executing {
    struct task_order order;
    bool copy, cancelled;
};

/* From the best to the worst: of a task's files the worst one counts. */
enum input_state {
    INPUT_HERE,
    INPUT_WRITING, /* to the scratch disk */
    INPUT_FETCHING,
    INPUT_FAILED,
    INPUT_FULL,     /* that disk is */
    INPUT_UNWRITTEN /* that disk fails */
};

/* What the first record of a job's input says of files. */
struct task_common {
    bool read, sound;
    bool files;        /* each task has its own */
    uint64_t inputs;   /* of a task */
    uint64_t from, to; /* where the uploads stand */
};

/* A segment of a stored value. */
struct task_input {
    struct value_id id;
    size_t at; /* its place in the list */
    bool file; /* of tasks' files: once it is here, on the scratch disk */
    enum input_state state;
    job_id_t job;    /* which needed it last ... */
    uint64_t wanted; /* ... in this look */
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    node_id_t sources[INPUT_SOURCES_MAX]; /* that were asked for it; the last one is */
    size_t n_sources;
    struct blob *bytes; /* once it is here, unless that is the disk; an owned reference */
    struct task_common common;
    uint64_t place; /* one of its records, from 0, ... */
    size_t offset;  /* ... begins here */
};

/* How some ended. */
struct task_kept {
    struct task_kept *next;
    struct task_result result; /* its outputs: owned references */
    bool copy;                 /* another worker executed it, too */
    bool told;                 /* it is in the channel to the coordinator */
    op_id_t bundle;            /* names the first of its values; 0: it has none */
    size_t n_stored;           /* of these, on this disk, and in memory no more */
};

/* Zero-initialize, then set the first four. */
struct runner {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct state *state;
    term_t term; /* of the coordinator whose tasks these are */
    struct task_work *first, *last;
    size_t n_works;
    uint64_t queued;                  /* tasks, in all of these */
    struct task_executing *executing; /* as many as there are slots at most; owned */
    size_t n_executing, executing_size;
    uint64_t slots_taken;       /* by these */
    struct task_input **inputs; /* owned */
    size_t n_inputs, inputs_size;
    size_t n_files, n_moving; /* of these; and that are fetched or written */
    struct map inputs_by_id;
    uint64_t looks;                         /* at what waits, so far */
    uint64_t files_full;                    /* the look in which no more files had room */
    struct task_part parts[TASK_PARTS_MAX]; /* of what was wanted last */
    size_t n_parts;
    job_id_t spaced_job; /* the attempt for which room was made on the scratch disk last */
    uint64_t spaced_hand, spaced_task;
    struct task_kept *kept, *last_kept;
    size_t n_kept, n_untold;
    uint64_t untold_us;   /* since when the first of these waits */
    struct message **own; /* to be told to the coordinator, which this node is; owned */
    size_t n_own, own_size;
    uint64_t pieces;  /* of bundles that were made in this incarnation */
    log_index_t seen; /* what the log said up to here is taken into account */
    uint64_t ended;   /* tasks that ended here, in this incarnation */
};

/* The coordinator hands out tasks; or asks what is here. */
void runner_given(struct runner *runner, const struct message *message);
void runner_asked(struct runner *runner, node_id_t from);

/* Another term's coordinator begins: what was not begun is not. */
void runner_reset(struct runner *runner, term_t term);

/* Attempts that were begun here ended. */
void runner_results(struct runner *runner, const struct task_result *at, size_t n);

/* A segment that was fetched is there (borrowed), or cannot be had; what a task has left is on
 * disk, or is not. */
void runner_value_ready(struct runner *runner, struct value_id id, struct blob *bytes);
void runner_value_failed(struct runner *runner, struct value_id id);
void runner_value_kept(struct runner *runner, struct value_id id);

/* A segment of a task's files is on the scratch disk, or is not: that is full, or fails. */
void runner_file_kept(struct runner *runner, struct value_id id);
void runner_file_failed(struct runner *runner, struct value_id id, bool full);

/* True when nobody will ask for how its tasks end any more: the job is finished, or forgotten. One
 * that is not known yet will be. */
bool runner_is_over(const struct runner *runner, job_id_t job);

/* The next message of this node to itself as coordinator (caller drops); NULL: there is none. */
struct message *runner_take_own(struct runner *runner);

static inline void runner_tick(struct runner *runner)
{
    (void)runner; /* nothing depends on time */
}

/* Begins what can be begun, and lets go of what the log tells. */
void runner_pump(struct runner *runner);

/* When what ended is told at the latest. */
uint64_t runner_deadline(const struct runner *runner);

void runner_clear(struct runner *runner);
void runner_check_invariants(const struct runner *runner);

#endif

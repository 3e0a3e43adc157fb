/* spawner_internal.h - shared by the files that implement spawner.h, and by nobody else. */
#ifndef CONCLAVE_WORK_SPAWNER_INTERNAL_H
#define CONCLAVE_WORK_SPAWNER_INTERNAL_H

#include <sys/types.h>

#include "nodes/work/command_wire.h"
#include "nodes/work/processes.h"
#include "nodes/work/scratch.h"
#include "shared/base/hash.h"

#define SPAWNER_PATH_ROOM  1024
#define SPAWNER_GROUPS_MAX 256

/* Whom commands run as. */
struct account {
    bool foreign; /* not as the spawner itself */
    uid_t uid;
    gid_t gid, groups[SPAWNER_GROUPS_MAX];
    int n_groups;
    char *home, *name, *shell; /* of a foreign one; owned */
};

/* One of the command's output streams while it is read. */
struct stream {
    int fd; /* -1: at its end */
    uint64_t limit;
    struct command_output *output;
    const char *outputs; /* the directory, ... */
    char prefix[64];     /* ... and how names of pieces begin there */
    uint8_t *held;       /* COMMAND_INLINE_MAX_BYTES, of the spawner */
    size_t n_held;
    int piece_fd; /* -1: all is held */
    struct hash_stream hash, piece_hash;
    int error; /* of writing: an errno; what comes after is read and dropped */
};

struct spawner {
    int fd, signal_fd;
    uint8_t *frame;               /* what came last; owned */
    struct spawner_config config; /* its strings are owned by: */
    uint8_t *config_frame;
    struct account account;
    int record_fd;
    uint64_t serial; /* of RUN frames: a cancel names one */
    uint8_t *held[COMMAND_STREAMS];
};

/* One command from RUN to RESULT. */
struct run {
    struct spawner *spawner;
    struct command_order order;
    struct command_result *result;
    struct scratch scratch;
    char path[SPAWNER_PATH_ROOM]; /* of the scratch directory */
    char prefix[64];              /* of its outputs and files */
    int stdin_fd;
    char input_name[32]; /* of the file with an input that the environment cannot hold; "": none */
    struct stream streams[COMMAND_STREAMS];
    pid_t pid;                                                 /* 0: not started */
    uint64_t start_us, limit_at_us, kill_at_us, give_up_at_us; /* UINT64_MAX: never */
    struct children_usage usage;
    bool ended, node_gone;
};

/* --- spawner_account.c --- */

/* Finds the account; with a foreign one, tries what it may read. False, with one line in `why`. */
bool account_find(struct account *account, const struct spawner_config *config, struct text *why);

/* What the command gets as its environment: a list to free() with environment_free(). */
char **environment_make(const struct run *run);
void environment_free(char **list);

/* --- spawner_inputs.c --- */

/* Puts stdin and files where the command finds them; run->result has what went wrong, a cancel that
 * came meanwhile included. */
void inputs_prepare(struct run *run);

/* Writes the input to a file of the scratch directory. False: run->result has why. */
bool input_to_file(struct run *run);

/* --- spawner_launch.c --- */

/* Starts the command; `fds`: its stdin, stdout, stderr. Sets run->pid; false: run->result has why.
 */
bool launch(struct run *run, const int fds[3]);

/* Notes why it ended, but for what came first. */
void run_fail(struct run *run, enum command_end end, const char *what, int error);

/* --- spawner_bundle.c --- */

/* Makes the bundle of long streams and files, which are gone then; an error ends the run. */
void bundle_make(struct run *run);

/* --- spawner_output.c --- */

void stream_begin(struct stream *stream, int fd, uint64_t limit, struct command_output *output);
/* Reads once; at the end closes fd. */
void stream_read(struct stream *stream);
/* More of it, that comes from elsewhere. */
void stream_add(struct stream *stream, const uint8_t *at, size_t len);
/* No more will come: the output is as it is. */
void stream_end(struct stream *stream);

#endif

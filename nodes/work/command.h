/* command.h - users' commands on a node: an executor of processes, beside that of operations
 * (executor.h).
 *
 * Each slot has a process of its own, the spawner (spawner.h), which runs one command at a time and
 * is the reaper of whatever that starts: when a command ends, all of its descendants do, those that
 * left its process group as well. A thread of the node talks with the spawners; the event loop
 * starts, polls and cancels here, and never waits.
 *
 * What is started ends exactly once, as one result. Which command may run at all is decided
 * elsewhere: here is no check of rights. */
#ifndef CONCLAVE_WORK_COMMAND_H
#define CONCLAVE_WORK_COMMAND_H

#include "nodes/work/mailbox.h"
#include "shared/base/blob.h"
#include "shared/base/limits.h"
#include "shared/base/slots.h"
#include "shared/base/text.h"
#include "shared/base/types.h"

/* --- limits --- */

/* argv, env, input, names, and where the parts of files are: the kernel takes two MiB (with the
 * user's stack of 8 MiB), and the input may be in a file. More: the command is not started. */
#define COMMAND_SPEC_MAX_BYTES (3 * MIB_BYTES)
/* Of CONCLAVE_INPUT: MAX_ARG_STRLEN of Linux without the name and the zero byte at its end. A
 * longer one is in a file, which CONCLAVE_INPUT_FILE names. */
#define COMMAND_INPUT_MAX_BYTES (128 * KIB_BYTES - sizeof "CONCLAVE_INPUT=")
/* Output of one stream that is kept in memory; what is longer goes to files. */
#define COMMAND_INLINE_MAX_BYTES (64 * KIB_BYTES)
/* So long is one of these files: a piece of a bundle. */
#define COMMAND_PIECE_BYTES BUNDLE_PIECE_BYTES
/* Defaults of what a command may write to a stream, and leave in files that are collected. */
#define COMMAND_OUTPUT_DEFAULT_BYTES MIB_BYTES
#define COMMAND_FILES_DEFAULT_BYTES  TASK_FILES_MAX_BYTES
/* Files that are collected of a task; more: the command's files are not taken, and it says so. */
#define COMMAND_FILES_MAX TASK_FILES_MAX
/* Between TERM, which a command may catch to clean up, and KILL. */
#define COMMAND_GRACE_US (5 * SECOND_US)
/* What was killed and has not gone after so long hangs in the kernel (a dead network disk): the
 * result comes without waiting for it. */
#define COMMAND_KILL_PATIENCE_US (10 * SECOND_US)
/* Commands that wait for a slot. Who hands work out gives no more than a few to each slot. */
#define COMMANDS_WAITING_MAX 4096

/* --- what to run --- */

/* So many bytes of a file, from there on. It must be there until the command has ended. */
struct command_slice {
    const char *path;
    uint64_t offset, len; /* UINT64_MAX: to its end */
};

/* Bytes for a command: in memory, or else of files, one after another. Neither: none. */
struct command_bytes {
    struct blob *blob; /* borrowed; its reference is counted while it is needed */
    const struct command_slice *slices;
    size_t n_slices;
};

/* One file to be there when the command starts. */
struct command_input {
    const char *name; /* below the scratch directory: relative, without ".." */
    struct command_bytes bytes;
    bool executable;
};

struct command_limits {
    uint64_t time_us;          /* of the attempt; 0: none */
    uint64_t output_max_bytes; /* kept of stdout, and of stderr; the rest is read and dropped */
    uint64_t files_max_bytes;  /* of all files that are collected */
    uint64_t memory_bytes;     /* RLIMIT_AS of each process; 0: as it is */
    uint64_t processes;        /* RLIMIT_NPROC, of all of the account's; 0: as it is */
};

/* Which one it is. */
struct command_id {
    job_id_t job;
    uint64_t task, attempt; /* from 1 */
};

struct command {
    struct command_id id;
    const char *const *argv; /* ends with NULL; no shell: argv[0] is looked for in PATH */
    /* Ends with NULL, "NAME=VALUE"; NULL: none. It goes before what every command has: PATH, HOME,
     * USER, LOGNAME, SHELL, LANG, LC_ALL, TZ, as the node has them; TMPDIR, the scratch directory;
     * but not before CONCLAVE_JOB, _TASK, _ATTEMPT, _INPUT, _INPUT_FILE, _NODE, _SCRATCH. */
    const char *const *env;
    const char *input;                /* CONCLAVE_INPUT, or in a file; NULL: none */
    struct command_bytes stdin_bytes; /* in memory; neither: /dev/null, or ... */
    size_t
        stdin_input; /* ... the input of this number, from 1, as it is in the scratch directory */
    const struct command_input *inputs;
    size_t n_inputs;
    const char *const *collect; /* patterns as of glob(7), "**" too; ends with NULL; NULL: none */
    struct command_limits limits;
    int nice;    /* added to the node's; 0 or more */
    bool part;   /* see command_result_join(): that is done, away from the event loop */
    bool bundle; /* what is long, and the files, become a bundle */
};

/* --- what became of it --- */

/* X(symbol, text): why it ended. */
#define COMMAND_ENDS(X)                                                         \
    X(COMMAND_EXIT, "exit")     /* .exit */                                     \
    X(COMMAND_SIGNAL, "signal") /* .signal, of others */                        \
    X(COMMAND_TIME_LIMIT, "time limit")                                         \
    X(COMMAND_CANCELLED, "cancelled")                                           \
    X(COMMAND_NOT_STARTED, "could not start")                                   \
    X(COMMAND_DISK_FULL, "disk full") /* the node's, for its output or files */ \
    X(COMMAND_UNCOLLECTED, "files not collected")                               \
    X(COMMAND_KILLED, "killed with the node")

enum command_end {
#define X(symbol, text) symbol,
    COMMAND_ENDS(X)
#undef X
        COMMAND_ENDS_COUNT
};

/* A file that the result owns: whoever renames or unlinks it sets path to NULL after freeing it. */
struct command_file {
    char *name; /* below the scratch directory; of a piece: NULL */
    char *path;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    bool executable;
};

struct command_output {
    struct blob *bytes;          /* all that was kept, if it is short; else NULL, and ... */
    struct command_file *pieces; /* ... it is in these, one after another */
    size_t n_pieces;
    uint64_t len;             /* kept */
    uint64_t total;           /* written by the command */
    bool cut;                 /* total is more than the limit */
    uint8_t hash[HASH_BYTES]; /* of what was kept */
};

/* What there is of long streams, and of files, one after another (shared/tasks/bundle.h). */
struct command_bundle {
    struct command_output all; /* no length: there is none */
    uint64_t head_len;
    uint8_t head_hash[HASH_BYTES];
    uint64_t out_len, err_len, files;
    char err_line[TASK_LINE_MAX + 1]; /* the last one of a stderr that is in it; any bytes but 0 */
};

enum { COMMAND_STDOUT, COMMAND_STDERR, COMMAND_STREAMS };

struct command_result {
    struct mail mail; /* first: results come as a list of these */
    struct command_id id;
    enum command_end end;
    int exit;             /* -1: it did not exit */
    int signal;           /* that ended it; 0: none */
    char error[TEXT_MAX]; /* what there is to say beside that; "": nothing */
    uint64_t started_ms;  /* wall clock; 0: it was not started */
    uint64_t wall_us;
    uint64_t cpu_us;        /* user and system, of it and of all descendants */
    uint64_t max_rss_bytes; /* of the largest process */
    struct command_output output[COMMAND_STREAMS];
    struct command_file *files; /* sorted by name */
    size_t n_files;
    struct command_bundle bundle; /* if it was wanted: then there are no pieces and files */
    bool survived; /* something of it could not be killed yet (COMMAND_KILL_PATIENCE_US) */
};

/* Returns a constant. */
const char *command_end_text(enum command_end end);

/* Puts all that was kept of stdout into memory, in place of files, as a part behind its length
 * (shared/base/bytes.h), with its hash. ERR_IO: a file cannot be read, and the result says so. */
int command_result_join(struct command_result *result);

/* The bytes and files that are still its own go with it. Accepts NULL. */
void command_result_free(struct command_result *result);

static inline struct command_result *command_result_next(const struct command_result *result)
{
    return (struct command_result *)(void *)result->mail.next;
}

/* --- the executor --- */

struct commands_config {
    const char *dir;     /* of the node: records, outputs, and scratch directories unless ... */
    const char *scratch; /* ... they shall be below this one; NULL */
    const char *user;    /* the account that commands run as (only root can); NULL: this one */
    const char *program; /* starts a spawner when it is called as spawner.h says;
                            NULL: this program */
    node_id_t node;
    unsigned slots;      /* so many at a time; 1 at least */
    uint64_t files_soft; /* RLIMIT_NOFILE as the user has it, when this process has raised its own;
                            0: as it is */
};

struct commands;

/* Ends what an earlier life of this node has left running, removes its scratch directories and
 * outputs, and starts the thread; spawners start with the first commands. With a user: checks that
 * this account exists, cannot read config->dir, and can reach the scratch directory.
 * Copies the config. The process becomes the reaper of orphans below it (PR_SET_CHILD_SUBREAPER):
 * it must have no children of other kinds. ERR_REFUSED or ERR_IO, with one line in `why`.
 * Caller destroys. */
int commands_start(const struct commands_config *config, struct commands **out, struct text *why);

/* Where files may be put for commands, on the disk of the scratch directories: the commands' own
 * account cannot read it, the spawners can. It was empty when commands_start() returned. Borrowed.
 */
const char *commands_files(const struct commands *commands);

/* Begins a command, now or when a slot is free. Copies all but the blobs, of which it counts
 * references. What cannot be started ends with a result that says so. */
void commands_run(struct commands *commands, const struct command *command);

/* Nobody wants that attempt any more: what waits does not start, what runs gets TERM, and KILL
 * after COMMAND_GRACE_US. Its result comes all the same. Nothing when there is no such command. */
void commands_cancel(struct commands *commands, struct command_id id);

/* Takes results, oldest first; NULL: none. Each is the caller's to free. */
struct command_result *commands_poll(struct commands *commands);

/* Readable while commands_poll() has something. */
int commands_fd(const struct commands *commands);

/* Kills what runs, and ends spawners and thread, within a second or two. Results that nobody took
 * are gone. Accepts NULL. */
void commands_destroy(struct commands **commands);

#endif

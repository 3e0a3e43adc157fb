/* conclave.h - a client of a Conclave cluster: libconclave.
 *
 *   struct conclave *cluster = conclave_open(NULL);
 *   struct conclave_job job;
 *   if (conclave_submit(cluster, "factorial", "10", NULL, &job) ||
 *       conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job))
 *       errx(1, "%s", conclave_reason(cluster));
 *
 * A cluster is found as the command line finds it. Nothing is sent before the first call; a call
 * finds the coordinator, also a new one, by itself, sends again what got no answer, and ends with
 * an error after the timeout of the connection. A call may therefore be executed more than once:
 * keys make what it changes happen once.
 *
 * Every function that returns int returns CONCLAVE_OK or an error, and then one line for people is
 * in conclave_reason(). A connection, with the tasks and the feed that were opened of it, belongs
 * to one thread at a time; several connections do not know of each other. Texts that go in are
 * borrowed until the call returns. Times are in microseconds. After fork() the new process may use
 * a connection, which connects anew, and close it; it must not touch the parent's tasks and feeds.
 * When memory is exhausted the process ends, as the programs of Conclave do. */
#ifndef CONCLAVE_H
#define CONCLAVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CONCLAVE_API __attribute__((visibility("default")))
#else
#define CONCLAVE_API
#endif

/* The exit codes of `conclave`. */
enum conclave_error {
    CONCLAVE_OK = 0,
    CONCLAVE_FAILED = 1,      /* the job failed, or something that has no code of its own */
    CONCLAVE_USAGE = 2,       /* an argument is wrong, or there is no key file; nothing changed */
    CONCLAVE_UNREACHABLE = 3, /* no broker, or no coordinator */
    CONCLAVE_TIMEOUT = 4,     /* what was asked for may have taken effect, or may still do so */
    CONCLAVE_CANCELLED = 5,   /* the job was cancelled */
    CONCLAVE_NOT_FOUND = 6,
    CONCLAVE_KEY_REFUSED = 7, /* a broker refuses the key, or it may not do this */
    CONCLAVE_QUOTA = 8        /* over a quota */
};

#define CONCLAVE_FOR_EVER UINT64_MAX
#define CONCLAVE_ID_MAX   24  /* bytes of a job's id, as text with its end: "4-17" */
#define CONCLAVE_TEXT_MAX 512 /* bytes of a line for people */
#define CONCLAVE_NAME_MAX 65

/* The version of the library, such as "0.1.0". */
CONCLAVE_API const char *conclave_version(void);

/* The name of an error: "unreachable". A constant. */
CONCLAVE_API const char *conclave_error_name(int error);

/* --- connections --- */

struct conclave;

/* Zero-initialize; set `size` to sizeof(struct conclave_options). NULL or 0: the default. */
struct conclave_options {
    size_t size;
    const char *brokers; /* "tcp://HOST:PORT", several with commas; else CONCLAVE_BROKER, else as
                            the key file says */
    const char *access;  /* a key file; else CONCLAVE_ACCESS, else access.json in the directory */
    const char *dir;     /* a cluster's directory; else CONCLAVE_DIR, else .conclave in the working
                            directory or the nearest one above it */
    int insecure;        /* not 0: a cluster without keys; else CONCLAVE_INSECURE=1 */
    uint64_t timeout_us; /* of each call; 0: 10 minutes */
};

/* Makes a connection (caller closes); copies the options, which may be NULL. Never NULL: what is
 * wrong with them is told by the first call. */
CONCLAVE_API struct conclave *conclave_open(const struct conclave_options *options);

/* Ends it, and nulls the pointer. Accepts NULL. Tasks and feeds that were opened of it may be used
 * on, and it lasts until they are closed, too. */
CONCLAVE_API void conclave_close(struct conclave **cluster);

/* One line about the last call that returned an error; borrowed until the next call. */
CONCLAVE_API const char *conclave_reason(const struct conclave *cluster);

/* --- jobs --- */

struct conclave_job {
    char id[CONCLAVE_ID_MAX];
    char kind[CONCLAVE_NAME_MAX];
    char state[CONCLAVE_NAME_MAX]; /* "queued", "running", "done", "failed", "cancelled" */
    char spec[CONCLAVE_TEXT_MAX];  /* the kind's argument: "10" */
    char owner[CONCLAVE_NAME_MAX]; /* the name of the key that submitted it; or empty */
    char error[CONCLAVE_TEXT_MAX]; /* why it failed; else empty */
    uint64_t submitted_ms;         /* since 1970 UTC */
    uint64_t finished_ms;          /* 0: it is not finished */
    uint64_t done, total;          /* operations, or tasks */
    uint64_t result_bytes;         /* of its result; 0 while there is none */
    uint64_t tasks, tasks_done, tasks_failed, tasks_lost, tasks_cancelled; /* of map; else 0 */
    uint64_t reserved[8];
};

/* Submits a job, such as "factorial" with "10", and returns when it is accepted. The same key (1 to
 * 64 printable characters without spaces) is the same job; NULL: a new one. "product" and
 * "batch-gcd" take integers, results and stored values as words, "12 -5 job:4-17 value:9c1f", and
 * --base and --against as on the command line; these are uploaded first. */
CONCLAVE_API int conclave_submit(struct conclave *cluster, const char *kind, const char *spec,
                                 const char *key, struct conclave_job *job);

/* How a job stands. CONCLAVE_NOT_FOUND: it is not known, or was forgotten. */
CONCLAVE_API int conclave_job_get(struct conclave *cluster, const char *id,
                                  struct conclave_job *job);

/* Waits until it is finished, over changes of the coordinator. CONCLAVE_OK: done; CONCLAVE_FAILED
 * and CONCLAVE_CANCELLED: it is in that state; CONCLAVE_TIMEOUT: it goes on. In all four cases
 * *job says how it stands. */
CONCLAVE_API int conclave_wait(struct conclave *cluster, const char *id, uint64_t timeout_us,
                               struct conclave_job *job);

/* The same, and `watch` is told how it stands: a few times a second while it goes on, and once at
 * the end. `watch` borrows the job and must not use the connection; when it returns something other
 * than 0 and the job goes on, the waiting ends with CONCLAVE_TIMEOUT. */
CONCLAVE_API int conclave_wait_watched(struct conclave *cluster, const char *id,
                                       uint64_t timeout_us,
                                       int (*watch)(void *context, const struct conclave_job *job),
                                       void *context, struct conclave_job *job);

/* Cancels it. CONCLAVE_FAILED: it is finished already. */
CONCLAVE_API int conclave_cancel(struct conclave *cluster, const char *id);

/* Reads some bytes of a result from an offset on: at least one, at most `size`, into `at`; *got
 * says how many, 0 at the end. The result of a job of numbers is decimal digits without an end. */
CONCLAVE_API int conclave_result_read(struct conclave *cluster, const char *id, uint64_t offset,
                                      void *at, size_t size, size_t *got);

/* All of it, with a zero byte behind it (caller frees with free()), and checked by its SHA-256. */
CONCLAVE_API int conclave_result(struct conclave *cluster, const char *id, char **result,
                                 size_t *len);

/* All of it in parts, for a result that does not have to be in memory: calls `take` for each, in
 * order, until it returns something other than 0, which ends it with CONCLAVE_OK. `take` borrows
 * the bytes and must not use the connection. The SHA-256 is checked at the end: after
 * CONCLAVE_FAILED what was taken is of no use. */
CONCLAVE_API int conclave_result_each(struct conclave *cluster, const char *id,
                                      int (*take)(void *context, const void *bytes, size_t len),
                                      void *context);

/* --- lists of jobs, and more about them --- */

/* Which jobs. Zero-initialize; set `size` to sizeof(struct conclave_jobs). */
struct conclave_jobs {
    size_t size;
    const char *state; /* only those that are in it; NULL: all */
    uint64_t newest;   /* only so many of these, the newest; 0: all */
};

/* Calls `take` for each job that the key may see, the oldest first, until it returns something
 * other than 0, which ends it with CONCLAVE_OK. `which` may be NULL: all. What changes meanwhile
 * may be seen or not. `take` borrows the job and must not use the connection. */
CONCLAVE_API int conclave_jobs_each(struct conclave *cluster, const struct conclave_jobs *which,
                                    int (*take)(void *context, const struct conclave_job *job),
                                    void *context);

/* Why a job is where it is, in lines for people, as `conclave job explain` has them: calls `take`
 * for each, likewise. They are escaped: printable ASCII. */
CONCLAVE_API int conclave_job_explain(struct conclave *cluster, const char *id,
                                      int (*take)(void *context, const char *line), void *context);

/* An operation of a job of numbers. */
struct conclave_operation {
    uint64_t number;              /* from 1 */
    uint64_t node, attempt;       /* whose result counts; 0: it is not done */
    char text[CONCLAVE_TEXT_MAX]; /* "R4=R1*R2*R3"; cut to this room */
    uint64_t reserved[8];
};

/* Calls `take` for each operation of a job, in the order of their numbers, likewise.
 * CONCLAVE_NOT_FOUND: they are too many, or the job ended long ago, and they are not kept. */
CONCLAVE_API int conclave_job_operations_each(
    struct conclave *cluster, const char *id,
    int (*take)(void *context, const struct conclave_operation *operation), void *context);

/* Forgets finished jobs with their results; one that is not known is forgotten already.
 * CONCLAVE_USAGE: one is not finished; then, of up to 256, none is forgotten. More are forgotten
 * 256 at a time. *forgotten (may be NULL): so many of them are, in any case. */
CONCLAVE_API int conclave_jobs_forget(struct conclave *cluster, const char *const *ids, size_t n,
                                      uint64_t *forgotten);

/* How tasks are run once more. Zero-initialize; set `size` to sizeof(struct conclave_retry). */
struct conclave_retry {
    size_t size;
    const char *tasks;      /* "3,10-20": only these, of those that are not done; NULL: all */
    const char *key;        /* as for conclave_submit() */
    uint64_t time_limit_us; /* of an attempt; 0: the job's; CONCLAVE_FOR_EVER: none */
};

/* Submits a job that runs the tasks of a finished job once more that are not done, and has the
 * outcomes of the others. `retry` may be NULL. CONCLAVE_USAGE: all are done, or it has none. */
CONCLAVE_API int conclave_job_retry(struct conclave *cluster, const char *id,
                                    const struct conclave_retry *retry, struct conclave_job *job);

/* --- stored values --- */

#define CONCLAVE_VALUE_MAX  24 /* bytes of a value's name, with its end */
#define CONCLAVE_SHA256_MAX 65

/* Bytes that the cluster keeps, named by their SHA-256. Where a name is asked for, it is what
 * people call a value: "value:9c1f0123456789ab", with 4 to 64 hexadecimal digits, the digits alone,
 * or its id. CONCLAVE_USAGE: several values begin so. */
struct conclave_value {
    char value[CONCLAVE_VALUE_MAX]; /* "value:9c1f0123456789ab" */
    char id[CONCLAVE_ID_MAX];
    char sha256[CONCLAVE_SHA256_MAX]; /* in hexadecimal digits */
    char format[CONCLAVE_NAME_MAX];   /* "bytes", "integers"; others are of commands */
    char name[CONCLAVE_TEXT_MAX];     /* for people, escaped; or empty */
    char owner[CONCLAVE_NAME_MAX];    /* the name of the key that put it; or empty */
    uint64_t bytes;
    uint64_t uploaded;  /* so many of them are there */
    uint64_t items;     /* of its format: integers */
    uint64_t unused_ms; /* for so long nobody has named it */
    uint64_t jobs;      /* that name it, at most 16: it stays while any does */
    int whole;          /* not 0: all is there, and it may be used */
    uint64_t reserved[8];
};

/* What is put. Zero-initialize; set `size` to sizeof(struct conclave_put). */
struct conclave_put {
    size_t size;
    const char *name; /* for people, a file's: 128 bytes are kept; NULL: none */
    int integers;     /* not 0: lines of integers, gzip too, which jobs take; 0: the bytes as they
                         are */
    unsigned base;    /* of integers, 10 or 16; 0: 10 */
};

/* Uploads bytes, and returns when they are stored: the same bytes are the same value, uploaded
 * once; what was interrupted goes on where it was. Until then what is not in a regular file is kept
 * in memory, beyond 8 MiB in a temporary file. `put` and `value` may be NULL. CONCLAVE_USAGE: it
 * cannot be read, is too much, or a line is no integer. */
CONCLAVE_API int conclave_value_put(struct conclave *cluster, const void *bytes, size_t len,
                                    const struct conclave_put *put, struct conclave_value *value);

/* The same of what a descriptor has, from where it stands to its end (the caller closes it). A
 * regular file is read from the disk twice, and must not change. */
CONCLAVE_API int conclave_value_put_file(struct conclave *cluster, int fd,
                                         const struct conclave_put *put,
                                         struct conclave_value *value);

/* The same of what `read` brings: at most `size` bytes into `at` at a time; it returns how many, 0
 * at the end, or less than 0 when it cannot go on, and nothing is stored. */
CONCLAVE_API int conclave_value_put_read(struct conclave *cluster,
                                         int64_t (*read)(void *context, void *at, size_t size),
                                         void *context, const struct conclave_put *put,
                                         struct conclave_value *value);

/* Finds a value by its name. */
CONCLAVE_API int conclave_value_get(struct conclave *cluster, const char *name,
                                    struct conclave_value *value);

/* All of its bytes in parts, as conclave_result_each() hands out a result. */
CONCLAVE_API int conclave_value_read_each(struct conclave *cluster, const char *name,
                                          int (*take)(void *context, const void *bytes, size_t len),
                                          void *context);

/* All of it in memory, with a zero byte behind it (caller frees with free()), and checked by its
 * SHA-256. */
CONCLAVE_API int conclave_value_read(struct conclave *cluster, const char *name, char **bytes,
                                     size_t *len);

/* Calls `take` for each value that the key may see, the oldest first, as conclave_jobs_each(). */
CONCLAVE_API int conclave_values_each(struct conclave *cluster,
                                      int (*take)(void *context,
                                                  const struct conclave_value *value),
                                      void *context);

/* Removes a value. CONCLAVE_FAILED: a job names it. */
CONCLAVE_API int conclave_value_drop(struct conclave *cluster, const char *name);

/* --- quotas --- */

/* What one key may have. */
struct conclave_quota {
    uint64_t jobs_max;  /* jobs that are not finished; 0: any number */
    uint64_t bytes_max; /* of results and stored values; 0: any number */
    int bounded;        /* not 0: these hold for this key */
    uint64_t reserved[8];
};

/* What a key has. */
struct conclave_quota_key {
    char name[CONCLAVE_NAME_MAX];
    uint64_t open_jobs;
    uint64_t kept_jobs, kept_bytes; /* finished jobs that are remembered, and their results */
    uint64_t values, value_bytes;   /* stored values */
    uint64_t reserved[8];
};

/* Fills *quota, then calls `take` (may be NULL) for each key with jobs or values, in the order of
 * their names; a key that may see its own jobs alone sees itself. As conclave_jobs_each(). */
CONCLAVE_API int conclave_quota(struct conclave *cluster, struct conclave_quota *quota,
                                int (*take)(void *context, const struct conclave_quota_key *key),
                                void *context);

/* --- commands over inputs: `conclave map` --- */

/* What is to be run, and over what. Zero-initialize; set `size` to sizeof(struct conclave_map). All
 * is borrowed until the call returns. Lists of texts end with NULL; NULL: an empty list. */
struct conclave_map {
    size_t size;
    const char *const *command; /* a program and its arguments, run without a shell; or */
    const char *shell;          /* a line for /bin/sh -c; one of the two. {} is the input, {1} and
                                   {2} are two of them, {#} is the task's number: all that `conclave
                                   help map` names. Without any, inputs are the last arguments */
    const char *const *inputs;  /* those of the first task, then those of the next: any bytes but 0;
                                   not ended by NULL but by */
    size_t n_inputs;            /* their number: 1 to 10,000,000 tasks' */
    size_t inputs_per_task;     /* 1 to 64; 0: 1 */
    const char *const *env;     /* "NAME=VALUE", at most 256 */
    const char *const *uploads; /* paths of files on this machine that each task finds in its
                                   directory, under their last part */
    const char *const *collect; /* patterns of files that a task leaves there, which are kept */
    const char *name;           /* for people, at most 255 bytes */
    const char *key;            /* as for conclave_submit() */
    uint64_t retries;           /* more attempts after an exit code other than 0, or a time limit */
    uint64_t retry_delay_us;    /* before the first of them; then it doubles. 0: a second */
    uint64_t time_limit_us;     /* of an attempt, 100,000 at least; 0: none */
    uint64_t slots;             /* of its node, that a task takes; 0: 1 */
    uint64_t max_output;        /* bytes of each stream that are kept; 0: 1 MiB */
    uint64_t max_fails;         /* so many failed tasks cancel the rest; 0: any number may fail */
    uint64_t max_fails_percent; /* the same as a share, 1 to 100; 0: none */
    int on_stdin;               /* not 0: inputs are what a task reads, each with a line end */
    int at_most_once;           /* not 0: a task whose worker died is lost, and not run again */
    int speculate;              /* not 0: a second copy of what is slow near the end */
};

/* Submits it, and returns when the job is accepted: all was read and uploaded before. A task may
 * run more than once when a node dies; what counts is one run of it. */
CONCLAVE_API int conclave_map_submit(struct conclave *cluster, const struct conclave_map *map,
                                     struct conclave_job *job);

struct conclave_tasks;

/* A task. Texts are escaped: printable ASCII. */
struct conclave_task {
    uint64_t task;                 /* from 1, in the order of the inputs */
    char state[CONCLAVE_NAME_MAX]; /* "queued", "running", "done", "failed", "lost", "cancelled" */
    char ended_by[CONCLAVE_NAME_MAX];  /* "exit 1", "signal 9", "time limit"; or empty */
    char reason[CONCLAVE_TEXT_MAX];    /* more, for people; or empty */
    char last_line[CONCLAVE_TEXT_MAX]; /* of what it wrote to stderr, cut to this room */
    uint64_t node, attempt;            /* the last one's; 0: none yet */
    int exit;                          /* its code; -1: it did not exit */
    int signal;                        /* that ended it; 0: none */
    uint64_t started_ms, finished_ms;  /* since 1970 UTC; 0: not yet */
    uint64_t wall_us, cpu_us;          /* of the last attempt */
    uint64_t max_rss_bytes;
    uint64_t out_bytes, out_kept; /* bytes of stdout, and how many of them are kept: the first */
    uint64_t err_bytes, err_kept; /* of stderr */
    uint64_t files;               /* that were collected */
    uint64_t reserved[8];
};

/* Opens the tasks of a job of commands, finished or not (caller closes).
 * CONCLAVE_USAGE: it has none. `tasks_total` (may be NULL): how many there are. */
CONCLAVE_API int conclave_tasks_open(struct conclave *cluster, const char *id,
                                     struct conclave_tasks **tasks, uint64_t *tasks_total);

/* Waits for the next task that has ended, in the order in which they end. CONCLAVE_TIMEOUT: none
 * has; CONCLAVE_NOT_FOUND: all that ever ran were told, and the job is finished. A task that was
 * cancelled before it ran is not told here. */
CONCLAVE_API int conclave_tasks_next(struct conclave_tasks *tasks, uint64_t timeout_us,
                                     struct conclave_task *task);

/* How a task stands, as far as the calls before have heard of it: after CONCLAVE_NOT_FOUND from
 * conclave_tasks_next() that is how it ended. CONCLAVE_NOT_FOUND: there is no task of that number.
 */
CONCLAVE_API int conclave_tasks_get(struct conclave_tasks *tasks, uint64_t number,
                                    struct conclave_task *task);

enum conclave_stream { CONCLAVE_STDOUT = 0, CONCLAVE_STDERR = 1 };

/* Reads bytes that a task which has ended wrote to a stream, from an offset on: at most `size` into
 * `at`; *got says how many, 0 at the end of what is kept. */
CONCLAVE_API int conclave_tasks_read(struct conclave_tasks *tasks, uint64_t number,
                                     enum conclave_stream stream, uint64_t offset, void *at,
                                     size_t size, size_t *got);

/* Accepts NULL. */
CONCLAVE_API void conclave_tasks_close(struct conclave_tasks **tasks);

/* --- what nodes keep --- */

/* Puts UTF-8 text under a name (1 to 64 of A-Z a-z 0-9 _ . -) on a node, from 1 on. The same key
 * puts it once; NULL: a new one. *repeated (may be NULL): not 0 when the key was known. */
CONCLAVE_API int conclave_kv_put(struct conclave *cluster, unsigned node, const char *name,
                                 const char *value, const char *key, int *repeated);

/* The same by a message that node `from` sends to node `to`. */
CONCLAVE_API int conclave_kv_send(struct conclave *cluster, unsigned from, unsigned to,
                                  const char *name, const char *value, const char *key,
                                  int *repeated);

/* Reads it (caller frees with free()). CONCLAVE_NOT_FOUND, and *value is NULL: there is none. */
CONCLAVE_API int conclave_kv_get(struct conclave *cluster, unsigned node, const char *name,
                                 char **value);

/* Removes it. CONCLAVE_NOT_FOUND: there is none. The key as with conclave_kv_put(). */
CONCLAVE_API int conclave_kv_del(struct conclave *cluster, unsigned node, const char *name,
                                 const char *key, int *repeated);

/* Calls `take` for each value of a node whose name begins with `prefix` (NULL: all), in the order
 * of the names (bytes), until it returns something other than 0. What changes meanwhile may be seen
 * or not. `take` borrows the texts and must not use the connection. */
CONCLAVE_API int conclave_kv_list(struct conclave *cluster, unsigned node, const char *prefix,
                                  int (*take)(void *context, const char *name, const char *value),
                                  void *context);

/* The progress of a node, from 1 on: sets it; takes a snap of all, *snap is its number, from 0; and
 * reads one, now or (snap not NULL) in a snap. CONCLAVE_NOT_FOUND: that snap was not taken. */
CONCLAVE_API int conclave_progress_set(struct conclave *cluster, uint64_t node, uint64_t state);
CONCLAVE_API int conclave_progress_snap(struct conclave *cluster, const char *key, uint64_t *snap);
CONCLAVE_API int conclave_progress_get(struct conclave *cluster, uint64_t node,
                                       const uint64_t *snap, uint64_t *state);

/* --- the cluster --- */

struct conclave_status {
    uint64_t coordinator, term; /* the node that coordinates, from 1 on; 0: none */
    uint64_t nodes, alive;
    uint64_t may_fail; /* so many more nodes may stop, and it goes on */
    int healthy;
    uint64_t queued, running, done, failed, cancelled; /* jobs that are remembered */
    uint64_t slots, slots_used;                        /* for commands, of all nodes */
    uint64_t reserved[8];
};

CONCLAVE_API int conclave_status(struct conclave *cluster, struct conclave_status *status);

/* A node as the coordinator sees it. Texts are escaped: printable ASCII. */
struct conclave_node {
    uint64_t node;                   /* from 1 on */
    int alive;                       /* its heartbeats arrive */
    int votes;                       /* its disk counts for majorities */
    int disk_full;                   /* it takes in nothing new */
    char role[CONCLAVE_NAME_MAX];    /* "coordinator", "worker", "candidate" or "unknown" */
    char host[CONCLAVE_TEXT_MAX];    /* where it runs; empty: it has not said so */
    char version[CONCLAVE_NAME_MAX]; /* of its program */
    char refusal[CONCLAVE_TEXT_MAX]; /* why a process of that number is refused now; or empty */
    uint64_t pid, incarnation, boots, term;
    uint64_t slots, slots_used;     /* for commands, and how many operations and commands have */
    uint64_t assigned;              /* operations that it has now, and */
    uint64_t operations;            /* those whose results were accepted from it */
    uint64_t applied, committed;    /* the last entries of its log that it applied, and knows to be
                                       committed */
    uint64_t behind_us, stalled_us; /* so long it has not reached what was committed, and its disk
                                       has finished nothing; 0: it is level, and works */
    uint64_t held_bytes, spilled_bytes; /* of values in its memory, and of others on its disk */
    uint64_t reserved[8];
};

/* Calls `take` for each node in the order of their numbers, until it returns something other than
 * 0. `take` borrows the node. */
CONCLAVE_API int conclave_nodes_each(struct conclave *cluster,
                                     int (*take)(void *context, const struct conclave_node *node),
                                     void *context);

/* The key of a connection, as its key file has it. Empty texts: it goes without keys. */
struct conclave_key {
    char name[CONCLAVE_NAME_MAX];
    char cluster[CONCLAVE_NAME_MAX];
    char role[CONCLAVE_NAME_MAX]; /* "monitor", "submit", "commands" or "admin" */
    uint64_t expires_ms;          /* since 1970 UTC; 0: never */
    uint64_t reserved[8];
};

/* Tells it without asking anybody: whether a broker takes it, the first call says. CONCLAVE_USAGE:
 * there is none that can be used. */
CONCLAVE_API int conclave_key(struct conclave *cluster, struct conclave_key *key);

/* --- accounts --- */

/* A node keeps accounts, in minor units of money, by name (1 to 64 of A-Z a-z 0-9 _ . -). These put
 * an amount (1 to 1,000,000,000,000,000) into one, take it out, and send it to another one, of that
 * node or of another. The same key moves it once; NULL: a new one. *balance (may be NULL): of the
 * (first) account then. *repeated (may be NULL): not 0 when the key was known. CONCLAVE_FAILED: it
 * has not so much, or would have too much; CONCLAVE_NOT_FOUND: there is none of that name, be it
 * the one that is to get it: a deposit makes one. */
CONCLAVE_API int conclave_bank_deposit(struct conclave *cluster, unsigned node, const char *account,
                                       uint64_t amount, const char *key, uint64_t *balance,
                                       int *repeated);
CONCLAVE_API int conclave_bank_withdraw(struct conclave *cluster, unsigned node,
                                        const char *account, uint64_t amount, const char *key,
                                        uint64_t *balance, int *repeated);
CONCLAVE_API int conclave_bank_transfer(struct conclave *cluster, unsigned from_node,
                                        const char *from, unsigned to_node, const char *to,
                                        uint64_t amount, const char *key, uint64_t *balance,
                                        int *repeated);

/* CONCLAVE_NOT_FOUND: there is no such account. */
CONCLAVE_API int conclave_bank_balance(struct conclave *cluster, unsigned node, const char *account,
                                       uint64_t *balance);

/* Calls `take` for each account of a node, in the order of the names (bytes), until it returns
 * something other than 0. What changes meanwhile may be seen or not. `take` borrows the name and
 * must not use the connection. *sent (may be NULL): money for accounts of other nodes that these
 * have not acknowledged. */
CONCLAVE_API int conclave_bank_list(struct conclave *cluster, unsigned node,
                                    int (*take)(void *context, const char *account,
                                                uint64_t balance),
                                    void *context, uint64_t *sent);

/* --- snapshots --- */

#define CONCLAVE_SNAPSHOT_ID_MAX 48 /* bytes of its id with the end: "3-00000001b9ffba8b-4" */

/* A snapshot of the whole cluster, as the node that took it keeps it. */
struct conclave_snapshot {
    char id[CONCLAVE_SNAPSHOT_ID_MAX];
    uint64_t node, counter;          /* that took it, and counts those that it took */
    int complete, periodic;          /* nothing is missing; the node's clock had it taken */
    char missing[CONCLAVE_TEXT_MAX]; /* what is, for people */
    uint64_t time_ms;                /* since 1970 UTC */
    uint64_t took_us, bytes;
    uint64_t states; /* of nodes, that are in it */
    uint64_t reserved[8];
};

/* Has a node (0: the coordinator) take one, and returns when it is kept. A call that is executed
 * more than once takes more than one. CONCLAVE_FAILED with an id in *snapshot: it is there, but not
 * complete. */
CONCLAVE_API int conclave_snapshot_take(struct conclave *cluster, unsigned node,
                                        struct conclave_snapshot *snapshot);

/* Calls `take` for each snapshot that a node (0: each that is alive) keeps, in the order in which
 * the node took them, until it returns something other than 0. With 0, what a node that does not
 * answer keeps is left out. `take` borrows the snapshot and must not use the connection. */
CONCLAVE_API int conclave_snapshots_each(struct conclave *cluster, unsigned node,
                                         int (*take)(void *context,
                                                     const struct conclave_snapshot *snapshot),
                                         void *context);

/* What is in a snapshot. */
struct conclave_snapshot_sums {
    int complete;
    int consistent;                    /* it is one picture as far as is known: else */
    char violation[CONCLAVE_TEXT_MAX]; /* the first thing that is not so, for people */
    uint64_t nodes, coordinator;       /* of the cluster, and who it was; 0: nobody */
    uint64_t channels, channels_known; /* from each node to each other one */
    uint64_t messages;                 /* that were on their way in them */
    uint64_t accounts, values, jobs;
    uint64_t balances, in_channels, in_outboxes, money; /* minor units by where they are, and all */
    uint64_t reserved[8];
};

/* A node at the cut. */
struct conclave_snapshot_node {
    uint64_t node;
    int present;                     /* its state is in the snapshot: else */
    char missing[CONCLAVE_TEXT_MAX]; /* why it is not, and nothing more is known */
    char role[CONCLAVE_NAME_MAX];
    uint64_t term;
    uint64_t marker; /* the node whose marker came first; 0: it took the snapshot itself */
    uint64_t took_us;
    uint64_t accounts, balance, values;  /* its ledger: how many, their money, texts by name */
    uint64_t operations, queued, outbox; /* executed, to be executed, and messages to be sent */
    uint64_t reserved[8];
};

/* Reads a snapshot, checks whether it is consistent, and tells what is in it; then calls `take`
 * (may be NULL) for each node until it returns something other than 0. */
CONCLAVE_API int conclave_snapshot_get(
    struct conclave *cluster, const char *id, struct conclave_snapshot_sums *sums,
    int (*take)(void *context, const struct conclave_snapshot_node *node), void *context);

/* All of its bytes (caller frees with free()), as a file that `conclave snapshot verify` and
 * `restore` take. */
CONCLAVE_API int conclave_snapshot_read(struct conclave *cluster, const char *id, void **bytes,
                                        size_t *len);

/* --- operators --- */

/* A program that folds, which the cluster stores under a name. Texts are escaped. */
struct conclave_operator {
    char name[CONCLAVE_TEXT_MAX];
    char owner[CONCLAVE_TEXT_MAX]; /* the name of the key that added it */
    char value[CONCLAVE_NAME_MAX]; /* "value:9c1f0123456789ab", the stored value */
    uint64_t bytes;
    uint64_t reserved[8];
};

/* Calls `take` for each operator that the key may see, the newest of each name and owner, until it
 * returns something other than 0. `take` borrows it. */
CONCLAVE_API int conclave_operators_each(struct conclave *cluster,
                                         int (*take)(void *context,
                                                     const struct conclave_operator *row),
                                         void *context);

/* --- the feed --- */

struct conclave_feed;

/* A heartbeat or an event of a node. */
struct conclave_event {
    uint64_t node, incarnation, seq, term, time_ms;
    char type[16];                 /* "heartbeat" or "event" */
    char event[CONCLAVE_NAME_MAX]; /* "elected", "node_suspected", ...; of a heartbeat its role */
    char text[CONCLAVE_TEXT_MAX];  /* one line for people */
    char job[CONCLAVE_ID_MAX];     /* that it is about; or empty */
    uint64_t subject;              /* the node that it is about; 0: none */
    uint64_t missed;               /* messages of this node before it that did not arrive */
    uint64_t reserved[8];
};

/* Subscribes to what the nodes say, from now on (caller closes). It may lose
 * messages, and says how many. */
CONCLAVE_API int conclave_feed_open(struct conclave *cluster, struct conclave_feed **feed);

/* Waits for the next one. CONCLAVE_TIMEOUT: nothing has come. */
CONCLAVE_API int conclave_feed_next(struct conclave_feed *feed, uint64_t timeout_us,
                                    struct conclave_event *event);

/* Accepts NULL. */
CONCLAVE_API void conclave_feed_close(struct conclave_feed **feed);

#ifdef __cplusplus
}
#endif

#endif

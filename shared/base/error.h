/* error.h - one enum and one string table for every error that a function can return, and the exit
 * codes. */
#ifndef CONCLAVE_BASE_ERROR_H
#define CONCLAVE_BASE_ERROR_H

/* X(symbol, text). 0 is success. Interrupted, malformed, I/O, full and missing stay distinct. */
#define ERRORS(X)                     \
    X(OK, "ok")                       \
    X(ERR_MALFORMED, "malformed")     \
    X(ERR_RANGE, "out of range")      \
    X(ERR_TOO_BIG, "too big")         \
    X(ERR_FULL, "full")               \
    X(ERR_NOT_FOUND, "not found")     \
    X(ERR_EXISTS, "already exists")   \
    X(ERR_STALE, "stale")             \
    X(ERR_IO, "input/output error")   \
    X(ERR_INTERRUPTED, "interrupted") \
    X(ERR_TIMEOUT, "timed out")       \
    X(ERR_UNAVAILABLE, "unavailable") \
    X(ERR_UNSUPPORTED, "unsupported") \
    X(ERR_REFUSED, "refused")         \
    X(ERR_CORRUPT, "corrupt")

enum error {
#define X(symbol, text) symbol,
    ERRORS(X)
#undef X
};

/* Returns the error's text, a constant. */
const char *error_text(int error);

/* Exit codes of every program; documented in the README and in `conclave help`. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,      /* the job failed, or the program did */
    EXIT_USAGE = 2,       /* bad arguments or configuration; nothing was changed */
    EXIT_UNREACHABLE = 3, /* no broker, or no coordinator (no quorum) */
    EXIT_TIMEOUT = 4,
    EXIT_CANCELLED = 5,
    EXIT_NOT_FOUND = 6,
    EXIT_KEY_REFUSED = 7, /* a broker refuses the key, or it may not do what was asked for */
    EXIT_INJECTED = 7,    /* of a node: it failed on purpose (--fail-exit) */
    EXIT_ENVIRONMENT = 8  /* what a node or broker needs is missing: a damaged or unusable data
                           * directory, a port in use, descriptors, a full or failing disk. The
                           * options are right: the next start may succeed */
};

/* Returns with which exit code a node or a broker ends that cannot start because of this error:
 * EXIT_ENVIRONMENT when the outside is to blame, EXIT_USAGE when the options are. */
int exit_code_of(int error);

/* Ends the process at once with one line on stderr: for corrupt state of our own, exhausted memory,
 * a failed fsync. Never for what a peer, a client or a file brought in. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What panic() calls before it says anything: lines that wait to be written. */
void panic_calls(void (*first)(void));

#endif

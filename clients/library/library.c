/* library.c - connections of libconclave. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clients/library/library.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/version.h"
#include "shared/bus/bus.h"

_Static_assert(CONCLAVE_FAILED == (int)EXIT_FAILED && CONCLAVE_USAGE == (int)EXIT_USAGE &&
                   CONCLAVE_UNREACHABLE == (int)EXIT_UNREACHABLE &&
                   CONCLAVE_TIMEOUT == (int)EXIT_TIMEOUT &&
                   CONCLAVE_CANCELLED == (int)EXIT_CANCELLED &&
                   CONCLAVE_NOT_FOUND == (int)EXIT_NOT_FOUND &&
                   CONCLAVE_KEY_REFUSED == (int)EXIT_KEY_REFUSED &&
                   CONCLAVE_QUOTA == (int)EXIT_ENVIRONMENT,
               "the errors are the exit codes");
_Static_assert(CONCLAVE_ID_MAX >= JOB_TEXT_MAX && CONCLAVE_TEXT_MAX >= TEXT_MAX &&
                   CONCLAVE_NAME_MAX > JOB_KIND_MAX && CONCLAVE_NAME_MAX > LEDGER_NAME_MAX,
               "texts have room");

const char *conclave_version(void)
{
    return CONCLAVE_VERSION;
}

const char *conclave_error_name(int error)
{
    static const char *const names[] = {"ok",          "failed",      "usage",
                                        "unreachable", "timeout",     "cancelled",
                                        "not_found",   "key_refused", "quota"};
    return error >= 0 && (size_t)error < sizeof names / sizeof *names ? names[error] : "unknown";
}

/* A context of our own: the program may use ZeroMQ, and CZMQ, for itself. */
static void *make_context(void)
{
    void *context = zmq_ctx_new();
    if (!context)
        panic("cannot make the ZeroMQ context: %s", zmq_strerror(errno));
    return context;
}

static void end_context(void *context)
{
    zmq_ctx_term(context);
    bus_thread_ends();
}

/* The variable of the command line's option; an empty one is none. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static char *copy_of(const char *given, const char *name)
{
    const char *text = given ? given : variable(name);
    return text ? mem_string(text) : NULL;
}

struct conclave *conclave_open(const struct conclave_options *options)
{
    struct conclave_options given = {0};
    struct library *library = mem_new(1, sizeof *library);
    struct conclave *cluster = &library->connection;
    if (options)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    library->access = copy_of(given.access, "CONCLAVE_ACCESS");
    library->dir = copy_of(given.dir, "CONCLAVE_DIR");
    library->brokers = copy_of(given.brokers, "CONCLAVE_BROKER");
    const char *insecure = variable("CONCLAVE_INSECURE");
    *cluster = (struct conclave){.named = library->brokers,
                                 .access = library->access,
                                 .dir = library->dir,
                                 .insecure = given.insecure || (insecure && !strcmp(insecure, "1")),
                                 .timeout_us = given.timeout_us ? given.timeout_us
                                                                : CLIENT_TIMEOUT_DEFAULT_MS * MS_US,
                                 .make_context = make_context,
                                 .end_context = end_context};
    if (cluster->timeout_us > TIME_NEVER_US)
        cluster->timeout_us = TIME_NEVER_US;
    return cluster;
}

static void end(struct conclave *cluster)
{
    struct library *library = (struct library *)cluster;
    connection_close(&library->connection);
    free(library->access);
    free(library->dir);
    free(library->brokers);
    free(library);
}

void conclave_close(struct conclave **cluster)
{
    struct conclave *it = *cluster;
    *cluster = NULL;
    if (it)
        it->closed = true;
    if (it && !it->users)
        end(it);
}

void library_use(struct conclave *cluster)
{
    cluster->users++;
}

void library_let_go(struct conclave *cluster)
{
    if (--cluster->users == 0 && cluster->closed)
        end(cluster);
}

const char *conclave_reason(const struct conclave *cluster)
{
    return cluster->reason.at;
}

#include "clients/ask/connection.h"

#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

/* After fork() ZeroMQ's threads are in the other process, and whoever waits for them waits for
 * ever: what is there is left alone, and made anew when it is needed. */
static void leave_the_parents(struct conclave *connection)
{
    if (connection->process != getpid()) {
        connection->client = NULL;
        connection->context = NULL;
    }
    connection->process = getpid();
}

void *connection_context(struct conclave *connection)
{
    leave_the_parents(connection);
    if (!connection->context)
        connection->context = connection->make_context();
    return connection->context;
}

/* Whatever is wrong is told by every call. */
static void refuse_brokers(struct conclave *connection, const char *where, const char *why)
{
    char ignored[TEXT_MAX];
    connection->entry.error = ERR_MALFORMED;
    connection->entry.why = (struct text){0};
    text_add(&connection->entry.why, "%s%s", where, why);
    (void)addresses_parse(BROKER_DEFAULT, &connection->brokers, ignored);
}

/* Brokers that nobody named are those of the key file. */
static void find_entry(struct conclave *connection)
{
    const struct access *access;
    char why[TEXT_MAX], list[ACCESS_BROKERS_MAX * ACCESS_ADDRESS_MAX] = BROKER_DEFAULT;
    size_t len = 0;
    struct text where = {0};
    entry_clear(&connection->entry);
    if (connection->insecure)
        entry_without_keys(&connection->entry);
    else
        entry_find(connection->access, connection->dir, &connection->entry);
    access = connection->entry.access;
    if (connection->named && addresses_parse(connection->named, &connection->brokers, why))
        refuse_brokers(connection, "", why);
    if (connection->brokers.n)
        return;
    for (size_t i = 0; access && i < access->n_brokers; i++)
        len += text_format(list + len, sizeof list - len, "%s%s", i ? "," : "", access->brokers[i]);
    if (addresses_parse(list, &connection->brokers, why)) {
        text_add(&where, "%s: ", connection->entry.path);
        refuse_brokers(connection, where.at, why);
    }
}

struct client *connection_client(struct conclave *connection)
{
    leave_the_parents(connection);
    if (!connection->client) {
        find_entry(connection);
        connection->client =
            client_new(connection_context(connection), &connection->brokers, &connection->entry);
        if (connection->waits)
            client_wait_unserved(connection->client);
    }
    return connection->client;
}

void connection_forget_key(struct conclave *connection)
{
    leave_the_parents(connection);
    client_destroy(&connection->client);
    entry_clear(&connection->entry);
}

void connection_close(struct conclave *connection)
{
    connection_forget_key(connection);
    if (connection->context)
        connection->end_context(connection->context);
    connection->context = NULL;
}

uint64_t connection_deadline_us(const struct conclave *connection)
{
    return clock_now_us() + connection->timeout_us;
}

/* --- what went wrong --- */

int connection_fail(struct conclave *connection, int code, const char *format, ...)
{
    struct text reason = {0}; /* the old one may be among the arguments */
    va_list args;
    va_start(args, format);
    text_add_v(&reason, format, args);
    va_end(args);
    connection->reason = reason;
    return code;
}

int outcome_code(int outcome)
{
    switch (outcome) {
    case ERR_TIMEOUT:
        return EXIT_TIMEOUT;
    case ERR_REFUSED:
        return EXIT_KEY_REFUSED;
    case ERR_MALFORMED:
        return EXIT_USAGE;
    default:
        return EXIT_UNREACHABLE;
    }
}

int refusal_code(const struct message *reply)
{
    static const struct {
        const char *code;
        int exit;
    } codes[] = {{"quota", EXIT_ENVIRONMENT},
                 {"invalid", EXIT_USAGE},
                 {"too_costly", EXIT_USAGE},
                 {"malformed", EXIT_USAGE},
                 {"not_found", EXIT_NOT_FOUND},
                 {"forgotten", EXIT_NOT_FOUND},
                 {"not_kept", EXIT_NOT_FOUND},
                 {"unavailable", EXIT_UNREACHABLE},
                 {"not_coordinator", EXIT_UNREACHABLE},
                 {"disk_full", EXIT_UNREACHABLE},
                 {"forbidden", EXIT_KEY_REFUSED},
                 {"unsigned", EXIT_KEY_REFUSED},
                 {"key_unknown", EXIT_KEY_REFUSED}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (slice_equals(reply->as.error.code, codes[i].code))
            return codes[i].exit;
    return EXIT_FAILED;
}

int connection_explain(struct conclave *connection, int outcome)
{
    if (outcome == ERR_INTERRUPTED)
        return connection_fail(connection, 128 + interrupt_seen(), "%s", "");
    return connection_fail(connection, outcome_code(outcome), "%s",
                           client_reason(connection->client));
}

int connection_expect(struct conclave *connection, const struct message *reply,
                      enum message_type expected)
{
    char room[TEXT_MAX];
    if (reply->type == expected)
        return EXIT_OK;
    if (reply->type == MESSAGE_ERROR)
        return connection_fail(connection, refusal_code(reply), "%s",
                               text_escape(room, sizeof room, reply->as.error.reason));
    return connection_fail(connection, EXIT_FAILED, "the answer is %s instead of %s",
                           message_name(reply->type), message_name(expected));
}

int connection_ask_as(struct conclave *connection, struct message *request,
                      enum message_type expected, const struct asking *how, struct message **reply)
{
    struct message *got = NULL;
    *reply = NULL;
    struct client *client = connection_client(connection);
    uint64_t within_us = how->within_us ? how->within_us : connection->timeout_us;
    int error =
        client_ask(client, request, how->need, how->wait_us, clock_now_us() + within_us, &got);
    connection->unanswered = error;
    if (error)
        return connection_explain(connection, error);
    int code = connection_expect(connection, got, expected);
    if (code)
        message_drop(&got);
    *reply = got;
    return code;
}

int connection_ask(struct conclave *connection, struct message *request, enum message_type expected,
                   struct message **reply)
{
    static const struct asking patiently = {.need = CLIENT_PATIENT};
    return connection_ask_as(connection, request, expected, &patiently, reply);
}

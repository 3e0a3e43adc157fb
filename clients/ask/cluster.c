#include "clients/ask/cluster.h"

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

/* Longer than a call waits for a coordinator: then it knows why none answered. */
#define LOOK_US (CLIENT_UNAVAILABLE_MS * MS_US + SECOND_US)

/* The first answer counts. The outcome of the call. */
static int ask_first(struct client *client, uint64_t within_us, struct message **reply)
{
    *reply = NULL;
    return client_ask(client, message_new(MESSAGE_BROKER_GET), CLIENT_ONCE, 0,
                      clock_now_us() + within_us, reply);
}

/* Asks one broker; NULL when it is silent that long. Caller drops. */
static struct message *ask_broker(struct conclave *connection, const struct address *broker,
                                  uint64_t within_us)
{
    struct addresses only = {.n = 1, .at = {*broker}};
    struct client *client = client_new(connection_context(connection), &only, &connection->entry);
    struct message *reply;
    int error = ask_first(client, within_us, &reply);
    client_destroy(&client);
    if (!error && reply->type != MESSAGE_BROKER)
        message_drop(&reply);
    return error ? NULL : reply;
}

int cluster_take_status(struct cluster_view *view, const struct client *client, int outcome,
                        struct message *reply)
{
    char room[TEXT_MAX];
    int refusal = EXIT_UNREACHABLE;
    view->outcome = outcome;
    if (view->outcome)
        text_add(&view->reason, "%s", client_reason(client));
    else if (reply->type == MESSAGE_STATUS)
        view->status = reply;
    else if (reply->type == MESSAGE_ERROR) {
        text_add(&view->reason, "%s", text_escape(room, sizeof room, reply->as.error.reason));
        refusal = refusal_code(reply);
    } else
        text_add(&view->reason, "the answer is %s instead of status", message_name(reply->type));
    if (!view->outcome && !view->status) {
        message_drop(&reply);
        view->outcome = ERR_UNAVAILABLE;
    }
    if (view->outcome == ERR_REFUSED || view->outcome == ERR_MALFORMED)
        return outcome_code(view->outcome);
    if (view->outcome == ERR_INTERRUPTED || view->outcome == ERR_IO)
        return EXIT_UNREACHABLE;
    return refusal == EXIT_UNREACHABLE && view->status ? EXIT_OK : refusal;
}

int cluster_ask_status(struct conclave *connection, enum client_need need, uint64_t deadline_us,
                       struct cluster_view *view)
{
    struct message *reply = NULL;
    *view = (struct cluster_view){0};
    int outcome = client_ask(connection_client(connection), message_new(MESSAGE_STATUS_GET), need,
                             0, deadline_us, &reply);
    return cluster_take_status(view, connection->client, outcome, reply);
}

int cluster_look(struct conclave *connection, enum client_need need, uint64_t within_us,
                 struct cluster_view *view)
{
    uint64_t broker_us = CLIENT_UNREACHABLE_MS * MS_US;
    connection_client(connection); /* to make one may take a moment of a busy machine */
    int code = cluster_ask_status(connection, need, clock_now_us() + within_us, view);
    /* What is about the key, no other broker changes. */
    if (code == EXIT_ENVIRONMENT || code == EXIT_KEY_REFUSED || code == EXIT_USAGE ||
        view->outcome == ERR_INTERRUPTED || view->outcome == ERR_IO)
        return code;
    for (size_t i = 0; i < connection->brokers.n; i++)
        view->brokers[i] = ask_broker(connection, &connection->brokers.at[i],
                                      within_us < broker_us ? within_us : broker_us);
    return view->status ? EXIT_OK : EXIT_UNREACHABLE;
}

int cluster_look_or_wait(struct conclave *connection, bool waits, struct cluster_view *view)
{
    return waits ? cluster_look(connection, CLIENT_WAITING, connection->timeout_us, view)
                 : cluster_look(connection, CLIENT_LOOKING, LOOK_US, view);
}

bool cluster_nodes(const struct cluster_view *view, const struct wire_node_row **rows, size_t *n)
{
    if (view->status) {
        *rows = view->status->as.status.nodes.at;
        *n = view->status->as.status.nodes.n;
        return true;
    }
    for (size_t i = 0; i < BROKERS_MAX; i++) {
        if (!view->brokers[i])
            continue;
        *rows = view->brokers[i]->as.broker.nodes.at;
        *n = view->brokers[i]->as.broker.nodes.n;
        return true;
    }
    return false;
}

int cluster_knock(struct conclave *connection, uint64_t within_us)
{
    struct message *reply;
    int error = ask_first(connection_client(connection), within_us, &reply);
    message_drop(&reply);
    return error;
}

int cluster_count_nodes(struct conclave *connection, uint64_t *out)
{
    struct message *reply = NULL;
    int code = connection_ask(connection, message_new(MESSAGE_BROKER_GET), MESSAGE_BROKER, &reply);
    if (!code)
        *out = reply->as.broker.nodes.n;
    message_drop(&reply);
    return code;
}

void cluster_view_clear(struct cluster_view *view)
{
    message_drop(&view->status);
    for (size_t i = 0; i < BROKERS_MAX; i++)
        message_drop(&view->brokers[i]);
}

#include "clients/ask/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/knock.h"
#include "clients/ask/sign.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/bus/bus.h"
#include "shared/bus/monitor.h"

#define BACKOFF_MAX_MS      500
#define REFUSALS_PER_BROKER 4   /* then another broker may know of a coordinator */
#define PROBE_MS            300 /* how soon a waiting client hears of a new one */
#define PROBE_REQUEST       UINT64_MAX

struct client {
    const struct addresses *brokers;
    size_t broker; /* which one is connected */
    const struct entry *entry;
    void *context, *socket, *monitor;
    bool refused_by[BROKERS_MAX]; /* since one took our key */
    unsigned shut;                /* handshakes in a row that were cut off */
    struct text denial;           /* why the last broker did not take our key */
    struct bus_parts parts;
    struct client_call *calls, **last; /* in the order in which they were started */
    bool waits_unserved;
    uint64_t requests; /* the last one's number */
    struct sign sign;
    uint64_t probed_us;         /* when the broker was last asked for a sign of life */
    uint64_t heard_us;          /* anything, from any broker; 0: never */
    uint64_t coordinator, term; /* as the broker last told; 0: not yet */
    struct text refusal;        /* why the last refused call was refused */
    struct text reason;
};

/* --- life --- */

/* The broker answers this itself: it tells a silent broker from a silent coordinator. */
static void probe(struct client *client, uint64_t now_us)
{
    struct message *request = message_new(MESSAGE_BROKER_GET);
    request->as.broker_get.request = PROBE_REQUEST;
    (void)bus_send(client->socket, NULL, 0, request);
    message_drop(&request);
    client->probed_us = now_us;
}

static void close_socket(struct client *client)
{
    if (client->socket)
        monitor_close(client->socket, &client->monitor);
    bus_socket_close(&client->socket, 0);
}

/* A new socket also drops what the old one had queued, which a broker that comes back would answer
 * in vain. */
static void connect_to(struct client *client, size_t broker, uint64_t now_us)
{
    const struct address *address = &client->brokers->at[broker % client->brokers->n];
    close_socket(client);
    if (client->entry->error)
        return; /* all calls end with it */
    client->socket = bus_socket(client->context, ZMQ_DEALER);
    client->monitor = monitor_open(client->context, client->socket, KNOCK_EVENTS);
    client->shut = 0;
    if (!client->monitor)
        panic("a socket cannot be watched: %s", zmq_strerror(errno));
    client->broker = broker % client->brokers->n;
    knock_present(client->socket, client->entry->access);
    /* A name that does not resolve is a broker that does not answer. */
    (void)bus_connect(client->socket, address->host, address->port);
    probe(client, now_us);
    for (struct client_call *call = client->calls; call; call = call->next)
        call->due_us = now_us;
}

struct client *client_new(void *context, const struct addresses *brokers, const struct entry *entry)
{
    struct client *client = mem_new(1, sizeof *client);
    client->brokers = brokers;
    client->entry = entry;
    client->context = context;
    client->last = &client->calls;
    connect_to(client, 0, clock_now_us());
    return client;
}

void client_destroy(struct client **client)
{
    struct client *it = *client;
    *client = NULL;
    if (!it)
        return;
    while (it->calls) {
        struct client_call *call = it->calls;
        it->calls = call->next;
        client_call_drop(&call);
    }
    bus_parts_clear(&it->parts);
    close_socket(it);
    free(it);
}

const char *client_reason(const struct client *client)
{
    return client->reason.at;
}

void client_call_drop(struct client_call **call)
{
    struct client_call *it = *call;
    *call = NULL;
    if (!it)
        return;
    message_drop(&it->request);
    message_drop(&it->reply);
    free(it);
}

void client_wait_unserved(struct client *client)
{
    client->waits_unserved = true;
}

/* --- outcomes --- */

static void finish(struct client *client, struct client_call *call, int outcome)
{
    char at[ADDRESS_TEXT_MAX];
    call->outcome = outcome;
    call->finished = true;
    if (outcome == OK)
        return;
    client->reason = (struct text){0};
    if (outcome == ERR_IO && client->denial.len)
        call->outcome = outcome = ERR_REFUSED; /* those that answered at all */
    if (outcome == ERR_MALFORMED) {
        text_add(&client->reason, "%s", client->entry->why.at);
    } else if (outcome == ERR_REFUSED) {
        text_add(&client->reason, "%s", client->denial.at);
    } else if (outcome == ERR_IO) {
        text_add(&client->reason, "no broker answers at ");
        for (size_t i = 0; i < client->brokers->n; i++)
            text_add(&client->reason, "%s%s", i ? ", " : "",
                     address_text(&client->brokers->at[i], at));
        text_add(&client->reason, "; is a cluster running? `conclave up` starts one");
    } else if (outcome == ERR_TIMEOUT) {
        text_add(&client->reason, "no answer in time");
        if (client->refusal.len)
            text_add(&client->reason, ": %s", client->refusal.at);
    } else {
        text_add(&client->reason, "%s",
                 client->refusal.len ? client->refusal.at : "the coordinator does not answer");
    }
}

/* Returns whether the answer means "later, or elsewhere" to who needs so much, and remembers its
 * reason. */
static bool refused(struct client *client, enum client_need need, const struct message *reply)
{
    if (reply->type != MESSAGE_ERROR || need == CLIENT_ONCE)
        return false;
    const struct wire_error *error = &reply->as.error;
    if ((need == CLIENT_LOOKING || !slice_equals(error->code, "unavailable")) &&
        !slice_equals(error->code, "not_coordinator") && !slice_equals(error->code, "busy"))
        return false;
    char room[TEXT_MAX];
    client->refusal = (struct text){0};
    text_add(&client->refusal, "%s", text_escape(room, sizeof room, error->reason));
    return true;
}

/* A broker's sign of life also tells who coordinates. What was asked of another one
 * is asked again. */
static void take_sign_of_life(struct client *client, const struct wire_broker *broker,
                              uint64_t now_us)
{
    if (!broker->coordinator ||
        (broker->coordinator == client->coordinator && broker->term == client->term))
        return;
    for (struct client_call *call = client->calls; client->term && call; call = call->next)
        call->due_us = now_us;
    client->coordinator = broker->coordinator;
    client->term = broker->term;
}

/* --- our key --- */

static void deny(struct client *client, enum knock knock)
{
    const struct access *access = client->entry->access;
    char at[ADDRESS_TEXT_MAX];
    address_text(&client->brokers->at[client->broker], at);
    client->denial = (struct text){0};
    if (knock == KNOCK_REFUSED)
        text_add(&client->denial, "the broker at %s refused this key (%s of cluster %s)", at,
                 client->entry->path, access ? access->cluster : "");
    else if (knock == KNOCK_NO_KEY)
        text_add(&client->denial, "the broker at %s requires a key; --access FILE names one", at);
    else
        text_add(&client->denial,
                 "the broker at %s works without keys; if that is intended, use --insecure", at);
    client->refused_by[client->broker] = true;
}

/* Reads the monitor. Returns whether all brokers refuse us: then nothing is worth waiting for. */
static bool take_knocks(struct client *client)
{
    enum knock knock = KNOCK_NOTHING;
    const struct address *broker = &client->brokers->at[client->broker];
    for (int i = 0; i < DRAIN_MAX && knock == KNOCK_NOTHING && client->socket; i++) {
        int events = 0;
        size_t len = sizeof events;
        zmq_getsockopt(client->monitor, ZMQ_EVENTS, &events, &len);
        if (!(events & ZMQ_POLLIN))
            return false;
        knock = knock_next(client->monitor, broker, client->entry->access, &client->shut);
        if (knock == KNOCK_SHUT)
            knock = KNOCK_NOTHING; /* as one that does not answer */
    }
    if (knock == KNOCK_IN) {
        memset(client->refused_by, 0, sizeof client->refused_by);
        client->denial = (struct text){0};
    }
    if (knock == KNOCK_NOTHING || knock == KNOCK_IN)
        return false;
    deny(client, knock);
    connect_to(client, client->broker + 1, clock_now_us());
    for (size_t i = 0; i < client->brokers->n; i++)
        if (!client->refused_by[i])
            return false;
    return true;
}

static void finish_all(struct client *client, int outcome)
{
    for (struct client_call *call = client->calls; call; call = call->next)
        if (!call->finished)
            finish(client, call, outcome);
}

/* A new key that the broker knows may reach the nodes' lists a moment later. */
static bool may_come(const struct client_call *call, const struct message *reply, uint64_t now_us)
{
    return reply->type == MESSAGE_ERROR && slice_equals(reply->as.error.code, "key_unknown") &&
           now_us < call->started_us + CLIENT_KEY_SPREADS_MS * MS_US;
}

static void take_reply(struct client *client, uint64_t now_us)
{
    struct message *reply = NULL;
    struct text why = {0};
    bool elsewhere = false;
    client->heard_us = now_us;
    if (bus_decode(&client->parts, 0, &reply, &why))
        return; /* nothing of ours; the request is sent again */
    struct client_call *call = client->calls;
    if (message_kind(reply->type)->place != PLACE_REPLY)
        call = NULL;
    else if (reply->type == MESSAGE_BROKER && reply->as.broker.request == PROBE_REQUEST)
        take_sign_of_life(client, &reply->as.broker, now_us);
    while (call &&
           (call->finished || call->request->as.request.request != reply->as.request.request))
        call = call->next;
    if (call && call->signatures < SIGN_TRIES_MAX && client->entry->access &&
        client->entry->access->signing_secret && sign_take(&client->sign, reply)) {
        call->signatures++;
        call->due_us = now_us;
    } else if (call && may_come(call, reply, now_us)) {
        call->due_us = now_us + CLIENT_BACKOFF_MS * MS_US;
    } else if (call && refused(client, call->need, reply)) {
        uint64_t pause_ms = CLIENT_BACKOFF_MS * (1 + call->refusals++ / 4);
        call->due_us = now_us + (pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS) * MS_US;
        elsewhere = call->refusals % REFUSALS_PER_BROKER == 0 && client->brokers->n > 1;
    } else if (call) {
        call->reply = reply;
        finish(client, call, OK);
        return;
    }
    message_drop(&reply); /* a refusal, a sign of life, or a second answer to what was sent again */
    if (elsewhere)
        connect_to(client, client->broker + 1, now_us);
}

/* --- sending --- */

/* Returns when the call ends unless an answer comes, and how it ends then. */
static uint64_t patience_ends_us(const struct client *client, const struct client_call *call,
                                 int *outcome)
{
    uint64_t heard_us = client->heard_us > call->started_us ? client->heard_us : call->started_us;
    uint64_t served_ms = call->need == CLIENT_ONCE ? CLIENT_UNREACHABLE_MS : CLIENT_UNAVAILABLE_MS;
    uint64_t silent_us = heard_us + CLIENT_UNREACHABLE_MS * MS_US;
    uint64_t unserved_us = call->started_us + call->wait_us + served_ms * MS_US;
    if (call->need == CLIENT_WAITING || (call->need == CLIENT_PATIENT && client->waits_unserved))
        unserved_us = UINT64_MAX;
    uint64_t end_us = silent_us <= unserved_us ? silent_us : unserved_us;
    *outcome = silent_us <= unserved_us ? ERR_IO : ERR_UNAVAILABLE;
    if (call->need != CLIENT_LASTING && end_us < call->deadline_us)
        return end_us;
    *outcome = ERR_TIMEOUT;
    return call->deadline_us;
}

static void send_call(struct client *client, struct client_call *call, uint64_t now_us)
{
    sign_request(&client->sign, client->entry->access, call->request);
    int error = bus_send(client->socket, NULL, 0, call->request);
    if (error == ERR_TOO_BIG)
        panic("a request exceeds the limits of its own message");
    call->due_us =
        now_us + (error ? CLIENT_BACKOFF_MS * MS_US : call->wait_us + CLIENT_RETRY_MS * MS_US);
}

/* Asks a quiet broker for a sign of life and leaves one that gives none. Returns when to look
 * again. */
static uint64_t watch_broker(struct client *client, uint64_t now_us)
{
    /* With several brokers each gets its turn before a call gives up. */
    uint64_t share_us = CLIENT_UNREACHABLE_MS * MS_US / (client->brokers->n + 1);
    bool waits = client->probed_us >= client->heard_us;
    if (waits && now_us >= client->probed_us + share_us)
        connect_to(client, client->broker + 1, now_us);
    else if (!waits && now_us >= client->heard_us + PROBE_MS * MS_US)
        probe(client, now_us);
    return client->probed_us >= client->heard_us ? client->probed_us + share_us
                                                 : client->heard_us + PROBE_MS * MS_US;
}

/* What a caller works for: one call, those of a context, or any. */
struct wanted {
    const struct client_call *call;
    const void *context;
};

static bool is_wanted(const struct client_call *call, struct wanted wanted)
{
    return (!wanted.call || call == wanted.call) &&
           (!wanted.context || call->context == wanted.context);
}

/* Ends, sends and sends again what is due. Returns when to look again; 0 when one that is wanted is
 * finished. */
static uint64_t advance(struct client *client, struct wanted wanted, uint64_t now_us,
                        uint64_t until_us)
{
    bool any = false;
    for (struct client_call *call = client->calls; call; call = call->next) {
        int outcome;
        if (!call->finished && now_us >= patience_ends_us(client, call, &outcome))
            finish(client, call, outcome);
        any = any || (call->finished && is_wanted(call, wanted));
    }
    if (any)
        return 0;
    uint64_t next_us = client->calls ? watch_broker(client, now_us) : UINT64_MAX;
    for (struct client_call *call = client->calls; call; call = call->next) {
        if (call->finished)
            continue;
        if (call->due_us <= now_us)
            send_call(client, call, now_us);
        int ignored;
        uint64_t end_us = patience_ends_us(client, call, &ignored);
        next_us = call->due_us < next_us ? call->due_us : next_us;
        next_us = end_us < next_us ? end_us : next_us;
    }
    next_us = until_us < next_us ? until_us : next_us;
    return next_us > now_us ? next_us : now_us + 1;
}

struct client_call *client_start(struct client *client, struct message *request,
                                 enum client_need need, uint64_t wait_us, uint64_t deadline_us,
                                 void *context)
{
    struct client_call *call = mem_new(1, sizeof *call);
    uint64_t now_us = clock_now_us();
    request->as.request.request = ++client->requests;
    *call = (struct client_call){.request = request,
                                 .need = need,
                                 .wait_us = wait_us,
                                 .started_us = now_us,
                                 .deadline_us = deadline_us,
                                 .due_us = now_us,
                                 .context = context};
    *client->last = call;
    client->last = &call->next;
    return call;
}

/* Works until one that is wanted is finished. */
static int work(struct client *client, struct wanted wanted, uint64_t until_us)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        if (client->entry->error)
            finish_all(client, client->entry->error);
        else if (take_knocks(client))
            finish_all(client, ERR_REFUSED);
        for (int i = 0; i < DRAIN_MAX && client->socket; i++) {
            int error = bus_receive(client->socket, &client->parts);
            if (error == ERR_NOT_FOUND)
                break;
            if (!error)
                take_reply(client, now_us);
        }
        uint64_t next_us = advance(client, wanted, now_us, until_us);
        if (!next_us)
            return OK;
        if (interrupt_seen())
            return ERR_INTERRUPTED;
        if (now_us >= until_us)
            return ERR_TIMEOUT;
        zmq_pollitem_t items[] = {{.fd = interrupt_fd(), .events = ZMQ_POLLIN},
                                  {.socket = client->socket, .events = ZMQ_POLLIN},
                                  {.socket = client->monitor, .events = ZMQ_POLLIN}};
        uint64_t wait_us = next_us - now_us < SECOND_US ? next_us - now_us : SECOND_US;
        long wait_ms = (long)((wait_us + MS_US - 1) / MS_US);
        if (zmq_poll(items, client->socket ? 3 : 1, wait_ms) < 0 && errno != EINTR)
            panic("zmq_poll: %s", zmq_strerror(errno));
    }
}

int client_work(struct client *client, uint64_t until_us)
{
    return work(client, (struct wanted){0}, until_us);
}

int client_work_for(struct client *client, const void *context, uint64_t until_us)
{
    return work(client, (struct wanted){.context = context}, until_us);
}

size_t client_items(const struct client *client, zmq_pollitem_t items[CLIENT_ITEMS_MAX])
{
    if (!client->socket)
        return 0;
    items[0] = (zmq_pollitem_t){.socket = client->socket, .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = client->monitor, .events = ZMQ_POLLIN};
    return CLIENT_ITEMS_MAX;
}

static struct client_call *unlink_call(struct client *client, struct client_call **at)
{
    struct client_call *call = *at;
    *at = call->next;
    if (!*at)
        client->last = at;
    call->next = NULL;
    return call;
}

static struct client_call *find_finished(struct client *client, struct wanted wanted)
{
    for (struct client_call **at = &client->calls; *at; at = &(*at)->next)
        if ((*at)->finished && is_wanted(*at, wanted))
            return unlink_call(client, at);
    return NULL;
}

struct client_call *client_finished(struct client *client)
{
    return find_finished(client, (struct wanted){0});
}

struct client_call *client_finished_for(struct client *client, const void *context)
{
    return find_finished(client, (struct wanted){.context = context});
}

void client_abandon(struct client *client, const void *context)
{
    for (struct client_call **at = &client->calls; *at;) {
        if ((*at)->context != context) {
            at = &(*at)->next;
            continue;
        }
        struct client_call *call = unlink_call(client, at);
        client_call_drop(&call);
    }
}

int client_ask(struct client *client, struct message *request, enum client_need need,
               uint64_t wait_us, uint64_t deadline_us, struct message **reply)
{
    struct client_call *call = client_start(client, request, need, wait_us, deadline_us, NULL);
    int error = work(client, (struct wanted){.call = call}, UINT64_MAX);
    struct client_call **at = &client->calls;
    while (*at != call)
        at = &(*at)->next;
    unlink_call(client, at);
    if (!error) {
        error = call->outcome;
        *reply = call->reply;
        call->reply = NULL;
    }
    client_call_drop(&call);
    return error;
}

#include "tests/sim/clients.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/node.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"
#include "tests/sim/asked.h"
#include "tests/sim/brokers.h"
#include "tests/sim/oracle.h"
#include "tests/sim/shared.h"
#include "tests/sim/uploaders.h"
#include "tests/sim/tasks.h"

#define RETRY_US    (300 * MS_US)
#define INDEX_FIRST 100 /* of progress that clients set: beyond all nodes, see world_start() */

static void begin(struct world *world, unsigned number);

static void wake_at(struct world *world, unsigned client, uint64_t after_us)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_CLIENT,
                                        .client = client,
                                        .to = 0});
}

bool world_is_idle(const struct world *world)
{
    for (unsigned i = 0; i < WORLD_CLIENTS_MAX; i++)
        if (world->clients[i].wish != WISH_NONE || world->clients[i].things_left)
            return false;
    return uploaders_are_idle(world) && tasks_are_idle(world);
}

static bool is_job(const struct world_client *client)
{
    return client->wish == WISH_JOB || client->wish == WISH_OLD_KEY ||
           client->wish == WISH_SHARED_JOB;
}

static bool is_snap(const struct world_client *client)
{
    return client->wish == WISH_SNAP || client->wish == WISH_OLD_SNAP ||
           client->wish == WISH_SHARED_SNAP;
}

/* --- asking --- */

static struct message *ask_submit(const struct world_client *client)
{
    struct text spec = {0};
    struct message *message = message_new(MESSAGE_SUBMIT);
    message->as.submit.key = message_text(message, client->key);
    message->as.submit.kind = message_text(message, asked_job(client->n, &spec));
    message->as.submit.spec = message_text(message, spec.at);
    if (client->n % 4 == 3)
        message->as.submit.plan = slice_of("primes");
    return message;
}

static struct message *ask_job(const struct world_client *client)
{
    struct message *message;
    if (client->job && client->cancels && !client->cancelled) {
        message = message_new(MESSAGE_JOB_CANCEL);
        message->as.job_cancel.job = client->job;
    } else if (client->job) {
        message = message_new(MESSAGE_JOB_GET);
        message->as.job_get.job = client->job;
        message->as.job_get.wait_ms = 200;
    } else {
        message = ask_submit(client);
    }
    return message;
}

static struct message *ask_progress(const struct world_client *client, unsigned number)
{
    struct message *message;
    if (client->wish == WISH_SET) {
        message = message_new(MESSAGE_PROGRESS_SET);
        message->as.progress_set.index = INDEX_FIRST + number;
        message->as.progress_set.state = client->state + 1;
    } else if (client->wish == WISH_SESSION) {
        message = message_new(MESSAGE_SESSION_OPEN);
    } else if (is_snap(client)) {
        message = message_new(MESSAGE_PROGRESS_SNAP);
        message->as.progress_snap.key = message_text(message, client->key);
    } else {
        message = message_new(MESSAGE_PROGRESS_GET);
        message->as.progress_get.index = INDEX_FIRST + number;
        message->as.progress_get.past = client->wish == WISH_GET_PAST;
        if (client->wish == WISH_GET_PAST)
            message->as.progress_get.snapshot = client->snaps[client->about].snapshot;
    }
    return message;
}

static struct message *ask_forget(const struct world_client *client)
{
    struct message *message = message_new(MESSAGE_JOB_FORGET);
    struct wire_job_forget *forget = &message->as.job_forget;
    forget->jobs.n = 1;
    forget->jobs.at = message_room(message, 1, sizeof *forget->jobs.at);
    forget->jobs.at[0].job = client->old[client->about].job;
    return message;
}

static struct message *ask_for(const struct world_client *client, unsigned number)
{
    if (client->wish == WISH_FORGET)
        return ask_forget(client);
    return is_job(client) ? ask_job(client) : ask_progress(client, number);
}

/* As through a broker: to whoever serves; a broker may be behind, and name one that was replaced,
 * or one that never served. */
static node_id_t choose(struct world *world)
{
    node_id_t last = world_coordinator(world), id = last;
    if (world_random(world, 16) == 0)
        return 1 + (node_id_t)world_random(world, world->options.n_nodes);
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        const struct node *node = world->nodes[other].core;
        if (node && node_coordinates(node) && other != last && world_random(world, 2))
            id = other;
    }
    return id;
}

static void ask(struct world *world, unsigned number)
{
    struct world_client *client = &world->clients[number];
    node_id_t to = world->brokers ? NODE_NONE : choose(world);
    client->request++;
    client->asked_us = world->now_us;
    client->retry_us = world->now_us + RETRY_US;
    wake_at(world, number, RETRY_US);
    if (!to && !world->brokers)
        return;
    struct message *message = ask_for(client, number);
    message->as.request.request = client->request;
    if (world->brokers)
        brokers_ask(world, client->broker, number, client->request, message);
    else
        world_post(world, &(struct pending){.at_us = world->now_us + world->options.delay_us,
                                            .kind = PENDING_REQUEST,
                                            .to = to,
                                            .incarnation = world->nodes[to].incarnation,
                                            .client = number,
                                            .seq = client->request,
                                            .message = world_transmit(message)});
    message_drop(&message);
}

const struct asker *client_asker(const struct world *world, unsigned number)
{
    static const struct asker even = {.role = ROLE_submit, .name = "even"},
                              odd = {.role = ROLE_commands, .name = "odd"},
                              root = {.role = ROLE_admin, .name = "root", .proof = PROOF_OWN};
    if (!world->options.owners)
        return NULL;
    if (number >= WORLD_CLIENTS_MAX || !world->clients[number].mixed)
        return &root;
    return number % 2 && !world->shared ? &odd : &even;
}

void client_request(struct world *world, struct pending *pending)
{
    struct event event = {.kind = EVENT_REQUEST};
    struct message *message = world_transmit(pending->message); /* a node changes what it gets */
    event.request.client = brokers_caller(pending);
    event.request.message = message;
    event.request.asker = client_asker(world, pending->client);
    world_step(world, pending->to, &event);
    message_drop(&message);
}

/* --- wishing --- */

static enum wish next_wish(struct world *world, const struct world_client *client)
{
    bool computes = world->options.n_nodes > 1 && client->n_max;
    if (!client->mixed)
        return WISH_JOB;
    if (client->sessions && (!client->session.id || world_random(world, 20) == 0))
        return WISH_SESSION;
    if (world->options.forgets && client->n_old && world_random(world, 8) == 0)
        return WISH_FORGET;
    if (world->shared && world_random(world, 4) == 0)
        return computes && world_random(world, 2) ? WISH_SHARED_JOB : WISH_SHARED_SNAP;
    switch (world_random(world, 11)) {
    case 0:
    case 1:
        return WISH_SET;
    case 2:
        return WISH_SNAP;
    case 3:
    case 8:
    case 9:
        return WISH_GET;
    case 4:
        return client->n_snaps ? WISH_GET_PAST : WISH_SET;
    case 5:
        return client->n_old ? WISH_OLD_KEY : computes ? WISH_JOB : WISH_GET;
    case 10:
        return client->n_snaps ? WISH_OLD_SNAP : WISH_SNAP;
    default:
        return computes ? WISH_JOB : WISH_SET;
    }
}

static void begin(struct world *world, unsigned number)
{
    struct world_client *client = &world->clients[number];
    if (!client->things_left)
        return;
    client->things_left--;
    client->wish = next_wish(world, client);
    client->job = JOB_NONE;
    client->cancelled = client->again = false;
    client->cancels = client->wish == WISH_JOB && world_chance(world, world->options.cancels);
    client->before = oracle_keys_forgotten(world);
    client->n = world_random(world, client->n_max + 1);
    client->session.sequence++;
    if (client->sessions)
        session_key_write(client->key, client->session);
    else
        text_format(client->key, sizeof client->key, "client%u-%" PRIu64, number, client->made++);
    if (client->wish == WISH_OLD_KEY || client->wish == WISH_FORGET)
        client->about = world_random(world, client->n_old);
    if (client->wish == WISH_OLD_KEY) {
        client->n = client->old[client->about].n;
        memcpy(client->key, client->old[client->about].key, sizeof client->key);
    }
    if (client->wish == WISH_GET_PAST || client->wish == WISH_OLD_SNAP)
        client->about = world_random(world, client->n_snaps);
    if (client->wish == WISH_OLD_SNAP)
        memcpy(client->key, client->snaps[client->about].key, sizeof client->key);
    if (client->wish == WISH_SHARED_JOB || client->wish == WISH_SHARED_SNAP)
        client->about = shared_draw(world, number, client->wish == WISH_SHARED_SNAP, client->n_max,
                                    &client->n, client->key);
    ask(world, number);
}

static void end(struct world *world, unsigned number)
{
    struct world_client *client = &world->clients[number];
    client->wish = WISH_NONE;
    if (client->pause_us)
        wake_at(world, number, world_random(world, client->pause_us));
    else
        begin(world, number);
}

void client_wake(struct world *world, unsigned number)
{
    if (number >= UPLOADERS_FIRST) {
        uploader_wake(world, number - UPLOADERS_FIRST);
        return;
    }
    if (number >= WORLD_CLIENTS_MAX) {
        asker_wake(world, number - WORLD_CLIENTS_MAX);
        return;
    }
    struct world_client *client = &world->clients[number];
    if (client->wish == WISH_NONE)
        begin(world, number);
    else if (world->now_us >= client->retry_us) {
        client->broker = brokers_next(world, client->broker);
        if (world->brokers && client->wish == WISH_SET && !client->late)
            client->late = client->state + 1;
        ask(world, number);
    }
}

/* --- answers about jobs --- */

static void check_result(struct world *world, const struct world_client *client,
                         const struct wire_job_row *row)
{
    uint8_t hash[HASH_BYTES];
    uint64_t digits;
    asked_expect(client->n, hash, &digits);
    if (row->digits != digits || row->sha256.len != HASH_BYTES ||
        memcmp(hash, row->sha256.at, HASH_BYTES))
        world_fail(world, "a result is right", "the job of %" PRIu64 " has another", client->n);
    if (row->done != row->total || row->executed < row->total)
        world_fail(world, "a job that is done has all its operations",
                   "%" PRIu64 " of %" PRIu64 ", %" PRIu64 " executed", row->done, row->total,
                   row->executed);
}

static void remember(struct world *world, struct world_client *client, bool cancelled, bool failed)
{
    size_t at =
        client->n_old < CLIENT_MEMORY ? client->n_old++ : world_random(world, CLIENT_MEMORY);
    client->old[at] = (struct client_job){.n = client->n,
                                          .job = client->job,
                                          .cancelled = cancelled,
                                          .failed = failed,
                                          .before = client->before};
    memcpy(client->old[at].key, client->key, sizeof client->key);
    client->jobs++;
}

/* So many other keys came after it that it may be executed again. */
static bool is_gone(struct world *world, uint64_t *before)
{
    if (oracle_keys_gone(world) <= *before)
        return false;
    world_count(world, FAULT_KEYS_GONE);
    ++*before;
    return true;
}

/* R28: the same key is the same job, wherever and whenever it is asked for. */
static void check_same(struct world *world, struct world_client *client,
                       const struct wire_job_row *row, bool cancelled, bool failed)
{
    struct client_job *old = &client->old[client->about];
    bool other = old->forgotten || row->job != old->job;
    if (other && is_gone(world, &old->before)) {
        client->again = true;
        old->forgotten = false;
        old->job = row->job;
    }
    if (client->again) {
        old->cancelled = cancelled;
        old->failed = failed;
    }
    if (old->forgotten)
        world_fail(world, "R29: a forgotten key is refused for ever", "key %s is a job again",
                   client->key);
    if (row->job != old->job || cancelled != old->cancelled || failed != old->failed)
        world_fail(world, "R28: a retry with the same key returns the same job",
                   "key %s was job %" PRIx64 ", is now %" PRIx64, client->key, old->job, row->job);
}

static void take_job(struct world *world, unsigned number, const struct wire_job_row *row)
{
    struct world_client *client = &world->clients[number];
    bool cancelled = slice_equals(row->state, "cancelled"),
         failed = slice_equals(row->state, "failed");
    bool finished = cancelled || failed || slice_equals(row->state, "done");
    if (client->wish == WISH_SHARED_JOB && !client->job)
        client->n = shared_job(world, (unsigned)client->about, row, client->asked_us);
    if (client->wish == WISH_OLD_KEY)
        check_same(world, client, row, cancelled, failed);
    else if (client->job && client->job != row->job)
        world_fail(world, "an answer is about the job that was asked for", "it is not");
    /* Three deaths of the node that executed an operation fail its job; nothing else may. */
    if (failed && world->counts.faults[FAULT_CRASH] + world->counts.faults[FAULT_FAILED_DISK] < 3)
        world_fail(world, "no job fails", "%.*s", (int)row->error.len, (const char *)row->error.at);
    if (cancelled && client->wish == WISH_JOB && !client->cancels)
        world_fail(world, "no job is cancelled unless its client says so", "one was");
    if (!client->job)
        world_say(world, NODE_NONE, "client %u: %s is job %" PRIu64 "-%" PRIu64, number,
                  client->key, row->job >> JOB_INDEX_BITS, row->job & JOB_INDEX_MASK);
    client->job = row->job;
    if (!finished) {
        ask(world, number);
        return;
    }
    world_say(world, NODE_NONE, "client %u: the job of %" PRIu64 " is %.*s", number, client->n,
              (int)row->state.len, (const char *)row->state.at);
    if (!cancelled && !failed)
        check_result(world, client, row);
    if (client->wish == WISH_JOB) {
        remember(world, client, cancelled, failed);
        world->counts.jobs_cancelled += cancelled;
        world->counts.jobs_failed += failed;
        world->counts.jobs_done += !cancelled && !failed;
    }
    end(world, number);
}

/* --- answers about progress --- */

static struct client_snap new_snap(const struct world_client *client, uint64_t snapshot)
{
    struct client_snap snap = {.snapshot = snapshot,
                               .state = client->state,
                               .late = client->late,
                               .before = client->before};
    memcpy(snap.key, client->key, sizeof snap.key);
    return snap;
}

/* A request without a key that is repeated may be executed twice, the second time after what came
 * later. What a past snap has is known once it is read. */
static bool is_state(struct world_client *client, uint64_t state, uint64_t expected)
{
    struct client_snap *snap = client->wish == WISH_GET_PAST ? &client->snaps[client->about] : NULL;
    uint64_t late = snap ? snap->late : client->late;
    bool known = state == expected || (late && state >= late && state < expected);
    if (known && snap) {
        snap->state = state;
        snap->late = 0;
    }
    return known;
}

static void take_progress(struct world *world, unsigned number, const struct wire_progress *answer)
{
    struct world_client *client = &world->clients[number];
    struct client_snap *snap = &client->snaps[client->about % CLIENT_MEMORY];
    uint64_t expected = client->state;
    switch (client->wish) {
    case WISH_SET:
        client->state++;
        break;
    case WISH_SNAP: {
        for (size_t i = 0; i < client->n_snaps; i++)
            if (client->snaps[i].snapshot >= answer->snapshot)
                world_fail(world, "every snap has an id of its own, in order",
                           "%" PRIu64 " came before %" PRIu64, client->snaps[i].snapshot,
                           answer->snapshot);
        size_t at = client->n_snaps < CLIENT_MEMORY ? client->n_snaps++
                                                    : world_random(world, CLIENT_MEMORY);
        client->snaps[at] = new_snap(client, answer->snapshot);
        break;
    }
    case WISH_SHARED_SNAP:
        shared_snap(world, (unsigned)client->about, answer->snapshot, client->asked_us);
        break;
    case WISH_OLD_SNAP:
        if (!snap->forgotten && answer->snapshot == snap->snapshot)
            break;
        if (!is_gone(world, &snap->before))
            world_fail(world, "R29: a retry with the same key takes no second snap",
                       "key %s took %" PRIu64 ", now %" PRIu64, client->key, snap->snapshot,
                       answer->snapshot);
        *snap = new_snap(client, answer->snapshot);
        break;
    case WISH_GET_PAST:
        expected = snap->state;
        /* fall through */
    case WISH_GET:
        world->counts.reads++;
        if (!answer->found || !is_state(client, answer->state, expected))
            world_fail(world,
                       client->wish == WISH_GET
                           ? "R11, R13: a read sees what was acknowledged before"
                           : "a past snap never changes",
                       "client %u reads %" PRIu64 ", not %" PRIu64, number, answer->state,
                       expected);
        break;
    default:
        world_fail(world, "an answer fits its question", "client %u asked no such thing", number);
    }
    end(world, number);
}

/* Low limits forget what this client was about; ends it. */
static bool is_forgotten(const struct world *world, const struct world_client *client,
                         const struct message *message)
{
    bool job = is_job(client), snap = is_snap(client);
    struct slice code = message->as.error.code;
    if (slice_equals(code, "forgotten"))
        return snap  ? world->options.keys.snaps != 0
               : job ? world_forgets_jobs(world) || client->sessions
                     : client->wish == WISH_GET_PAST && world->options.progress_snaps_max;
    return slice_equals(code, "not_found") && job && world_forgets_jobs(world);
}

/* Whoever was told so must be told so for ever. */
static void take_forgotten(struct world *world, struct world_client *client,
                           const struct message *message)
{
    if (!slice_equals(message->as.error.code, "forgotten"))
        return;
    world->counts.forgotten++;
    if (is_job(client))
        world_count(world, FAULT_JOB_FORGOTTEN);
    if (client->wish == WISH_SHARED_JOB || client->wish == WISH_SHARED_SNAP)
        shared_is_forgotten(world, (unsigned)client->about);
    else if (client->wish == WISH_OLD_KEY)
        client->old[client->about].forgotten = true;
    else if (client->wish == WISH_OLD_SNAP)
        client->snaps[client->about].forgotten = true;
    else if (client->wish != WISH_GET_PAST) {
        if (client->session.id)
            world_count(world, FAULT_SESSION_EVICTED);
        client->session.id = 0; /* evicted; or its request was done and forgotten meanwhile */
    }
}

static void try_again(struct world *world, unsigned number)
{
    world->clients[number].retry_us = world->now_us + RETRY_US / 6;
    wake_at(world, number, RETRY_US / 6);
}

/* True: its key keeps so much that it gives up; else it has too many jobs open, which end. */
static bool take_quota(struct world *world, const struct world_client *client,
                       const struct message *message)
{
    char reason[TEXT_MAX];
    text_escape(reason, sizeof reason, message->as.error.reason);
    bool jobs = strstr(reason, "open jobs");
    if (!is_job(client) || client->job ||
        !(jobs ? world->options.quota_jobs : world->options.quota_bytes))
        world_fail(world, "X8: only a new job is refused for a quota", "%s", reason);
    world_count(world, jobs ? FAULT_QUOTA_JOBS : FAULT_QUOTA_BYTES);
    return !jobs;
}

void client_reply(struct world *world, struct pending *pending)
{
    if (pending->client >= UPLOADERS_FIRST) {
        uploader_reply(world, pending->client - UPLOADERS_FIRST, pending);
        return;
    }
    if (pending->client >= WORLD_CLIENTS_MAX) {
        asker_reply(world, pending->client - WORLD_CLIENTS_MAX, pending);
        return;
    }
    struct world_client *client = &world->clients[pending->client];
    const struct message *message = pending->message;
    if (client->wish == WISH_NONE || pending->seq != client->request)
        return; /* an answer to an earlier try */
    bool cancel = client->job && client->cancels && !client->cancelled;
    if (message->type == MESSAGE_JOB) {
        client->cancelled |= cancel;
        take_job(world, pending->client, &message->as.job.jobs.at[0]);
        return;
    }
    if (message->type == MESSAGE_PROGRESS) {
        take_progress(world, pending->client, &message->as.progress);
        return;
    }
    if (message->type == MESSAGE_JOBS_FORGOTTEN) {
        client->old[client->about].forgotten = true;
        world_count(world, FAULT_FORGOTTEN_HAND);
        end(world, pending->client);
        return;
    }
    if (message->type == MESSAGE_SESSION) {
        client->session = (struct session_key){.id = message->as.session.session,
                                               .token = message->as.session.token};
        end(world, pending->client);
        return;
    }
    if (message->type != MESSAGE_ERROR)
        world_fail(world, "an answer fits its question", "client %u gets %s", pending->client,
                   message_name(message->type));
    if (is_forgotten(world, client, message)) {
        take_forgotten(world, client, message);
        end(world, pending->client);
        return;
    }
    if (slice_equals(message->as.error.code, "not_found"))
        world_fail(world, "an accepted job is never lost", "%.*s",
                   (int)message->as.error.reason.len, (const char *)message->as.error.reason.at);
    if (slice_equals(message->as.error.code, "quota")) {
        if (take_quota(world, client, message))
            end(world, pending->client);
        else
            try_again(world, pending->client);
        return;
    }
    if (slice_equals(message->as.error.code, "busy") && world->options.jobs_open_max)
        world_count(world, FAULT_MANY_JOBS);
    try_again(world, pending->client);
}

void world_client(struct world *world, unsigned client, uint64_t jobs, uint64_t n_max)
{
    world->clients[client] = (struct world_client){.things_left = jobs, .n_max = n_max};
    wake_at(world, client, 1);
}

void world_client_mixed(struct world *world, unsigned client, uint64_t things, uint64_t n_max,
                        uint64_t pause_us)
{
    world->clients[client] =
        (struct world_client){.mixed = true,
                              .sessions = world->options.keys.sessions && world_random(world, 2),
                              .things_left = things,
                              .n_max = n_max,
                              .pause_us = pause_us};
    wake_at(world, client, 1);
}

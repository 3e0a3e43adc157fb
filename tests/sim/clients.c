#include <gmp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/sim/world.h"

#define RETRY_US (300 * MS_US)

static struct world_client *client_of(struct world *world, unsigned client)
{
    return &world->clients[client];
}

static void wake_at(struct world *world, unsigned client, uint64_t after_us)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_CLIENT,
                                        .client = client,
                                        .to = 0});
}

static struct message *make_request(const struct world_client *client)
{
    struct message *message;
    if (client->job) {
        message = message_new(MESSAGE_JOB_GET);
        message->as.job_get =
            (struct wire_job_get){.request = client->request, .job = client->job, .wait_ms = 200};
        return message;
    }
    struct text spec = {0};
    text_add(&spec, "%" PRIu64, client->n);
    message = message_new(MESSAGE_SUBMIT);
    message->as.submit = (struct wire_submit){
        .request = client->request,
        .key = message_text(message, client->key),
        .kind = message_text(message, "factorial"),
        .spec = message_text(message, spec.at),
    };
    return message;
}

/* As through a broker: to whoever serves, if anybody does. */
void client_send(struct world *world, unsigned number)
{
    struct world_client *client = client_of(world, number);
    node_id_t coordinator = world_coordinator(world);
    client->request++;
    client->retry_us = world->now_us + RETRY_US;
    wake_at(world, number, RETRY_US);
    if (!coordinator || world->nodes[coordinator].paused_until_us > world->now_us)
        return;
    struct message *made = make_request(client), *message = world_transmit(made);
    message_drop(&made);
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = (uint64_t)number << 32 | client->request;
    event.request.message = message;
    world_step(world, coordinator, &event);
    message_drop(&message);
}

static void begin_job(struct world *world, unsigned number)
{
    struct world_client *client = client_of(world, number);
    client->busy = client->jobs_left > 0;
    if (!client->busy)
        return;
    client->jobs_left--;
    client->job = JOB_NONE;
    client->n = world_random(world, client->n_max + 1);
    client->submitted_us = world->now_us;
    text_format(client->key, sizeof client->key, "client%u-%" PRIu64, number, client->jobs_done);
    client_send(world, number);
}

void client_wake(struct world *world, unsigned number)
{
    if (number >= WORLD_CLIENTS_MAX) {
        asker_wake(world, number - WORLD_CLIENTS_MAX);
        return;
    }
    struct world_client *client = client_of(world, number);
    if (!client->busy)
        begin_job(world, number);
    else if (world->now_us >= client->retry_us)
        client_send(world, number);
}

/* The result must be what another implementation says. */
static void check_result(struct world *world, const struct world_client *client,
                         const struct wire_job_row *row)
{
    mpz_t expected;
    uint8_t hash[HASH_BYTES];
    mpz_init(expected);
    mpz_fac_ui(expected, client->n);
    char *text = mpz_get_str(NULL, 10, expected);
    hash_bytes(text, strlen(text), hash);
    if (row->digits != strlen(text) || row->sha256.len != HASH_BYTES ||
        memcmp(hash, row->sha256.at, HASH_BYTES))
        panic("seed %" PRIu64 ": a wrong result of factorial %" PRIu64, world->options.seed,
              client->n);
    if (row->done != row->total)
        panic("seed %" PRIu64 ": a job is done without all its operations", world->options.seed);
    free(text);
    mpz_clear(expected);
}

static void take_job(struct world *world, unsigned number, const struct wire_job_row *row)
{
    struct world_client *client = client_of(world, number);
    client->job = row->job;
    if (slice_equals(row->state, "failed") || slice_equals(row->state, "cancelled"))
        panic("seed %" PRIu64 ": a job failed", world->options.seed);
    if (!slice_equals(row->state, "done")) {
        client_send(world, number);
        return;
    }
    check_result(world, client, row);
    client->jobs_done++;
    world->counts.jobs_done++;
    begin_job(world, number);
}

void client_reply(struct world *world, struct pending *pending)
{
    if (pending->client >= WORLD_CLIENTS_MAX) {
        asker_reply(world, pending->client - WORLD_CLIENTS_MAX, pending);
        return;
    }
    struct world_client *client = client_of(world, pending->client);
    const struct message *message = pending->message;
    if (!client->busy || pending->seq != client->request)
        return; /* an answer to an earlier try */
    if (message->type == MESSAGE_JOB) {
        take_job(world, pending->client, &message->as.job.jobs.at[0]);
        return;
    }
    if (message->type != MESSAGE_ERROR)
        panic("a client gets an answer that it did not ask for");
    if (slice_equals(message->as.error.code, "not_found"))
        panic("seed %" PRIu64 ": an accepted job is lost", world->options.seed);
    client->retry_us = world->now_us + RETRY_US / 6;
    wake_at(world, pending->client, RETRY_US / 6);
}

void world_client(struct world *world, unsigned client, uint64_t jobs, uint64_t n_max)
{
    *client_of(world, client) = (struct world_client){.jobs_left = jobs, .n_max = n_max};
    wake_at(world, client, 1);
}

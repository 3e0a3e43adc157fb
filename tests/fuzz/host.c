#include "tests/fuzz/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/host_internal.h"
#include "tests/sim/founded.h"

#define SETTLE_TURNS 24
#define LEAVES_MAX   64 /* of a subtree that is really computed: fuzzing lives from speed */

/* --- values --- */

static bool before(struct value_id a, struct value_id b)
{
    return a.job < b.job || (a.job == b.job && a.op < b.op);
}

static size_t find_kept(const struct host *host, struct value_id id)
{
    size_t at = 0;
    while (at < host->n_kept && before(host->kept[at], id))
        at++;
    return at;
}

static bool is_kept(const struct host *host, struct value_id id)
{
    size_t at = find_kept(host, id);
    return at < host->n_kept && value_id_same(host->kept[at], id);
}

static void keep(struct host *host, struct value_id id)
{
    size_t at = find_kept(host, id);
    if (is_kept(host, id))
        return;
    host->kept = mem_grow(host->kept, host->n_kept + 1, sizeof *host->kept);
    memmove(&host->kept[at + 1], &host->kept[at], (host->n_kept++ - at) * sizeof *host->kept);
    host->kept[at] = id;
}

static void forget(struct host *host, struct value_id id)
{
    size_t at = find_kept(host, id);
    if (is_kept(host, id))
        memmove(&host->kept[at], &host->kept[at + 1], (--host->n_kept - at) * sizeof *host->kept);
}

/* What the user no longer wants ends without an event. */
static void drop_waits(struct host *host, enum value_user user, struct value_id id)
{
    size_t left = 0;
    for (size_t i = 0; i < host->n_waits; i++) {
        const struct host_wait *wait = &host->waits[i];
        if (wait->user != user || !value_id_fits(wait->id, id))
            host->waits[left++] = *wait;
    }
    host->n_waits = left;
}

static void add_wait(struct host *host, struct host_wait wait)
{
    if (host->n_waits < HOST_WAITS_MAX)
        host->waits[host->n_waits++] = wait;
}

/* --- what the node says --- */

static void hear(struct host *host, uint64_t number)
{
    if (number)
        host->heard[host->n_heard++ % HOST_HEARD_MAX] = number;
}

static void hear_numbers(struct host *host, const struct record *record, const void *at)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const void *value = (const uint8_t *)at + field->offset;
        const struct record_list *list = value;
        if (field->kind == FIELD_U64)
            hear(host, *(const uint64_t *)value);
        if (field->kind == FIELD_LIST && list->n)
            hear_numbers(host, field->record(), list->at);
    }
}

static void hear_tasks(struct host *host, node_id_t to, const struct wire_task *task)
{
    for (size_t i = 0; i < task->ops.n; i++) {
        const struct wire_task_op *op = &task->ops.at[i];
        host->tasks[host->n_tasks++ % HOST_TASKS_MAX] =
            (struct host_task){.to = to,
                               .job = op->job,
                               .op = op->op,
                               .attempt = op->attempt,
                               .text = slice_equals(op->opcode, "text")};
    }
}

static void hear_hands(struct host *host, node_id_t to, const struct wire_tasks_given *given)
{
    for (size_t i = 0; i < given->hands.n; i++) {
        const struct wire_task_hand *hand = &given->hands.at[i];
        assert(hand->first && hand->count);
        host->tasks[host->n_tasks++ % HOST_TASKS_MAX] = (struct host_task){.to = to,
                                                                           .job = hand->job,
                                                                           .op = hand->first,
                                                                           .attempt = hand->attempt,
                                                                           .count = hand->count,
                                                                           .hand = hand->hand};
    }
}

static void hear_question(struct host *host, node_id_t to, const struct wire_tasks_ask *ask)
{
    host->tasks[host->n_tasks++ % HOST_TASKS_MAX] =
        (struct host_task){.to = to, .asked = true, .attempt = ask->term};
}

/* Whatever leaves a node, others can read. */
static void check_message(const struct message *message)
{
    struct codec_buffer buffer = {0};
    struct message *copy;
    struct text why = {0};
    assert(codec_encode(message, &buffer) == OK);
    assert(codec_decode((struct slice){buffer.at, buffer.len}, &copy, &why) == OK);
    message_drop(&copy);
    codec_buffer_clear(&buffer);
}

static void take_send(struct host *host, const struct output *output)
{
    const struct message *message = output->send.message;
    assert(output->send.to >= 1 && output->send.to <= host->config.n_nodes);
    assert(output->send.to != host->config.id);
    check_message(message);
    hear_numbers(host, message_kind(message->type)->record(), &message->as);
    if (message->type == MESSAGE_TASK)
        hear_tasks(host, output->send.to, &message->as.task);
    if (message->type == MESSAGE_TASKS_GIVEN)
        hear_hands(host, output->send.to, &message->as.tasks_given);
    if (message->type == MESSAGE_TASKS_ASK)
        hear_question(host, output->send.to, &message->as.tasks_ask);
}

static void take_reply(struct host *host, const struct output *output)
{
    const struct message *message = output->reply.message;
    size_t at = 0;
    while (at < host->n_clients && host->clients[at] != output->reply.client)
        at++;
    assert(at < host->n_clients); /* each request is answered once */
    host->clients[at] = host->clients[--host->n_clients];
    assert(message_kind(message->type)->place == PLACE_REPLY);
    check_message(message);
    hear_numbers(host, message_kind(message->type)->record(), &message->as);
}

static void take_compute(struct host *host, const struct compute_op *op)
{
    if (host->n_ops == HOST_WAITS_MAX)
        return;
    assert(op->n_operands <= OPERANDS_MAX && op->opcode < OPCODES);
    host->ops[host->n_ops] = *op;
    for (size_t i = 0; i < op->n_operands; i++)
        blob_ref(host->ops[host->n_ops].operands[i].blob);
    host->n_ops++;
}

static void take_fetch(struct host *host, const struct fetch_order *fetch)
{
    assert(fetch->from >= 1 && fetch->from <= host->config.n_nodes);
    add_wait(host, (struct host_wait){true, fetch->user, fetch->id, fetch->from});
}

static void take_output(struct host *host, const struct output *output)
{
    assert(output->after_seq <= host->seq + 1); /* the step's own persist is its last output */
    if (host->post && (output->kind == OUTPUT_SEND || output->kind == OUTPUT_REPLY ||
                       output->kind == OUTPUT_PUBLISH))
        host->post(host->post_context, host, output);
    switch (output->kind) {
    case OUTPUT_PERSIST:
        host_persist(host, output);
        break;
    case OUTPUT_SEND:
        take_send(host, output);
        break;
    case OUTPUT_REPLY:
        take_reply(host, output);
        break;
    case OUTPUT_PUBLISH:
        check_message(output->publish);
        break;
    case OUTPUT_COMPUTE:
        take_compute(host, &output->compute);
        break;
    case OUTPUT_FEED:
        if (output->feed.offset + output->feed.piece->len == output->feed.len)
            add_wait(host,
                     (struct host_wait){true, output->feed.user, output->feed.id, host->config.id});
        break;
    case OUTPUT_FETCH:
        take_fetch(host, &output->fetch);
        break;
    case OUTPUT_KEEP:
        add_wait(host,
                 (struct host_wait){false, output->keep.user, output->keep.id, host->config.id});
        break;
    case OUTPUT_LIST:
        host->listing = true;
        host->list_job = output->list.job;
        host->list_after = output->list.after;
        break;
    case OUTPUT_FORGET:
        for (size_t i = 0; i < output->forget.n; i++)
            forget(host, output->forget.ids[i]);
        break;
    case OUTPUT_DROP:
        drop_waits(host, output->drop.user, output->drop.id);
        break;
    case OUTPUT_SPILL:  /* without a limit there is none */
    case OUTPUT_CANCEL: /* it goes on to its end */
    case OUTPUT_TASK:   /* tasks that do nothing are not executed */
    case OUTPUT_TASK_CANCEL:
    case OUTPUT_RELINK:
    case OUTPUT_LOG:
        break;
    }
}

/* --- life --- */

void host_init(struct host *host, uint32_t n_nodes, uint32_t n_voters, unsigned limits)
{
    host->config = (struct node_config){.id = HOST_SELF,
                                        .n_nodes = n_nodes,
                                        .n_voters = n_voters,
                                        .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                        .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                        .result_max_bytes = MIB_BYTES,
                                        .checkpoint_interval_us = CHECKPOINT_INTERVAL_DEFAULT_US,
                                        .compact_entries = limits & 1 ? 3 : 1000,
                                        .snapshot_timeout_us = SECOND_US,
                                        .snapshot_keep = 2,
                                        .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT,
                                        .checkpoint_slice_rows = limits & 2 ? 1 : 0,
                                        .poison_deaths = POISON_DEATHS,
                                        .insecure = !(limits & 8),
                                        .cluster = "conclave",
                                        .host = "host",
                                        .version = "0"};
    if (limits & 4) {
        host->config.jobs_kept_max = 2;
        host->config.progress_snaps_max = 2;
        host->config.keys =
            (struct key_limits){.snaps = 2, .requests = 16, .sessions = 2, .block = 4, .blocks = 2};
    }
    host->now_us = SECOND_US;
    host->durable = (struct node_durable){.birth = HOST_BIRTH, .voter = true, .term = 1};
    host->durable.identity = founded_identity(n_nodes, n_voters);
    host->durable.identity.births[HOST_SELF] = HOST_BIRTH;
    for (node_id_t id = HOST_SELF + 1; id <= n_voters; id++)
        host->durable.identity.births[id] = 100 + id;
}

/* No two nodes draw the same. */
static uint64_t chance(const struct host *host)
{
    return (host->config.id - HOST_SELF) * RANDOM_GAMMA;
}

int host_try(struct host *host)
{
    host->config.incarnation = ++host->boots << 32 | host->config.id;
    host->config.random = host->boots + chance(host);
    host->node = node_new(&host->config, &host->durable, host->now_us);
    host->seq = 0;
    int error = host_restore(host);
    if (error)
        node_destroy(&host->node);
    else
        node_check_invariants(host->node);
    return error;
}

void host_start(struct host *host)
{
    int error = host_try(host);
    assert(!error);
}

void host_settle(struct host *host)
{
    for (unsigned i = 0; i < SETTLE_TURNS; i++) {
        host->now_us += i % 4 ? 50 * MS_US : ELECTION_TIMEOUT_DEFAULT_US;
        host_step(host, (struct event){.kind = EVENT_TICK});
        host_persisted(host, true);
        for (unsigned j = 0; j < SETTLE_TURNS && host->n_ops; j++)
            host_compute(host, 0, false);
        for (unsigned j = 0; j < SETTLE_TURNS && host->n_waits; j++)
            host_value(host, 0, false, false);
        host_list(host);
    }
}

static void drop_operands(struct compute_op *op)
{
    for (size_t i = 0; i < op->n_operands; i++)
        blob_drop(&op->operands[i].blob);
}

void host_crash(struct host *host)
{
    node_destroy(&host->node);
    host_lose(host);
    while (host->n_ops)
        drop_operands(&host->ops[--host->n_ops]);
    host->n_waits = host->n_clients = 0;
    host->listing = false;
}

void host_end(struct host *host)
{
    host_crash(host);
    host_wipe(host);
}

void host_step(struct host *host, struct event event)
{
    event.now_us = host->now_us;
    event.wall_ms = host->now_us / 1000;
    event.random = host->now_us * 7 + host->boots + chance(host);
    struct node_outputs outputs = node_step(host->node, &event);
    for (size_t i = 0; i < outputs.n; i++)
        take_output(host, &outputs.at[i]);
    node_check_invariants(host->node);
}

/* --- waits end --- */

static struct blob *lookup(void *context, struct value_id id)
{
    (void)id;
    return context;
}

void host_compute(struct host *host, size_t which, bool fails)
{
    if (!host->n_ops)
        return;
    which %= host->n_ops;
    struct compute_op op = host->ops[which];
    host->ops[which] = host->ops[--host->n_ops];
    uint8_t limb[8] = {7};
    struct blob *held = blob_copy(limb, sizeof limb), *value = NULL;
    struct computed computed = {.id = op.id, .attempt = op.attempt, .opcode = op.opcode};
    if (fails || op.count > LEAVES_MAX)
        computed.error = "it cannot be computed";
    else
        operation_run(&op, lookup, held, VALUE_INLINE_MAX_BYTES, &computed, &value);
    if (value && value->len <= VALUE_INLINE_MAX_BYTES)
        computed.value = value;
    host_step(host, (struct event){.kind = EVENT_COMPUTED, .computed = {&computed, 1}});
    blob_drop(&value);
    blob_drop(&held);
    drop_operands(&op);
}

void host_value(struct host *host, size_t which, bool fails, bool used)
{
    if (!host->n_waits)
        return;
    which %= host->n_waits;
    struct host_wait wait = host->waits[which];
    host->waits[which] = host->waits[--host->n_waits];
    struct event event = {.kind = fails        ? EVENT_VALUE_FAILED
                                  : wait.fetch ? EVENT_VALUE_READY
                                               : EVENT_VALUE_KEPT};
    event.value.user = wait.user;
    event.value.id = wait.id;
    event.value.from = wait.from;
    event.value.used = fails && wait.fetch && used;
    if (event.kind == EVENT_VALUE_KEPT)
        keep(host, wait.id);
    host_step(host, event);
}

void host_list(struct host *host)
{
    struct value_id ids[SWEEP_SLICE_MAX];
    struct event event = {.kind = EVENT_VALUES_LISTED};
    if (!host->listing)
        return;
    host->listing = false;
    event.listed.ids = ids;
    event.listed.end = true;
    for (size_t i = 0; i < host->n_kept; i++) {
        bool fits = before(host->list_after, host->kept[i]) &&
                    (!host->list_job || host->kept[i].job == host->list_job);
        if (fits && event.listed.n == SWEEP_SLICE_MAX)
            event.listed.end = false;
        else if (fits)
            ids[event.listed.n++] = host->kept[i];
    }
    host_step(host, event);
}

uint64_t host_ask_as(struct host *host, struct message *request, const struct asker *asker)
{
    uint64_t client = 0;
    if (host->n_clients < HOST_CLIENTS_MAX) {
        struct event event = {.kind = EVENT_REQUEST};
        event.request.client = host->clients[host->n_clients++] = client = ++host->next_client;
        event.request.message = request;
        event.request.asker = asker;
        host_step(host, event);
    }
    message_drop(&request);
    return client;
}

void host_ask(struct host *host, struct message *request)
{
    /* Counts on with the clients, so that each role asks, and signatures are new or old. */
    struct asker asker = {.role = (enum key_role)(host->next_client % ROLE_COUNT),
                          .proof = (enum proof)(host->next_client % (PROOF_GOOD + 1)),
                          .counter = host->next_client & ~(uint64_t)8};
    asker.name[0] = (char)('a' + host->next_client / ROLE_COUNT % 3);
    host_ask_as(host, request, &asker);
}

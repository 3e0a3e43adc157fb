#include "nodes/io/runtime.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "nodes/io/logger.h"
#include "nodes/io/restore.h"
#include "nodes/io/runtime_internal.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/bus/descriptors.h"

#define GOODBYE_US          (10 * MS_US)
#define LINGER_FAIL_MS      50  /* a goodbye gets out in far less, or not at all */
#define COMPUTE_PATIENCE_MS 500 /* of the two seconds that a clean end may take */

/* --- opening --- */

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN); /* a log that nobody reads any more ends no node */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        panic("cannot make a signalfd");
    return fd;
}

static int restore_part(void *context, struct slice part)
{
    return node_restore_part(context, part);
}

static int restore_entry(void *context, log_index_t index, term_t term, struct slice bytes)
{
    struct blob *entry = blob_copy(bytes.at, bytes.len);
    int error = node_restore_entry(context, index, term, entry);
    blob_drop(&entry);
    return error;
}

static int restore_record(void *context, struct slice key, struct slice value)
{
    return node_restore_record(context, key, value);
}

static int open_node(struct runtime *runtime, struct text *why)
{
    struct runtime_config *config = &runtime->config;
    struct node_durable durable;
    int error = OK;
    if (!runtime->disk)
        error = disk_open(config->dir, config->node.cluster, config->node.id, config->durability,
                          &runtime->disk, why);
    if (!error)
        error = disk_migrate(runtime->disk, config->node.n_nodes, config->node.n_voters, why);
    if (!error)
        error = restore_take(runtime->disk, config->dir, config->restore, &config->node, why);
    if (!error)
        error = disk_read_vote(runtime->disk, &durable, why);
    if (!error)
        error = disk_boot(runtime->disk, &config->node.incarnation, &durable, why);
    if (error)
        return error;
    if (identity_is_set(&durable.identity)) { /* as a share has, perhaps */
        config->node.n_voters = durable.identity.n_voters;
        config->node.voters_open = false;
    }
    hash_random(&config->node.random, sizeof config->node.random);
    hash_random(&runtime->random, sizeof runtime->random);
    runtime->node = node_new(&config->node, &durable, clock_now_us());
    error = disk_read_log(runtime->disk, restore_part, restore_entry, runtime->node, why);
    if (!error)
        error = disk_read_records(runtime->disk, restore_record, runtime->node, why);
    if (!error && node_restore_end(runtime->node)) {
        text_add(why, "%s is damaged: blocks of forgotten keys are missing", config->dir);
        error = ERR_CORRUPT;
    }
    /* What the core cannot read is damage too: no option is wrong. */
    return error ? ERR_CORRUPT : OK;
}

static size_t compute_threads(const struct node_config *config)
{
    uint64_t slots = config->operation_slots;
    return slots < 1 ? 1 : slots < COMPUTE_IN_FLIGHT ? slots : COMPUTE_IN_FLIGHT;
}

static void begin_failures(struct runtime *runtime)
{
    struct failure_config *config = &runtime->config.failure;
    struct failure failure;
    node_id_t id = runtime->config.node.id;
    uint64_t boots = runtime->config.node.incarnation >> 32;
    if (!config->seed)
        hash_random(&config->seed, sizeof config->seed);
    failure_begin(&failure, config, id, boots, FAILURE_WORKER);
    failure_begin(&runtime->failure, config, id, boots, FAILURE_COORDINATOR);
    runtime->compute =
        compute_start(compute_threads(&runtime->config.node), runtime->config.delay_us, &failure);
    runtime->executor = compute_executor(runtime->compute);
    if (config->exit_ppm || config->stall_ppm)
        log_write(LOG_INFO,
                  "failures on purpose: exit %" PRIu64 ", stall %" PRIu64
                  " in a million, of %" PRIu64 " ms; seed %" PRIu64,
                  config->exit_ppm, config->stall_ppm, config->stall_us / MS_US, config->seed);
}

/* Blocks that are free are kept for the next values and numbers: little where memory is. */
static void keep_memory(struct runtime *runtime)
{
    uint64_t limit_bytes = runtime->config.node.memory_limit_bytes;
    if (!limit_bytes)
        return;
    heap_keep_at_most(limit_bytes / HEAP_KEPT_SHARE);
    bulk_keep_at_most(runtime->bulk, limit_bytes / BULK_KEPT_SHARE);
}

static void start_parts(struct runtime *runtime)
{
    const struct runtime_config *config = &runtime->config;
    const struct node_config *node = &config->node;
    /* A result as text is at most as long as it was estimated, with room for
     * the estimate's error. */
    uint64_t value_max_bytes = 4 * node->result_max_bytes + SEGMENT_BYTES_MAX;
    runtime->gate = gate_new(runtime->mesh, &runtime->clients, node->n_nodes);
    runtime->inbox = inbox_new(node->cluster, node->id, node->n_nodes, runtime->mesh,
                               &runtime->clients, runtime->gate);
    inbox_serve(runtime->inbox, runtime->node, node->incarnation);
    runtime->started_us = clock_now_us();
    logger_start();
    runtime->store = store_start(runtime->disk);
    runtime->bulk = bulk_start();
    keep_memory(runtime);
    runtime->programs = programs_new(runtime->commands);
    runtime->tasks = tasks_run_new(runtime->commands, &runtime->values);
    tasks_run_share(runtime->tasks, runtime->programs);
    begin_failures(runtime);
    struct transfer_config transfer = {.self = node->id, .len_max = value_max_bytes};
    runtime->transfer = transfer_new(&transfer, &runtime->values);
    runtime->pull =
        (struct pull){.transfer = runtime->transfer, .bulk = runtime->bulk, .gate = runtime->gate};
    runtime->serve = serve_new(node->id, &runtime->values, runtime->store, runtime->gate);
    mesh_connect(runtime->mesh, clock_now_us());
}

static int claim_descriptors(uint32_t n_nodes, uint64_t slots, struct text *why)
{
    uint64_t links = (uint64_t)FILES_PEER * (n_nodes - 1);
    uint64_t connections = (uint64_t)FILES_FROM_PEER * (n_nodes - 1) + FILES_BROKERS;
    /* The links once more: strangers may have taken what a peer that was down had left. */
    return descriptors_claim(FILES_OWN + slots + links + FILES_HALF_OPEN + connections + links,
                             links, why);
}

/* Before anything is bound. */
static int open_doors(struct runtime *runtime, struct text *why)
{
    const struct runtime_config *config = &runtime->config;
    runtime->config.node.insecure = config->insecure;
    if (!config->insecure)
        return doors_open(runtime->context, config->access, config->node.id, &runtime->doors, why);
    runtime->doors = doors_open_to_all();
    return OK;
}

/* What an earlier life's commands have left ends here. */
static int open_commands(struct runtime *runtime, struct text *why)
{
    struct commands_config *commands = &runtime->config.commands;
    if (runtime->config.insecure)
        return OK;
    commands->dir = runtime->config.dir;
    commands->node = runtime->config.node.id;
    return commands_start(commands, &runtime->commands, why);
}

static uint64_t feed_silent_us(const struct node_config *node)
{
    uint64_t silent_us = FEED_SILENT_TIMEOUTS * node->election_timeout_us;
    return silent_us > FEED_SILENT_MS * MS_US ? silent_us : FEED_SILENT_MS * MS_US;
}

int runtime_open(const struct runtime_config *config, struct runtime **out, struct text *why)
{
    struct disk *disk = config->disk;
    *out = NULL;
    int error =
        claim_descriptors(config->node.n_nodes,
                          config->commands.slots + FILES_COMPUTE * compute_threads(&config->node),
                          why);
    if (error) {
        disk_close(&disk);
        return error;
    }
    struct runtime *runtime = mem_new(1, sizeof *runtime);
    runtime->heap_idle.at_us = HEAP_NEVER;
    runtime->config = *config;
    runtime->disk = disk;
    runtime->signal_fd = open_signals();
    runtime->context = bus_open();
    struct mesh_config mesh = {.id = config->node.id,
                               .n_nodes = config->node.n_nodes,
                               .port = config->port,
                               .bind = config->bind,
                               .hosts = config->hosts,
                               .feed_silent_us = feed_silent_us(&config->node)};
    error = open_doors(runtime, why);
    mesh.doors = runtime->doors;
    if (!error)
        error = mesh_open(runtime->context, &mesh, &runtime->mesh, why);
    if (!error)
        error = open_node(runtime, why);
    if (!error)
        error = open_commands(runtime, why);
    if (error)
        runtime_close(&runtime);
    else
        start_parts(runtime);
    *out = runtime;
    return error;
}

/* --- running --- */

int runtime_run(struct runtime *runtime)
{
    const struct runtime_config *config = &runtime->config;
    unsigned base = mesh_base_port(config->port, config->node.id);
    log_write(LOG_INFO,
              "started: incarnation %" PRIu64 ".%08" PRIx64 ", listening on %s:%u-%u, pid %ld",
              config->node.incarnation >> 32, config->node.incarnation & UINT32_MAX, config->bind,
              base, base + PLANE_COUNT - 1, (long)getpid());
    if (doors_are_insecure(runtime->doors))
        log_write(LOG_WARN,
                  "--insecure: anyone who can reach %s can do everything; no keys are required",
                  config->bind);
    if (config->durability == DURABILITY_OFF)
        log_write(LOG_WARN, "--durability off: nothing of the log is kept; for measuring only");
    turns_open(&runtime->turns);
    while (!runtime->stopping)
        runtime_turn(runtime);
    turns_close(&runtime->turns);
    log_write(LOG_INFO, "stopping");
    struct event goodbye = {.kind = EVENT_STOP};
    runtime_step(runtime, &goodbye);
    return runtime->exit_code;
}

/* --- failing on purpose --- */

void runtime_fail(struct runtime *runtime)
{
    struct event goodbye = {.kind = EVENT_STOP, .stop = {.injected = true}};
    log_write(LOG_WARN, "exits on purpose, in the middle of an operation (--fail-exit)");
    runtime_step(runtime, &goodbye);
    /* It should be read before the end of a connection on another plane is. */
    nanosleep(&(struct timespec){.tv_nsec = (long)(GOODBYE_US * 1000)}, NULL);
    mesh_close(&runtime->mesh, LINGER_FAIL_MS);
    doors_close(&runtime->doors);
    bus_close(runtime->context);
    logger_flush();
    _exit(EXIT_INJECTED);
}

void runtime_fail_coordinating(struct runtime *runtime)
{
    if (!node_coordinates(runtime->node))
        return;
    enum failure_kind failure = failure_draw(&runtime->failure);
    if (failure == FAILURE_EXIT) {
        log_write(LOG_WARN, "exits on purpose, as the coordinator (--fail-exit)");
        logger_flush();
        _exit(EXIT_INJECTED);
    }
    if (failure == FAILURE_STALL) {
        uint64_t us = runtime->failure.config.stall_us;
        log_write(LOG_WARN, "stalls on purpose for %" PRIu64 " ms (--fail-stall)", us / MS_US);
        nanosleep(&(struct timespec){.tv_sec = (time_t)(us / SECOND_US),
                                     .tv_nsec = (long)(us % SECOND_US) * 1000},
                  NULL);
    }
}

/* --- closing --- */

static void finish_store(struct runtime *runtime)
{
    if (!runtime->store)
        return;
    store_stop(runtime->store);
    for (struct store_report *next, *done = store_take(runtime->store); done; done = next) {
        next = store_next(done);
        if (done->kind == STORE_PERSISTED)
            gate_durable(runtime->gate, done->seq);
        else if (done->kind == STORE_READ)
            serve_read(runtime->serve, done, 0);
        store_report_free(done);
    }
}

void runtime_close(struct runtime **runtime)
{
    struct runtime *it = *runtime;
    *runtime = NULL;
    if (!it)
        return;
    bool idle = compute_destroy(&it->compute, COMPUTE_PATIENCE_MS);
    tasks_run_destroy(&it->tasks);
    programs_destroy(&it->programs);
    commands_destroy(&it->commands);
    transfer_destroy(&it->transfer);
    if (it->bulk) {
        pull_clear(&it->pull);
        bulk_stop(it->bulk);
    }
    finish_store(it);
    disk_close(&it->disk);
    if (!idle) {
        log_write(LOG_INFO, "stopped in the middle of an operation");
        logger_flush();
        _exit(EXIT_OK);
    }
    serve_destroy(&it->serve);
    store_destroy(&it->store);
    inbox_destroy(&it->inbox);
    gate_destroy(&it->gate);
    node_destroy(&it->node);
    values_clear(&it->values);
    clients_clear(&it->clients);
    mesh_close(&it->mesh, LINGER_CLEAN_MS);
    doors_close(&it->doors);
    bus_close(it->context);
    logger_stop();
    bulk_destroy(&it->bulk); /* when nobody drops a blob any more */
    close(it->signal_fd);
    free(it);
}

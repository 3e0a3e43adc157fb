/* supervisor_plan.c - which processes a local cluster has, and with which arguments. */
#include <inttypes.h>
#include <unistd.h>

#include "clients/ask/entry.h"
#include "clients/local/keyring.h"
#include "clients/local/local.h"
#include "clients/local/supervisor_internal.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

#define SILENCE_BEATS 4 /* to a broker a node is dead after so many; after 500 ms at least */

static struct child *add_child(struct supervisor *supervisor, const char *program, char *why)
{
    struct child *child = &supervisor->children[supervisor->n];
    if (child_find(program, child->program)) {
        text_format(why, TEXT_MAX, "the program %s is neither beside this one nor in PATH",
                    program);
        return NULL;
    }
    supervisor->n++;
    child->exit_code = -1;
    child_add(child, "%s", program);
    return child;
}

static int name_child(struct child *child, const char *dir, const char *name, char *why)
{
    char log[64];
    text_format(child->name, sizeof child->name, "%s", name);
    text_format(log, sizeof log, "%s.log", name);
    if (!local_path(dir, log, child->log))
        return OK;
    text_format(why, TEXT_MAX, "--dir: the name is too long");
    return ERR_TOO_BIG;
}

/* The key of a process, DIR/FILE; the others of its cluster are beside it. */
static void add_key(struct child *child, const struct supervisor_config *config, const char *file)
{
    if (config->insecure)
        child_add(child, "--insecure");
    else
        child_add(child, "--access=%s/%s", config->dir, file);
}

static void add_key_of(struct child *child, const struct supervisor_config *config,
                       const char *name)
{
    char file[64];
    text_format(file, sizeof file, KEYRING_DIR "/%s.json", name);
    add_key(child, config, file);
}

static void add_chance(struct child *child, const char *name, uint64_t ppm)
{
    child_add(child, "--%s=%" PRIu64 ".%06" PRIu64, name, ppm / 1000000, ppm % 1000000);
}

static void add_failures(struct child *child, const struct supervisor_config *config)
{
    add_chance(child, "fail-exit", config->fail_exit_ppm);
    add_chance(child, "fail-stall", config->fail_stall_ppm);
    child_add(child, "--stall=%" PRIu64 "us", config->stall_us);
    child_add(child, "--fail-seed=%" PRIu64, config->fail_seed);
    if (config->fail_on)
        child_add(child, "--fail-on=%s", config->fail_on);
}

static void add_log(struct child *child, const struct supervisor_config *config)
{
    child_add(child, "--log-level=%s", config->log_level);
    child_add(child, "--log-limit=%" PRIu64, LOG_FILE_BYTES);
}

static int plan_node(struct supervisor *supervisor, uint64_t id, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    char name[32], data[LOCAL_PATH_MAX];
    struct child *child = add_child(supervisor, "conclave-node", why);
    text_format(name, sizeof name, "node%" PRIu64, id);
    if (!child || name_child(child, config->dir, name, why) || local_path(config->dir, name, data))
        return ERR_NOT_FOUND;
    child->node = (uint32_t)id;
    child_add(child, "--id=%" PRIu64, id);
    child_add(child, "--dir=%s", data);
    add_key_of(child, config, name);
    child_add(child, "--nodes=%" PRIu64, config->nodes);
    child_add(child, "--voters=%" PRIu64, supervisor_voters(config));
    child_add(child, "--port=%" PRIu64, config->port);
    if (config->heartbeat_us) /* else each knows its own */
        child_add(child, "--heartbeat=%" PRIu64 "us", config->heartbeat_us);
    child_add(child, "--election-timeout=%" PRIu64 "us", config->election_us);
    child_add(child, "--delay=%" PRIu64 "us", config->delay_us);
    child_add(child, "--max-result=%" PRIu64, config->max_result);
    child_add(child, "--checkpoint-interval=%" PRIu64 "us", config->checkpoint_us);
    child_add(child, "--checkpoint-bytes=%" PRIu64, config->checkpoint_bytes);
    child_add(child, "--compact-entries=%" PRIu64, config->compact_entries);
    child_add(child, "--quota-jobs=%" PRIu64, config->quota_jobs);
    child_add(child, "--quota-bytes=%" PRIu64, config->quota_bytes);
    child_add(child, "--keep-values=%" PRIu64 "us", config->keep_values_us);
    if (config->slots)
        child_add(child, "--slots=%" PRIu64, config->slots);
    else
        child_add(child, "--nodes-here=%" PRIu64, config->nodes);
    if (config->keep_jobs)
        child_add(child, "--keep-jobs=%" PRIu64, config->keep_jobs);
    if (config->keep_bytes)
        child_add(child, "--keep-bytes=%" PRIu64, config->keep_bytes);
    child_add(child, "--snapshot-timeout=%" PRIu64 "us", config->snapshot_timeout_us);
    child_add(child, "--snapshot-every=%" PRIu64 "us", config->snapshot_every_us);
    child_add(child, "--snapshot-keep=%" PRIu64, config->snapshot_keep);
    child_add(child, "--durability=%s", config->durability);
    add_failures(child, config);
    add_log(child, config);
    return OK;
}

static int plan_broker(struct supervisor *supervisor, uint64_t i, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    uint64_t silence_us = SILENCE_BEATS * supervisor_heartbeat_us(config);
    char name[32] = "broker";
    if (i)
        text_format(name, sizeof name, "broker%" PRIu64, i + 1);
    struct child *child = add_child(supervisor, "conclave-broker", why);
    if (!child || name_child(child, config->dir, name, why))
        return ERR_NOT_FOUND;
    add_key_of(child, config, name);
    child_add(child, "--nodes=%" PRIu64, config->nodes);
    child_add(child, "--voters=%" PRIu64, supervisor_voters(config));
    child_add(child, "--port=%" PRIu64, config->port);
    child_add(child, "--front=%" PRIu64, config->port + 2 * i);
    child_add(child, "--silence=%" PRIu64 "us",
              silence_us > ELECTION_TIMEOUT_DEFAULT_US ? silence_us : ELECTION_TIMEOUT_DEFAULT_US);
    add_log(child, config);
    return OK;
}

/* The feed is read by a process of its own: this one must stay without ZeroMQ. */
static int plan_monitor(struct supervisor *supervisor, char *why)
{
    struct child *child = add_child(supervisor, "conclave", why);
    if (!child)
        return ERR_NOT_FOUND;
    text_format(child->name, sizeof child->name, "monitor");
    child_add(child, "monitor");
    child_add(child, "--events");
    add_key(child, supervisor->config, ENTRY_FILE);
    child_add(child, "--broker=tcp://127.0.0.1:%" PRIu64, supervisor->config->port);
    return OK;
}

/* Asks, as any client, whether a coordinator serves: this process must stay without ZeroMQ. */
static int plan_probe(struct supervisor *supervisor, char *why)
{
    struct child *child = add_child(supervisor, "conclave", why);
    if (!child)
        return ERR_NOT_FOUND;
    text_format(child->name, sizeof child->name, "probe");
    child->quiet = true;
    child_add(child, "check");
    child_add(child, "--quorum");
    add_key(child, supervisor->config, ENTRY_FILE);
    child_add(child, "--broker=tcp://127.0.0.1:%" PRIu64, supervisor->config->port);
    supervisor->probe = child;
    return OK;
}

int supervisor_plan(struct supervisor *supervisor, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    int error = OK;
    for (uint64_t i = 0; i < config->brokers && !error; i++)
        error = plan_broker(supervisor, i, why);
    if (config->follow && !error)
        error = plan_monitor(supervisor, why);
    if (!error)
        error = plan_probe(supervisor, why);
    for (uint64_t id = 1; id <= config->nodes && !error; id++)
        error = plan_node(supervisor, id, why);
    return error;
}

/* fuzz_rights.c - libFuzzer on who may do what: requests of keys of all roles, with job ids, keys
 * and signatures that are theirs, another's or nobody's, to a real coordinator and its worker.
 *
 * What a role may ask for and whose a job is are said here once more, apart from the product
 * (docs/security.md): what is not allowed is answered by an error and writes nothing, a job is
 * ended or forgotten only when its owner or an admin has asked for that, and no answer tells of a
 * job that is another's (X14). What is signed is taken once (X13). */
#include <assert.h>
#include <stdlib.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/mesh.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"

#define NODES      2 /* one coordinates, one works */
#define EVENTS_MAX 200
#define JOBS_MAX   64
#define N_ASKERS   (sizeof askers / sizeof *askers)
#define N_KEYS     (sizeof keys / sizeof *keys)

/* Two keys of one name: the old and the new one, during a rotation. */
static const struct {
    const char *name;
    enum key_role role;
    char key;
} askers[] = {{"alice", ROLE_submit, 1}, {"bob", ROLE_submit, 2}, {"carol", ROLE_commands, 3},
              {"mona", ROLE_monitor, 4}, {"root", ROLE_admin, 5}, {"alice", ROLE_submit, 6},
              {"ali", ROLE_submit, 7},   {"eve", ROLE_admin, 8}};

enum { ROOT = 4 };

static const enum message_type signed_types[] = {MESSAGE_INIT,         MESSAGE_SNAPSHOT_TAKE,
                                                 MESSAGE_SNAPSHOT_GET, MESSAGE_SNAPSHOT_VALUE,
                                                 MESSAGE_ACCESS_SET,   MESSAGE_SUBMIT_COMMANDS};

#define N_SIGNED (sizeof signed_types / sizeof *signed_types)

static const char *const keys[] = {"k", "ce/k", "alice/k", "/k", "session-0000000000000001-0-1"};

struct known_job {
    job_id_t id;
    char owner[OWNER_MAX + 1];
    bool may_end, may_go; /* its owner or an admin has asked for that */
    bool ended;
};

/* What a client has asked. */
struct asked {
    unsigned who;
    enum message_type type;
    job_id_t job;
    bool answered, error;
};

struct attack {
    struct reader in;
    struct forge forge;
    struct mesh mesh;
    struct known_job jobs[JOBS_MAX];
    size_t n_jobs;
    bool submits[N_ASKERS];                        /* it has submitted something */
    uint64_t counters[NODES + 1][N_ASKERS];        /* the greatest that each node has taken */
    struct asked asked[NODES + 1][EVENTS_MAX + 1]; /* by node and client */
    node_id_t asking;                              /* the node that is asked now */
};

/* --- what is allowed --- */

static enum key_role role_needed(enum message_type type)
{
    switch (type) {
    case MESSAGE_INIT:
    case MESSAGE_SNAPSHOT_TAKE:
    case MESSAGE_SNAPSHOT_GET:
    case MESSAGE_SNAPSHOT_VALUE:
    case MESSAGE_ACCESS_SET:
        return ROLE_admin;
    case MESSAGE_SUBMIT_COMMANDS:
        return ROLE_commands;
    case MESSAGE_JOB_GET:
    case MESSAGE_JOB_LIST:
    case MESSAGE_JOB_TRACE:
    case MESSAGE_JOB_EXPLAIN:
    case MESSAGE_JOB_TASKS:
    case MESSAGE_QUOTA_GET:
    case MESSAGE_STATUS_GET:
    case MESSAGE_BROKER_GET:
    case MESSAGE_PROGRESS_GET:
    case MESSAGE_BANK_BALANCE:
    case MESSAGE_BANK_LIST:
    case MESSAGE_KV_GET:
    case MESSAGE_KV_LIST:
    case MESSAGE_SNAPSHOT_LIST:
    case MESSAGE_ACCESS_GET:
        return ROLE_monitor;
    default:
        return ROLE_submit;
    }
}

/* Each may do what those before it may. */
static unsigned rank(enum key_role role)
{
    return role == ROLE_admin ? 4 : role == ROLE_commands ? 3 : role == ROLE_submit ? 2 : 1;
}

static struct known_job *find_job(struct attack *it, job_id_t id)
{
    for (size_t i = 0; i < it->n_jobs; i++)
        if (it->jobs[i].id == id)
            return &it->jobs[i];
    return NULL;
}

static bool owns(unsigned who, const struct known_job *job)
{
    return askers[who].role == ROLE_admin || !strcmp(askers[who].name, job->owner);
}

/* --- answers --- */

static void check_row(struct attack *it, unsigned who, const struct wire_job_row *row)
{
    const struct known_job *known = find_job(it, row->job);
    bool watches = askers[who].role == ROLE_monitor;
    if (known)
        assert(owns(who, known) || watches);
    if (watches)
        assert(!row->head.len && !row->tail.len && !row->sha256.len);
}

static void check_error(struct attack *it, const struct asked *asked,
                        const struct wire_error *error)
{
    const struct known_job *known = find_job(it, asked->job);
    /* That there is a job, or how it is, is not said to others. */
    if (known && !owns(asked->who, known) && askers[asked->who].role != ROLE_monitor)
        assert(!slice_equals(error->code, "finished") && !slice_equals(error->code, "not_kept"));
}

static void replied(void *context, node_id_t by, uint64_t client, const struct message *reply)
{
    struct attack *it = context;
    struct asked *asked = &it->asked[by][client % (EVENTS_MAX + 1)];
    const struct known_job *known = find_job(it, asked->job);
    asked->answered = true;
    asked->error = reply->type == MESSAGE_ERROR;
    switch (reply->type) {
    case MESSAGE_JOB:
        for (size_t i = 0; i < reply->as.job.jobs.n; i++)
            check_row(it, asked->who, &reply->as.job.jobs.at[i]);
        break;
    case MESSAGE_JOB_PAGE:
        for (size_t i = 0; i < reply->as.job_page.jobs.n; i++)
            check_row(it, asked->who, &reply->as.job_page.jobs.at[i]);
        break;
    case MESSAGE_RESULT_CHUNK:
        assert(askers[asked->who].role != ROLE_monitor && (!known || owns(asked->who, known)));
        break;
    case MESSAGE_TRACE_PAGE:
    case MESSAGE_EXPLANATION:
        assert(!known || owns(asked->who, known) || askers[asked->who].role == ROLE_monitor);
        break;
    case MESSAGE_ERROR:
        check_error(it, asked, &reply->as.error);
        break;
    default:
        break;
    }
}

/* --- jobs --- */

static bool was_submitted_by(const struct attack *it, const char *owner)
{
    for (size_t i = 0; i < N_ASKERS; i++)
        if (it->submits[i] && !strcmp(askers[i].name, owner))
            return true;
    return false;
}

/* The coordinator's state against what was asked for. */
static void check_jobs(struct attack *it)
{
    const struct jobs *jobs = &inside_state(it->mesh.hosts[1].node)->jobs;
    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = jobs->at[i];
        struct known_job *known = find_job(it, job->id);
        /* Nobody has uploaded what such a job needs. */
        assert(!job->plan.kind->commands);
        if (!known && it->n_jobs < JOBS_MAX) {
            assert(was_submitted_by(it, job->owner));
            known = &it->jobs[it->n_jobs++];
            *known = (struct known_job){.id = job->id};
            text_format(known->owner, sizeof known->owner, "%s", job->owner);
        }
        if (!known)
            continue;
        assert(!strcmp(known->owner, job->owner)); /* nobody takes another's over */
        assert(job->state != JOB_CANCELLED || known->may_end);
    }
    for (size_t i = 0; i < it->n_jobs; i++)
        assert(it->jobs[i].may_go || jobs_find(jobs, it->jobs[i].id));
}

/* --- requests --- */

static uint64_t *number_of(struct message *message, const char *name)
{
    const struct record *record = message_kind(message->type)->record();
    for (size_t i = 0; i < record->n_fields; i++)
        if (record->fields[i].kind == FIELD_U64 && !strcmp(record->fields[i].name, name))
            return (uint64_t *)((uint8_t *)&message->as + record->fields[i].offset);
    return NULL;
}

static struct slice *text_of(struct message *message, const char *name)
{
    const struct record *record = message_kind(message->type)->record();
    for (size_t i = 0; i < record->n_fields; i++)
        if (record->fields[i].kind == FIELD_STR && !strcmp(record->fields[i].name, name))
            return (struct slice *)((uint8_t *)&message->as + record->fields[i].offset);
    return NULL;
}

/* Fields that name what is somebody's: by chance nothing would. */
static void aim(struct attack *it, struct message *message)
{
    static const char *const specs[] = {"3", "10", "20", "2000"};
    bool submit = message->type == MESSAGE_SUBMIT || message->type == MESSAGE_SUBMIT_COMMANDS;
    uint8_t how = reader_byte(&it->in);
    uint64_t *job = number_of(message, "job");
    struct slice *key = text_of(message, "key");
    if (job && it->n_jobs && how & 1)
        *job = it->jobs[reader_below(&it->in, (unsigned)it->n_jobs)].id;
    if (key && how & 2)
        *key = message_text(message, keys[reader_below(&it->in, N_KEYS)]);
    if (submit && how & 4) {
        bool commands = (how & 48) == (message->type == MESSAGE_SUBMIT ? 48 : 0);
        message->as.submit.kind = message_text(message, commands ? "map" : "factorial");
        message->as.submit.plan = message_text(message, "");
        message->as.submit.spec = message_text(message, commands ? "3 1 100" : specs[how >> 6]);
    }
    for (size_t i = 0; message->type == MESSAGE_JOB_FORGET && i < message->as.job_forget.jobs.n;
         i++)
        if (it->n_jobs)
            message->as.job_forget.jobs.at[i].job =
                it->jobs[reader_below(&it->in, (unsigned)it->n_jobs)].id;
    message->as.request.node = how & 8 ? it->asking : NODE_NONE;
}

static void allow(struct attack *it, unsigned who, const struct message *message)
{
    struct known_job *job;
    if (rank(askers[who].role) < rank(ROLE_submit))
        return;
    if (message->type == MESSAGE_SUBMIT)
        it->submits[who] = true;
    if (message->type == MESSAGE_JOB_CANCEL && (job = find_job(it, message->as.job_cancel.job)) &&
        owns(who, job))
        job->may_end = true;
    for (size_t i = 0; message->type == MESSAGE_JOB_FORGET && i < message->as.job_forget.jobs.n;
         i++)
        if ((job = find_job(it, message->as.job_forget.jobs.at[i].job)) && owns(who, job))
            job->may_go = true;
}

/* Whether the asker may; what is signed counts from then on. */
static bool may(struct attack *it, unsigned who, enum message_type type, const struct asker *asker,
                bool meant)
{
    enum key_role needs = role_needed(type);
    uint64_t *last = &it->counters[it->asking][who];
    if (rank(askers[who].role) < rank(needs))
        return false;
    if (rank(needs) < rank(ROLE_commands))
        return true;
    if (asker->proof != PROOF_GOOD || asker->counter <= *last)
        return false;
    if (meant)
        *last = asker->counter;
    return true;
}

static void ask(struct attack *it)
{
    unsigned who = reader_below(&it->in, N_ASKERS);
    uint8_t how = reader_byte(&it->in);
    enum message_type wanted = forge_type(&it->forge, PLACE_REQUEST);
    /* By chance an admin would hardly ever ask twice for what is signed. */
    if ((how & 96) == 96) {
        who = ROOT;
        wanted = signed_types[(how & 7) % N_SIGNED];
        how = (uint8_t)((how & 128) + PROOF_GOOD);
    }
    struct message *message = forge_message(&it->forge, wanted);
    struct asker asker = {.role = askers[who].role,
                          .proof = (enum proof)(how % (PROOF_GOOD + 1)),
                          .counter = reader_below(&it->in, 32)};
    it->asking = how & 128 ? 2 : 1;
    struct host *host = &it->mesh.hosts[it->asking];
    if (!message)
        return;
    memset(asker.key, askers[who].key, sizeof asker.key);
    text_format(asker.name, sizeof asker.name, "%s", askers[who].name);
    aim(it, message);
    message = forge_transmit(message);
    if (!message || host->n_clients == HOST_CLIENTS_MAX) {
        message_drop(&message);
        return;
    }
    enum message_type type = message->type;
    uint64_t *job = number_of(message, "job");
    bool meant = type != MESSAGE_BROKER_GET;
    uint64_t seq = host->seq;
    log_index_t last = inside_raft(host->node)->log.last;
    struct asked *asked = &it->asked[it->asking][host->next_client + 1];
    *asked = (struct asked){.who = who, .type = type, .job = job ? *job : JOB_NONE};
    allow(it, who, message);
    bool allowed = may(it, who, type, &asker, meant);
    host_ask_as(host, message, &asker);
    if (allowed)
        return;
    assert(host->seq == seq && inside_raft(host->node)->log.last == last);
    assert(asked->answered && asked->error);
}

/* --- the sequence --- */

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    const struct identity identity = founded_identity(1, 1);
    struct attack *it = mem_new(1, sizeof *it);
    it->in = (struct reader){at, len};
    it->forge =
        (struct forge){.in = &it->in, .cluster_id = {identity.cluster_id, CLUSTER_ID_BYTES}};
    it->mesh.replied = replied;
    it->mesh.context = it;
    mesh_begin(&it->mesh, NODES, 1, NODE_NONE, reader_byte(&it->in) & 3, false);
    mesh_elect(&it->mesh);
    for (unsigned i = 0; i < EVENTS_MAX && it->in.left; i++) {
        uint8_t how = reader_byte(&it->in);
        if (how & 3)
            ask(it);
        mesh_flush(&it->mesh);
        if (how & 12)
            mesh_settle(&it->mesh, 1 + (how >> 4 & 3));
        check_jobs(it);
    }
    mesh_end(&it->mesh);
    free(it);
    return 0;
}

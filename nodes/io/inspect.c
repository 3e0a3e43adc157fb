#include "nodes/io/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nodes/core/records/record.h"
#include "nodes/io/disk.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"
#include "shared/wire/codec.h"

#define INSPECT_JOBS_MAX 1000 /* ids that are listed, the last ones */
#define JOB_TERM_SHIFT   40   /* a job's id: term << 40 | log index */

struct inspected {
    struct node_durable durable;
    uint8_t origin[CLUSTER_ID_BYTES];
    uint64_t boots;
    term_t last_term;
    log_index_t last_index, checkpoint;
    uint64_t n_jobs, n_finished;
    job_id_t *jobs; /* the last ones, at their number modulo INSPECT_JOBS_MAX; owned */
    uint64_t n_accounts, total, n_values, epoch;
    struct {
        uint64_t last;
        struct {
            uint64_t number, amount;
        } * letters; /* not acknowledged; owned */
        size_t pending;
    } outbox[NODES_MAX + 1]; /* by destination */
    struct {
        uint64_t epoch, upto;
    } applied[NODES_MAX + 1]; /* by source */
};

/* --- JSON --- */

static void print_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ' || *at > '~')
            fputc('?', out);
        else
            fputc(*at, out);
    fputc('"', out);
}

static void print_id(FILE *out, const char *name, const uint8_t id[CLUSTER_ID_BYTES])
{
    static const uint8_t none[CLUSTER_ID_BYTES];
    fprintf(out, ", \"%s\": ", name);
    if (!memcmp(id, none, sizeof none)) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < CLUSTER_ID_BYTES; i++)
        fprintf(out, "%02x", id[i]);
    fputc('"', out);
}

/* --- reading --- */

static void add_job(struct inspected *it, job_id_t job)
{
    if (!it->jobs)
        it->jobs = mem_new(INSPECT_JOBS_MAX, sizeof *it->jobs);
    it->jobs[it->n_jobs++ % INSPECT_JOBS_MAX] = job;
}

static void take_job_row(struct inspected *it, const struct wire_job_row *row)
{
    add_job(it, row->job);
    it->n_finished += row->finished_ms != 0;
}

static void take(struct inspected *it, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_IMAGE_HEAD:
        it->checkpoint = it->last_index = message->as.image_head.index;
        it->last_term = message->as.image_head.index_term;
        break;
    case MESSAGE_IMAGE_JOB:
        if (message->as.image_job.jobs.n)
            take_job_row(it, &message->as.image_job.jobs.at[0]);
        break;
    case MESSAGE_ENTRY_JOB_SUBMITTED:
        add_job(it, it->last_term << JOB_TERM_SHIFT | it->last_index);
        break;
    case MESSAGE_ENTRY_JOB_DONE:
    case MESSAGE_ENTRY_JOB_FAILED:
    case MESSAGE_ENTRY_JOB_CANCELLED:
        it->n_finished++;
        break;
    default:
        break;
    }
}

static int unpack_and_take(struct inspected *it, struct slice packed)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(packed, &message, &why))
        return ERR_CORRUPT;
    take(it, message);
    message_drop(&message);
    return OK;
}

static int read_part(void *context, struct slice part)
{
    return unpack_and_take(context, part);
}

static int read_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct inspected *it = context;
    it->last_index = index;
    it->last_term = term;
    return unpack_and_take(it, entry);
}

static int read_outbox(struct inspected *it, uint32_t to, struct slice value)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(value, &message, &why))
        return ERR_CORRUPT;
    uint64_t number = message->as.numbered.number;
    uint64_t amount = message->type == MESSAGE_TRANSFER ? message->as.transfer.amount : 0;
    size_t n = it->outbox[to].pending++;
    it->outbox[to].letters =
        mem_grow(it->outbox[to].letters, n + 1, sizeof *it->outbox[to].letters);
    it->outbox[to].letters[n].number = number;
    it->outbox[to].letters[n].amount = amount;
    if (number > it->outbox[to].last)
        it->outbox[to].last = number;
    message_drop(&message);
    return OK;
}

static int read_record(void *context, struct slice key, struct slice value)
{
    struct inspected *it = context;
    uint32_t peer = 0;
    uint64_t balance = 0;
    bool named = record_u32(key, 1, &peer) && peer >= 1 && peer <= NODES_MAX;
    bool sound = true;
    switch (key.len ? key.at[0] : 0) {
    case RECORD_ACCOUNT:
        it->n_accounts++;
        sound = record_u64(value, 0, &balance);
        it->total += balance;
        break;
    case RECORD_EPOCH:
        sound = record_u64(value, 0, &it->epoch);
        break;
    case RECORD_VALUE:
        it->n_values++;
        break;
    case RECORD_MARK:
        sound = named && record_u64(value, 0, &it->applied[peer].epoch) &&
                record_u64(value, 8, &it->applied[peer].upto);
        break;
    case RECORD_LAST:
        sound = named && record_u64(value, 0, &it->outbox[peer].last);
        break;
    case RECORD_OUTBOX:
        sound = named && !read_outbox(it, peer, value);
        break;
    default:
        break;
    }
    return sound ? OK : ERR_CORRUPT;
}

static int read_store(struct disk *disk, struct inspected *it, struct text *why)
{
    int error = disk_boots(disk, &it->boots, why);
    if (!error)
        error = disk_read_vote(disk, &it->durable, why);
    if (!error)
        error = disk_read_origin(disk, it->origin, why);
    if (!error)
        error = disk_read_log(disk, read_part, read_entry, it, why);
    if (!error)
        error = disk_read_records(disk, read_record, it, why);
    return error;
}

/* --- writing --- */

static void print_jobs(const struct inspected *it, FILE *out)
{
    uint64_t first = it->n_jobs > INSPECT_JOBS_MAX ? it->n_jobs - INSPECT_JOBS_MAX : 0;
    char job[JOB_TEXT_MAX];
    fprintf(out, ", \"jobs\": %" PRIu64 ", \"finished\": %" PRIu64 ", \"job_ids\": [", it->n_jobs,
            it->n_finished);
    for (uint64_t i = first; i < it->n_jobs; i++)
        fprintf(out, "%s\"%s\"", i == first ? "" : ", ",
                job_id_text(it->jobs[i % INSPECT_JOBS_MAX], job));
    fputc(']', out);
}

static void print_ledger(const struct inspected *it, FILE *out)
{
    const char *gap = "";
    fprintf(out,
            ", \"ledger\": {\"accounts\": %" PRIu64 ", \"total\": %" PRIu64 ", \"values\": %" PRIu64
            ", \"epoch\": \"%016" PRIx64 "\", \"outbox\": [",
            it->n_accounts, it->total, it->n_values, it->epoch);
    for (unsigned to = 1; to <= NODES_MAX; to++) {
        if (!it->outbox[to].last)
            continue;
        fprintf(out, "%s{\"to\": %u, \"last\": %" PRIu64 ", \"letters\": [", gap, to,
                it->outbox[to].last);
        for (size_t i = 0; i < it->outbox[to].pending; i++)
            fprintf(out, "%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "",
                    it->outbox[to].letters[i].number, it->outbox[to].letters[i].amount);
        fputs("]}", out);
        gap = ", ";
    }
    fputs("], \"applied\": [", out);
    gap = "";
    for (unsigned from = 1; from <= NODES_MAX; from++) {
        if (!it->applied[from].epoch)
            continue;
        fprintf(out, "%s{\"from\": %u, \"epoch\": \"%016" PRIx64 "\", \"upto\": %" PRIu64 "}", gap,
                from, it->applied[from].epoch, it->applied[from].upto);
        gap = ", ";
    }
    fputs("]}", out);
}

static void print_store(const struct disk *disk, const struct inspected *it, FILE *out)
{
    const struct identity *identity = &it->durable.identity;
    fprintf(out, ", \"node\": %u, \"cluster\": ", (unsigned)disk_node(disk));
    print_string(out, disk_cluster(disk));
    print_id(out, "cluster_id", identity->cluster_id);
    print_id(out, "origin", it->origin);
    fprintf(out,
            ", \"founder\": %u, \"nodes\": %" PRIu32 ", \"voters\": %" PRIu32
            ", \"voter\": %s, \"boots\": %" PRIu64 ", \"term\": %" PRIu64
            ", \"last_term\": %" PRIu64 ", \"last_index\": %" PRIu64
            ", \"checkpoint_index\": %" PRIu64,
            (unsigned)identity->founder, identity->n_nodes, identity->n_voters,
            it->durable.voter ? "true" : "false", it->boots, it->durable.term, it->last_term,
            it->last_index, it->checkpoint);
    print_jobs(it, out);
    print_ledger(it, out);
}

static const char *state_of(int error)
{
    switch (error) {
    case OK:
        return "sound";
    case ERR_NOT_FOUND:
        return "empty";
    case ERR_EXISTS:
        return "in_use";
    case ERR_CORRUPT:
        return "damaged";
    default:
        return "unusable";
    }
}

void inspect_print(const char *dir, FILE *out)
{
    struct disk *disk = NULL;
    struct inspected *it = mem_new(1, sizeof *it);
    struct text why = {0};
    int error = ERR_NOT_FOUND;
    if (disk_exists(dir))
        error = disk_open(dir, NULL, 0, DURABILITY_FSYNC, &disk, &why);
    if (!error)
        error = read_store(disk, it, &why);
    fprintf(out, "{\"state\": \"%s\", \"why\": ", state_of(error));
    if (why.len)
        print_string(out, why.at);
    else
        fputs("null", out);
    if (!error)
        print_store(disk, it, out);
    fputs("}\n", out);
    disk_close(&disk);
    free(it->jobs);
    for (size_t to = 0; to <= NODES_MAX; to++)
        free(it->outbox[to].letters);
    free(it);
}

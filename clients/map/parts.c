#include "clients/map/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/digits.h"
#include "clients/ask/interrupt.h"
#include "clients/input/source.h"
#include "clients/library/library.h"
#include "clients/map/task_cluster_told.h"
#include "clients/show/render.h"
#include "clients/show/report.h"
#include "clients/show/tasks.h"
#include "shared/base/bytes.h"
#include "shared/base/memory.h"

#define READ_BYTES ((size_t)262144)

void parts_begin(struct parts *parts)
{
    *parts = (struct parts){0};
    spool_begin(&parts->spool);
}

void parts_clear(struct parts *parts)
{
    spool_clear(&parts->spool);
    free(parts->ends);
    *parts = (struct parts){.spool.fd = -1};
}

/* --- adding --- */

static int too_long(const char *name)
{
    char size[RENDER_SIZE_MAX];
    return cli_fail(EXIT_USAGE, "%s is longer than %s, the most that is folded at a time", name,
                    render_size(REDUCE_PART_BYTES_MAX, size));
}

int parts_add(struct parts *parts, const char *name, struct slice bytes)
{
    uint8_t length[BYTES_LENGTH];
    char why[TEXT_MAX];
    if (bytes.len > REDUCE_PART_BYTES_MAX)
        return too_long(name);
    if (parts->n == VALUE_SEGMENTS_MAX)
        return cli_fail(EXIT_USAGE, "at most %d files are folded by one job", VALUE_SEGMENTS_MAX);
    bytes_put_length(length, bytes.len);
    if (spool_add(&parts->spool, length, sizeof length, why) ||
        (bytes.len && spool_add(&parts->spool, bytes.at, bytes.len, why)))
        return cli_fail(EXIT_FAILED, "%s", why);
    if (parts->n == parts->room) {
        parts->room = 2 * parts->room + 64;
        parts->ends = mem_grow(parts->ends, parts->room, sizeof *parts->ends);
    }
    parts->ends[parts->n++] = parts->spool.len;
    return EXIT_OK;
}

/* Files go as they are: what is packed is not unpacked. */
int parts_add_file(struct parts *parts, const char *path)
{
    struct source source;
    char why[TEXT_MAX];
    uint8_t *at = NULL;
    size_t len = 0, room = 0;
    int code = EXIT_OK;
    if (source_open(&source, path, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    for (ssize_t n = 1; n && !code;) {
        if (len == room) {
            room = 2 * room + READ_BYTES;
            at = mem_grow(at, room, 1);
        }
        n = read(source.fd, at + len, room - len);
        if (interrupt_seen())
            code = cli_interrupted();
        else if (n < 0 && errno != EINTR)
            code = cli_fail(EXIT_USAGE, "cannot read %s: %s", source.name, strerror(errno));
        else if (n > 0 && (len += (size_t)n) > REDUCE_PART_BYTES_MAX)
            code = too_long(source.name);
    }
    if (!code)
        code = parts_add(parts, source.name, (struct slice){at, len});
    source_close(&source);
    free(at);
    return code;
}

static int read_output(struct parts *parts, const struct task_source *source,
                       const struct task_view *view)
{
    uint64_t task = view->task, len = view->output[TASK_STDOUT].kept;
    uint8_t sha256[HASH_BYTES], hash[HASH_BYTES];
    char name[64];
    struct text why = {0};
    text_format(name, sizeof name, "the output of task %" PRIu64, task);
    if (len > REDUCE_PART_BYTES_MAX)
        return too_long(name);
    memcpy(sha256, view->output[TASK_STDOUT].sha256, HASH_BYTES); /* the view goes with the read */
    uint8_t *at = mem_new(len + 1, 1);
    int code = EXIT_OK;
    if (len && source->read(source->context, task, TASK_STDOUT, 0, at, len, &why))
        code = cli_fail(EXIT_FAILED, "%s", why.at);
    hash_bytes(at, len, hash);
    if (!code && len && memcmp(hash, sha256, HASH_BYTES))
        code = cli_fail(EXIT_FAILED, "%s differs from its SHA-256: it is wrong", name);
    if (!code)
        code = parts_add(parts, name, (struct slice){at, len});
    free(at);
    return code;
}

int parts_add_outputs(struct parts *parts, const struct task_source *source)
{
    int code = EXIT_OK;
    for (uint64_t task = 1; task <= source->total && !code; task++) {
        struct task_view view;
        struct text why = {0};
        if (source->get(source->context, task, &view, &why))
            return cli_fail(EXIT_FAILED, "%s", why.at);
        if (view.state != VIEW_DONE)
            return cli_fail(EXIT_FAILED, "task %" PRIu64 " is not done (%s): nothing is folded",
                            task, task_view_state_name(view.state));
        if (view.output[TASK_STDOUT].kept < view.output[TASK_STDOUT].bytes)
            return cli_fail(EXIT_FAILED,
                            "the output of task %" PRIu64 " was cut (--max-output): nothing is "
                            "folded",
                            task);
        code = read_output(parts, source, &view);
    }
    return code;
}

/* --- jobs --- */

static int add_tasks(struct parts *parts, struct cli *cli, job_id_t job)
{
    static const struct task_cluster_wants wants = {.streams = {true, false}};
    struct task_cluster *cluster = NULL;
    int code = task_cluster_open_told(cli, job, &wants, &cluster);
    if (!code)
        code = parts_add_outputs(parts, task_cluster_source(cluster));
    task_cluster_destroy(&cluster);
    return code;
}

static int add_result(struct parts *parts, struct cli *cli, const struct wire_job_row *row)
{
    char *text = NULL, id[JOB_TEXT_MAX];
    size_t len = 0;
    if (row->digits > REDUCE_PART_BYTES_MAX)
        return too_long("the job's result");
    FILE *memory = open_memstream(&text, &len);
    if (!memory)
        return cli_fail(EXIT_FAILED, "no memory for the result: %s", strerror(errno));
    int code = digits_write(cli, row, memory);
    fclose(memory);
    if (!code)
        code = parts_add(parts, job_id_text(row->job, id), (struct slice){(uint8_t *)text, len});
    free(text);
    return code;
}

int parts_add_job(struct parts *parts, struct cli *cli, job_id_t job)
{
    struct message *reply = NULL;
    int code = cli_told(cli, library_get(&cli->connection, job, false, &reply));
    const struct wire_job_row *row = code ? NULL : &reply->as.job.jobs.at[0];
    if (!code && tasks_are(row))
        code = add_tasks(parts, cli, job);
    else if (!code && !(code = report_state(cli, row)))
        code = add_result(parts, cli, row);
    message_drop(&reply);
    return code;
}

/* --- all of them --- */

struct place {
    uint64_t offset, len;
};

/* Of the same length: as they were. */
static int compare(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    if (left->len != right->len)
        return left->len < right->len ? -1 : 1;
    return left->offset < right->offset ? -1 : 1;
}

static int copy(struct spool *to, const struct spool *from, struct place place, uint8_t *room,
                char *why)
{
    int error = OK;
    for (uint64_t done = 0; done < place.len && !error;) {
        uint64_t left = place.len - done;
        size_t n = left < READ_BYTES ? (size_t)left : READ_BYTES;
        error = spool_read(from, place.offset + done, room, n, why);
        if (!error)
            error = spool_add(to, room, n, why);
        done += n;
    }
    return error;
}

static int sort(struct parts *parts, char *why)
{
    struct place *places = mem_new(parts->n + 1, sizeof *places);
    uint8_t *room = mem_new(READ_BYTES, 1);
    struct spool sorted;
    int error = OK;
    spool_begin(&sorted);
    for (size_t i = 0; i < parts->n; i++) {
        uint64_t begin = i ? parts->ends[i - 1] : 0;
        places[i] = (struct place){begin, parts->ends[i] - begin};
    }
    qsort(places, parts->n, sizeof *places, compare);
    for (size_t i = 0; i < parts->n && !error; i++)
        error = copy(&sorted, &parts->spool, places[i], room, why);
    spool_clear(&parts->spool);
    parts->spool = sorted;
    free(places);
    free(room);
    return error;
}

int parts_content(struct parts *parts, bool sorted, struct content *out)
{
    char why[TEXT_MAX];
    *out = (struct content){.spool.fd = -1};
    if ((sorted && sort(parts, why)) || content_of_each_part(out, "parts", &parts->spool, why))
        return cli_fail(EXIT_FAILED, "%s", why);
    return EXIT_OK;
}

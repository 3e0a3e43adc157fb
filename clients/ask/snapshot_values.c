#include "clients/ask/snapshot_values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/client.h"
#include "clients/ask/interrupt.h"
#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/limits.h"

#define READ_BYTES (64 * KIB_BYTES)
/* For a piece of a value; a node without it has looked at other nodes for SERVE_REPAIR_US. */
#define PIECE_WAIT_US (10 * SECOND_US)

static int values_path(const char *file, const struct snapshot_value *value,
                       char at[LOCAL_PATH_MAX])
{
    char hash[HASH_TEXT_MAX];
    int len = snprintf(at, LOCAL_PATH_MAX, "%s.values%s%s", file, value ? "/" : "",
                       value ? hash_text(value->sha256, hash) : "");
    return len > 0 && len < LOCAL_PATH_MAX ? OK : ERR_TOO_BIG;
}

/* --- files --- */

/* True when the file holds these bytes. */
static bool holds(const char *path, const struct snapshot_value *value)
{
    uint8_t buffer[READ_BYTES], is[HASH_BYTES];
    struct hash_stream hash;
    uint64_t len = 0;
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    hash_begin(&hash);
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, in)); len += got)
        hash_add(&hash, buffer, got);
    hash_end(&hash, is);
    bool read = !ferror(in);
    fclose(in);
    return read && len == value->len && !memcmp(is, value->sha256, HASH_BYTES);
}

size_t snapshot_values_look(struct snapshot_values *values, const char *file)
{
    char path[LOCAL_PATH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < values->n; i++) {
        struct snapshot_value *value = &values->at[i];
        value->here = !values_path(file, value, path) && holds(path, value);
        n += value->here;
    }
    return n;
}

static int copy_bytes(const char *from, const char *to, char *why)
{
    uint8_t buffer[READ_BYTES];
    struct outfile out;
    FILE *in = fopen(from, "re");
    int code = in ? outfile_open(&out, "a value", to) : EXIT_FAILED;
    if (!code) {
        for (size_t got; !code && (got = fread(buffer, 1, sizeof buffer, in));)
            code = fwrite(buffer, 1, got, out.file) == got ? EXIT_OK : EXIT_FAILED;
        code = outfile_close(&out, code || ferror(in) ? EXIT_FAILED : EXIT_OK);
    }
    if (in)
        fclose(in);
    if (code)
        text_format(why, TEXT_MAX, "cannot copy %s to %s", from, to);
    return code ? ERR_IO : OK;
}

/* Nodes read it and leave it as it is: on one file system it is a further name. */
static int place(const struct snapshot_value *value, const char *file, const char *dir, char *why)
{
    char from[LOCAL_PATH_MAX], to[LOCAL_PATH_MAX], name[JOB_TEXT_MAX + 32], job[JOB_TEXT_MAX];
    text_format(name, sizeof name, "%s-%" PRIu64, job_id_text(value->job, job), value->op);
    if (values_path(file, value, from) || local_path(dir, name, to)) {
        text_format(why, TEXT_MAX, "%s: the path is too long", dir);
        return ERR_TOO_BIG;
    }
    return link(from, to) ? copy_bytes(from, to, why) : OK;
}

int snapshot_values_place(const struct snapshot_values *values, const char *file, const char *dir,
                          uint64_t node, char *why)
{
    char path[LOCAL_PATH_MAX], below[64];
    int error = OK;
    bool made = false;
    text_format(below, sizeof below, "node%" PRIu64 "/restore.values", node);
    if (local_path(dir, below, path)) {
        text_format(why, TEXT_MAX, "%s: the path is too long", dir);
        return ERR_TOO_BIG;
    }
    for (size_t i = 0; i < values->n && !error; i++) {
        if (!values->at[i].here)
            continue;
        if (!made && mkdir(path, 0777) && errno != EEXIST) {
            text_format(why, TEXT_MAX, "cannot make %s: %s", path, strerror(errno));
            return ERR_IO;
        }
        made = true;
        error = place(&values->at[i], file, path, why);
    }
    return error;
}

/* --- from the cluster --- */

/* The next piece; NULL: that node has it not. */
static struct message *fetch_piece(struct cli *cli, const struct snapshot_value *value,
                                   uint64_t node, uint64_t offset)
{
    struct message *request = message_new(MESSAGE_SNAPSHOT_VALUE), *reply = NULL;
    struct wire_snapshot_value *get = &request->as.snapshot_value;
    *get = (struct wire_snapshot_value){
        .node = node, .job = value->job, .op = value->op, .len = value->len, .offset = offset};
    int error = client_ask(cli_client(cli), request, CLIENT_ONCE, 0, clock_now_us() + PIECE_WAIT_US,
                           &reply);
    const struct blob *piece = error ? NULL : message_frame(reply, 1);
    if (piece && reply->type == MESSAGE_SNAPSHOT_CHUNK && piece->len &&
        reply->as.snapshot_chunk.offset == offset && piece->len <= value->len - offset)
        return reply;
    message_drop(&reply);
    return NULL;
}

/* True when all of it came, and is what it should be. */
static bool fetch(struct cli *cli, const struct snapshot_value *value, uint64_t node, FILE *out)
{
    struct hash_stream hash;
    uint8_t is[HASH_BYTES];
    hash_begin(&hash);
    for (uint64_t offset = 0; offset < value->len;) {
        struct message *reply = fetch_piece(cli, value, node, offset);
        const struct blob *piece = reply ? message_frame(reply, 1) : NULL;
        if (!piece || fwrite(piece->at, 1, piece->len, out) != piece->len) {
            message_drop(&reply);
            return false;
        }
        hash_add(&hash, piece->at, piece->len);
        offset += piece->len;
        message_drop(&reply);
    }
    hash_end(&hash, is);
    return !memcmp(is, value->sha256, HASH_BYTES);
}

/* Who coordinated at the cut has most of them; nodes that do not vote keep none. */
static int fetch_from_any(struct cli *cli, const struct snapshot_model *model,
                          struct snapshot_value *value, const char *path)
{
    for (uint64_t i = 0; i <= model->n_nodes && !value->here; i++) {
        uint64_t node = i ? i : model->coordinator;
        if (!node || (i && i == model->coordinator))
            continue;
        struct outfile out;
        int code = outfile_open(&out, "a value", path);
        if (code)
            return code;
        value->here = fetch(cli, value, node, out.file);
        code = outfile_close(&out, value->here ? EXIT_OK : EXIT_NOT_FOUND);
        if (code && value->here)
            return code;
        if (interrupt_seen())
            return cli_interrupted();
    }
    return EXIT_OK;
}

int snapshot_values_fetch(struct cli *cli, const struct snapshot_model *model,
                          struct snapshot_values *values, const char *file, size_t *lacking)
{
    char path[LOCAL_PATH_MAX];
    int code = EXIT_OK;
    *lacking = 0;
    if (values->n && (values_path(file, NULL, path) || (mkdir(path, 0777) && errno != EEXIST)))
        code = cli_fail(EXIT_USAGE, "cannot make %s.values: %s", file, strerror(errno));
    for (size_t i = 0; i < values->n && !code; i++) {
        struct snapshot_value *value = &values->at[i];
        if (values_path(file, value, path))
            code = cli_fail(EXIT_USAGE, "%s: the path is too long", file);
        else if (!(value->here = holds(path, value)))
            code = fetch_from_any(cli, model, value, path);
        *lacking += !code && !value->here;
    }
    return code;
}

void snapshot_values_remove(const struct snapshot_values *values, const char *file)
{
    char path[LOCAL_PATH_MAX];
    for (size_t i = 0; i < values->n; i++)
        if (!values_path(file, &values->at[i], path))
            unlink(path);
    if (!values_path(file, NULL, path))
        rmdir(path);
}

int snapshot_values_export(struct cli *cli, const struct snapshot_model *model, const char *file)
{
    struct snapshot_values values;
    size_t lacking;
    snapshot_values_of(model, &values);
    int code = snapshot_values_fetch(cli, model, &values, file, &lacking);
    if (!code && lacking)
        cli_note(
            "%zu of %zu values are no longer on any node (they stay for a minute after the cut): "
            "the jobs that need them restart, or stay behind",
            lacking, values.n);
    snapshot_values_clear(&values);
    return code;
}

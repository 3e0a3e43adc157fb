#include "clients/ask/snapshot_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/snapshot_json.h"
#include "shared/base/limits.h"

#define READ_BYTES (64 * KIB_BYTES)

/* Bytes that come one after another. */
struct bytes {
    uint8_t *at;
    size_t len, size;
};

static uint8_t *make_room(struct bytes *bytes, size_t len)
{
    if (bytes->len + len > bytes->size) {
        bytes->size = 2 * bytes->size > bytes->len + len ? 2 * bytes->size : bytes->len + len;
        bytes->at = mem_grow(bytes->at, bytes->size, 1);
    }
    return bytes->at + bytes->len;
}

int snapshot_id_read(struct conclave *cluster, const char *text, struct snapshot_name *out)
{
    char room[TEXT_MAX / 4];
    if (!snapshot_name_parse(slice_of(text), out))
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE,
                           "'%s' is not a snapshot id, which looks like 3-00000001b9ffba8b-4",
                           text_escape(room, sizeof room, slice_of(text)));
}

int snapshot_word(struct cli *cli, int n_words, char **words, struct snapshot_name *out)
{
    if (n_words < 1)
        return cli_fail(EXIT_USAGE, "a snapshot's id is needed, such as 3-00000001b9ffba8b-4; "
                                    "`conclave snapshot list` shows them");
    return cli_told(cli, snapshot_id_read(&cli->connection, words[0], out));
}

/* --- from its initiator --- */

static int fetch_chunk(struct conclave *cluster, const struct snapshot_name *name,
                       struct bytes *bytes, uint64_t *total)
{
    struct message *request = message_new(MESSAGE_SNAPSHOT_GET), *reply = NULL;
    struct wire_snapshot_get *get = &request->as.snapshot_get;
    get->node = name->initiator;
    get->incarnation = name->incarnation;
    get->counter = name->counter;
    get->offset = bytes->len;
    int code = connection_ask(cluster, request, MESSAGE_SNAPSHOT_CHUNK, &reply);
    if (code)
        return code;
    const struct wire_snapshot_chunk *chunk = &reply->as.snapshot_chunk;
    const struct blob *frame = message_frame(reply, 1);
    bool fits = frame && frame->len && chunk->offset == bytes->len &&
                chunk->total <= SNAPSHOT_FILE_BYTES_MAX && (!bytes->len || chunk->total == *total);
    fits = fits && frame->len <= chunk->total - bytes->len;
    if (fits) {
        *total = chunk->total;
        memcpy(make_room(bytes, frame->len), frame->at, frame->len);
        bytes->len += frame->len;
    } else {
        code = connection_fail(cluster, EXIT_FAILED,
                               "node %" PRIu64 " sent a part of the snapshot that does not fit",
                               name->initiator);
    }
    message_drop(&reply);
    return code;
}

int snapshot_fetch_bytes(struct conclave *cluster, const struct snapshot_name *name, uint8_t **at,
                         size_t *len)
{
    struct bytes bytes = {0};
    uint64_t total = 1;
    int code = EXIT_OK;
    while (!code && bytes.len < total)
        code = fetch_chunk(cluster, name, &bytes, &total);
    *at = bytes.at;
    *len = bytes.len;
    return code;
}

int snapshot_load(struct conclave *cluster, const struct snapshot_name *name,
                  struct slice container, struct snapshot_model **out)
{
    struct text why = {0};
    *out = NULL;
    if (snapshot_model_load(container, out, &why))
        return connection_fail(cluster, EXIT_FAILED,
                               "the snapshot that node %" PRIu64 " keeps is malformed: %s",
                               name->initiator, why.at);
    /* as `snapshot list` has it: of all parts, which the head did not know yet */
    (*out)->bytes = container.len;
    return EXIT_OK;
}

int snapshot_fetch(struct conclave *cluster, const struct snapshot_name *name,
                   struct snapshot_model **out)
{
    uint8_t *at;
    size_t len;
    *out = NULL;
    int code = snapshot_fetch_bytes(cluster, name, &at, &len);
    if (!code)
        code = snapshot_load(cluster, name, (struct slice){at, len}, out);
    free(at);
    return code;
}

/* --- from a file --- */

static int read_bytes(FILE *in, const char *path, struct bytes *bytes)
{
    size_t got;
    do {
        got = fread(make_room(bytes, READ_BYTES), 1, READ_BYTES, in);
        bytes->len += got;
    } while (got && bytes->len <= SNAPSHOT_FILE_BYTES_MAX);
    if (ferror(in))
        return cli_fail(EXIT_USAGE, "%s cannot be read: %s", path, strerror(errno));
    if (bytes->len > SNAPSHOT_FILE_BYTES_MAX)
        return cli_fail(EXIT_USAGE, "%s is too large for a snapshot", path);
    return EXIT_OK;
}

int snapshot_read(const char *path, struct snapshot_model **out)
{
    struct bytes bytes = {0};
    struct text why = {0};
    bool is_stdin = !strcmp(path, "-");
    FILE *in = is_stdin ? stdin : fopen(path, "re");
    *out = NULL;
    if (!in)
        return cli_fail(EXIT_USAGE, "%s cannot be read: %s", path, strerror(errno));
    int code = read_bytes(in, path, &bytes);
    if (!is_stdin)
        fclose(in);
    if (!code && snapshot_load_any((struct slice){bytes.at, bytes.len}, out, &why))
        code = cli_fail(EXIT_USAGE, "%s is not a snapshot: %s", path, why.at);
    free(bytes.at);
    return code;
}

int snapshot_find(struct cli *cli, const char *word, struct snapshot_model **out)
{
    struct snapshot_name name;
    return snapshot_name_parse(slice_of(word), &name)
               ? snapshot_read(word, out)
               : cli_told(cli, snapshot_fetch(&cli->connection, &name, out));
}

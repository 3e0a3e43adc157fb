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

int snapshot_word(int n_words, char **words, struct snapshot_name *out)
{
    char room[TEXT_MAX / 4];
    if (n_words < 1)
        return cli_fail(EXIT_USAGE, "a snapshot's id is needed, such as 3-00000001b9ffba8b-4; "
                                    "`conclave snapshot list` shows them");
    if (!snapshot_name_parse(slice_of(words[0]), out))
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "'%s' is not a snapshot id, which looks like 3-00000001b9ffba8b-4",
                    text_escape(room, sizeof room, slice_of(words[0])));
}

/* --- from its initiator --- */

static int fetch_chunk(struct cli *cli, const struct snapshot_name *name, struct bytes *bytes,
                       uint64_t *total)
{
    struct message *request = message_new(MESSAGE_SNAPSHOT_GET), *reply = NULL;
    struct wire_snapshot_get *get = &request->as.snapshot_get;
    get->node = name->initiator;
    get->incarnation = name->incarnation;
    get->counter = name->counter;
    get->offset = bytes->len;
    int code = cli_ask(cli, request, MESSAGE_SNAPSHOT_CHUNK, &reply);
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
        code =
            cli_fail(EXIT_FAILED, "node %" PRIu64 " sent a part of the snapshot that does not fit",
                     name->initiator);
    }
    message_drop(&reply);
    return code;
}

int snapshot_fetch(struct cli *cli, const struct snapshot_name *name, struct snapshot_model **out)
{
    struct bytes bytes = {0};
    struct text why = {0};
    uint64_t total = 1;
    int code = EXIT_OK;
    *out = NULL;
    while (!code && bytes.len < total)
        code = fetch_chunk(cli, name, &bytes, &total);
    if (!code && snapshot_model_load((struct slice){bytes.at, bytes.len}, out, &why))
        code = cli_fail(EXIT_FAILED, "the snapshot that node %" PRIu64 " keeps is malformed: %s",
                        name->initiator, why.at);
    if (!code) /* as `snapshot list` has it: of all parts, which the head did not know yet */
        (*out)->bytes = bytes.len;
    free(bytes.at);
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
    return snapshot_name_parse(slice_of(word), &name) ? snapshot_read(word, out)
                                                      : snapshot_fetch(cli, &name, out);
}

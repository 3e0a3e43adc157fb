#include "clients/ask/result.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/hash.h"

int result_chunk(struct conclave *cluster, const struct wire_job_row *row, uint64_t offset,
                 struct message **answer, struct slice *out)
{
    struct message *request = message_new(MESSAGE_RESULT_GET);
    request->as.result_get.job = row->job;
    request->as.result_get.offset = offset;
    int code = connection_ask(cluster, request, MESSAGE_RESULT_CHUNK, answer);
    if (code)
        return code;
    const struct wire_result_chunk *chunk = &(*answer)->as.result_chunk;
    const struct blob *bytes = message_frame(*answer, 1);
    if (bytes && bytes->len && chunk->offset == offset && chunk->total == row->digits &&
        bytes->len <= row->digits - offset) {
        *out = (struct slice){bytes->at, bytes->len};
        return EXIT_OK;
    }
    code = connection_fail(cluster, EXIT_FAILED,
                           "a part of the result does not fit: %" PRIu64 " digits in all, %" PRIu64
                           " expected",
                           chunk->total, row->digits);
    message_drop(answer);
    return code;
}

/* The first `max` bytes of these, behind `skip`. */
static struct slice cut(struct slice bytes, uint64_t skip, uint64_t max)
{
    uint64_t left = bytes.len - skip;
    return (struct slice){bytes.at + skip, (size_t)(left < max ? left : max)};
}

int result_part(struct conclave *cluster, const struct wire_job_row *row, uint64_t from,
                uint64_t to, int (*take)(void *context, struct slice bytes), void *context)
{
    int code = EXIT_OK;
    uint64_t end = to < row->digits ? to : row->digits;
    if (from < row->text.len && from < end) { /* a short one came with the row */
        struct slice bytes = cut(row->text, from, end - from);
        code = take(context, bytes);
        from += bytes.len;
    }
    while (!code && from < end) {
        struct message *answer = NULL;
        struct slice bytes;
        code = result_chunk(cluster, row, from, &answer, &bytes);
        if (!code) {
            bytes = cut(bytes, 0, end - from);
            from += bytes.len;
            code = take(context, bytes);
        }
        message_drop(&answer);
    }
    return code;
}

struct hashing {
    struct hash_stream hash;
    int (*take)(void *context, struct slice bytes);
    void *context;
};

static int hash_and_take(void *context, struct slice bytes)
{
    struct hashing *hashing = context;
    hash_add(&hashing->hash, bytes.at, bytes.len);
    return hashing->take(hashing->context, bytes);
}

int result_each(struct conclave *cluster, const struct wire_job_row *row,
                int (*take)(void *context, struct slice bytes), void *context)
{
    struct hashing hashing = {.take = take, .context = context};
    uint8_t got[HASH_BYTES];
    hash_begin(&hashing.hash);
    int code = result_part(cluster, row, 0, row->digits, hash_and_take, &hashing);
    hash_end(&hashing.hash, got);
    if (code)
        return code;
    if (row->sha256.len != HASH_BYTES || memcmp(got, row->sha256.at, HASH_BYTES))
        return connection_fail(cluster, EXIT_FAILED,
                               "the result does not match its SHA-256: do not use it");
    return EXIT_OK;
}

int result_state(struct conclave *cluster, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX], room[TEXT_MAX];
    job_id_text(row->job, id);
    if (slice_equals(row->state, "done"))
        return EXIT_OK;
    if (slice_equals(row->state, "cancelled"))
        return connection_fail(cluster, EXIT_CANCELLED, "job %s was cancelled", id);
    if (slice_equals(row->state, "failed"))
        return connection_fail(cluster, EXIT_FAILED, "job %s failed: %s", id,
                               text_escape(room, sizeof room, row->error));
    return connection_fail(cluster, EXIT_FAILED,
                           "job %s is not finished (%s); `conclave job wait %s` waits for it", id,
                           text_escape(room, sizeof room, row->state), id);
}

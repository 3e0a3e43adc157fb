/* result.c - GET /api/jobs/ID/result: the digits, as they come from the cluster: 512 KiB of them
 * are in memory at a time. Their SHA-256 is checked; when it is wrong the body ends too early. */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/digits.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/blob.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"

struct result {
    struct message *held; /* owns `part`: the job's row, or a chunk */
    struct slice part;
    size_t given;           /* of the part */
    uint64_t taken, digits; /* that came; of all */
    uint8_t sha256[HASH_BYTES];
    struct hash_stream hash;
    bool any; /* what a program made, which may be any bytes */
    bool damaged, ended;
};

static void result_free(void *own)
{
    struct result *result = own;
    message_drop(&result->held);
    free(result);
}

static void take_part(struct result *result, struct message *holder, struct slice part)
{
    result->damaged = result->damaged || (!result->any && !digits_are_text(part));
    hash_add(&result->hash, part.at, part.len);
    message_drop(&result->held);
    result->held = holder;
    result->part = part;
    result->given = 0;
    result->taken += part.len;
    uint8_t got[HASH_BYTES];
    if (result->taken < result->digits)
        return;
    hash_end(&result->hash, got);
    result->damaged = result->damaged || memcmp(got, result->sha256, HASH_BYTES);
}

static void take_chunk(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    struct result *result = request->own;
    struct message *reply = call->outcome ? NULL : call->reply;
    const struct blob *bytes =
        reply && reply->type == MESSAGE_RESULT_CHUNK ? message_frame(reply, 1) : NULL;
    if (!bytes || !bytes->len || reply->as.result_chunk.offset != result->taken ||
        reply->as.result_chunk.total != result->digits ||
        bytes->len > result->digits - result->taken) {
        result->damaged = true; /* the head of the answer is sent: it can only end too early */
    } else {
        call->reply = NULL;
        take_part(result, reply, (struct slice){bytes->at, bytes->len});
        request_extend(request, WEB_ANSWER_US);
    }
    client_call_drop(&call);
    request_resume(request);
}

static ssize_t read_result(void *context, uint64_t at, char *out, size_t room)
{
    struct request *request = context;
    struct result *result = request->own;
    (void)at;
    if (result->damaged)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = result->part.len - result->given;
    if (left) {
        left = left < room ? left : room;
        memcpy(out, result->part.at + result->given, left);
        result->given += left;
        return (ssize_t)left;
    }
    if (result->taken == result->digits) {
        if (result->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        result->ended = true;
        out[0] = '\n';
        return 1;
    }
    struct message *message = message_new(MESSAGE_RESULT_GET);
    message->as.result_get.job = request->job;
    message->as.result_get.offset = result->taken;
    request->waiter.take = take_chunk;
    request_suspend(request);
    web_ask(request->web, message, &request->waiter);
    return 0;
}

static void begin(struct request *request, struct client_call *call, const struct wire_job_row *row)
{
    struct result *result = mem_new(1, sizeof *result);
    char hash[HASH_TEXT_MAX];
    request->own = result;
    request->own_free = result_free;
    result->digits = row->digits;
    memcpy(result->sha256, row->sha256.at, HASH_BYTES);
    hash_begin(&result->hash);
    hash_text(result->sha256, hash);
    struct message *reply = call->reply;
    call->reply = NULL;
    result->any = digits_are_bytes(row);
    take_part(result, reply, row->text);
    result->ended = result->any; /* nothing is added to these */
    request_stream(request,
                   result->ended ? "application/octet-stream" : "text/plain; charset=utf-8",
                   result->digits + !result->ended, read_result);
    MHD_add_response_header(request->response, "Conclave-SHA256", hash);
}

static void take_row(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    if (!request_failed(request, call, MESSAGE_JOB)) {
        const struct wire_job *job = &call->reply->as.job;
        const struct wire_job_row *row = job->jobs.n == 1 ? &job->jobs.at[0] : NULL;
        if (row && slice_equals(row->state, "done") && row->sha256.len == HASH_BYTES &&
            row->text.len <= row->digits)
            begin(request, call, row);
        else
            request_error(request, MHD_HTTP_CONFLICT, "unavailable", EXIT_FAILED,
                          "the job has no result, or this key may not see it");
    }
    client_call_drop(&call);
}

void job_result(struct request *request)
{
    struct message *message = message_new(MESSAGE_JOB_GET);
    message->as.job_get.job = request->job;
    request->waiter.take = take_row;
    web_ask(request->web, message, &request->waiter);
}

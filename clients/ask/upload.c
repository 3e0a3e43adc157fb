#include "clients/ask/upload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/stored.h"
#include "clients/show/render.h"
#include "shared/base/clock.h"

#define PAUSE_MS     30
#define PAUSE_MAX_MS 500
#define PROGRESS_MS  200 /* how often who watches is told */

struct upload {
    struct conclave *cluster;
    const struct content *content;
    const char *name;
    struct message *value; /* owned: its row as last told */
    size_t segment;        /* the next chunk's, from 0; */
    uint64_t offset;       /* where in it */
    size_t unanswered;
    size_t durable;             /* segments, at the last beginning */
    unsigned tries;             /* beginnings since one more was */
    uint64_t acknowledged;      /* bytes */
    struct upload_watch *watch; /* borrowed; NULL: nobody */
};

static const struct wire_value_row *row_of(const struct upload *upload)
{
    return &upload->value->as.value.values.at[0];
}

/* --timeout is for the whole command; without it a large value takes as long as it takes. */
static uint64_t deadline_us(const struct upload *upload)
{
    return connection_deadline_us(upload->cluster);
}

static int take_row(struct upload *upload, struct message *reply)
{
    if (reply->as.value.values.n != 1) {
        message_drop(&reply);
        return connection_fail(upload->cluster, EXIT_FAILED, "the answer is not about one value");
    }
    message_drop(&upload->value);
    upload->value = reply;
    return EXIT_OK;
}

/* --- refusals --- */

/* What no new beginning changes. */
static bool is_final(const struct message *error)
{
    static const char *const codes[] = {"quota",     "invalid",   "too_costly",
                                        "malformed", "forbidden", "disk_full",
                                        "too_many",  "unsigned",  "key_unknown"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (slice_equals(error->as.error.code, codes[i]))
            return true;
    return false;
}

/* The pause grows: another coordinator may be about to be elected, or a segment to be committed. */
static int pause_a_while(struct upload *upload)
{
    uint64_t pause_ms = (uint64_t)PAUSE_MS * upload->tries;
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    int error = client_work_for(connection_client(upload->cluster), upload,
                                clock_now_us() + pause_ms * MS_US);
    return error == ERR_INTERRUPTED ? connection_explain(upload->cluster, error) : EXIT_OK;
}

/* --- beginning --- */

static int compare(const struct upload *upload)
{
    const struct wire_value_row *row = row_of(upload);
    const struct content *content = upload->content;
    uint64_t bytes = row->segments > content->n_segments ? UINT64_MAX
                     : row->segments == content->n_segments
                         ? content->len
                         : content->segments[row->segments].offset;
    char at[STORED_TEXT_MAX];
    if (row->len == content->len && row->bytes == bytes)
        return EXIT_OK;
    stored_text(row->sha256, at);
    return connection_fail(
        upload->cluster, EXIT_FAILED,
        "%s was started with other segments, by another release; `conclave value rm %s`, "
        "then try again",
        at, at);
}

static int begin(struct upload *upload)
{
    const struct content *content = upload->content;
    struct message *request = message_new(MESSAGE_VALUE_BEGIN), *reply = NULL;
    struct wire_value_begin *body = &request->as.value_begin;
    struct slice name = slice_of(upload->name ? upload->name : "");
    name.len = name.len < STORED_NAME_MAX ? name.len : STORED_NAME_MAX;
    while (name.len && !text_is_utf8(name))
        name.len--; /* cut in the middle of a character */
    body->sha256 = message_copy(request, (struct slice){content->sha256, HASH_BYTES});
    body->len = content->len;
    body->format = message_text(request, content->format);
    body->name = message_copy(request, name);
    int code = connection_ask(upload->cluster, request, MESSAGE_VALUE, &reply);
    code = code ? code : take_row(upload, reply);
    if (code || row_of(upload)->whole)
        return code;
    code = compare(upload);
    if (code)
        return code;
    if (row_of(upload)->segments > upload->durable)
        upload->tries = 0;
    upload->durable = row_of(upload)->segments;
    upload->segment = row_of(upload)->segments;
    upload->offset = 0;
    upload->acknowledged = row_of(upload)->bytes;
    if (upload->tries++ < UPLOAD_TRIES)
        return EXIT_OK;
    return connection_fail(upload->cluster, EXIT_UNREACHABLE,
                           "the cluster does not accept segment %zu of %zu", upload->segment + 1,
                           content->n_segments);
}

/* --- sending --- */

static int send_chunk(struct upload *upload)
{
    const struct content_segment *segment = &upload->content->segments[upload->segment];
    uint64_t left = segment->len - upload->offset;
    size_t len = left < VALUE_CHUNK_BYTES ? (size_t)left : (size_t)VALUE_CHUNK_BYTES;
    struct blob *bytes = blob_new(len);
    char why[TEXT_MAX];
    if (spool_read(&upload->content->spool, segment->offset + upload->offset, bytes->at, len,
                   why)) {
        blob_drop(&bytes);
        return connection_fail(upload->cluster, EXIT_FAILED, "%s", why);
    }
    struct message *request = message_new(MESSAGE_VALUE_PUT);
    struct wire_value_put *body = &request->as.value_put;
    body->value = row_of(upload)->value;
    body->segment = upload->segment + 1;
    body->offset = upload->offset;
    body->len = segment->len;
    body->sha256 = message_copy(request, (struct slice){segment->sha256, HASH_BYTES});
    body->items = segment->items;
    message_add_frame(request, bytes);
    blob_drop(&bytes);
    client_start(connection_client(upload->cluster), request, CLIENT_PATIENT, 0,
                 deadline_us(upload), upload);
    upload->unanswered++;
    upload->offset += len;
    if (upload->offset == segment->len) {
        upload->segment++;
        upload->offset = 0;
    }
    return EXIT_OK;
}

/* Takes an answer in. EXIT_OK; *again: it is refused, and a new beginning may help. */
static int take_answer(struct upload *upload, struct client_call *call, bool *again)
{
    const struct blob *bytes = message_frame(call->request, 1);
    upload->unanswered--;
    if (call->outcome)
        return connection_explain(upload->cluster, call->outcome);
    if (call->reply->type == MESSAGE_ERROR && !is_final(call->reply)) {
        *again = true;
        return EXIT_OK;
    }
    int code = connection_expect(upload->cluster, call->reply, MESSAGE_VALUE_CHUNK_TAKEN);
    if (!code)
        upload->acknowledged += bytes->len;
    return code;
}

static int send_all(struct upload *upload, bool *again)
{
    struct client *client = connection_client(upload->cluster);
    int code = EXIT_OK;
    *again = false;
    while (!code && !*again &&
           (upload->segment < upload->content->n_segments || upload->unanswered)) {
        while (!code && upload->unanswered < UPLOAD_WINDOW &&
               upload->segment < upload->content->n_segments)
            code = send_chunk(upload);
        if (code)
            break;
        int error = client_work_for(client, upload, clock_now_us() + PROGRESS_MS * MS_US);
        if (error == ERR_INTERRUPTED)
            code = connection_explain(upload->cluster, error);
        for (struct client_call *call;
             !code && !*again && (call = client_finished_for(client, upload));) {
            code = take_answer(upload, call, again);
            client_call_drop(&call);
        }
        if (upload->watch && upload->watch->progress)
            upload->watch->progress(upload->watch->context, upload->acknowledged,
                                    upload->content->len);
    }
    client_abandon(client, upload);
    upload->unanswered = 0;
    return code;
}

static int end(struct upload *upload, bool *again)
{
    struct message *request = message_new(MESSAGE_VALUE_END), *reply = NULL;
    request->as.value_end.value = row_of(upload)->value;
    int error = client_ask(connection_client(upload->cluster), request, CLIENT_PATIENT, 0,
                           deadline_us(upload), &reply);
    if (error)
        return connection_explain(upload->cluster, error);
    if (reply->type == MESSAGE_ERROR && !is_final(reply)) {
        *again = true;
        message_drop(&reply);
        return EXIT_OK;
    }
    int code = connection_expect(upload->cluster, reply, MESSAGE_VALUE);
    if (code) {
        message_drop(&reply);
        return code;
    }
    return take_row(upload, reply);
}

/* From one beginning to its end, or to where it is refused. */
static int attempt(struct upload *upload)
{
    bool again = false;
    int code = begin(upload);
    if (code || row_of(upload)->whole)
        return code;
    code = send_all(upload, &again);
    if (!code && !again)
        code = end(upload, &again);
    return code || !again ? code : pause_a_while(upload);
}

/* --- in all --- */

static int check_size(struct conclave *cluster, const struct content *content)
{
    char size[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX];
    if (content->len <= VALUE_BYTES_MAX && content->n_segments <= VALUE_SEGMENTS_MAX)
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE,
                           "%s are too much for one value, which has at most %s and %d segments",
                           render_size(content->len, size), render_size(VALUE_BYTES_MAX, most),
                           VALUE_SEGMENTS_MAX);
}

int upload(struct conclave *cluster, const struct content *content, const char *name,
           struct upload_watch *watch, struct message **value)
{
    struct upload *upload = mem_new(1, sizeof *upload);
    bool was_there = true;
    *upload = (struct upload){.cluster = cluster, .content = content, .name = name, .watch = watch};
    *value = NULL;
    int code = check_size(cluster, content);
    while (!code && (!upload->value || !row_of(upload)->whole)) {
        code = attempt(upload);
        was_there = was_there && !upload->durable && !upload->tries;
    }
    if (code)
        message_drop(&upload->value);
    if (watch)
        watch->was_there = !code && was_there;
    *value = upload->value;
    free(upload);
    return code;
}

static int put_quietly(void *context, const struct content *content, const char *name,
                       const char *what, struct message **value)
{
    (void)what;
    return upload(context, content, name, NULL, value);
}

struct uploader uploader_of(struct conclave *cluster)
{
    return (struct uploader){put_quietly, cluster};
}

#include "nodes/core/uploads/uploads.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/uploads/ages.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

static struct upload *find(const struct uploads *uploads, job_id_t value)
{
    for (size_t i = 0; i < uploads->n; i++)
        if (uploads->at[i].value == value)
            return &uploads->at[i];
    return NULL;
}

static struct value_id id_of(const struct uploads *uploads, const struct upload *upload,
                             const struct upload_segment *segment)
{
    return (struct value_id){upload->value, stored_op(uploads->step->term, segment->number)};
}

/* --- the end of segments --- */

/* Its bytes are of no use in memory any more; those on disks are the log's, or are swept. */
static void let_go(struct uploads *uploads, const struct upload *upload,
                   const struct upload_segment *segment)
{
    struct value_id id = id_of(uploads, upload, segment);
    uploads->bytes -= segment->len;
    offers_end(uploads->raft, id);
    outbox_drop(&uploads->step->out, USER_UPLOAD, id);
}

/* Gives up the segment at that place, and those after it: they wait for it. */
static void give_up(struct uploads *uploads, struct upload *upload, size_t from)
{
    for (size_t i = from; i < upload->n; i++)
        let_go(uploads, upload, &upload->at[i]);
    upload->n = from;
}

/* Removes uploads of which nothing is under way. */
static void drop_empty(struct uploads *uploads)
{
    for (size_t i = uploads->n; i-- > 0;)
        if (!uploads->at[i].n)
            uploads->at[i] = uploads->at[--uploads->n];
}

/* --- chunks --- */

static bool is_same(const struct wire_value_put *put, uint64_t len, const uint8_t *sha256)
{
    return put->len == len && !memcmp(put->sha256.at, sha256, HASH_BYTES);
}

/* What no honest client sends. */
static const char *check_put(const struct uploads *uploads, const struct message *request)
{
    const struct wire_value_put *put = &request->as.value_put;
    const struct blob *bytes = message_frame(request, 1);
    if (!bytes || request->n_frames != 1 || !bytes->len || bytes->len > VALUE_CHUNK_BYTES)
        return "a chunk is one further frame of 1 byte to 512 KiB";
    if (put->sha256.len != HASH_BYTES || !put->segment)
        return "a segment has a number from 1 and a SHA-256";
    if (put->offset > put->len || bytes->len > put->len - put->offset)
        return "the chunk ends after its segment";
    if (put->len > SEGMENT_BYTES_MAX &&
        (put->items != 1 || put->len > 4 * uploads->step->config.result_max_bytes))
        return "a segment has 8 MiB at most, unless it is one item (--max-result)";
    return NULL;
}

/* What this term's coordinator has of the value, to be added to; NULL: there are too many. */
static struct upload *open_upload(struct uploads *uploads, job_id_t value)
{
    struct upload *upload = find(uploads, value);
    if (upload || uploads->n == UPLOADS_MAX)
        return upload;
    if (!uploads->at)
        uploads->at = mem_new(UPLOADS_MAX, sizeof *uploads->at);
    upload = &uploads->at[uploads->n++];
    *upload = (struct upload){.value = value};
    return upload;
}

/* Begins a segment with its first chunk; UPLOAD_TAKEN: it is the last one of the upload. */
static enum upload_answer begin_segment(struct uploads *uploads, const struct stored_value *value,
                                        const struct wire_value_put *put, struct text *why)
{
    struct upload *upload = open_upload(uploads, value->id);
    uint64_t bytes = value->bytes;
    for (size_t i = 0; upload && i < upload->n; i++)
        bytes += upload->at[i].len;
    if (put->len > value->len - bytes) {
        text_add(why, "the value has %" PRIu64 " bytes, and with this segment it would have more",
                 value->len);
        return UPLOAD_INVALID;
    }
    if (!upload || upload->n == UPLOAD_SEGMENTS_MAX ||
        (uploads->bytes && uploads->bytes + put->len > UPLOADS_BYTES_MAX)) {
        text_add(why, "too many segments are under way; try again later");
        return UPLOAD_BUSY;
    }
    struct upload_segment *segment = &upload->at[upload->n++];
    *segment =
        (struct upload_segment){.number = put->segment, .len = put->len, .items = put->items};
    memcpy(segment->sha256, put->sha256.at, HASH_BYTES);
    uploads->bytes += put->len;
    return UPLOAD_TAKEN;
}

static enum upload_answer take(struct uploads *uploads, const struct upload *upload,
                               struct upload_segment *segment, struct blob *bytes)
{
    struct output *output = outbox_add(&uploads->step->out, OUTPUT_FEED);
    output->feed.user = USER_UPLOAD;
    output->feed.id = id_of(uploads, upload, segment);
    output->feed.len = segment->len;
    memcpy(output->feed.hash, segment->sha256, HASH_BYTES);
    output->feed.offset = segment->received;
    output->feed.piece = bytes;
    outbox_hold(&uploads->step->out, bytes);
    segment->received += bytes->len;
    segment->deadline_us = uploads->step->now_us + UPLOAD_IDLE_US;
    if (segment->received < segment->len)
        return UPLOAD_TAKEN;
    segment->state = SEGMENT_CHECKING;
    segment->deadline_us = uploads->step->now_us + value_wait_us(segment->len);
    return MUTANT(segment_told_early) ? UPLOAD_TAKEN : UPLOAD_WAITS;
}

static enum upload_answer refuse_unknown(const struct wire_value_put *put, struct text *why)
{
    text_add(why,
             "what comes before this chunk of segment %" PRIu64
             " is not here: begin the value again, and continue after what is durable",
             put->segment);
    return UPLOAD_UNKNOWN;
}

enum upload_answer uploads_put(struct uploads *uploads, const struct stored_value *value,
                               const struct message *request, struct text *why)
{
    const struct wire_value_put *put = &request->as.value_put;
    const char *wrong = check_put(uploads, request);
    struct blob *bytes = message_frame(request, 1);
    if (wrong) {
        text_add(why, "%s", wrong);
        return UPLOAD_INVALID;
    }
    if (put->segment <= value->n_segments) {
        const struct stored_segment *there = &value->segments[put->segment - 1];
        if (is_same(put, there->len, there->sha256))
            return UPLOAD_TAKEN;
        text_add(why, "segment %" PRIu64 " is there already, with other bytes", put->segment);
        return UPLOAD_INVALID;
    }
    struct upload *upload = find(uploads, value->id);
    size_t place = put->segment - value->n_segments - 1, n = upload ? upload->n : 0;
    /* Another try cuts it in another way: what has not come to its end goes. */
    if (place < n && !put->offset && upload->at[place].state == SEGMENT_TAKING &&
        !is_same(put, upload->at[place].len, upload->at[place].sha256)) {
        give_up(uploads, upload, place);
        n = place;
    }
    if (place == n && !put->offset && (!n || upload->at[n - 1].state != SEGMENT_TAKING)) {
        enum upload_answer answer = begin_segment(uploads, value, put, why);
        drop_empty(uploads);
        if (answer != UPLOAD_TAKEN)
            return answer;
        upload = find(uploads, value->id);
        n = upload->n;
    }
    struct upload_segment *segment = place < n ? &upload->at[place] : NULL;
    if (!segment || !is_same(put, segment->len, segment->sha256) || put->offset > segment->received)
        return refuse_unknown(put, why);
    if (put->offset == segment->received)
        return take(uploads, upload, segment, bytes);
    if (put->offset + bytes->len > segment->received)
        return refuse_unknown(put, why);
    return put->offset + bytes->len < segment->len ? UPLOAD_TAKEN : UPLOAD_WAITS; /* again */
}

enum upload_answer uploads_status(const struct uploads *uploads, job_id_t value, uint64_t number)
{
    const struct stored_value *stored = stored_values_find(&uploads->state->stored, value);
    const struct upload *upload = find(uploads, value);
    if (stored && number <= stored->n_segments)
        return UPLOAD_TAKEN;
    for (size_t i = 0; stored && upload && i < upload->n; i++)
        if (upload->at[i].number == number && upload->at[i].state != SEGMENT_TAKING)
            return UPLOAD_WAITS;
    bool wrong = uploads->wrong.value == value && uploads->wrong.segment == number;
    return wrong ? UPLOAD_INVALID : UPLOAD_UNKNOWN;
}

/* --- what becomes of segments --- */

static struct upload_segment *find_segment(const struct uploads *uploads, struct value_id id,
                                           struct upload **upload)
{
    *upload = find(uploads, id.job);
    for (size_t i = 0; *upload && i < (*upload)->n; i++)
        if (value_id_same(id_of(uploads, *upload, &(*upload)->at[i]), id))
            return &(*upload)->at[i];
    return NULL;
}

static void keep(struct uploads *uploads, struct value_id id, struct upload_segment *segment)
{
    segment->state = SEGMENT_KEEPING;
    segment->deadline_us = uploads->step->now_us + value_wait_us(segment->len);
    outbox_keep(&uploads->step->out, USER_UPLOAD, id, NULL);
}

void uploads_value_ready(struct uploads *uploads, struct value_id id)
{
    struct upload *upload;
    struct upload_segment *segment = find_segment(uploads, id, &upload);
    if (!segment || segment->state != SEGMENT_CHECKING)
        return;
    offers_make(uploads->raft, id, uploads->step->config.id, segment->len, segment->sha256);
    keep(uploads, id, segment);
}

/* Its hash is another than its client said; or it was not kept: the client sends it again. */
void uploads_value_failed(struct uploads *uploads, struct value_id id)
{
    struct upload *upload;
    struct upload_segment *segment = find_segment(uploads, id, &upload);
    if (!segment || segment->state == SEGMENT_SPREADING || segment->state == SEGMENT_PROPOSED)
        return;
    if (segment->state == SEGMENT_CHECKING) {
        uploads->wrong.value = id.job;
        uploads->wrong.segment = segment->number;
    }
    give_up(uploads, upload, (size_t)(segment - upload->at));
    drop_empty(uploads);
}

void uploads_value_kept(struct uploads *uploads, struct value_id id)
{
    struct upload *upload;
    struct upload_segment *segment = find_segment(uploads, id, &upload);
    if (!segment || segment->state != SEGMENT_KEEPING)
        return;
    segment->state = SEGMENT_SPREADING;
    offers_held_here(uploads->raft, id);
}

static void propose(struct uploads *uploads, const struct upload *upload,
                    struct upload_segment *segment)
{
    struct value_id id = id_of(uploads, upload, segment);
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
    entry->as.entry_value_segment = (struct wire_entry_value_segment){
        .value = upload->value,
        .segment = segment->number,
        .op = id.op,
        .len = segment->len,
        .sha256 = message_copy(entry, (struct slice){segment->sha256, HASH_BYTES}),
        .items = segment->items};
    segment->state = SEGMENT_PROPOSED;
    offers_end(uploads->raft, id);
    raft_log_propose(uploads->raft, entry);
}

/* What is applied is done with; then the next ones, as far as a majority has them. */
static void go_on(struct uploads *uploads, struct upload *upload)
{
    const struct stored_value *value = stored_values_find(&uploads->state->stored, upload->value);
    size_t done = 0;
    if (!value) { /* it was dropped */
        give_up(uploads, upload, 0);
        return;
    }
    while (done < upload->n && upload->at[done].number <= value->n_segments)
        let_go(uploads, upload, &upload->at[done++]);
    memmove(upload->at, upload->at + done, (upload->n - done) * sizeof *upload->at);
    upload->n -= done;
    for (size_t i = 0; i < upload->n; i++) {
        struct upload_segment *segment = &upload->at[i];
        bool spread = segment->state == SEGMENT_SPREADING &&
                      offers_is_spread(uploads->raft, id_of(uploads, upload, segment));
        if (spread)
            propose(uploads, upload, segment);
        if (segment->state != SEGMENT_PROPOSED)
            return;
    }
}

void uploads_pump(struct uploads *uploads)
{
    if (!raft_serves(uploads->raft))
        return;
    for (size_t i = 0; i < uploads->n; i++)
        go_on(uploads, &uploads->at[i]);
    drop_empty(uploads);
    ages_pump(uploads);
}

/* --- time, terms --- */

static bool waits(const struct upload_segment *segment)
{
    return segment->state != SEGMENT_SPREADING && segment->state != SEGMENT_PROPOSED;
}

void uploads_tick(struct uploads *uploads)
{
    for (size_t i = 0; i < uploads->n; i++) {
        struct upload *upload = &uploads->at[i];
        for (size_t k = 0; k < upload->n; k++) {
            struct upload_segment *segment = &upload->at[k];
            if (!waits(segment) || uploads->step->now_us < segment->deadline_us)
                continue;
            if (segment->state == SEGMENT_KEEPING)
                keep(uploads, id_of(uploads, upload, segment), segment);
            else
                give_up(uploads, upload, k);
        }
    }
    drop_empty(uploads);
}

uint64_t uploads_deadline(const struct uploads *uploads)
{
    uint64_t at = UINT64_MAX;
    if (!raft_serves(uploads->raft))
        return at;
    for (size_t i = 0; i < uploads->n; i++)
        for (size_t k = 0; k < uploads->at[i].n; k++)
            if (waits(&uploads->at[i].at[k]))
                at = earlier_us(at, uploads->at[i].at[k].deadline_us);
    return earlier_us(at, ages_deadline(uploads));
}

void uploads_start(struct uploads *uploads)
{
    ages_start(uploads);
}

void uploads_stop(struct uploads *uploads)
{
    if (uploads->n)
        outbox_drop(&uploads->step->out, USER_UPLOAD, (struct value_id){0});
    uploads->n = 0;
    uploads->bytes = 0;
}

void uploads_clear(struct uploads *uploads)
{
    free(uploads->at);
    uploads->at = NULL;
    uploads->n = 0;
    uploads->bytes = 0;
}

void uploads_check_invariants(const struct uploads *uploads)
{
    uint64_t bytes = 0;
    assert(uploads->n <= UPLOADS_MAX);
    for (size_t i = 0; i < uploads->n; i++) {
        const struct upload *upload = &uploads->at[i];
        assert(upload->n && upload->n <= UPLOAD_SEGMENTS_MAX);
        for (size_t k = 0; k < upload->n; k++) {
            const struct upload_segment *segment = &upload->at[k];
            assert(segment->received <= segment->len);
            assert(!k || segment->number == upload->at[k - 1].number + 1);
            assert(segment->state == SEGMENT_TAKING || segment->received == segment->len);
            assert(segment->state != SEGMENT_TAKING || k == upload->n - 1);
            bytes += segment->len;
        }
    }
    assert(bytes == uploads->bytes);
}

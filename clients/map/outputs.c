#include "clients/map/outputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/printable.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define PIECE_BYTES (64 * KIB_BYTES) /* that are in memory at a time */

/* Where lines begin, for tags. */
struct tagging {
    FILE *out;
    const char *tag; /* NULL: none */
    size_t tag_len;
    bool within; /* a line */
};

static void write_tagged(struct tagging *tagging, const uint8_t *at, size_t len)
{
    while (len) {
        const uint8_t *end = memchr(at, '\n', len);
        size_t line = end ? (size_t)(end - at) + 1 : len;
        if (!tagging->within) {
            fwrite(tagging->tag, 1, tagging->tag_len, tagging->out);
            fputc('\t', tagging->out);
        }
        fwrite(at, 1, line, tagging->out);
        tagging->within = !end;
        at += line;
        len -= line;
    }
}

/* A tag is one line, whatever the input is. */
static char *make_tag(struct slice input)
{
    size_t size = 4 * input.len + 1;
    char *tag = mem_new(size, 1);
    printable_text(input, tag, size, SIZE_MAX);
    return tag;
}

static int write_stream(struct outputs *outputs, const struct task_view *view,
                        enum task_stream_kind kind, const char *tag, FILE *out, struct text *why)
{
    struct tagging tagging = {out, tag, tag ? strlen(tag) : 0, false};
    const struct task_view_output *output = &view->output[kind];
    uint8_t *piece = mem_new(PIECE_BYTES, 1), sha256[HASH_BYTES];
    struct hash_stream hash;
    int error = OK;
    hash_begin(&hash);
    for (uint64_t at = 0; at < output->kept && !error;) {
        size_t len = output->kept - at < PIECE_BYTES ? (size_t)(output->kept - at) : PIECE_BYTES;
        error =
            outputs->source->read(outputs->source->context, view->task, kind, at, piece, len, why);
        if (error)
            break;
        hash_add(&hash, piece, len);
        if (tag)
            write_tagged(&tagging, piece, len);
        else
            fwrite(piece, 1, len, out);
        at += len;
    }
    free(piece);
    hash_end(&hash, sha256);
    if (tagging.within) /* the next tag begins a line */
        fputc('\n', out);
    if (!error && output->kept && memcmp(sha256, output->sha256, HASH_BYTES)) {
        text_add(why, "the output of task %" PRIu64 " differs from its SHA-256: it is wrong",
                 view->task);
        error = ERR_CORRUPT;
    }
    return error;
}

static int write_task(struct outputs *outputs, const struct task_view *view, FILE *out,
                      struct text *why)
{
    char *tag = outputs->tag ? make_tag(view->input) : NULL;
    struct task_view copy = *view; /* what it borrows may go with the first read */
    int error = OK;
    for (int kind = 0; kind < TASK_STREAMS && !error; kind++)
        if (outputs->streams[kind])
            error = write_stream(outputs, &copy, (enum task_stream_kind)kind, tag, out, why);
    free(tag);
    outputs->shown += !error;
    fflush(out);
    if (!error && ferror(out)) {
        text_add(why, "the output could not be written");
        error = ERR_IO;
    }
    return error;
}

/* By their numbers: each as soon as it and all before it are there. */
static int write_ordered(struct outputs *outputs, FILE *out, struct text *why)
{
    const struct task_source *source = outputs->source;
    const struct task_choice *choice = outputs->choice;
    bool wait = outputs->wait;
    uint64_t task = task_choice_from(choice, 1, source->total);
    while (task && (!choice->limit || outputs->shown < choice->limit)) {
        struct task_view view;
        int error = source->get(source->context, task, &view, why);
        if (error)
            return error;
        if (!task_view_is_end(view.state) && wait) {
            error = source->wait(source->context, why);
            wait = error != ERR_NOT_FOUND;
            if (error && wait)
                return error;
            continue;
        }
        if (!task_view_is_end(view.state))
            outputs->missing++;
        else if (task_choice_has_state(choice, view.state))
            error = write_task(outputs, &view, out, why);
        if (error)
            return error;
        task = task_choice_from(choice, task + 1, source->total);
    }
    return OK;
}

static int write_unordered(struct outputs *outputs, FILE *out, struct text *why)
{
    const struct task_source *source = outputs->source;
    const struct task_choice *choice = outputs->choice;
    uint64_t ended = 0;
    int error = OK;
    while (!error && (!choice->limit || outputs->shown < choice->limit)) {
        struct task_view view;
        error = source->ended(source->context, &view, why);
        if (error == ERR_NOT_FOUND) {
            error = outputs->wait ? source->wait(source->context, why) : ERR_NOT_FOUND;
            continue;
        }
        ended += !error;
        if (!error && task_choice_from(choice, view.task, source->total) == view.task &&
            task_choice_has_state(choice, view.state))
            error = write_task(outputs, &view, out, why);
    }
    outputs->missing = source->total - ended;
    return error == ERR_NOT_FOUND ? OK : error;
}

int outputs_write(struct outputs *outputs, FILE *out, struct text *why)
{
    outputs->shown = outputs->missing = 0;
    return outputs->unordered ? write_unordered(outputs, out, why)
                              : write_ordered(outputs, out, why);
}

int outputs_log(const struct task_source *source, const struct task_choice *choice, FILE *out,
                struct text *why)
{
    joblog_head(out);
    uint64_t task = task_choice_from(choice, 1, source->total), logged = 0;
    for (; task && (!choice->limit || logged < choice->limit);
         task = task_choice_from(choice, task + 1, source->total)) {
        struct task_view view;
        int error = source->get(source->context, task, &view, why);
        if (error)
            return error;
        if (!task_view_is_end(view.state) || !view.attempt ||
            !task_choice_has_state(choice, view.state))
            continue;
        joblog_line(&view, out);
        logged++;
    }
    return OK;
}

/* inputs_sources.c - words after ::: and lines of files after ::::, each with each or side by side.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/map/inputs_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/slice.h"

/* One source: words that are there, or lines that are read. */
struct source {
    char **words; /* borrowed */
    size_t n, next;
    bool streamed;
    struct lines lines;
    char *kept; /* all lines of a file, each terminated */
    size_t kept_len, kept_size;
    struct slice *at; /* the lines in `kept` */
    struct slice now;
};

struct sources {
    size_t n;
    bool link, begun, has_stdin;
    struct source at[TASK_INPUTS_MAX];
};

static bool is_mark(const char *word)
{
    return !strncmp(word, ":::", 3);
}

/* --- one source --- */

/* Reads the whole file: it will be gone through several times. */
static int keep(struct source *source, struct text *why)
{
    struct slice line;
    size_t room = 0;
    int error;
    while (!(error = lines_next(&source->lines, &line, why))) {
        if (source->kept_len + line.len > INPUTS_KEPT_BYTES_MAX) {
            text_add(why,
                     "%s: more than 256 MiB of inputs can only be the first of several sources",
                     source->lines.name);
            return ERR_TOO_BIG;
        }
        if (source->kept_size - source->kept_len < line.len) {
            source->kept_size = 2 * source->kept_size + line.len;
            source->kept = mem_grow(source->kept, source->kept_size, 1);
        }
        if (source->n == room) {
            room = 2 * room + 64;
            source->at = mem_grow(source->at, room, sizeof *source->at);
        }
        if (line.len)
            slice_copy(source->kept + source->kept_len, line);
        source->at[source->n++].len = line.len;
        source->kept_len += line.len;
    }
    size_t from = 0;
    for (size_t i = 0; i < source->n; i++) { /* `kept` stays where it is from now on */
        source->at[i].at = (const uint8_t *)source->kept + from;
        from += source->at[i].len;
    }
    lines_close(&source->lines);
    return error == ERR_NOT_FOUND ? OK : error;
}

/* Goes on to the next input; ERR_NOT_FOUND after the last one. */
static int advance(struct source *source, struct text *why)
{
    if (source->streamed)
        return lines_next(&source->lines, &source->now, why);
    if (source->next == source->n)
        return ERR_NOT_FOUND;
    source->now = source->words ? slice_of(source->words[source->next]) : source->at[source->next];
    source->next++;
    return OK;
}

/* --- opening --- */

static int open_file(struct sources *own, const char *path, bool link, struct text *why)
{
    bool is_stdin = !strcmp(path, "-");
    if (is_stdin && own->has_stdin) {
        text_add(why, ":::: - is given twice; stdin can be read once");
        return ERR_MALFORMED;
    }
    own->has_stdin = own->has_stdin || is_stdin;
    struct source *source = &own->at[own->n++];
    source->streamed = own->n == 1 || link;
    int error = lines_open(&source->lines, path, why);
    return error || source->streamed ? error : keep(source, why);
}

/* Takes one mark and what belongs to it; *taken: how many words these are. */
static int open_mark(struct inputs *inputs, char **words, size_t n, bool link, size_t *taken,
                     struct text *why)
{
    struct sources *own = inputs->own;
    char shown[TEXT_MAX / 4];
    size_t end = 1;
    bool files = !strcmp(words[0], "::::");
    int error = OK;
    while (end < n && !is_mark(words[end]))
        end++;
    *taken = end;
    if (!files && strcmp(words[0], ":::")) {
        text_add(why, "'%s' is not known; sources begin with ::: or ::::, and --link pairs them",
                 text_escape(shown, sizeof shown, slice_of(words[0])));
        return ERR_MALFORMED;
    }
    if (own->n + (files ? end - 1 : 1) > TASK_INPUTS_MAX) {
        text_add(why, "there are more than %d sources of inputs", TASK_INPUTS_MAX);
        return ERR_TOO_BIG;
    }
    if (files && end == 1) {
        text_add(why, ":::: needs a file, or - for stdin");
        return ERR_MALFORMED;
    }
    if (!files)
        own->at[own->n++] = (struct source){.words = words + 1, .n = end - 1};
    for (size_t i = 1; files && i < end && !error; i++)
        error = open_file(own, words[i], link, why);
    return error;
}

/* Words can be counted before the first task is made. */
static int check_link(const struct sources *own, struct text *why)
{
    const struct source *first = NULL;
    if (own->n < 2) {
        text_add(why, "--link pairs several ::: or ::::; there is one");
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < own->n; i++) {
        const struct source *source = &own->at[i];
        if (!source->words)
            continue;
        if (first && first->n != source->n) {
            text_add(why, "--link: source %zu has %zu inputs, source %zu has %zu",
                     (size_t)(first - own->at) + 1, first->n, i + 1, source->n);
            return ERR_MALFORMED;
        }
        first = source;
    }
    return OK;
}

static int open_sources(struct inputs *inputs, const struct inputs_request *request,
                        struct text *why)
{
    struct sources *own = inputs->own = mem_new(1, sizeof *own);
    size_t at = 0, taken = 0;
    int error = OK;
    own->link = request->link;
    for (; at < request->n_sources && !error; at += taken)
        error = open_mark(inputs, request->sources + at, request->n_sources - at, request->link,
                          &taken, why);
    inputs->n_inputs = own->n;
    if (!error && request->link)
        error = check_link(own, why);
    text_format(inputs->what, sizeof inputs->what, "%s", own->n > 1 ? "combinations" : "inputs");
    return error;
}

/* --- reading --- */

/* All sources side by side. */
static int next_linked(struct sources *own, struct text *why)
{
    size_t ended = 0, first_ended = 0;
    for (size_t i = 0; i < own->n; i++) {
        int error = advance(&own->at[i], why);
        if (error && error != ERR_NOT_FOUND)
            return error;
        if (error && !ended++)
            first_ended = i;
    }
    if (!ended)
        return OK;
    if (ended == own->n)
        return ERR_NOT_FOUND;
    text_add(why, "--link: source %zu has fewer inputs than another one", first_ended + 1);
    return ERR_MALFORMED;
}

/* Each with each: the last source goes fastest, and starts again with each step of the one before
 * it. */
static int next_product(struct sources *own, struct text *why)
{
    size_t at = own->begun ? own->n - 1 : 0;
    own->begun = true;
    while (at < own->n) {
        int error = advance(&own->at[at], why);
        if (!error) {
            if (++at < own->n)
                own->at[at].next = 0;
        } else if (error != ERR_NOT_FOUND || !at) {
            return error;
        } else {
            at--;
        }
    }
    return OK;
}

/* Only a source of lines has a place to speak of. */
static void say_where(struct inputs *inputs, const struct sources *own)
{
    char shown[TEXT_MAX / 4];
    const struct source *source = &own->at[0];
    inputs->where[0] = '\0';
    if (source->streamed)
        text_format(inputs->where, sizeof inputs->where, "%s:%" PRIu64 ": ",
                    text_escape(shown, sizeof shown, slice_of(source->lines.name)),
                    source->lines.line);
}

static int next(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct sources *own = inputs->own;
    int error = own->link ? next_linked(own, why) : next_product(own, why);
    for (size_t i = 0; i < own->n && !error; i++)
        out->inputs[i] = own->at[i].now;
    if (!error)
        say_where(inputs, own);
    return error;
}

static void close_sources(struct inputs *inputs)
{
    struct sources *own = inputs->own;
    for (size_t i = 0; i < own->n; i++) {
        lines_close(&own->at[i].lines);
        free(own->at[i].kept);
        free(own->at[i].at);
    }
    free(own);
}

const struct inputs_form inputs_sources = {"::: and ::::", open_sources, next, close_sources};

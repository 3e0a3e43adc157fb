#include "clients/ask/job_inputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/stored.h"
#include "shared/base/memory.h"

#define NUMBERS_PER_INPUT 3 /* its segments, integers and bytes */

size_t job_inputs_of(const struct job_kind *kind)
{
    return kind->input && !kind->tasks ? kind->numbers / NUMBERS_PER_INPUT : 0;
}

void job_inputs_destroy(struct job_inputs **inputs)
{
    struct job_inputs *it = *inputs;
    *inputs = NULL;
    for (size_t i = 0; it && i < INPUTS_MAX; i++) {
        for (size_t j = 0; j < it->at[i].n_words; j++)
            free(it->at[i].words[j]);
        free(it->at[i].words);
        if (it->read)
            integer_words_clear(&it->at[i].numbers);
    }
    free(it);
}

/* --- words --- */

static void add_word(struct job_input *input, const char *word)
{
    input->words = mem_grow(input->words, input->n_words + 1, sizeof *input->words);
    input->words[input->n_words++] = mem_string(word);
}

/* The value of --NAME VALUE or --NAME=VALUE; NULL: it is another word. */
static const char *value_of(const char *name, int n_words, char *const *words, int *at)
{
    size_t len = strlen(name);
    if (strncmp(words[*at], name, len))
        return NULL;
    if (words[*at][len] == '=')
        return words[*at] + len + 1;
    if (words[*at][len])
        return NULL;
    return *at + 1 < n_words ? words[++*at] : "";
}

static int take_words(struct job_inputs *inputs, size_t most, int n_words, char *const *words,
                      char *why)
{
    char shown[TEXT_MAX / 4];
    const char *value;
    for (int i = 0; i < n_words; i++) {
        if ((value = value_of("--base", n_words, words, &i))) {
            if (parse_u64(slice_of(value), 16, &inputs->base) ||
                (inputs->base != 10 && inputs->base != 16)) {
                text_format(why, TEXT_MAX, "--base takes 10 or 16");
                return ERR_MALFORMED;
            }
        } else if ((value = value_of("--against", n_words, words, &i))) {
            if (most < 2 || !*value) {
                text_format(why, TEXT_MAX,
                            most < 2 ? "%s takes no --against; batch-gcd does"
                                     : "%s: --against takes the known integers, such as @known.txt",
                            inputs->kind->name);
                return ERR_MALFORMED;
            }
            add_word(&inputs->at[1], value);
        } else if (!strncmp(words[i], "--", 2)) {
            text_format(why, TEXT_MAX, "%s takes no '%s'", inputs->kind->name,
                        text_escape(shown, sizeof shown, slice_of(words[i])));
            return ERR_MALFORMED;
        } else {
            add_word(&inputs->at[0], words[i]);
        }
    }
    if (inputs->at[0].n_words)
        return OK;
    text_format(why, TEXT_MAX, "%s takes " INTEGER_WORDS, inputs->kind->name);
    return ERR_MALFORMED;
}

int job_inputs_parse(const struct job_kind *kind, int n_words, char *const *words,
                     struct job_inputs **out, char *why)
{
    struct job_inputs *inputs = mem_new(1, sizeof *inputs);
    size_t most = job_inputs_of(kind);
    *inputs = (struct job_inputs){.kind = kind, .base = 10, .positive = most > 1};
    int error = take_words(inputs, most, n_words, words, why);
    inputs->n = most;
    if (error)
        job_inputs_destroy(&inputs);
    *out = inputs;
    return error;
}

static bool any_word(const struct job_inputs *inputs, bool (*is)(const char *word))
{
    for (size_t i = 0; i < INPUTS_MAX; i++)
        for (size_t j = 0; j < inputs->at[i].n_words; j++)
            if (is(inputs->at[i].words[j]))
                return true;
    return false;
}

static bool is_stdin(const char *word)
{
    return !strcmp(word, "@-");
}

bool job_inputs_are_remote(const struct job_inputs *inputs)
{
    return any_word(inputs, integer_words_is_remote);
}

bool job_inputs_read_stdin(const struct job_inputs *inputs)
{
    return any_word(inputs, is_stdin);
}

/* --- lists and values --- */

/* One stored value of integers is taken as it is. */
static int take_stored(struct conclave *cluster, struct job_input *input, bool *taken)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    *taken = false;
    if (input->n_words != 1 || !stored_is_name(input->words[0]))
        return EXIT_OK;
    int code = stored_find(cluster, input->words[0], &page, &row);
    if (code)
        return code;
    if (row->whole && slice_equals(row->format, "integers")) {
        *taken = true;
        input->value = row->value;
        input->segments = row->segments;
        input->items = row->items;
        input->bytes = row->len;
    }
    message_drop(&page);
    return EXIT_OK;
}

int job_inputs_read(struct conclave *cluster, bool offline, struct job_inputs *inputs)
{
    struct integers_rule rule = {.base = (unsigned)inputs->base,
                                 .positive = inputs->positive,
                                 .tell = inputs->tell};
    int code = EXIT_OK;
    if (inputs->n > 1 && job_inputs_read_stdin(inputs)) {
        size_t n = 0;
        for (size_t i = 0; i < inputs->n; i++)
            for (size_t j = 0; j < inputs->at[i].n_words; j++)
                n += is_stdin(inputs->at[i].words[j]);
        if (n > 1)
            return connection_fail(cluster, EXIT_USAGE,
                                   "@- is given twice; stdin can be read only once");
    }
    for (size_t i = 0; i < INPUTS_MAX; i++)
        inputs->at[i].numbers.content.spool.fd = -1;
    inputs->read = true;
    for (size_t i = 0; i < inputs->n && !code; i++) {
        struct job_input *input = &inputs->at[i];
        bool taken = false;
        code = offline ? EXIT_OK : take_stored(cluster, input, &taken);
        if (code || taken)
            continue;
        code = integer_words_read(cluster, offline, input->n_words, input->words, &rule,
                                  &input->numbers);
        input->segments = input->numbers.content.n_segments;
        input->items = input->numbers.content.items;
        input->bytes = input->numbers.content.len;
    }
    inputs->faults = rule.faults;
    if (code || !rule.faults)
        return code;
    return connection_fail(cluster, EXIT_USAGE, "%s", rule.tell ? "" : rule.first.at);
}

static int upload_one(struct job_input *input, const struct uploader *uploader)
{
    struct message *value = NULL;
    struct text what = {0};
    integer_words_count(input->items, &what);
    const char *slash = strrchr(input->numbers.name, '/');
    int code =
        uploader->put(uploader->context, &input->numbers.content,
                      slash ? slash + 1 : input->numbers.name,
                      input->words[0][0] == '@' || input->numbers.content.len >= VALUE_CHUNK_BYTES
                          ? what.at
                          : NULL,
                      &value);
    if (!code) {
        input->value = value->as.value.values.at[0].value;
        content_clear(&input->numbers.content);
    }
    message_drop(&value);
    return code;
}

int job_inputs_upload(struct conclave *cluster, struct job_inputs *inputs,
                      const struct uploader *uploader, struct text *spec)
{
    int code = inputs->read ? EXIT_OK : job_inputs_read(cluster, false, inputs);
    for (size_t i = 0; i < inputs->n && !code; i++) {
        struct job_input *input = &inputs->at[i];
        if (input->segments && !input->value)
            code = upload_one(input, uploader);
        text_add(spec, "%s%" PRIu64 " %" PRIu64 " %" PRIu64, i ? " " : "", input->segments,
                 input->items, input->bytes);
    }
    return code;
}

#include "clients/ask/jobspec.h"

#include <flint/ulong_extras.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_inputs.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"
#include "shared/base/whole.h"

#define LINE_WORDS_MAX (JOBS_FILE_LINE_MAX / 2 + 1) /* each of one character */

/* The primes with 32 bits: a job takes none beyond, nor does it take longer than two seconds. */
#define FIRST_MAX 203280221

/* `--first N` stands for the N-th prime: the product of the first N primes is that of the primes up
 * to it. NULL: there is no such option. */
static const char *first_of(int n_words, char *const *words)
{
    if (n_words == 2 && !strncmp(words[1], "--first=", 8))
        return words[1] + 8;
    return n_words == 3 && !strcmp(words[1], "--first") ? words[2] : NULL;
}

static int read_first(const char *word, struct text *argument, char *why)
{
    char shown[TEXT_MAX / 4];
    uint64_t n, prime = 0;
    n_primes_t primes;
    if (parse_whole(slice_of(word), FIRST_MAX, &n) || !n || n > FIRST_MAX) {
        text_format(why, TEXT_MAX, "--first takes the number of primes, 1 to %d, not '%s'",
                    FIRST_MAX, text_escape(shown, sizeof shown, slice_of(word)));
        return ERR_MALFORMED;
    }
    n_primes_init(primes);
    for (uint64_t i = 0; i < n; i++)
        prime = n_primes_next(primes);
    n_primes_clear(primes);
    text_add(argument, "%" PRIu64, prime);
    return OK;
}

static int check_options(int n_words, char *const *words, char *why)
{
    for (int i = 1; i < n_words; i++) {
        if (!strncmp(words[i], "--first", 7)) {
            text_format(why, TEXT_MAX, "--first is for primorial, without N: primorial --first 10");
            return ERR_MALFORMED;
        }
        bool base = !strncmp(words[i], "--base", 6), against = !strncmp(words[i], "--against", 9);
        if (!base && !against)
            continue;
        text_format(why, TEXT_MAX, "%s is for kinds that read integers: product, batch-gcd",
                    base ? "--base" : "--against");
        return ERR_MALFORMED;
    }
    return OK;
}

int jobspec_parse(int n_words, char *const *words, struct jobspec *out, char *why)
{
    struct text argument = {0}, spec = {0}, reason = {0};
    struct plan plan;
    *out = (struct jobspec){0};
    if (!n_words) {
        text_format(why, TEXT_MAX, "a job is needed, such as `factorial 10`");
        return ERR_MALFORMED;
    }
    const struct job_kind *kind = kind_find(slice_of(words[0]));
    if (kind && kind->commands) {
        text_format(why, TEXT_MAX,
                    kind->tasks ? "%s: `conclave %s` submits such jobs"
                                : "%s: `conclave submit %s NAME FILE...` submits such jobs, one at "
                                  "a time",
                    kind->name, kind->name);
        return ERR_MALFORMED;
    }
    if (kind && job_inputs_of(kind)) {
        text_format(out->kind, sizeof out->kind, "%s", kind->name);
        return job_inputs_parse(kind, n_words - 1, words + 1, &out->inputs, why);
    }
    const char *first = kind && !strcmp(kind->name, "primorial") ? first_of(n_words, words) : NULL;
    if (first ? read_first(first, &argument, why) : check_options(n_words, words, why))
        return ERR_MALFORMED;
    for (int i = 1; i < n_words && !first; i++)
        text_add(&argument, "%s%s", i > 1 ? " " : "", words[i]);
    if (plan_parse(&plan, slice_of(words[0]), slice_of(argument.at), &reason)) {
        text_format(why, TEXT_MAX, "%s", reason.at);
        return ERR_MALFORMED;
    }
    plan_spec(&plan, &spec);
    text_format(out->kind, sizeof out->kind, "%s", plan.kind->name);
    text_format(out->spec, sizeof out->spec, "%s", spec.at);
    return OK;
}

const char *jobspec_option_given(const struct jobspec_options *options)
{
    return options->base ? "base" : options->against ? "against" : options->first ? "first" : NULL;
}

int jobspec_parse_with(const struct jobspec_options *options, int n_words, char *const *words,
                       struct jobspec *out, char *why)
{
    char base[32];
    const char **all = mem_new((size_t)n_words + 5, sizeof *all);
    int n = 0;
    for (; n < n_words; n++)
        all[n] = words[n];
    if (options->base) {
        text_format(base, sizeof base, "--base=%" PRIu64, options->base);
        all[n++] = base;
    }
    if (options->against) {
        all[n++] = "--against";
        all[n++] = options->against;
    }
    if (options->first) {
        all[n++] = "--first";
        all[n++] = options->first;
    }
    int error = jobspec_parse(n_words ? n : 0, (char *const *)all, out, why);
    free(all);
    return error;
}

int jobspec_parse_line(struct slice line, struct jobspec *out, char *why)
{
    char room[JOBS_FILE_LINE_MAX + 1];
    char *words[LINE_WORDS_MAX];
    int n_words = 0;
    *out = (struct jobspec){0};
    if (line.len > JOBS_FILE_LINE_MAX) {
        text_format(why, TEXT_MAX, "the line is longer than %d bytes", JOBS_FILE_LINE_MAX);
        return ERR_MALFORMED;
    }
    if (line.len && memchr(line.at, 0, line.len)) {
        text_format(why, TEXT_MAX, "the line contains a zero byte");
        return ERR_MALFORMED;
    }
    text_format(room, sizeof room, "%.*s", (int)line.len, line.len ? (const char *)line.at : "");
    room[strcspn(room, "#")] = '\0';
    char *rest = room;
    for (char *word; (word = strsep(&rest, " \t\r")) && n_words < LINE_WORDS_MAX;)
        if (*word)
            words[n_words++] = word;
    return n_words ? jobspec_parse(n_words, words, out, why) : ERR_NOT_FOUND;
}

#include "shared/base/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/nearest.h"
#include "shared/base/text.h"

#define ENV_NAME_MAX 64

static const char *env_name(const struct option_spec *spec, char at[ENV_NAME_MAX])
{
    size_t len = text_format(at, ENV_NAME_MAX, "CONCLAVE_%s", spec->name);
    for (size_t i = 0; i < len; i++)
        at[i] = at[i] == '-' ? '_' : (char)toupper((unsigned char)at[i]);
    return at;
}

static const char *allowed(const struct option_spec *spec, char at[TEXT_MAX])
{
    switch (spec->kind) {
    case OPTION_FLAG:
        return "0 or 1";
    case OPTION_U64:
        text_format(at, TEXT_MAX, "a whole number from %" PRIu64 " to %" PRIu64, spec->min,
                    spec->max);
        return at;
    case OPTION_DURATION:
    case OPTION_LIMIT:
        text_format(at, TEXT_MAX,
                    "a time from %" PRIu64 "us to %" PRIu64 "s, such as 250ms, 2s or 10m%s",
                    spec->min, spec->max / 1000000, spec->kind == OPTION_LIMIT ? ", or never" : "");
        return at;
    case OPTION_SIZE:
        text_format(at, TEXT_MAX,
                    "a size from %" PRIu64 " to %" PRIu64 " bytes, such as 4096, 64KiB or 128MiB",
                    spec->min, spec->max);
        return at;
    case OPTION_CHANCE:
        return "a probability from 0 to 1, such as 0.02, with at most six decimals";
    case OPTION_LEVEL:
        return "error, warn, info or debug";
    case OPTION_STRING:
    case OPTION_WORD:
    case OPTION_LIST:
        break;
    }
    return "a text that is not empty";
}

static int store_number(const struct option_spec *spec, struct slice text)
{
    uint64_t number = 0;
    if (spec->kind == OPTION_LIMIT && slice_equals(text, "never")) {
        *(uint64_t *)spec->value = 0;
        return OK;
    }
    int error = spec->kind == OPTION_U64    ? parse_u64(text, spec->max, &number)
                : spec->kind == OPTION_SIZE ? parse_size(text, spec->max, &number)
                                            : parse_duration_us(text, spec->max, &number);
    if (error || number < spec->min)
        return ERR_MALFORMED;
    *(uint64_t *)spec->value = number;
    return OK;
}

static int add_to_list(struct option_list *list, const char *word)
{
    list->at = mem_grow(list->at, list->n + 1, sizeof *list->at);
    list->at[list->n++] = word;
    return OK;
}

static int store(const struct option_spec *spec, const char *word)
{
    uint64_t number = 0;
    struct slice text = slice_of(word);
    switch (spec->kind) {
    case OPTION_FLAG:
        if (parse_u64(text, 1, &number))
            return ERR_MALFORMED;
        *(bool *)spec->value = number == 1;
        return OK;
    case OPTION_U64:
    case OPTION_DURATION:
    case OPTION_SIZE:
    case OPTION_LIMIT:
        return store_number(spec, text);
    case OPTION_CHANCE:
        if (parse_probability(text, &number))
            return ERR_MALFORMED;
        *(uint64_t *)spec->value = number;
        return OK;
    case OPTION_LEVEL:
        return log_parse_level(text, spec->value);
    case OPTION_STRING:
    case OPTION_WORD:
    case OPTION_LIST:
        break;
    }
    if (!text.len)
        return ERR_MALFORMED;
    if (spec->kind == OPTION_LIST)
        return add_to_list(spec->value, word);
    *(const char **)spec->value = word;
    return OK;
}

static int complain(const struct option_spec *spec, const char *source, const char *word, char *why)
{
    char room[TEXT_MAX], shown[TEXT_MAX / 4];
    text_format(why, TEXT_MAX, "%s: '%s' is not allowed; it takes %s", source,
                text_escape(shown, sizeof shown, slice_of(word)), allowed(spec, room));
    return ERR_MALFORMED;
}

static int parse_environment(const struct option_spec *specs, char *why)
{
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        char name[ENV_NAME_MAX];
        /* What asks for a text instead of work is for the command line: CONCLAVE_VERSION may mean
         * anything. */
        if (!strcmp(spec->name, "help") || !strcmp(spec->name, "version") ||
            spec->kind == OPTION_WORD || spec->kind == OPTION_LIST)
            continue;
        const char *word = getenv(env_name(spec, name));
        if (word && *word && store(spec, word))
            return complain(spec, name, word, why);
    }
    return OK;
}

static const struct option_spec *find(const struct option_spec *specs, const char *name, size_t len)
{
    for (; specs->name; specs++)
        if (strlen(specs->name) == len && !memcmp(specs->name, name, len))
            return specs;
    return NULL;
}

static void complain_unknown(const struct option_spec *specs, const char *word, char *why)
{
    char shown[TEXT_MAX / 4];
    struct nearest nearest = nearest_begin(word + 2, strcspn(word + 2, "="));
    for (; specs->name; specs++)
        nearest_offer(&nearest, specs->name);
    text_format(why, TEXT_MAX, "unknown option '%s'; %s%s%s",
                text_escape(shown, sizeof shown, slice_of(word)),
                nearest.found ? "did you mean --" : "--help lists them",
                nearest.found ? nearest.found : "", nearest.found ? "?" : "");
}

static int parse_one(const struct option_spec *specs, int argc, char **argv, int *at, char *why)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find(specs, name, len);
    if (!spec) {
        complain_unknown(specs, argv[*at], why);
        return ERR_MALFORMED;
    }
    const char *word = equals ? equals + 1 : NULL;
    if (!word && spec->kind == OPTION_FLAG)
        word = "1";
    if (!word && *at + 1 < argc)
        word = argv[++*at];
    char source[ENV_NAME_MAX];
    text_format(source, sizeof source, "--%s", spec->name);
    if (word)
        return store(spec, word) ? complain(spec, source, word, why) : OK;
    char room[TEXT_MAX];
    text_format(why, TEXT_MAX, "%s needs a value: %s", source, allowed(spec, room));
    return ERR_MALFORMED;
}

/* -u: a flag whose name is a letter. */
static bool parse_letter(const struct option_spec *specs, const char *word)
{
    const struct option_spec *spec =
        word[0] == '-' && word[1] && !word[2] ? find(specs, word + 1, 1) : NULL;
    if (!spec || spec->kind != OPTION_FLAG)
        return false;
    *(bool *)spec->value = true;
    return true;
}

static int parse(const struct option_spec *specs, int argc, char **argv, bool leading, int *n_words,
                 char *why)
{
    int error = parse_environment(specs, why);
    bool options_end = false;
    *n_words = 0;
    for (int i = 1; i < argc && !error; i++) {
        bool option = !options_end && (!strncmp(argv[i], "--", 2) || parse_letter(specs, argv[i]));
        bool end = option && !strcmp(argv[i], "--");
        options_end = options_end || end || (leading && !option);
        if (option && !end && argv[i][1] == '-')
            error = parse_one(specs, argc, argv, &i, why);
        else if (!option || (end && leading))
            argv[1 + (*n_words)++] = argv[i];
    }
    return error;
}

int options_parse(const struct option_spec *specs, int argc, char **argv, int *n_words, char *why)
{
    return parse(specs, argc, argv, false, n_words, why);
}

int options_parse_leading(const struct option_spec *specs, int argc, char **argv, int *n_words,
                          char *why)
{
    return parse(specs, argc, argv, true, n_words, why);
}

void options_help(const struct option_spec *specs, FILE *out)
{
    for (; specs->name; specs++) {
        char left[64];
        text_format(left, sizeof left, "-%s%s%s%s", specs->name[1] ? "-" : "", specs->name,
                    specs->argument ? " " : "", specs->argument ? specs->argument : "");
        fprintf(out, "  %-28s %s\n", left, specs->help);
    }
}

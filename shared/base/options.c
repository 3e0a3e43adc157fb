#include "shared/base/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/terminal.h"
#include "shared/base/text.h"
#include "shared/base/whole.h"

#define ENV_NAME_MAX 64

static const char *env_name(const struct option_spec *spec, char at[ENV_NAME_MAX])
{
    size_t len = text_format(at, ENV_NAME_MAX, "CONCLAVE_%s", spec->name);
    for (size_t i = 0; i < len; i++)
        at[i] = at[i] == '-' ? '_' : (char)toupper((unsigned char)at[i]);
    return at;
}

static bool takes_never(const struct option_spec *spec)
{
    return spec->kind == OPTION_DURATION && spec->max == TIME_NEVER_US;
}

static const char *allowed(const struct option_spec *spec, char at[TEXT_MAX])
{
    char least[MEASURE_TEXT_MAX], most[MEASURE_TEXT_MAX];
    switch (spec->kind) {
    case OPTION_FLAG:
        return "0 or 1";
    case OPTION_U64:
        text_format(at, TEXT_MAX, "a whole number from %" PRIu64 " to %" PRIu64, spec->min,
                    spec->max);
        return at;
    case OPTION_DURATION:
        text_format(at, TEXT_MAX, "a time from %s to %s, such as 250ms, 1.5s or 10m%s",
                    text_duration(spec->min, least),
                    text_duration(takes_never(spec) ? TIME_LONGEST_US : spec->max, most),
                    takes_never(spec) ? ", or never" : "");
        return at;
    case OPTION_SIZE:
        text_format(at, TEXT_MAX, "a size from %s to %s, such as 4096, 64K or 128MiB",
                    text_size(spec->min, least), text_size(spec->max, most));
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
    uint64_t number = 0, max = takes_never(spec) ? TIME_LONGEST_US : spec->max;
    int error = spec->kind == OPTION_U64        ? parse_whole(text, max, &number)
                : spec->kind == OPTION_DURATION ? parse_duration_us(text, max, &number)
                                                : parse_size(text, max, &number);
    if (takes_never(spec) && slice_equals(text, "never")) {
        number = TIME_NEVER_US;
        error = OK;
    }
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

/* "--out" for "--output", "--port" for "--http-port". */
static bool shortens(const char *word, size_t len, const char *name)
{
    size_t whole = strlen(name);
    if (len < 2 || whole <= len)
        return false;
    bool ends = !memcmp(name + whole - len, word, len) && name[whole - len - 1] == '-';
    return ends || !memcmp(name, word, len);
}

static int complain_of_name(const struct option_spec *specs, const char *word, size_t len,
                            char *why)
{
    char shown[TEXT_MAX / 4];
    const char *near = NULL, *longer = NULL;
    size_t slips = TEXT_FAR;
    for (; specs->name; specs++) {
        if (text_nearer((struct slice){(const uint8_t *)word + 2, len}, slice_of(specs->name),
                        &slips))
            near = specs->name;
        if (!longer && shortens(word + 2, len, specs->name))
            longer = specs->name;
    }
    bool begins = longer && !memcmp(longer, word + 2, len);
    near = begins || !near ? longer : near;
    text_escape(shown, sizeof shown, slice_of(word));
    if (near)
        text_format(why, TEXT_MAX, "unknown option '%s'; did you mean --%s?", shown, near);
    else
        text_format(why, TEXT_MAX, "unknown option '%s'; --help lists them", shown);
    return ERR_MALFORMED;
}

static int parse_one(const struct option_spec *specs, int argc, char **argv, int *at, char *why)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find(specs, name, len);
    if (!spec)
        return complain_of_name(specs, argv[*at], len, why);
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

/* "-h", or a slip: "-o", "-timeout". "-" is a file, and "-5" a number. */
static bool is_short(const char *word)
{
    return word[0] == '-' && isalpha((unsigned char)word[1]);
}

static int parse_short(const struct option_spec *specs, const char *word, char *why)
{
    const struct option_spec *help = find(specs, "help", strlen("help"));
    const struct option_spec *letter = word[2] ? NULL : find(specs, word + 1, 1);
    if (letter && letter->kind == OPTION_FLAG)
        return store(letter, "1");
    if (help && !strcmp(word, "-h"))
        return store(help, "1");
    char shown[TEXT_MAX / 4];
    text_escape(shown, sizeof shown, slice_of(word));
    for (; specs->name; specs++) {
        if (strcmp(specs->name, word + 1) && (word[2] || specs->name[0] != word[1]))
            continue;
        text_format(why, TEXT_MAX, "unknown option '%s'; did you mean --%s?", shown, specs->name);
        return ERR_MALFORMED;
    }
    text_format(why, TEXT_MAX, "unknown option '%s'; --help lists them", shown);
    return ERR_MALFORMED;
}

static int parse(const struct option_spec *specs, int argc, char **argv, bool leading, int *n_words,
                 char *why)
{
    int error = parse_environment(specs, why);
    bool options_end = false;
    *n_words = 0;
    for (int i = 1; i < argc && !error; i++) {
        bool end = !options_end && !strcmp(argv[i], "--");
        bool option = !options_end && !end && (!strncmp(argv[i], "--", 2) || is_short(argv[i]));
        if (option && argv[i][1] == '-')
            error = parse_one(specs, argc, argv, &i, why);
        else if (option)
            error = parse_short(specs, argv[i], why);
        else if (!end || leading)
            argv[1 + (*n_words)++] = argv[i];
        options_end = options_end || end || (leading && !option);
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

#define LEFT_COLUMNS 28                 /* of an option and its argument */
#define HELP_COLUMN  (3 + LEFT_COLUMNS) /* where what it is about begins */

void options_help(const struct option_spec *specs, FILE *out)
{
    for (; specs->name; specs++) {
        char left[64];
        text_format(left, sizeof left, "-%s%s%s%s", specs->name[1] ? "-" : "", specs->name,
                    specs->argument ? " " : "", specs->argument ? specs->argument : "");
        fprintf(out, "  %-28s ", left);
        terminal_wrap(specs->help, strlen(left) > LEFT_COLUMNS ? 3 + strlen(left) : HELP_COLUMN,
                      HELP_COLUMN, out);
    }
}

int options_printed(const char *program)
{
    if (!fflush(stdout) && !ferror(stdout))
        return EXIT_OK;
    fprintf(stderr, "%s: the output could not be written\n", program);
    return EXIT_FAILED;
}

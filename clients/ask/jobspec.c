#include "clients/ask/jobspec.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/hash.h"

#define LINE_WORDS_MAX 8

/* --- kinds --- */

static int parse_factorial(int n_words, char **words, struct jobspec *out, char *why)
{
    char shown[TEXT_MAX / 4];
    uint64_t n;
    if (n_words != 1) {
        text_format(why, TEXT_MAX,
                    "factorial takes one whole number, such as `factorial 10`; got %d words",
                    n_words);
        return ERR_MALFORMED;
    }
    struct slice word = slice_of(words[0]);
    int error = parse_u64(word, UINT64_MAX, &n);
    text_escape(shown, sizeof shown, word);
    if (error == ERR_RANGE)
        text_format(why, TEXT_MAX,
                    "factorial %s: the number is too large; at most %" PRIu64 " can be asked for",
                    shown, UINT64_MAX);
    else if (error)
        text_format(why, TEXT_MAX, "factorial takes a whole number of digits 0 to 9 only, not '%s'",
                    shown);
    else
        text_format(out->spec, sizeof out->spec, "%" PRIu64, n);
    return error ? ERR_MALFORMED : OK;
}

static const struct kind {
    const char *name;
    int (*parse)(int n_words, char **words, struct jobspec *out, char *why);
} kinds[] = {{"factorial", parse_factorial}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* --- parsing --- */

static int unknown_kind(const char *word, char *why)
{
    char shown[TEXT_MAX / 4];
    struct text line = {0};
    text_add(&line, "unknown kind of job '%s'; there is:",
             text_escape(shown, sizeof shown, slice_of(word)));
    for (size_t i = 0; i < KINDS; i++)
        text_add(&line, " %s", kinds[i].name);
    text_format(why, TEXT_MAX, "%s", line.at);
    return ERR_MALFORMED;
}

int jobspec_parse(int n_words, char **words, struct jobspec *out, char *why)
{
    *out = (struct jobspec){0};
    if (!n_words) {
        text_format(why, TEXT_MAX, "a job is needed, such as `factorial 10`");
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(words[0], kinds[i].name))
            continue;
        text_format(out->kind, sizeof out->kind, "%s", words[0]);
        return kinds[i].parse(n_words - 1, words + 1, out, why);
    }
    return unknown_kind(words[0], why);
}

int jobspec_parse_line(struct slice line, struct jobspec *out, char *why)
{
    char room[JOBS_FILE_LINE_MAX + 1];
    char *words[LINE_WORDS_MAX];
    int n_words = 0;
    if (line.len > JOBS_FILE_LINE_MAX) {
        text_format(why, TEXT_MAX, "the line is longer than %d bytes", JOBS_FILE_LINE_MAX);
        return ERR_MALFORMED;
    }
    if (line.len && memchr(line.at, 0, line.len)) {
        text_format(why, TEXT_MAX, "the line holds a zero byte");
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

/* --- labels and keys --- */

char *jobspec_label(struct slice kind, struct slice spec, char at[JOBSPEC_LABEL_MAX])
{
    char left[JOB_KIND_MAX * 4 + 1], right[JOB_SPEC_MAX + 1];
    text_escape(left, sizeof left, kind);
    text_escape(right, sizeof right, spec);
    if (slice_equals(kind, "factorial"))
        text_format(at, JOBSPEC_LABEL_MAX, "%s!", right);
    else
        text_format(at, JOBSPEC_LABEL_MAX, "%s(%s)", left, right);
    return at;
}

void jobspec_new_key(char at[JOB_KEY_TEXT_MAX])
{
    uint8_t b[16];
    hash_random(b, sizeof b);
    b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    size_t len = 0;
    for (size_t i = 0; i < sizeof b; i++)
        len += text_format(at + len, JOB_KEY_TEXT_MAX - len, "%s%02x",
                           i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

bool jobspec_key_is_valid(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] >= 0x7f)
            return false;
    return len > 0 && len <= JOB_KEY_MAX;
}

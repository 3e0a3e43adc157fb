#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/limits.h"

void text_add_v(struct text *text, const char *format, va_list args)
{
    size_t room = sizeof text->at - text->len;
    int wanted = vsnprintf(text->at + text->len, room, format, args);
    if (wanted > 0)
        text->len += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_add_v(text, format, args);
    va_end(args);
}

size_t text_format(char *at, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(at, size, format, args);
    va_end(args);
    if (wanted < 0 || !size)
        return 0;
    return (size_t)wanted < size ? (size_t)wanted : size - 1;
}

char *text_escape(char *at, size_t size, struct slice bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.at[i];
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
        if (used + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            at[used++] = (char)byte;
        else
            used += text_format(at + used, size - used, "\\x%02x", byte);
    }
    at[used] = '\0';
    return at;
}

/* How many bytes the character at `at` has; 0: it is none. */
static size_t utf8_len(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return lead > 0;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is beyond U+10FFFF. */
    bool bad = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
               (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f);
    return bad ? 0 : len;
}

bool text_is_utf8(struct slice bytes)
{
    for (size_t i = 0, len; i < bytes.len; i += len)
        if (!(len = utf8_len(bytes.at + i, bytes.len - i)))
            return false;
    return true;
}

int parse_u64(struct slice text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool over = false;
    if (!text.len)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return ERR_MALFORMED;
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (over || value > (UINT64_MAX - digit) / 10)
            over = true;
        else
            value = value * 10 + digit;
    }
    if (over || value > max)
        return ERR_RANGE;
    *out = value;
    return OK;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* The digits after a point, as millionths: six at most. */
#define FRACTION_DIGITS 6
#define FRACTION_ONE    1000000

static size_t count_digits(struct slice text)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    return digits;
}

static struct slice after(struct slice text, size_t n)
{
    return (struct slice){text.at + n, text.len - n};
}

/* Takes ".25" off the text, if it is there. */
static int take_fraction(struct slice *text, uint64_t *millionths)
{
    *millionths = 0;
    if (!text->len || text->at[0] != '.')
        return OK;
    size_t digits = count_digits(after(*text, 1));
    if (!digits || digits > FRACTION_DIGITS)
        return ERR_MALFORMED;
    int error = parse_u64((struct slice){text->at + 1, digits}, FRACTION_ONE, millionths);
    for (size_t i = digits; i < FRACTION_DIGITS; i++)
        *millionths *= 10;
    *text = after(*text, 1 + digits);
    return error;
}

static int parse_with_unit(struct slice text, const struct unit *units, uint64_t max, uint64_t *out)
{
    size_t digits = count_digits(text);
    uint64_t number, millionths;
    int error = parse_u64((struct slice){text.at, digits}, UINT64_MAX, &number);
    struct slice suffix = after(text, digits);
    if (!error)
        error = take_fraction(&suffix, &millionths);
    if (error)
        return error;
    for (; units->suffix; units++) {
        if (!slice_equals(suffix, units->suffix))
            continue;
        uint64_t part = (uint64_t)((unsigned __int128)units->factor * millionths / FRACTION_ONE);
        if (number > max / units->factor || part > max - number * units->factor)
            return ERR_RANGE;
        *out = number * units->factor + part;
        return OK;
    }
    if (suffix.len || number || millionths)
        return ERR_MALFORMED;
    *out = 0;
    return OK;
}

static const struct unit times[] = {{"us", 1},
                                    {"ms", MS_US},
                                    {"s", SECOND_US},
                                    {"m", 60 * SECOND_US},
                                    {"h", 3600 * SECOND_US},
                                    {"d", 24 * 3600 * SECOND_US},
                                    {NULL, 0}};

#define GIB_BYTES (1024 * MIB_BYTES)

/* As coreutils have them: K is KiB. The longest names of a factor come last. */
static const struct unit sizes[] = {{"", 1},
                                    {"B", 1},
                                    {"K", KIB_BYTES},
                                    {"M", MIB_BYTES},
                                    {"G", GIB_BYTES},
                                    {"KB", 1000},
                                    {"MB", 1000000},
                                    {"GB", 1000000000},
                                    {"T", 1024 * GIB_BYTES},
                                    {"TB", 1000000000000},
                                    {"KiB", KIB_BYTES},
                                    {"MiB", MIB_BYTES},
                                    {"GiB", GIB_BYTES},
                                    {"TiB", 1024 * GIB_BYTES},
                                    {NULL, 0}};

int parse_duration_us(struct slice text, uint64_t max_us, uint64_t *out)
{
    return parse_with_unit(text, times, max_us, out);
}

int parse_size(struct slice text, uint64_t max, uint64_t *out)
{
    return parse_with_unit(text, sizes, max, out);
}

/* In the largest unit of which it is a multiple; the last of the units of that size. */
static char *in_units(uint64_t number, const struct unit *units, char at[MEASURE_TEXT_MAX])
{
    const struct unit *best = units;
    for (; units->suffix; units++)
        if (number && units->factor >= best->factor && number % units->factor == 0)
            best = units;
    text_format(at, MEASURE_TEXT_MAX, "%" PRIu64 "%s", number / best->factor, best->suffix);
    return at;
}

char *text_duration(uint64_t us, char at[MEASURE_TEXT_MAX])
{
    return in_units(us, times, at);
}

char *text_size(uint64_t bytes, char at[MEASURE_TEXT_MAX])
{
    return in_units(bytes, sizes, at);
}

/* --- the nearest word --- */

#define NEAREST_MAX 64 /* longer words are compared with none */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, with two neighbours changed for each other as one slip. */
static size_t distance(struct slice a, struct slice b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.at[i - 1] == b.at[j - 1];
            row[j] = least(least(row[j - 1], last[j]) + 1, last[j - 1] + !same);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.len];
}

bool text_nearer(struct slice word, struct slice candidate, size_t *slips)
{
    if (!word.len || word.len > NEAREST_MAX || candidate.len > NEAREST_MAX)
        return false;
    /* One slip in three letters: what differs more is another word. */
    size_t found = distance(word, candidate), allowed = word.len / 3 + (word.len == 2);
    if (found > allowed || found >= *slips)
        return false;
    *slips = found;
    return true;
}

int parse_probability(struct slice text, uint64_t *out_ppm)
{
    size_t point = 0;
    while (point < text.len && text.at[point] != '.')
        point++;
    uint64_t whole, part = 0;
    int error = parse_u64((struct slice){text.at, point}, 1, &whole);
    if (!error && point < text.len) {
        struct slice digits = {text.at + point + 1, text.len - point - 1};
        error = digits.len > 6 ? ERR_MALFORMED : parse_u64(digits, UINT64_MAX, &part);
        for (size_t i = digits.len; i < 6; i++)
            part *= 10;
    }
    if (error)
        return error;
    if (whole && part)
        return ERR_RANGE;
    *out_ppm = whole * 1000000 + part;
    return OK;
}

int parse_job_id(struct slice text, job_id_t *out)
{
    size_t dash = 0;
    while (dash < text.len && text.at[dash] != '-')
        dash++;
    if (dash == text.len)
        return ERR_MALFORMED;
    uint64_t term, index;
    int error = parse_u64((struct slice){text.at, dash}, UINT64_MAX >> JOB_INDEX_BITS, &term);
    if (!error)
        error = parse_u64((struct slice){text.at + dash + 1, text.len - dash - 1}, JOB_INDEX_MASK,
                          &index);
    if (error)
        return error;
    *out = term << JOB_INDEX_BITS | index;
    return OK;
}

char *job_id_text(job_id_t job, char at[JOB_TEXT_MAX])
{
    text_format(at, JOB_TEXT_MAX, "%" PRIu64 "-%" PRIu64, job >> JOB_INDEX_BITS,
                job & JOB_INDEX_MASK);
    return at;
}

void text_copy(char *at, size_t size, struct slice text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len)
        memcpy(at, text.at, len);
    at[len] = '\0';
}

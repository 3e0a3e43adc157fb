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

struct slice slice_of(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .len = strlen(text)};
}

bool slice_same(struct slice a, struct slice b)
{
    return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
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

static int parse_with_unit(struct slice text, const struct unit *units, uint64_t max, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    uint64_t number;
    int error = parse_u64((struct slice){text.at, digits}, UINT64_MAX, &number);
    if (error)
        return error;
    struct slice suffix = {text.at + digits, text.len - digits};
    for (; units->suffix; units++) {
        if (!slice_equals(suffix, units->suffix))
            continue;
        if (number > max / units->factor)
            return ERR_RANGE;
        *out = number * units->factor;
        return OK;
    }
    if (!suffix.len && number == 0) {
        *out = 0;
        return OK;
    }
    return ERR_MALFORMED;
}

int parse_duration_us(struct slice text, uint64_t max_us, uint64_t *out)
{
    static const struct unit units[] = {{"us", 1},
                                        {"ms", MS_US},
                                        {"s", SECOND_US},
                                        {"m", 60 * SECOND_US},
                                        {"h", 3600 * SECOND_US},
                                        {"d", 24 * 3600 * SECOND_US},
                                        {NULL, 0}};
    return parse_with_unit(text, units, max_us, out);
}

int parse_size(struct slice text, uint64_t max, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1}, {"KiB", KIB_BYTES}, {"MiB", MIB_BYTES}, {"GiB", 1024 * MIB_BYTES}, {NULL, 0}};
    return parse_with_unit(text, units, max, out);
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

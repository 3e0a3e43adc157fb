#include "clients/input/integers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/interrupt.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/packed.h"
#include "shared/base/slice.h"

#define READ_BYTES      ((size_t)262144)
#define SHOWN_BYTES     40             /* of a line that is wrong */
#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* of UTF-8: some editors begin files with it */

/* --- lines of items --- */

static void put_number(struct integers_lines *lines, uint64_t number)
{
    if (lines->room < lines->len + 10) {
        lines->room = 2 * lines->room + 64;
        lines->at = mem_grow(lines->at, lines->room, 1);
    }
    for (; number >= 0x80; number >>= 7)
        lines->at[lines->len++] = (uint8_t)(0x80 | number);
    lines->at[lines->len++] = (uint8_t)number;
}

static uint64_t get_number(const struct integers_lines *lines, size_t *at)
{
    uint64_t number = 0;
    for (unsigned shift = 0; *at < lines->len; shift += 7) {
        uint8_t byte = lines->at[(*at)++];
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return number;
}

/* The next item is in this line. */
static void note_line(struct integers_lines *lines, uint64_t line)
{
    if (line != lines->line + 1) {
        put_number(lines, lines->since);
        put_number(lines, line - lines->line - 1);
        lines->since = 0;
    }
    lines->since++;
    lines->items++;
    lines->line = line;
}

uint64_t integers_line(const struct integers_lines *lines, struct integers_place *place,
                       uint64_t item)
{
    while (place->at < lines->len) {
        size_t at = place->at;
        uint64_t run = get_number(lines, &at);
        if (place->items + run >= item)
            break; /* the next place is after it */
        place->items += run;
        place->line += run + get_number(lines, &at);
        place->at = at;
    }
    return place->line + (item - place->items);
}

/* --- one integer --- */

void integers_begin(struct integers *integers, struct spool *out)
{
    *integers = (struct integers){.out = out};
}

void integers_clear(struct integers *integers)
{
    integer_clear(&integers->integer);
    free(integers->packed);
    free(integers->lines.at);
    *integers = (struct integers){0};
}

/* "numbers.txt:53201: ", or nothing for an argument. */
static void fault(struct integers_rule *rule, const char *name, uint64_t line, struct slice text,
                  const char *what)
{
    char shown[4 * SHOWN_BYTES + 1];
    struct text told = {0};
    bool cut = text.len > SHOWN_BYTES;
    if (rule->faults++ >= INTEGERS_FAULTS_SHOWN)
        return;
    text_escape(shown, sizeof shown, (struct slice){text.at, cut ? SHOWN_BYTES : text.len});
    if (line)
        text_add(&told, "%s:%" PRIu64 ": ", name, line);
    text_add(&told, "'%s%s' %s", shown, cut ? "..." : "", what);
    if (rule->faults == 1)
        rule->first = told;
    if (rule->tell)
        rule->tell(told.at, line > 0);
}

/* What people are told of a word that is no integer, so that the next try is right. */
static const char *what_is_wrong(struct integers *integers, struct slice text, unsigned base)
{
    if (base == 10 && text.len && memchr("0123456789", text.at[0], 10) &&
        !integer_parse(&integers->integer, text, 16))
        return "is not an integer (--base 16 reads hexadecimal ones)";
    if (memchr(text.at, ' ', text.len) || memchr(text.at, '\t', text.len) ||
        memchr(text.at, ',', text.len))
        return "is not an integer; one a line is read";
    return base == 16 ? "is not a hexadecimal integer" : "is not an integer";
}

static int take_integer(struct integers *integers, const char *name, uint64_t line,
                        struct slice text, struct integers_rule *rule, char *why)
{
    struct integer *integer = &integers->integer;
    int error = integer_parse(integer, text, rule->base);
    if (error == ERR_RANGE)
        fault(rule, name, line, text, "is too large");
    else if (error)
        fault(rule, name, line, text, what_is_wrong(integers, text, rule->base));
    else if (rule->positive && (integer->negative || !integer->len))
        fault(rule, name, line, text, "is not positive; it takes integers from 1 on");
    else if (!rule->faults) {
        size_t len = packed_bytes(integer->len);
        if (integers->room < len) {
            integers->room = 2 * len;
            integers->packed = mem_grow(integers->packed, integers->room, 1);
        }
        packed_put(integers->packed, integer->negative, (struct slice){integer->at, integer->len});
        integers->items++;
        if (line)
            note_line(&integers->lines, line);
        return spool_add(integers->out, integers->packed, len, why);
    }
    return OK;
}

int integers_add(struct integers *integers, const char *word, struct integers_rule *rule, char *why)
{
    return take_integer(integers, "", 0, slice_of(word), rule, why);
}

/* --- lines --- */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice trim(struct slice line)
{
    const uint8_t *comment = line.len ? memchr(line.at, '#', line.len) : NULL;
    if (comment)
        line.len = (size_t)(comment - line.at);
    while (line.len && is_blank(line.at[line.len - 1]))
        line.len--;
    while (line.len && is_blank(line.at[0]))
        line = (struct slice){line.at + 1, line.len - 1};
    return line;
}

struct reading {
    struct integers *integers;
    struct source *source;
    struct integers_rule *rule;
    char *why;
    uint8_t *at; /* owned: a line that is not complete, and what came after it */
    size_t len, room;
    uint64_t line;
    bool too_long; /* the line so far: the rest of it is left out */
};

static int take_line(struct reading *reading, struct slice line)
{
    reading->line++;
    if (reading->line == 1 && slice_begins(line, slice_of(BYTE_ORDER_MARK)))
        line = (struct slice){line.at + 3, line.len - 3};
    if (reading->too_long) {
        reading->too_long = false;
        fault(reading->rule, reading->source->name, reading->line, line, "is too large");
        return OK;
    }
    line = trim(line);
    return line.len ? take_integer(reading->integers, reading->source->name, reading->line, line,
                                   reading->rule, reading->why)
                    : OK;
}

/* Takes the lines that are complete. `from`: where no end of a line was found yet. */
static int take_lines(struct reading *reading, size_t from)
{
    size_t begin = 0;
    int error = OK;
    while (!error) {
        const uint8_t *end = memchr(reading->at + from, '\n', reading->len - from);
        if (!end)
            break;
        size_t at = (size_t)(end - reading->at);
        error = take_line(reading, (struct slice){reading->at + begin, at - begin});
        begin = from = at + 1;
    }
    memmove(reading->at, reading->at + begin, reading->len - begin);
    reading->len -= begin;
    if (reading->len > INTEGERS_LINE_MAX)
        reading->too_long = true;
    if (reading->too_long && reading->len > SHOWN_BYTES + 1)
        reading->len = SHOWN_BYTES + 1;
    return error;
}

static int read_lines(struct reading *reading)
{
    for (size_t got = 1; got;) {
        if (reading->room - reading->len < READ_BYTES) {
            reading->room = 2 * reading->room + 2 * READ_BYTES;
            reading->at = mem_grow(reading->at, reading->room, 1);
        }
        int error = source_read(reading->source, reading->at + reading->len, READ_BYTES, &got);
        if (error) {
            text_format(reading->why, TEXT_MAX, "%s", reading->source->why.at);
            return error;
        }
        size_t from = reading->len;
        reading->len += got;
        error = interrupt_seen() ? ERR_INTERRUPTED : take_lines(reading, from);
        if (error)
            return error;
    }
    return reading->len ? take_line(reading, (struct slice){reading->at, reading->len}) : OK;
}

int integers_read(struct integers *integers, struct source *source, struct integers_rule *rule,
                  char *why)
{
    struct reading reading = {.integers = integers, .source = source, .rule = rule, .why = why};
    int error = read_lines(&reading);
    free(reading.at);
    return error;
}

#include "clients/show/gcds.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

#define KNOWN     'k' /* before the number of a known integer */
#define GCD_SHOWN 16  /* digits of a factor that is shown whole */
#define GCD_HEAD  4
#define GCD_TAIL  2

/* --- reading --- */

static struct slice take_until(struct slice *rest, char end)
{
    const uint8_t *at = rest->len ? memchr(rest->at, end, rest->len) : NULL;
    struct slice taken = {rest->at, at ? (size_t)(at - rest->at) : rest->len};
    *rest = at ? (struct slice){at + 1, rest->len - taken.len - 1} : (struct slice){0};
    return taken;
}

static bool is_hexadecimal(struct slice digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (!memchr("0123456789abcdef", digits.at[i], 16))
            return false;
    return digits.len;
}

/* Takes one number of `with` off; false when what is there is none. */
static bool take_with(struct slice *with, bool *known, uint64_t *item)
{
    struct slice word = take_until(with, ',');
    *known = word.len && word.at[0] == KNOWN;
    if (*known)
        word = (struct slice){word.at + 1, word.len - 1};
    return !parse_u64(word, UINT64_MAX, item) && *item;
}

static bool parse_row(struct slice line, struct gcds_row *row)
{
    bool known;
    uint64_t item;
    *row = (struct gcds_row){0};
    if (parse_u64(take_until(&line, '\t'), UINT64_MAX, &row->item) || !row->item)
        return false;
    row->with = take_until(&line, '\t');
    row->gcd = take_until(&line, '\t');
    row->duplicate = slice_equals(line, "duplicate");
    for (struct slice with = row->with; with.len;)
        if (!take_with(&with, &known, &item))
            return false;
    return is_hexadecimal(row->gcd) && (row->duplicate || !line.len);
}

int gcds_parse(struct gcds *gcds, char *text, size_t len, uint64_t integers)
{
    struct slice rest = {(uint8_t *)text, len};
    size_t room = 0;
    *gcds = (struct gcds){.text = text, .integers = integers};
    while (rest.len) {
        struct slice line = take_until(&rest, '\n');
        if (!line.len)
            continue;
        if (gcds->n == room) {
            room = 2 * room + 64;
            gcds->rows = mem_grow(gcds->rows, room, sizeof *gcds->rows);
        }
        struct gcds_row *row = &gcds->rows[gcds->n++];
        if (!parse_row(line, row) || row->item > integers ||
            (gcds->n > 1 && row[-1].item >= row->item))
            return ERR_MALFORMED;
        gcds->duplicates += row->duplicate;
    }
    return OK;
}

void gcds_clear(struct gcds *gcds)
{
    free(gcds->text);
    free(gcds->rows);
    *gcds = (struct gcds){0};
}

/* --- lines --- */

static uint64_t line_of(const struct integers_lines *lines, struct integers_place *place,
                        uint64_t item)
{
    struct integers_place from_first = {0};
    return !lines ? item : integers_line(lines, place ? place : &from_first, item);
}

static void print_with(const struct gcds *gcds, struct slice with, FILE *out)
{
    for (bool first = true; with.len; first = false) {
        bool known;
        uint64_t item;
        if (!take_with(&with, &known, &item))
            return; /* was read before */
        fprintf(out, "%s%s%" PRIu64, first ? "" : ",", known ? "k" : "",
                line_of(known ? gcds->known : gcds->lines, NULL, item));
    }
}

void gcds_rows(const struct gcds *gcds, FILE *out)
{
    struct integers_place place = {0};
    for (size_t i = 0; i < gcds->n; i++) {
        const struct gcds_row *row = &gcds->rows[i];
        fprintf(out, "%" PRIu64 "\t", line_of(gcds->lines, &place, row->item));
        print_with(gcds, row->with, out);
        fprintf(out, "\t%.*s\n", (int)row->gcd.len, (const char *)row->gcd.at);
    }
}

/* --- for people --- */

static uint64_t bits_of(struct slice digits)
{
    static const uint8_t bits[] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};
    uint8_t first = digits.at[0];
    return 4 * (digits.len - 1) + bits[first <= '9' ? first - '0' : first - 'a' + 10];
}

static void print_gcd(struct slice gcd, FILE *out)
{
    const char *at = (const char *)gcd.at;
    if (gcd.len <= GCD_SHOWN)
        fprintf(out, "0x%.*s", (int)gcd.len, at);
    else
        fprintf(out, "%.*s...%.*s (%" PRIu64 " bits)", GCD_HEAD, at, GCD_TAIL,
                at + gcd.len - GCD_TAIL, bits_of(gcd));
}

void gcds_table(const struct gcds *gcds, FILE *out)
{
    struct integers_place place = {0};
    fprintf(out,
            "%" PRIu64 " %s: %zu share a factor, %" PRIu64 " do not, %" PRIu64
            " are equal to another one\n",
            gcds->integers, gcds->integers == 1 ? "modulus" : "moduli", gcds->n,
            gcds->integers - gcds->n, gcds->duplicates);
    if (gcds->n)
        fprintf(out, "%8s  %8s  GCD\n", "LINE", "WITH");
    for (size_t i = 0; i < gcds->n; i++) {
        const struct gcds_row *row = &gcds->rows[i];
        struct slice with = row->with, first = take_until(&with, ',');
        char shown[32] = "";
        bool known;
        uint64_t item;
        if (first.len && take_with(&first, &known, &item))
            text_format(shown, sizeof shown, "%s%" PRIu64 "%s", known ? "k" : "",
                        line_of(known ? gcds->known : gcds->lines, NULL, item),
                        with.len ? ",..." : "");
        fprintf(out, "%8" PRIu64 "  %8s  ", line_of(gcds->lines, &place, row->item), shown);
        print_gcd(row->gcd, out);
        fprintf(out, "%s\n", row->duplicate ? "  equal" : "");
    }
}

json_t *gcds_json(const struct gcds *gcds)
{
    struct integers_place place = {0};
    json_t *rows = json_array();
    for (size_t i = 0; i < gcds->n; i++) {
        const struct gcds_row *row = &gcds->rows[i];
        json_t *with = json_array(), *known = json_array();
        for (struct slice rest = row->with; rest.len;) {
            bool is_known;
            uint64_t item;
            if (!take_with(&rest, &is_known, &item))
                break;
            item = line_of(is_known ? gcds->known : gcds->lines, NULL, item);
            json_array_append_new(is_known ? known : with, json_integer((json_int_t)item));
        }
        json_array_append_new(rows,
                              json_pack("{s:I, s:o, s:o, s:s%, s:b}", "line",
                                        (json_int_t)line_of(gcds->lines, &place, row->item), "with",
                                        with, "known", known, "gcd", (const char *)row->gcd.at,
                                        row->gcd.len, "duplicate", row->duplicate));
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "moduli", (json_int_t)gcds->integers, "shared",
                     (json_int_t)gcds->n, "duplicates", (json_int_t)gcds->duplicates, "rows", rows);
}

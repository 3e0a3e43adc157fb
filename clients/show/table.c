#include "clients/show/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

#define GAP          2 /* between two columns */
#define DOTS         "..."
#define COLUMNS_KEPT 2 /* however narrow it is */
#define LEAST_CUT    4 /* a column that must be cut further keeps a character and the dots */

struct cell {
    char *text; /* owned */
    enum colour colour;
};

struct table {
    const struct table_column *columns;
    bool wide;
    size_t n_columns;
    struct cell *cells; /* n_columns a row; of a line of its own: the first, the others NULL */
    size_t n, room;
};

struct table *table_new(const struct table_column *columns, bool wide)
{
    struct table *table = mem_new(1, sizeof *table);
    table->columns = columns;
    table->wide = wide;
    while (columns[table->n_columns].title)
        table->n_columns++;
    return table;
}

static struct cell *next_cell(struct table *table)
{
    if (table->n == table->room) {
        table->room = 2 * table->room + 64;
        table->cells = mem_grow(table->cells, table->room, sizeof *table->cells);
    }
    table->cells[table->n] = (struct cell){0};
    return &table->cells[table->n++];
}

static char *text_of(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        panic("no memory for a cell of a table");
    return text;
}

void table_add(struct table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    next_cell(table)->text = text_of(format, args);
    va_end(args);
}

void table_add_state(struct table *table, const char *word)
{
    table_add(table, "%s", word);
    table->cells[table->n - 1].colour = terminal_colour_of(word);
}

void table_add_line(struct table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    next_cell(table)->text = text_of(format, args);
    va_end(args);
    for (size_t i = 1; i < table->n_columns; i++)
        next_cell(table);
}

void table_destroy(struct table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->n; i++)
        free((*table)->cells[i].text);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

/* --- widths --- */

/* Characters of UTF-8, each of which counts as one column. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Bytes of the first characters. */
static size_t bytes_of(const char *text, size_t characters)
{
    size_t at = 0;
    for (; text[at]; at++)
        if (((unsigned char)text[at] & 0xc0) != 0x80 && !characters--)
            break;
    return at;
}

static bool is_shown(const struct table *table, size_t column)
{
    return table->wide || !table->columns[column].wide_only;
}

static bool is_line(const struct table *table, size_t row)
{
    return table->n_columns > 1 && !table->cells[row * table->n_columns + 1].text;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = is_shown(table, i) ? width_of(table->columns[i].title) : 0;
    for (size_t i = 0; i < table->n / table->n_columns * table->n_columns; i++) {
        size_t column = i % table->n_columns;
        if (!is_shown(table, column) || is_line(table, i / table->n_columns))
            continue;
        size_t width = width_of(table->cells[i].text);
        widths[column] = width > widths[column] ? width : widths[column];
    }
}

/* Returns the columns that the first n of them take. */
static size_t sum_of(const struct table *table, const size_t *widths, size_t n)
{
    size_t sum = 0, shown = 0;
    for (size_t i = 0; i < n; i++) {
        sum += widths[i];
        shown += is_shown(table, i);
    }
    return sum + (shown ? (shown - 1) * GAP : 0);
}

/* The widest that may give something, until all fit; when none may, those that may lose most. */
static void shorten(const struct table *table, size_t *widths, size_t columns)
{
    for (size_t sum = sum_of(table, widths, table->n_columns); sum > columns; sum--) {
        size_t widest = table->n_columns;
        for (int pass = 0; pass < 2 && widest == table->n_columns; pass++)
            for (size_t i = 0; i < table->n_columns; i++) {
                size_t least = pass ? LEAST_CUT : table->columns[i].least;
                if (is_shown(table, i) && table->columns[i].least && widths[i] > least &&
                    (widest == table->n_columns || widths[i] >= widths[widest]))
                    widest = i;
            }
        if (widest == table->n_columns)
            return;
        widths[widest]--;
    }
}

/* What still has no room is left out from the right, but the first two. Returns the columns that
 * are left. */
static size_t leave_out(const struct table *table, size_t *widths, size_t columns)
{
    size_t n = table->n_columns;
    for (; n > COLUMNS_KEPT && sum_of(table, widths, n) > columns; n--)
        widths[n - 1] = 0;
    return n;
}

/* --- lines --- */

/* Writes the text in so many columns; pads when something follows. */
static void print_cell(const char *text, size_t width, bool right, bool padded, enum colour colour,
                       FILE *out)
{
    size_t has = width_of(text), shown = has;
    bool cut = has > width;
    if (cut)
        shown = width > sizeof DOTS - 1 ? width - (sizeof DOTS - 1) : width;
    cut = cut && width > sizeof DOTS - 1;
    size_t padding = has < width ? width - has : 0;
    if (right)
        fprintf(out, "%*s", (int)padding, "");
    fprintf(out, "%s%.*s%s%s", terminal_colour(colour), (int)bytes_of(text, shown), text,
            cut ? DOTS : "", colour ? TERMINAL_PLAIN : "");
    if (!right && padded)
        fprintf(out, "%*s", (int)padding, "");
}

/* `cells`: NULL for the titles. */
static void print_line(const struct table *table, const struct cell *cells, const size_t *widths,
                       size_t n, bool colour, FILE *out)
{
    size_t last = table->n_columns, first = table->n_columns;
    for (size_t i = 0; i < n; i++)
        if (is_shown(table, i)) {
            first = first == table->n_columns ? i : first;
            if (!cells || table->columns[i].right || *cells[i].text)
                last = i; /* nothing stands behind it: no spaces at the end */
        }
    for (size_t i = 0; i <= last && i < n; i++) {
        if (!is_shown(table, i))
            continue;
        if (i != first)
            fprintf(out, "%*s", GAP, "");
        enum colour is = !colour ? COLOUR_NONE : cells ? cells[i].colour : COLOUR_STRONG;
        print_cell(cells ? cells[i].text : table->columns[i].title, widths[i],
                   table->columns[i].right, i != last, is, out);
    }
    fputc('\n', out);
}

size_t table_print_in(const struct table *table, size_t columns, size_t most, bool colour,
                      FILE *out)
{
    size_t *widths = mem_new(table->n_columns, sizeof *widths), lines = 1,
           rows = table->n / table->n_columns;
    measure(table, widths);
    size_t n = table->n_columns;
    if (!table->wide) {
        shorten(table, widths, columns);
        n = leave_out(table, widths, columns);
    }
    print_line(table, NULL, widths, n, colour, out);
    for (size_t row = 0; row < rows && lines < most; row++, lines++) {
        const struct cell *cells = table->cells + row * table->n_columns;
        if (!is_line(table, row)) {
            print_line(table, cells, widths, n, colour, out);
            continue;
        }
        print_cell(cells[0].text, table->wide ? SIZE_MAX : columns, false, false, COLOUR_NONE, out);
        fputc('\n', out);
    }
    free(widths);
    return lines;
}

void table_print(const struct table *table, FILE *out)
{
    int fd = fileno(out);
    bool has_fd = fd >= 0;
    (void)table_print_in(table, has_fd ? terminal_columns(fd) : TERMINAL_COLUMNS, SIZE_MAX,
                         has_fd && terminal_obeys(fd), out);
}

void table_end(struct table *table, FILE *out)
{
    table_print(table, out);
    table_destroy(&table);
}

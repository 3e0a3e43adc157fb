/* table.h - tables for people: columns as wide as what is in them, shortened where the terminal (80
 * columns for a pipe) has no room, in colour where it obeys. */
#ifndef CONCLAVE_CLIENTS_TABLE_H
#define CONCLAVE_CLIENTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "shared/base/terminal.h"

struct table_column {
    const char *title;
    bool right;     /* numbers */
    bool wide_only; /* shown with --wide alone */
    size_t least;   /* it may be shortened to so many columns; 0: never */
};

struct table;

/* Returns an empty table of these columns (borrowed; ended by one without a title). `wide`: nothing
 * is left out or shortened. */
struct table *table_new(const struct table_column *columns, bool wide);

/* Adds the next cell, row by row: printable text, of any length. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of a word that says a state: it has that state's colour. */
void table_add_state(struct table *table, const char *word);

/* A line of its own between the rows. */
void table_add_line(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the lines, the titles first, as wide as the stream's terminal. */
void table_print(const struct table *table, FILE *out);

/* The same in so many columns, in colour or not. Returns the lines written, `most` of them at most,
 * with the titles. For what is redrawn, and for tests. */
size_t table_print_in(const struct table *table, size_t columns, size_t most, bool colour,
                      FILE *out);

void table_destroy(struct table **table);

/* Prints and destroys. */
void table_end(struct table *table, FILE *out);

/* The options that commands with a table take. */
#define TABLE_WIDE(at)                                                                     \
    {                                                                                      \
        "wide", OPTION_FLAG, &(at), 0, 0, NULL, "all columns, whole, however wide that is" \
    }
#define TABLE_LIMIT(at, which)                                                               \
    {                                                                                        \
        "limit", OPTION_U64, &(at), 1, INT64_MAX, "N", "only the " which " N (default: all)" \
    }

#endif

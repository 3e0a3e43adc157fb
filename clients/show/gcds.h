/* gcds.h - the result of batch-gcd: which of many integers share a factor, as rows for programs, a
 * table for people, or JSON. The job counts integers; who has read the file tells their lines. */
#ifndef CONCLAVE_CLIENTS_GCDS_H
#define CONCLAVE_CLIENTS_GCDS_H

#include <jansson.h>
#include <stdio.h>

#include "clients/input/integers.h"

struct gcds_row {
    uint64_t item;     /* from 1 */
    struct slice with; /* numbers with commas between; one that is known begins with k */
    struct slice gcd;  /* hexadecimal digits */
    bool duplicate;    /* another one is equal */
};

struct gcds {
    char *text; /* owned: the result; the rows' slices are in it */
    uint64_t integers, duplicates;
    struct gcds_row *rows; /* owned, in ascending order */
    size_t n;
    const struct integers_lines *lines, *known; /* borrowed; NULL: items are numbered instead */
};

/* Takes the text of a result (`len` bytes of malloc(), also when it fails) of a job over so many
 * integers. ERR_MALFORMED: it is none. Caller clears. */
int gcds_parse(struct gcds *gcds, char *text, size_t len, uint64_t integers);

/* LINE<TAB>WITH<TAB>GCD, as they are. */
void gcds_rows(const struct gcds *gcds, FILE *out);

/* "2000 moduli: 6 share a factor, ...", and a table in which long factors are shortened. */
void gcds_table(const struct gcds *gcds, FILE *out);

/* {moduli, shared, duplicates, rows: [{line, with, gcd, duplicate}]}; a new reference. */
json_t *gcds_json(const struct gcds *gcds);

void gcds_clear(struct gcds *gcds);

#endif

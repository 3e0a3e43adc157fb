/* integers.h - reads integers, one a line, and packs them (shared/base/packed.h). Blank lines do
 * not count, nor what follows "#"; lines may end in CRLF, and the last one without an end. Memory
 * is bounded by the longest line. */
#ifndef CONCLAVE_CLIENTS_INTEGERS_H
#define CONCLAVE_CLIENTS_INTEGERS_H

#include "clients/input/integer.h"
#include "clients/input/source.h"
#include "clients/input/spool.h"

#define INTEGERS_FAULTS_SHOWN 10 /* bad lines; more nobody reads */

/* Of a line: no integer that is not too large is longer, but for its leading zeros. */
#define INTEGERS_LINE_MAX (3 * INTEGER_BYTES_MAX)

/* What is allowed, and what was wrong so far, with all that one command reads. */
struct integers_rule {
    unsigned base; /* 10 or 16 */
    bool positive; /* 0 and negative ones are refused */
    uint64_t faults;
    struct text first; /* the line for the first of them */
    /* Is given one line for each of the first faults, with its place in a file if it has one; NULL:
     * nobody. */
    void (*tell)(const char *line, bool in_file);
};

/* In which line an item stands, where these differ: after so many items more, lines are left out.
 * Two numbers for each place, of 7 bits a byte. */
struct integers_lines {
    uint8_t *at; /* owned */
    size_t len, room;
    uint64_t items, line; /* of the last item */
    uint64_t since;       /* the items since the last place */
};

struct integers {
    struct spool *out; /* borrowed */
    struct integers_lines lines;
    uint64_t items;
    struct integer integer; /* owned, for work */
    uint8_t *packed;        /* owned, for work */
    size_t room;
};

/* Begins, to add to a spool (borrows). Caller clears. */
void integers_begin(struct integers *integers, struct spool *out);

/* Reads all that a source has (borrows it). Lines that are wrong are counted and told in `rule`,
 * and reading goes on: the caller looks at rule->faults. Other errors: one line in `why` (TEXT_MAX
 * bytes), ERR_INTERRUPTED without. */
int integers_read(struct integers *integers, struct source *source, struct integers_rule *rule,
                  char *why);

/* Adds one from an argument, likewise. */
int integers_add(struct integers *integers, const char *word, struct integers_rule *rule,
                 char *why);

/* Finds the lines of items. Begin with a zeroed one, and ask for items in ascending order. Item 1
 * of one source is in the line that is returned. */
struct integers_place {
    size_t at;
    uint64_t items, line;
};
uint64_t integers_line(const struct integers_lines *lines, struct integers_place *place,
                       uint64_t item);

void integers_clear(struct integers *integers);

#endif

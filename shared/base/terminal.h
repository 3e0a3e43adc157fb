/* terminal.h - what stands behind a stream: how wide it is, and whether it obeys escape sequences.
 */
#ifndef CONCLAVE_BASE_TERMINAL_H
#define CONCLAVE_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a pipe counts as, and a terminal that does not say. */
#define TERMINAL_COLUMNS 80
#define TERMINAL_ROWS    24

/* Columns and rows as they are now. */
size_t terminal_columns(int fd);
size_t terminal_rows(int fd);

/* Whether escape sequences may be written: a terminal, not TERM=dumb, and NO_COLOR is not set. */
bool terminal_obeys(int fd);

/* Whether a line may be written over: a terminal, and not TERM=dumb. */
bool terminal_overwrites(int fd);

/* Writes the words with a line end, in lines as wide as the terminal; as one line where there is
 * none. The first one goes on at column `at`, the next ones begin at column `indent`. */
void terminal_wrap(const char *words, size_t at, size_t indent, FILE *out);

/* The colours that words of states have; COLOUR_NONE: none. */
enum colour {
    COLOUR_NONE,
    COLOUR_GOOD,
    COLOUR_BAD,
    COLOUR_BUSY,
    COLOUR_FAINT,
    COLOUR_STRONG,
    COLOURS
};

/* The sequence that begins it; "" for COLOUR_NONE. TERMINAL_PLAIN ends any. */
const char *terminal_colour(enum colour colour);
#define TERMINAL_PLAIN "\033[0m"

/* The colour of a word that says a state: "done", "failed", "coordinator" and so on. */
enum colour terminal_colour_of(const char *word);

#endif

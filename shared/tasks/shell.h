/* shell.h - what /bin/sh makes of bytes: quoting, and whether a place in a command line is quoted.
 *
 * Source: POSIX.1-2017, Shell Command Language, 2.2 (quoting) and 2.6.3 (command substitution). */
#ifndef CONCLAVE_TASKS_SHELL_H
#define CONCLAVE_TASKS_SHELL_H

#include <stdbool.h>

#include "shared/base/types.h"

/* Returns how many bytes shell_quote() writes at most for so many. */
static inline size_t shell_quoted_max(size_t len)
{
    return 4 * len + 3;
}

/* Writes the bytes as one word of /bin/sh to `at`, where shell_quoted_max(len) bytes are free, and
 * returns how many these are: as they are when no byte of them means anything to a shell, else
 * within single quotes. Safe for every byte but 0. */
size_t shell_quote(char *at, struct slice bytes);

/* The same as one line for people, who may paste it: bytes below 0x20, 0x7f and what is not UTF-8
 * stand as \n or \xNN within $'...', as bash, zsh and ksh read it. */
size_t shell_quote_line(char *at, struct slice bytes);

/* --- reading a command line --- */

#define SHELL_DEPTH_MAX 32 /* of command substitutions within each other; deeper is never plain */

/* Where reading stands. Zero-initialize. */
struct shell_scan {
    uint8_t depth;                  /* of what is open */
    uint8_t open[SHELL_DEPTH_MAX];  /* enum shell_open, from outside to inside */
    uint8_t last;                   /* the byte before, 0: none, or it was escaped */
    bool escaped;                   /* the next byte is */
    bool comment;                   /* up to the end of the line */
    uint8_t here;                   /* "<" in a row; 2 and a line end: a here-document */
    bool here_document, ansi, lost; /* seen: << and a line end; $'; more than SHELL_DEPTH_MAX */
};

/* Reads one byte. */
void shell_scan_byte(struct shell_scan *scan, uint8_t byte);

/* True where a quoted word may stand and means itself: outside of quotes, backticks, comments and
 * here-documents, and not after a backslash. In doubt false. */
bool shell_scan_is_plain(const struct shell_scan *scan);

#endif

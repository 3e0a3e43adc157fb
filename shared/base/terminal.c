#include "shared/base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct winsize size_of(int fd)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
        size = (struct winsize){.ws_col = TERMINAL_COLUMNS, .ws_row = TERMINAL_ROWS};
    return size;
}

size_t terminal_columns(int fd)
{
    return size_of(fd).ws_col;
}

size_t terminal_rows(int fd)
{
    return size_of(fd).ws_row;
}

bool terminal_overwrites(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb");
}

bool terminal_obeys(int fd)
{
    const char *plain = getenv("NO_COLOR"); /* no-color.org: set, and not empty */
    return terminal_overwrites(fd) && (!plain || !*plain);
}

void terminal_wrap(const char *words, size_t at, size_t indent, FILE *out)
{
    size_t columns = terminal_columns(fileno(out)), begun = at;
    if (!isatty(fileno(out))) {
        fprintf(out, "%s\n", words);
        return;
    }
    for (size_t len; *words; words += len + (words[len] == ' ')) {
        len = strcspn(words, " ");
        bool first = at == begun;
        if (!first && at + 1 + len > columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = begun = indent;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)len, words);
        at += len + !first;
    }
    fputc('\n', out);
}

const char *terminal_colour(enum colour colour)
{
    static const char *const sequences[COLOURS] = {
        [COLOUR_NONE] = "",         [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
        [COLOUR_BUSY] = "\033[33m", [COLOUR_FAINT] = "\033[2m", [COLOUR_STRONG] = "\033[1m"};
    return sequences[colour];
}

enum colour terminal_colour_of(const char *word)
{
    static const struct {
        const char *word;
        enum colour colour;
    } words[] = {{"done", COLOUR_GOOD},          {"complete", COLOUR_GOOD},
                 {"failed", COLOUR_BAD},         {"lost", COLOUR_BAD},
                 {"partial", COLOUR_BAD},        {"no", COLOUR_BAD},
                 {"full", COLOUR_BAD},           {"stalls", COLOUR_BAD},
                 {"behind", COLOUR_BUSY},        {"running", COLOUR_BUSY},
                 {"cancelled", COLOUR_FAINT},    {"queued", COLOUR_FAINT},
                 {"coordinator", COLOUR_STRONG}, {"candidate", COLOUR_BUSY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i].word))
            return words[i].colour;
    return COLOUR_NONE;
}

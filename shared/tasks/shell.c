#include "shared/tasks/shell.h"

#include <string.h>

#include "shared/base/text.h"

/* --- quoting --- */

static bool means_itself(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte && strchr("_-./:@%+,", byte));
}

static bool all_mean_themselves(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (!means_itself(bytes.at[i]))
            return false;
    return bytes.len > 0;
}

size_t shell_quote(char *at, struct slice bytes)
{
    size_t len = 0;
    if (all_mean_themselves(bytes)) {
        slice_copy(at, bytes);
        return bytes.len;
    }
    at[len++] = '\'';
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.at[i] == '\'') { /* ends the quotation, itself, and a new one */
            memcpy(at + len, "'\\'", 3);
            len += 3;
        }
        at[len++] = (char)bytes.at[i];
    }
    at[len++] = '\'';
    return len;
}

static bool is_line(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] < 0x20 || bytes.at[i] == 0x7f)
            return false;
    return text_is_utf8(bytes);
}

size_t shell_quote_line(char *at, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    bool utf8 = text_is_utf8(bytes);
    if (is_line(bytes))
        return shell_quote(at, bytes);
    at[len++] = '$';
    at[len++] = '\'';
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.at[i];
        char letter = byte == '\n'                   ? 'n'
                      : byte == '\t'                 ? 't'
                      : byte == '\r'                 ? 'r'
                      : byte == '\\' || byte == '\'' ? (char)byte
                                                     : 0;
        if (letter) {
            at[len++] = '\\';
            at[len++] = letter;
        } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
            at[len++] = '\\';
            at[len++] = 'x';
            at[len++] = digits[byte >> 4];
            at[len++] = digits[byte & 15];
        } else {
            at[len++] = (char)byte;
        }
    }
    at[len++] = '\'';
    return len;
}

/* --- reading --- */

enum shell_open { OPEN_SINGLE = 1, OPEN_DOUBLE, OPEN_PAREN, OPEN_BACKTICK };

static uint8_t top(const struct shell_scan *scan)
{
    return scan->depth ? scan->open[scan->depth - 1] : 0;
}

static void push(struct shell_scan *scan, enum shell_open open)
{
    if (scan->depth == SHELL_DEPTH_MAX)
        scan->lost = true;
    else
        scan->open[scan->depth++] = (uint8_t)open;
}

static void toggle(struct shell_scan *scan, enum shell_open open)
{
    if (top(scan) == open)
        scan->depth--;
    else
        push(scan, open);
}

/* A byte outside of quotes that is not escaped. */
static void scan_plain(struct shell_scan *scan, uint8_t byte)
{
    bool begins = !scan->last || strchr(" \t\n;&|()`", scan->last);
    scan->ansi = scan->ansi || (byte == '\'' && scan->last == '$');
    scan->comment = byte == '#' && begins;
    if (byte == '\n' && scan->here >= 2)
        scan->here_document = true;
    if (byte == '<' && scan->last == '<')
        scan->here = 2;
    if (byte == '\'')
        push(scan, OPEN_SINGLE);
    else if (byte == '"')
        push(scan, OPEN_DOUBLE);
    else if (byte == '(')
        push(scan, OPEN_PAREN);
    else if (byte == '`')
        toggle(scan, OPEN_BACKTICK);
    else if (byte == ')' && top(scan) == OPEN_PAREN)
        scan->depth--;
}

static void scan_double(struct shell_scan *scan, uint8_t byte)
{
    if (byte == '"')
        scan->depth--;
    else if (byte == '(' && scan->last == '$')
        push(scan, OPEN_PAREN);
    else if (byte == '`') /* ends one that was open around the quotes, too: never plain then */
        push(scan, OPEN_BACKTICK);
}

void shell_scan_byte(struct shell_scan *scan, uint8_t byte)
{
    uint8_t open = top(scan);
    bool escaped = scan->escaped;
    scan->escaped = false;
    if (scan->comment) {
        scan->comment = byte != '\n';
    } else if (open == OPEN_SINGLE) {
        scan->depth -= byte == '\'';
    } else if (escaped) {
        byte = 0;
    } else if (byte == '\\') {
        scan->escaped = true;
    } else if (open == OPEN_DOUBLE) {
        scan_double(scan, byte);
    } else {
        scan_plain(scan, byte);
    }
    /* What follows a quotation begins no word. */
    scan->last = byte ? byte : 'x';
}

bool shell_scan_is_plain(const struct shell_scan *scan)
{
    uint8_t open = top(scan);
    /* Backticks take backslashes and backticks of what is quoted within them for their own. */
    for (uint8_t i = 0; i < scan->depth; i++)
        if (scan->open[i] == OPEN_BACKTICK)
            return false;
    return !scan->escaped && !scan->comment && !scan->here_document && !scan->ansi && !scan->lost &&
           scan->depth < SHELL_DEPTH_MAX && open != OPEN_SINGLE && open != OPEN_DOUBLE;
}

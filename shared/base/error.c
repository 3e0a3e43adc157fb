#include "shared/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *error_text(int error)
{
    static const char *const texts[] = {
#define X(symbol, text) [symbol] = (text),
        ERRORS(X)
#undef X
    };
    if (error < 0 || (unsigned)error >= sizeof texts / sizeof texts[0])
        return "unknown error";
    return texts[error];
}

int exit_code_of(int error)
{
    switch (error) {
    case OK:
        return EXIT_OK;
    case ERR_CORRUPT:
    case ERR_EXISTS: /* a port, or a directory, that another process uses */
    case ERR_FULL:
    case ERR_IO:
    case ERR_TIMEOUT:
    case ERR_UNAVAILABLE:
        return EXIT_ENVIRONMENT;
    default:
        return EXIT_USAGE;
    }
}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("panic: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

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

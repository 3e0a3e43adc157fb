#include "shared/base/error.h"

#include <stdarg.h>
#include <stdatomic.h>
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

static void (*_Atomic before_panic)(void);

void panic_calls(void (*first)(void))
{
    atomic_store(&before_panic, first);
}

void panic(const char *format, ...)
{
    va_list args;
    void (*first)(void) = atomic_exchange(&before_panic, NULL); /* it may panic itself */
    if (first)
        first();
    va_start(args, format);
    fputs("panic: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

#include "shared/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/log_file.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

static const char *const level_names[LOG_LEVELS] = {"error", "warn", "info", "debug"};

typedef void log_taker(const char *line, size_t len);

static struct {
    char who[32];
    enum log_level level;
    log_taker *_Atomic take; /* NULL: nobody else writes */
} log_state = {.who = "conclave", .level = LOG_INFO};

void log_open(const char *who, enum log_level level)
{
    text_format(log_state.who, sizeof log_state.who, "%s", who);
    log_state.level = level;
}

bool log_enabled(enum log_level level)
{
    return level <= log_state.level;
}

void log_through(void (*take)(const char *line, size_t len))
{
    atomic_store(&log_state.take, take);
}

void log_put(const char *line, size_t len)
{
    /* One write a line, so that the lines of several processes do not mix. */
    ssize_t written = write(STDERR_FILENO, line, len);
    if (written > 0) /* else nobody is left to be told */
        log_file_wrote((size_t)written);
}

static void write_line(log_taker *take, enum log_level level, const char *format, va_list args)
{
    struct text body = {0};
    text_add_v(&body, format, args);
    for (size_t i = 0; i < body.len; i++)
        if ((unsigned char)body.at[i] < 0x20 || body.at[i] == 0x7f)
            body.at[i] = '?';
    char when[CLOCK_TEXT_MAX], line[TEXT_MAX + 128];
    size_t len =
        text_format(line, sizeof line, "%s %-5s %s: %s\n", clock_text(clock_wall_ms(), when),
                    level_names[level], log_state.who, body.at);
    take(line, len);
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    va_list args;
    log_taker *take = atomic_load(&log_state.take);
    va_start(args, format);
    write_line(take && !MUTANT(loop_writes_log) ? take : log_put, level, format, args);
    va_end(args);
}

void log_write_now(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(log_put, level, format, args);
    va_end(args);
}

int log_parse_level(struct slice text, enum log_level *out)
{
    for (int i = 0; i < LOG_LEVELS; i++) {
        if (slice_equals(text, level_names[i])) {
            *out = (enum log_level)i;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

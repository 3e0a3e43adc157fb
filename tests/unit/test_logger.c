/* Lines of the log are written by a thread of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nodes/io/logger.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"

#define HANG_S 20 /* then the test ends by a signal: somebody waited for the pipe */

/* A pipe in the place of stderr. */
struct pipe {
    int stderr_fd, ends[2];
};

static struct pipe begin(void)
{
    struct pipe it = {.stderr_fd = dup(STDERR_FILENO)};
    assert_int_equal(pipe(it.ends), 0);
    dup2(it.ends[1], STDERR_FILENO);
    close(it.ends[1]);
    alarm(HANG_S);
    logger_start();
    return it;
}

static void end(struct pipe *it)
{
    logger_stop();
    dup2(it->stderr_fd, STDERR_FILENO);
    close(it->stderr_fd);
    close(it->ends[0]);
    alarm(0);
}

static void lines_are_written_in_order(void **state)
{
    (void)state;
    struct pipe it = begin();
    for (int i = 0; i < 100; i++)
        log_write(LOG_INFO, "line %d", i);
    logger_flush();
    FILE *in = fdopen(dup(it.ends[0]), "r");
    char line[200], wanted[16];
    for (int i = 0; i < 100; i++) {
        assert_non_null(fgets(line, sizeof line, in));
        snprintf(wanted, sizeof wanted, "line %d\n", i);
        assert_non_null(strstr(line, wanted));
    }
    fclose(in);
    end(&it);
}

/* A full pipe: as when a terminal is stopped, or the daemon that reads the log hangs. */
static void a_log_that_nobody_reads_stops_nobody(void **state)
{
    (void)state;
    struct pipe it = begin();
    size_t n = 4 * LOG_WAITING_BYTES / 50; /* a line has 50 bytes, and more */
    uint64_t began_us = clock_now_us();
    for (size_t i = 0; i < n; i++)
        log_write(LOG_INFO, "a line that is written while nobody reads");
    assert_true(clock_now_us() - began_us < HANG_S * SECOND_US / 2);
    began_us = clock_now_us();
    logger_flush(); /* does not wait for ever */
    assert_true(clock_now_us() - began_us < 10 * LOG_FLUSH_US);
    /* Who reads again finds what fits, and how much did not. */
    FILE *in = fdopen(dup(it.ends[0]), "r");
    char line[200];
    uint64_t seen = 0, left_out = 0;
    while (seen + left_out < n && fgets(line, sizeof line, in)) {
        const char *text = strstr(line, ": ");
        assert_non_null(text);
        seen += strstr(text, "nobody reads") != NULL;
        if (strstr(text, "were left out"))
            left_out += strtoull(text + 2, NULL, 10);
    }
    assert_int_equal(seen + left_out, n);
    assert_true(left_out && seen > LOG_WAITING_BYTES / 200);
    fclose(in);
    end(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_in_order),
        cmocka_unit_test(a_log_that_nobody_reads_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "nodes/io/turns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/base/limits.h"

#define WINDOW_US (10 * SECOND_US)
/* Reading it takes some 2 us, so not at every turn; what was waited in so short a
 * time is little. */
#define SCHEDSTAT_EVERY_US MS_US
#define SCHEDSTAT_FROM_US  (5 * MS_US) /* shorter turns interest nobody */

void turns_open(struct turns *turns)
{
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    turns->schedstat = fd > 0 ? fd : 0;
}

void turns_close(struct turns *turns)
{
    if (turns->schedstat)
        close(turns->schedstat);
    turns->schedstat = 0;
}

/* How long this thread has waited for a processor; 0: not told. */
static uint64_t waited_us(const struct turns *turns)
{
    char text[64];
    uint64_t ran, waited = 0;
    ssize_t n = turns->schedstat ? pread(turns->schedstat, text, sizeof text - 1, 0) : 0;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%" SCNu64 " %" SCNu64, &ran, &waited) == 2 ? waited / 1000 : 0;
}

void turns_begin(struct turns *turns, uint64_t now_us)
{
    if (now_us >= turns->told_us + SCHEDSTAT_EVERY_US) {
        turns->told_us = now_us;
        turns->wait_us = waited_us(turns);
    }
    turns->began_us = turns->part_us = now_us;
    turns->most_us = 0;
    turns->most = "";
}

void turns_part(struct turns *turns, const char *in, uint64_t now_us)
{
    uint64_t took_us = now_us - turns->part_us;
    turns->part_us = now_us;
    if (took_us < turns->most_us)
        return;
    turns->most_us = took_us;
    turns->most = in;
}

uint64_t turns_end(struct turns *turns, uint64_t now_us)
{
    uint64_t took_us = now_us - turns->began_us, number = now_us / WINDOW_US;
    struct turns_window *window = &turns->windows[number % TURNS_WINDOWS];
    if (window->number != number)
        *window = (struct turns_window){.number = number, .in = ""};
    if (took_us > window->longest_us) {
        window->longest_us = took_us;
        window->in = turns->most;
    }
    uint64_t own_us = took_us;
    if (took_us >= SCHEDSTAT_FROM_US) {
        uint64_t wait_us = waited_us(turns) - turns->wait_us;
        own_us = wait_us < took_us ? took_us - wait_us : 0;
    }
    if (own_us > window->own_us)
        window->own_us = own_us;
    return took_us;
}

struct turns_longest turns_longest(const struct turns *turns, uint64_t now_us)
{
    uint64_t number = now_us / WINDOW_US;
    struct turns_longest longest = {.in = ""};
    for (int i = 0; i < TURNS_WINDOWS; i++) {
        const struct turns_window *window = &turns->windows[i];
        if (window->number + TURNS_WINDOWS <= number)
            continue;
        if (window->own_us > longest.own_us)
            longest.own_us = window->own_us;
        if (window->longest_us <= longest.us)
            continue;
        longest.us = window->longest_us;
        longest.in = window->in;
    }
    return longest;
}

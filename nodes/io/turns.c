#include "nodes/io/turns.h"

#include <sys/resource.h>

#include "nodes/work/starved.h"
#include "shared/base/limits.h"

#define WINDOW_US (10 * SECOND_US)
/* Reading it takes some 2 us, so not at every turn; what was waited in so short a
 * time is little. */
#define SCHEDSTAT_EVERY_US MS_US
#define SCHEDSTAT_FROM_US  (5 * MS_US) /* shorter turns interest nobody */

void turns_open(struct turns *turns)
{
    int fd = starved_open();
    turns->schedstat = fd > 0 ? fd : 0;
}

void turns_close(struct turns *turns)
{
    if (turns->schedstat)
        starved_close(turns->schedstat);
    turns->schedstat = 0;
}

/* Zero where the kernel does not tell. */
static struct turns_used used_by_now(const struct turns *turns)
{
    struct turns_used used = {0};
    struct rusage usage;
    if (!turns->schedstat || !starved_read(turns->schedstat, &used.ran_us, &used.wait_us))
        return (struct turns_used){0};
    if (!getrusage(RUSAGE_THREAD, &usage)) {
        used.faults = (uint64_t)usage.ru_minflt;
        used.given_up = (uint64_t)usage.ru_nvcsw;
    }
    return used;
}

void turns_begin(struct turns *turns, uint64_t now_us)
{
    if (now_us >= turns->told_us + SCHEDSTAT_EVERY_US) {
        turns->told_us = now_us;
        turns->used = used_by_now(turns);
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
        *window = (struct turns_window){.number = number, .in = "", .own_in = ""};
    if (took_us > window->longest_us) {
        window->longest_us = took_us;
        window->in = turns->most;
    }
    turns->last = (struct turns_used){0};
    if (took_us >= SCHEDSTAT_FROM_US) {
        struct turns_used used = used_by_now(turns);
        turns->last.ran_us = used.ran_us - turns->used.ran_us;
        turns->last.wait_us = used.wait_us - turns->used.wait_us;
        turns->last.faults = used.faults - turns->used.faults;
        turns->last.given_up = used.given_up - turns->used.given_up;
    }
    uint64_t own_us = turns_own_us(turns, took_us);
    if (own_us > window->own_us) {
        window->own_us = own_us;
        window->own_in = turns->most;
        window->faults = turns->last.faults;
        window->blocked = turns->last.given_up;
    }
    return took_us;
}

uint64_t turns_own_us(const struct turns *turns, uint64_t took_us)
{
    const struct turns_used *used = &turns->last;
    uint64_t own_us = used->wait_us < took_us ? took_us - used->wait_us : 0;
    return used->ran_us && !used->given_up && used->ran_us < own_us ? used->ran_us : own_us;
}

struct turn_report turns_longest(const struct turns *turns, uint64_t now_us)
{
    uint64_t number = now_us / WINDOW_US;
    struct turn_report longest = {.in = "", .own_in = ""};
    for (int i = 0; i < TURNS_WINDOWS; i++) {
        const struct turns_window *window = &turns->windows[i];
        if (window->number + TURNS_WINDOWS <= number)
            continue;
        if (window->own_us > longest.own_us) {
            longest.own_us = window->own_us;
            longest.own_in = window->own_in;
            longest.faults = window->faults;
            longest.blocked = window->blocked;
        }
        if (window->longest_us <= longest.us)
            continue;
        longest.us = window->longest_us;
        longest.in = window->in;
    }
    return longest;
}

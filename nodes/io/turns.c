#include "nodes/io/turns.h"

#include "shared/base/limits.h"

#define WINDOW_US (10 * SECOND_US)

void turns_begin(struct turns *turns, uint64_t now_us)
{
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
    return took_us;
}

uint64_t turns_longest(const struct turns *turns, uint64_t now_us, const char **in)
{
    uint64_t number = now_us / WINDOW_US, longest_us = 0;
    *in = "";
    for (int i = 0; i < TURNS_WINDOWS; i++) {
        const struct turns_window *window = &turns->windows[i];
        if (window->number + TURNS_WINDOWS <= number || window->longest_us <= longest_us)
            continue;
        longest_us = window->longest_us;
        *in = window->in;
    }
    return longest_us;
}

/* commands.c - how many commands a second the executor of commands runs (nodes/work/command.h).
 *
 *     commands DIR SLOTS N PROGRAM [ARGUMENT...]
 *
 * Runs PROGRAM N times, and prints commands a second and what the median and the slowest took in
 * milliseconds, until the result was there. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/work/command.h"
#include "nodes/work/spawner.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"

#define AHEAD 2 /* that wait for each slot: what hides the way to the thread and back */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void run(struct commands *commands, char **argv, uint64_t task)
{
    struct command command = {.id = {.job = (uint64_t)1 << JOB_INDEX_BITS, task, 1},
                              .argv = (const char *const *)(void *)argv,
                              .limits = {.time_us = 60 * SECOND_US,
                                         .output_max_bytes = COMMAND_OUTPUT_DEFAULT_BYTES,
                                         .files_max_bytes = COMMAND_FILES_DEFAULT_BYTES}};
    commands_run(commands, &command);
}

int main(int argc, char **argv)
{
    struct commands *commands;
    struct text why = {0};
    if (spawner_is_called(argc, argv))
        return spawner_main();
    if (argc < 5) {
        fprintf(stderr, "usage: commands DIR SLOTS N PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    unsigned slots = (unsigned)strtoul(argv[2], NULL, 10);
    uint64_t n = strtoul(argv[3], NULL, 10), begun = 0, done = 0, failed = 0;
    struct commands_config config = {.dir = argv[1], .node = 1, .slots = slots};
    if (commands_start(&config, &commands, &why)) {
        fprintf(stderr, "%s\n", why.at);
        return 1;
    }
    uint64_t *took_us = mem_new(n + 1, sizeof *took_us), start_us = clock_now_us();
    while (done < n) {
        for (; begun < n && begun < done + (1 + AHEAD) * slots; begun++)
            run(commands, argv + 4, begun + 1);
        struct pollfd item = {.fd = commands_fd(commands), .events = POLLIN};
        poll(&item, 1, -1);
        for (struct command_result *next, *it = commands_poll(commands); it; it = next) {
            next = command_result_next(it);
            took_us[done++] = it->wall_us;
            failed += it->end != COMMAND_EXIT || it->exit;
            command_result_free(it);
        }
    }
    double seconds = (double)(clock_now_us() - start_us) / SECOND_US;
    qsort(took_us, n, sizeof *took_us, by_number);
    printf("%.0f %.3f %.3f\n", (double)n / seconds, (double)took_us[n / 2] / MS_US,
           n ? (double)took_us[n - 1] / MS_US : 0);
    free(took_us);
    commands_destroy(&commands);
    return failed != 0;
}

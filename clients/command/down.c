/* down.c - conclave down: ends the cluster of a directory. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "clients/command/commands.h"
#include "clients/local/local.h"
#include "clients/local/supervised.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define END_US    (8 * SECOND_US) /* the supervisor gives its processes three seconds */
#define KILLED_US (2 * SECOND_US)

static const char *dir = LOCAL_DIR_DEFAULT;

const struct option_spec down_options[] = {{"dir", OPTION_STRING, &dir, 0, 0, "DIR",
                                            "the cluster's directory (default .conclave)"},
                                           {0}};

/* Waits until the lock of that process is gone. */
static bool wait_gone(pid_t pid, uint64_t for_us)
{
    uint64_t until_us = clock_now_us() + for_us;
    while (local_holder(dir) == pid) {
        if (clock_now_us() >= until_us)
            return false;
        poll(NULL, 0, 10);
    }
    return true;
}

int down_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    pid_t pid = local_holder(dir);
    if (pid < 0)
        return cli_fail(EXIT_NOT_FOUND, "there is no cluster in %s", dir);
    if (pid == 0) {
        cli_note("no cluster runs in %s", dir);
        return EXIT_OK;
    }
    /* The kernel has just named it as the holder of this lock: it is the supervisor and nobody
     * else. */
    if (kill(pid, SIGTERM))
        return cli_fail(EXIT_FAILED, "the supervisor (pid %d) cannot be ended: %s", (int)pid,
                        strerror(errno));
    if (!wait_gone(pid, END_US)) {
        cli_note("the supervisor (pid %d) does not end; it and its processes are killed", (int)pid);
        kill(pid, SIGKILL);
        if (!wait_gone(pid, KILLED_US))
            return cli_fail(EXIT_FAILED, "the supervisor (pid %d) is still there", (int)pid);
        local_forget(dir);
        supervised_forget(dir);
    }
    if (cli->json)
        cli_print_json(cli, json_pack("{s:i, s:s}", "pid", (int)pid, "dir", dir));
    else
        printf("the cluster in %s is down\n", dir);
    return EXIT_OK;
}

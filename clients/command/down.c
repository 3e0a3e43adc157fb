/* down.c - conclave down: ends the cluster of a directory. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clients/command/commands.h"
#include "clients/local/local.h"
#include "clients/local/supervised.h"
#include "clients/show/printable.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define END_US    (8 * SECOND_US) /* the supervisor gives its processes three seconds */
#define KILLED_US (2 * SECOND_US)

static const char *dir; /* NULL: .conclave, here or above */

const struct option_spec down_options[] = {
    {"dir", OPTION_STRING, &dir, 0, 0, "DIR",
     "the cluster's directory (default: .conclave, here or above)"},
    {0}};

/* Waits until the process itself is gone, not only what it held: whoever starts a cluster there
 * next, or counts processes, must not meet it. */
static bool wait_gone(int process, uint64_t for_us)
{
    struct pollfd item = {.fd = process, .events = POLLIN};
    uint64_t now_us, until_us = clock_now_us() + for_us;
    while ((now_us = clock_now_us()) < until_us)
        if (poll(&item, 1, (int)((until_us - now_us) / MS_US) + 1) > 0)
            return true;
    return false;
}

static int cannot_end(pid_t pid)
{
    return cli_fail(EXIT_FAILED, "the supervisor (pid %d) cannot be ended: %s", (int)pid,
                    strerror(errno));
}

static int end(int process, pid_t pid)
{
    if (pidfd_send_signal(process, SIGTERM, NULL, 0))
        return cannot_end(pid);
    if (wait_gone(process, END_US))
        return EXIT_OK;
    cli_note("the supervisor (pid %d) does not end; it and its processes are killed", (int)pid);
    pidfd_send_signal(process, SIGKILL, NULL, 0);
    if (!wait_gone(process, KILLED_US))
        return cli_fail(EXIT_FAILED, "the supervisor (pid %d) is still there", (int)pid);
    local_forget(dir);
    supervised_forget(dir);
    return EXIT_OK;
}

int down_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (!code)
        code = cli_nearest(&dir, LOCAL_LOCK);
    if (code)
        return code;
    pid_t pid = local_holder(dir);
    if (pid < 0)
        return cli_fail(EXIT_NOT_FOUND, "there is no cluster in %s", dir);
    if (pid == 0) {
        cli_note("no cluster runs in %s", dir);
        return EXIT_OK;
    }
    /* It holds the lock once more after it was opened: it is the supervisor, and nobody who got its
     * number later. */
    int process = pidfd_open(pid, 0);
    if (process >= 0 && local_holder(dir) == pid)
        code = end(process, pid);
    else if (process < 0 && errno != ESRCH)
        code = cannot_end(pid);
    if (process >= 0)
        close(process);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:i, s:o}", "pid", (int)pid, "dir",
                                      printable_json(slice_of(dir))));
    else
        printf("the cluster in %s is down\n", dir);
    return EXIT_OK;
}

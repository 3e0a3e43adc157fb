#include "clients/local/stores.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/local/child.h"
#include "clients/cli.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define WORDS_MAX  8
#define READ_BYTES 65536

/* --- running conclave-node --- */

static void read_all(int fd, FILE *out)
{
    char room[READ_BYTES];
    for (ssize_t got; (got = read(fd, room, sizeof room)) > 0 || (got < 0 && errno == EINTR);)
        if (got > 0)
            fwrite(room, 1, (size_t)got, out);
}

/* Runs it; what it prints on stdout goes to `out` when that is not NULL. The status as of
 * waitpid(); -1: it cannot be started. */
static int run(const char *const words[], FILE *out)
{
    char program[LOCAL_PATH_MAX];
    char *argv[WORDS_MAX + 2] = {program};
    int ends[2], status = -1;
    for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
        argv[i + 1] = (char *)words[i];
    if (child_find("conclave-node", program) || pipe(ends))
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* what is repeated must not meet its former try */
        if (out)
            dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(program, argv);
        _exit(EXIT_FAILED);
    }
    close(ends[1]);
    if (out)
        read_all(ends[0], out);
    close(ends[0]);
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

int store_tool(const char *const words[])
{
    int status = run(words, NULL);
    if (status >= 0 && WIFEXITED(status))
        return WEXITSTATUS(status);
    return cli_fail(EXIT_FAILED, "conclave-node %s %s", words[0],
                    status < 0 ? "could not be started" : "was killed");
}

/* --- reading what it says --- */

static uint64_t number_of(const json_t *about, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(about, name));
}

static const char *text_of(const json_t *about, const char *name)
{
    return json_string_value(json_object_get(about, name));
}

static int take_sound(struct store_found *store)
{
    const json_t *about = store->about;
    uint64_t node = number_of(about, "node");
    store->cluster_id = text_of(about, "cluster_id");
    store->origin = text_of(about, "origin");
    store->nodes = number_of(about, "nodes");
    store->voters = number_of(about, "voters");
    store->term = number_of(about, "term");
    store->last_term = number_of(about, "last_term");
    store->last_index = number_of(about, "last_index");
    store->jobs = number_of(about, "jobs");
    store->finished = number_of(about, "finished");
    store->voter = json_is_true(json_object_get(about, "voter"));
    store->state = store->cluster_id ? STORE_SOUND : STORE_BLANK;
    if (store->node && store->node != node)
        return cli_fail(EXIT_USAGE, "%s belongs to node %llu, not to node %llu", store->dir,
                        (unsigned long long)node, (unsigned long long)store->node);
    store->node = node;
    if (!store->cluster_id && (store->term || store->last_index))
        return cli_fail(EXIT_USAGE,
                        "%s was written by an older program; start node %llu there once, and stop "
                        "it, so that its store gets the current format",
                        store->dir, (unsigned long long)node);
    return EXIT_OK;
}

static int take(struct store_found *store, int status)
{
    const char *state = text_of(store->about, "state"), *why = text_of(store->about, "why");
    if (status >= 0 && WIFSIGNALED(status)) {
        store->state = STORE_DAMAGED;
        text_format(store->why, TEXT_MAX, "reading it ends the process: a page is damaged");
        return EXIT_OK;
    }
    if (status < 0 || !state)
        return cli_fail(EXIT_FAILED, "%s cannot be examined: conclave-node %s", store->dir,
                        status < 0 ? "could not be started" : "prints nothing about it");
    if (!strcmp(state, "sound"))
        return take_sound(store);
    store->state = strcmp(state, "damaged") ? STORE_BLANK : STORE_DAMAGED;
    text_format(store->why, TEXT_MAX, "%s", why ? why : "it does not say why");
    if (!strcmp(state, "empty") || store->state == STORE_DAMAGED)
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "%s", store->why);
}

/* The node N of a directory named nodeN; 0: none. */
static uint64_t node_of(const char *dir)
{
    size_t len = strlen(dir), digits = 0;
    uint64_t node = 0;
    while (len && dir[len - 1] == '/')
        len--;
    while (digits < len && dir[len - 1 - digits] >= '0' && dir[len - 1 - digits] <= '9')
        digits++;
    const char *name = dir + len - digits;
    bool named = len - digits >= 4 && !strncmp(name - 4, "node", 4);
    if (!named || parse_u64((struct slice){(const uint8_t *)name, digits}, NODES_MAX, &node))
        return 0;
    return node;
}

int store_look(struct store_found *store)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        panic("no memory for what a store says");
    int status = run((const char *const[]){"inspect", store->dir, NULL}, out);
    fclose(out);
    store->about = json_loads(text, 0, NULL);
    free(text);
    int code = take(store, status);
    /* A damaged one does not tell whose it is. */
    if (!code && !store->node)
        store->node = node_of(store->dir);
    return code;
}

void store_clear(struct store_found *store)
{
    json_decref(store->about);
    store->about = NULL;
}

static bool same(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

bool store_is_related(const struct store_found *a, const struct store_found *b)
{
    return same(a->cluster_id, b->cluster_id) || same(a->cluster_id, b->origin) ||
           same(a->origin, b->cluster_id) || same(a->origin, b->origin);
}

/* recover.c - conclave recover: a cluster that lost the majority of its disks goes on from the most
 * complete one that is left. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/command/commands.h"
#include "clients/local/local.h"
#include "clients/local/stores.h"
#include "clients/show/printable.h"
#include "clients/show/table.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/quorum.h"

#define SHORT_ID   8  /* digits of a cluster id that people compare */
#define JOBS_SHOWN 12 /* ids of jobs in the table's last line */

static struct {
    const char *dir;
    bool yes, force, wide;
} options;

const struct option_spec recover_options[] = {
    {"dir", OPTION_STRING, &options.dir, 0, 0, "DIR",
     "a cluster that `up` started: all its nodes (default .conclave)"},
    {"yes", OPTION_FLAG, &options.yes, 0, 0, NULL, "do it"},
    {"force", OPTION_FLAG, &options.force, 0, 0, NULL,
     "even if a majority of the voters' disks is there"},
    TABLE_WIDE(options.wide),
    {0}};

struct recovery {
    struct store_found at[NODES_MAX + 1];
    size_t n;
    const struct store_found *chosen;
    uint64_t term, quorum; /* the term of the new beginning */
    json_t *lost;          /* what may be lost, a line each; owned */
};

/* --- which directories --- */

static int add(struct recovery *recovery, uint64_t node, const char *dir)
{
    if (recovery->n > NODES_MAX)
        return cli_fail(EXIT_USAGE, "too many directories: a cluster has at most %d nodes",
                        NODES_MAX);
    struct store_found *store = &recovery->at[recovery->n++];
    store->node = node;
    if (text_format(store->dir, sizeof store->dir, "%s", dir) + 1 >= sizeof store->dir)
        return cli_fail(EXIT_USAGE, "the name of a directory is too long");
    return store_look(store);
}

static bool has_node(const struct recovery *recovery, uint64_t node)
{
    for (size_t i = 0; i < recovery->n; i++)
        if (recovery->at[i].node == node)
            return true;
    return false;
}

/* Those of DIR, and then the voters that have none. */
static int add_local(struct recovery *recovery, const char *dir)
{
    char path[LOCAL_PATH_MAX], name[32];
    uint64_t voters = 0;
    int code = EXIT_OK;
    for (uint64_t id = 1; id <= 2 * NODES_MAX && !code; id++) {
        bool again = id > NODES_MAX;
        uint64_t node = again ? id - NODES_MAX : id;
        text_format(name, sizeof name, "node%" PRIu64, node);
        bool wanted = !local_path(dir, name, path) &&
                      (again ? node <= voters && !has_node(recovery, node) : !access(path, F_OK));
        if (wanted)
            code = add(recovery, node, path);
        if (wanted && !code && recovery->at[recovery->n - 1].voters > voters)
            voters = recovery->at[recovery->n - 1].voters;
    }
    return code;
}

/* "DIR", or "ID=DIR" for one that does not tell whose it is. */
static int add_word(struct recovery *recovery, const char *word)
{
    const char *equals = strchr(word, '=');
    uint64_t node = 0;
    if (equals && !parse_u64((struct slice){(const uint8_t *)word, (size_t)(equals - word)},
                             NODES_MAX, &node))
        word = equals + 1;
    int code = add(recovery, node, word);
    if (!code && !recovery->at[recovery->n - 1].node)
        code = cli_fail(EXIT_USAGE, "%s does not say which node it belongs to; write ID=%s", word,
                        word);
    return code;
}

static int by_node(const void *a, const void *b)
{
    const struct store_found *left = a, *right = b;
    return left->node < right->node ? -1 : left->node > right->node;
}

static int find_stores(struct recovery *recovery, int n_words, char **words)
{
    int code = EXIT_OK;
    if (!n_words)
        code = add_local(recovery, options.dir ? options.dir : ".conclave");
    for (int i = 0; i < n_words && !code; i++)
        code = add_word(recovery, words[i]);
    if (code)
        return code;
    qsort(recovery->at, recovery->n, sizeof *recovery->at, by_node);
    for (size_t i = 1; i < recovery->n; i++)
        if (recovery->at[i].node == recovery->at[i - 1].node)
            return cli_fail(EXIT_USAGE, "%s and %s both belong to node %" PRIu64,
                            recovery->at[i - 1].dir, recovery->at[i].dir, recovery->at[i].node);
    return EXIT_OK;
}

/* --- choosing --- */

static bool is_more_complete(const struct store_found *a, const struct store_found *b)
{
    if (a->last_term != b->last_term)
        return a->last_term > b->last_term;
    if (a->last_index != b->last_index)
        return a->last_index > b->last_index;
    if (a->term != b->term)
        return a->term > b->term;
    return a->origin && !b->origin; /* it tells of which cluster it was before */
}

static int choose(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i];
        if (it->state != STORE_SOUND)
            continue;
        if (!recovery->chosen || is_more_complete(it, recovery->chosen))
            recovery->chosen = it;
        if (it->term >= recovery->term)
            recovery->term = it->term + 1;
    }
    if (!recovery->chosen)
        return cli_fail(EXIT_NOT_FOUND, "no store of a cluster is left: restore a snapshot, or a "
                                        "backup");
    recovery->quorum = quorum_of((uint32_t)recovery->chosen->voters);
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i], *chosen = recovery->chosen;
        if (it->state == STORE_SOUND &&
            (!store_is_related(it, chosen) || it->voters != chosen->voters ||
             it->nodes != chosen->nodes))
            return cli_fail(EXIT_USAGE,
                            "%s belongs to the cluster %.*s, and %s to %.*s; name the directories "
                            "of one of them",
                            it->dir, SHORT_ID, it->cluster_id, chosen->dir, SHORT_ID,
                            chosen->cluster_id);
        if (it->node > chosen->nodes)
            return cli_fail(EXIT_USAGE, "%s: there is no node %" PRIu64 " in a cluster of %" PRIu64,
                            it->dir, it->node, chosen->nodes);
    }
    return EXIT_OK;
}

/* --- what is there, and what may be lost --- */

static void find_losses(struct recovery *recovery)
{
    const struct store_found *chosen = recovery->chosen;
    recovery->lost = json_array();
    cli_add_line(recovery->lost,
                 "jobs, results and progress that were only on lost disks: the log ends at entry "
                 "%" PRIu64 " of term %" PRIu64,
                 chosen->last_index, chosen->last_term);
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i];
        if (it->state == STORE_BLANK)
            cli_add_line(recovery->lost,
                         "accounts, values and transfers under way of node %" PRIu64
                         ": %s is empty",
                         it->node, it->dir);
        else if (it->state == STORE_DAMAGED)
            cli_add_line(recovery->lost,
                         "accounts, values and transfers under way of node %" PRIu64
                         ": the store in %s is damaged, and is moved to %s.replaced-...",
                         it->node, it->dir, it->dir);
        else if (!it->voter && it->node <= it->voters && it != chosen)
            cli_add_line(recovery->lost,
                         "accounts, values and transfers under way of node %" PRIu64
                         ": the disk in %s is a new one, which was not admitted yet",
                         it->node, it->dir);
        else if (it->last_index > chosen->last_index)
            cli_add_line(recovery->lost,
                         "entries %" PRIu64 " to %" PRIu64 " of node %" PRIu64
                         ", of a term before; a copy remains in %s.replaced-...",
                         chosen->last_index + 1, it->last_index, it->node, it->dir);
    }
}

static const char *describe(const struct recovery *recovery, const struct store_found *it)
{
    if (it->state != STORE_SOUND)
        return it->state == STORE_BLANK ? "empty" : "damaged";
    if (it == recovery->chosen)
        return "the most complete";
    if (it->node > it->voters)
        return "no voter";
    return it->voter ? "voter" : "voter, was not admitted yet";
}

static void print_jobs(const struct store_found *chosen)
{
    const json_t *ids = json_object_get(chosen->about, "job_ids");
    size_t n = json_array_size(ids), first = n > JOBS_SHOWN ? n - JOBS_SHOWN : 0;
    printf("node %" PRIu64 " has %" PRIu64 " job%s, of which %" PRIu64 " finished%s", chosen->node,
           chosen->jobs, chosen->jobs == 1 ? "" : "s", chosen->finished, n ? ":" : "");
    for (size_t i = first; i < n; i++)
        printf("%s %s", i == first && first ? " ..." : "",
               json_string_value(json_array_get(ids, i)));
    printf("\n");
}

static const struct table_column columns[] = {
    {.title = "NODE", .right = true}, {.title = "CLUSTER"},
    {.title = "TERM", .right = true}, {.title = "LAST ENTRY (TERM)"},
    {.title = "JOBS", .right = true}, {.title = "DIR", .least = 8},
    {.title = "STORE", .least = 16},  {0}};

static void print_stores(const struct recovery *recovery)
{
    struct table *table = table_new(columns, options.wide);
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i];
        table_add(table, "%" PRIu64, it->node);
        table_add(table, "%.*s", SHORT_ID, it->cluster_id ? it->cluster_id : "-");
        table_add(table, "%" PRIu64, it->term);
        if (it->state == STORE_SOUND)
            table_add(table, "%" PRIu64 " (%" PRIu64 ")", it->last_index, it->last_term);
        else
            table_add(table, "-");
        table_add(table, "%" PRIu64, it->jobs);
        table_add(table, "%s", it->dir);
        table_add(table, "%s%s%s", describe(recovery, it), it->state == STORE_DAMAGED ? ": " : "",
                  it->state == STORE_DAMAGED ? it->why : "");
    }
    table_end(table, stdout);
    print_jobs(recovery->chosen);
}

static void print_losses(const struct recovery *recovery)
{
    for (size_t i = 0; i < json_array_size(recovery->lost); i++)
        printf("may be lost: %s\n", json_string_value(json_array_get(recovery->lost, i)));
}

static json_t *stores_json(const struct recovery *recovery)
{
    json_t *stores = json_array();
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i];
        json_t *row =
            it->about && it->state == STORE_SOUND ? json_deep_copy(it->about) : json_object();
        json_object_set_new(row, "node", json_integer((json_int_t)it->node));
        json_object_set_new(row, "dir", printable_json(slice_of(it->dir)));
        json_object_set_new(row, "state",
                            json_string(it->state == STORE_SOUND   ? "sound"
                                        : it->state == STORE_BLANK ? "empty"
                                                                   : "damaged"));
        json_array_append_new(stores, row);
    }
    return stores;
}

/* --- whether it may be done --- */

static int refuse(struct recovery *recovery)
{
    uint64_t sound = 0, there = 0;
    bool mixed = false;
    for (size_t i = 0; i < recovery->n; i++) {
        const struct store_found *it = &recovery->at[i];
        bool ours =
            it->state == STORE_SOUND && !strcmp(it->cluster_id, recovery->chosen->cluster_id);
        there += it->node <= recovery->chosen->voters;
        sound += ours && it->voter;
        mixed = mixed || (it->state == STORE_SOUND && !ours);
    }
    if (there < recovery->quorum)
        return cli_fail(EXIT_USAGE,
                        "directories of %" PRIu64 " voters of %" PRIu64 " are named, and %" PRIu64
                        " are needed; an empty one is enough (ID=DIR)",
                        there, recovery->chosen->voters, recovery->quorum);
    if (sound >= recovery->quorum && !mixed && !options.force)
        return cli_fail(EXIT_USAGE,
                        "%" PRIu64 " of %" PRIu64
                        " voters have their disks: start them; they continue by themselves and "
                        "fill the others, and nothing is lost",
                        sound, recovery->chosen->voters);
    return EXIT_OK;
}

/* --- doing it --- */

/* The chosen one first: from then on no disk that is not written here counts beside it. Whatever is
 * interrupted, the next try restarts, with another cluster id. */
static int perform(const struct recovery *recovery)
{
    char term[24], id[24];
    const struct store_found *chosen = recovery->chosen;
    text_format(term, sizeof term, "%" PRIu64, recovery->term);
    int code = store_tool((const char *const[]){"refound", chosen->dir, term, NULL});
    for (size_t i = 0; i < recovery->n && !code; i++) {
        const struct store_found *it = &recovery->at[i];
        if (it == chosen || (it->state == STORE_BLANK && it->node > chosen->voters))
            continue;
        text_format(id, sizeof id, "%" PRIu64, it->node);
        code =
            store_tool((const char *const[]){"adopt", chosen->dir, it->dir, id,
                                             it->state == STORE_DAMAGED ? "damaged" : NULL, NULL});
    }
    if (code)
        cli_note("the recovery is not complete: the same command finishes it");
    return code;
}

static int report(struct cli *cli, struct recovery *recovery)
{
    struct store_found after = {.node = recovery->chosen->node};
    text_format(after.dir, sizeof after.dir, "%s", recovery->chosen->dir);
    int code = store_look(&after);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:b, s:s, s:i, s:o, s:O}", "done", 1, "cluster_id",
                                      after.cluster_id, "from", (int)after.node, "stores",
                                      stores_json(recovery), "lost", recovery->lost));
    else
        printf("the cluster is now %.*s, in term %" PRIu64 ", with all that node %" PRIu64
               " had; it refuses disks that were not named here\n",
               SHORT_ID, after.cluster_id, after.term, after.node);
    store_clear(&after);
    return EXIT_OK;
}

static int propose(struct cli *cli, struct recovery *recovery)
{
    if (cli->json)
        cli_print_json(cli, json_pack("{s:b, s:n, s:i, s:o, s:O}", "done", 0, "cluster_id", "from",
                                      (int)recovery->chosen->node, "stores", stores_json(recovery),
                                      "lost", recovery->lost));
    return cli_fail(
        EXIT_FAILED,
        "nothing was changed; with --yes the cluster continues from the store of node %" PRIu64,
        recovery->chosen->node);
}

static int recover(struct cli *cli, struct recovery *recovery, int n_words, char **words)
{
    int code = find_stores(recovery, n_words, words);
    if (!code)
        code = choose(recovery);
    if (code)
        return code;
    find_losses(recovery);
    if (!cli->json)
        print_stores(recovery);
    code = refuse(recovery);
    if (code)
        return code;
    if (!cli->json)
        print_losses(recovery);
    if (!options.yes)
        return propose(cli, recovery);
    code = perform(recovery);
    return code ? code : report(cli, recovery);
}

int recover_run(struct cli *cli, int n_words, char **words)
{
    const char *dir = options.dir ? options.dir : ".conclave";
    char why[TEXT_MAX];
    int lock = -1;
    if (n_words && options.dir)
        return cli_fail(EXIT_USAGE, "either --dir or the directories of nodes, not both");
    if (!n_words && access(dir, F_OK))
        return cli_fail(EXIT_NOT_FOUND, "there is no cluster in %s", dir);
    if (!n_words && local_claim(dir, &lock, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    struct recovery *recovery = mem_new(1, sizeof *recovery);
    int code = recover(cli, recovery, n_words, words);
    for (size_t i = 0; i < recovery->n; i++)
        store_clear(&recovery->at[i]);
    json_decref(recovery->lost);
    free(recovery);
    if (lock >= 0)
        close(lock);
    return code;
}

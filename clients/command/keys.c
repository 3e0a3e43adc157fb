/* keys.c - conclave keys: the keys of a cluster, made and handed out by whoever runs it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/ask/entry.h"
#include "clients/command/commands.h"
#include "clients/command/keys_cluster.h"
#include "clients/local/keyring.h"
#include "clients/local/local.h"
#include "clients/show/printable.h"
#include "clients/show/table.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

#define DAY_US       (24 * 3600 * SECOND_US)
#define EXPIRES_MAX  (3650 * DAY_US)
#define OVERLAP_US   DAY_US /* time enough to bring new files to all machines */
#define BROKERS_HERE "tcp://127.0.0.1:7000"

static struct {
    uint64_t nodes, expires_us, overlap_us, limit;
    const char *dir, *role;
    bool front, wide;
} options = {.nodes = NODES_DEFAULT, .overlap_us = OVERLAP_US};

#define DIR_OPTION(text)                                      \
    {                                                         \
        "dir", OPTION_STRING, &options.dir, 0, 0, "DIR", text \
    }
#define DIR_NEAREST DIR_OPTION("where the keys are (default: .conclave, here or above)")

const struct option_spec keys_options[] = {DIR_NEAREST, {0}};

const struct option_spec keys_list_options[] = {DIR_NEAREST,
                                                TABLE_LIMIT(options.limit, "first"),
                                                TABLE_WIDE(options.wide),
                                                {0}};

const struct option_spec keys_init_options[] = {{"nodes", OPTION_U64, &options.nodes, 1, NODES_MAX,
                                                 "N", "how many nodes the cluster has (default 6)"},
                                                DIR_OPTION(
                                                    "where the keys are (default .conclave)"),
                                                {0}};

const struct option_spec keys_add_options[] = {
    {"role", OPTION_STRING, &options.role, 0, 0, "ROLE",
     "admin, submit, commands or monitor; node or broker for another machine"},
    {"expires", OPTION_DURATION, &options.expires_us, SECOND_US, EXPIRES_MAX, "TIME",
     "the key expires after this long, such as 30d (default: never)"},
    DIR_NEAREST,
    {0}};

const struct option_spec keys_rotate_options[] = {
    {"overlap", OPTION_DURATION, &options.overlap_us, 0, EXPIRES_MAX, "TIME",
     "how long the old keys stay valid (default 24h)"},
    {"front", OPTION_FLAG, &options.front, 0, 0, NULL,
     "replace the key of the brokers' front doors, in all files; with --broker also their "
     "addresses"},
    DIR_NEAREST,
    {0}};

static int code_of(int error)
{
    switch (error) {
    case OK:
        return EXIT_OK;
    case ERR_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case ERR_IO:
        return EXIT_FAILED;
    default:
        return EXIT_USAGE;
    }
}

static int explain(int error, const char *why)
{
    return error ? cli_fail(code_of(error), "%s", why) : EXIT_OK;
}

static int one_name(int n_words)
{
    return n_words == 1 ? EXIT_OK : cli_fail(EXIT_USAGE, "one name is needed, such as alice");
}

/* Where the keys are that the command is for. */
static int find_keys(void)
{
    return cli_nearest(&options.dir, KEYRING_DIR);
}

/* Of a directory where keys are already, unless --broker says where they are now. */
static void keep_brokers(struct addresses *brokers)
{
    struct entry entry;
    struct text listed = {0};
    char why[TEXT_MAX];
    entry_find(NULL, options.dir, &entry);
    for (size_t i = 0; !entry.error && i < entry.access->n_brokers; i++)
        text_add(&listed, "%s%s", i ? "," : "", entry.access->brokers[i]);
    if (listed.len && addresses_parse(listed.at, brokers, why))
        *brokers = (struct addresses){0};
    entry_clear(&entry);
}

int keys_init_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX] = "";
    struct addresses brokers = cli->connection.brokers;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (!options.dir)
        options.dir = LOCAL_DIR_DEFAULT;
    if (!brokers.n)
        keep_brokers(&brokers);
    if (!brokers.n && addresses_parse(BROKERS_HERE, &brokers, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    code = explain(keyring_ensure(options.dir, options.nodes, &brokers, why), why);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:o, s:I, s:I}", "dir",
                                      printable_json(slice_of(options.dir)), "nodes",
                                      (json_int_t)options.nodes, "brokers", (json_int_t)brokers.n));
    else
        printf("keys of %" PRIu64 " node%s and %zu broker%s are in %s/" KEYRING_DIR
               "; allowed.json goes with each\n",
               options.nodes, options.nodes == 1 ? "" : "s", brokers.n, brokers.n == 1 ? "" : "s",
               options.dir);
    return EXIT_OK;
}

int keys_add_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX] = "", path[LOCAL_PATH_MAX] = "";
    enum key_role role;
    int code = one_name(n_words);
    if (code)
        return code;
    if (!options.role)
        return cli_fail(EXIT_USAGE, "--role is needed: admin, submit, commands, monitor, node or "
                                    "broker; `conclave keys add alice --role submit`");
    if (role_parse(slice_of(options.role), &role))
        return cli_fail(EXIT_USAGE,
                        "--role takes admin, submit, commands, monitor, node or broker");
    bool runs;
    code = find_keys();
    if (!code)
        code = keys_fetch(cli, options.dir, &runs);
    if (code)
        return code;
    uint64_t expires_ms = options.expires_us ? clock_wall_ms() + options.expires_us / MS_US : 0;
    code = explain(keyring_add(options.dir, words[0], role, expires_ms, path, why), why);
    if (!code && runs)
        code = keys_hand_over(cli, options.dir);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s, s:o}", "name", words[0], "role", role_name(role),
                                      "file", printable_json(slice_of(path))));
    else
        printf("%s\n", path);
    return EXIT_OK;
}

int keys_revoke_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX] = "";
    bool runs = false;
    int code = n_words ? find_keys() : cli_fail(EXIT_USAGE, "a name is needed, such as alice");
    int error = EXIT_OK;
    if (!code)
        code = keys_fetch(cli, options.dir, &runs);
    if (code)
        return code;
    cli->json_lines = cli->json_lines || n_words > 1;
    int revoked = 0;
    for (int i = 0; i < n_words; i++) {
        int one = explain(keyring_revoke(options.dir, words[i], why), why);
        if (one)
            error = error ? error : one;
        else
            words[revoked++] = words[i]; /* told once the cluster has the list */
    }
    if (revoked && runs)
        code = keys_hand_over(cli, options.dir);
    for (int i = 0; i < revoked && !code; i++) {
        if (cli->json)
            cli_print_json(cli, json_pack("{s:s}", "revoked", words[i]));
        else
            printf("%s no longer has a key\n", words[i]);
    }
    return code ? code : error;
}

/* Adds each name of the list once. */
static json_t *names_of(const json_t *rows)
{
    json_t *names = json_object();
    for (size_t i = 0; i < json_array_size(rows); i++)
        json_object_set_new(names,
                            json_string_value(json_object_get(json_array_get(rows, i), "name")),
                            json_true());
    return names;
}

static int rotate(const char *name)
{
    char why[TEXT_MAX] = "";
    uint64_t until_ms = clock_wall_ms() + options.overlap_us / MS_US;
    return explain(keyring_rotate(options.dir, name, until_ms, why), why);
}

static int rotate_front(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX] = "";
    int code = cli_no_words(n_words, words);
    if (!code)
        code = find_keys();
    if (!code)
        code = explain(keyring_rotate_front(options.dir, &cli->connection.brokers, why), why);
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:[s]}", "rotated", "front"));
    else if (!code)
        printf("all files have the new key of the front doors; brokers use it once they are "
               "restarted,\nand from then on only clients with a new file can reach them\n");
    return code;
}

int keys_rotate_run(struct cli *cli, int n_words, char **words)
{
    if (options.front)
        return rotate_front(cli, n_words, words);
    char why[TEXT_MAX] = "";
    json_t *rows = NULL, *done = json_array(), *names = NULL;
    const char *name;
    json_t *ignored;
    bool runs;
    int code = find_keys();
    if (!code)
        code = keys_fetch(cli, options.dir, &runs);
    if (!code)
        code = n_words ? EXIT_OK : explain(keyring_list(options.dir, &rows, why), why);
    for (int i = 0; i < n_words && !code; i++) {
        code = rotate(words[i]);
        json_array_append_new(done, json_string(words[i]));
    }
    names = rows && !code ? names_of(rows) : json_object();
    json_object_foreach(names, name, ignored)
    {
        code = code ? code : rotate(name);
        json_array_append_new(done, json_string(name));
    }
    if (!code && runs)
        code = keys_hand_over(cli, options.dir);
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:O}", "rotated", done));
    else if (!code)
        printf("%zu new keys; nodes and brokers use theirs once they are restarted\n",
               json_array_size(done));
    json_decref(names);
    json_decref(rows);
    json_decref(done);
    return code;
}

static const struct table_column columns[] = {{.title = "NAME", .least = 8},
                                              {.title = "ROLE"},
                                              {.title = "EXPIRES"},
                                              {0}};

int keys_list_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX] = "";
    json_t *rows = NULL;
    int code = cli_no_words(n_words, words);
    if (!code)
        code = find_keys();
    if (!code)
        code = explain(keyring_list(options.dir, &rows, why), why);
    if (code)
        return code;
    while (options.limit && json_array_size(rows) > options.limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    if (cli->json) {
        cli_print_json(cli, rows);
        return EXIT_OK;
    }
    struct table *table = table_new(columns, options.wide);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *ends = json_string_value(json_object_get(row, "expires"));
        bool over = ends && access_time_ms(ends) <= clock_wall_ms();
        table_add(table, "%s", json_string_value(json_object_get(row, "name")));
        table_add(table, "%s", json_string_value(json_object_get(row, "role")));
        table_add(table, "%s%s", ends ? ends : "never", over ? " (over)" : "");
    }
    table_end(table, stdout);
    json_decref(rows);
    return EXIT_OK;
}

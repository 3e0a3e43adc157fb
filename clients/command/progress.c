/* progress.c - conclave progress set, snap, get: the first seed's SetState, Snap and reads of past
 * snaps. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/library/conclave.h"
#include "shared/base/text.h"
#include "shared/base/whole.h"

static struct {
    const char *key, *snapshot;
} options;

const struct option_spec progress_snap_options[] = {
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key take one snap (default: a new UUID)"},
    {0}};

const struct option_spec progress_get_options[] = {
    {"snapshot", OPTION_STRING, &options.snapshot, 0, 0, "ID",
     "the state in that snap (default: the current state)"},
    {0}};

/* --- words --- */

static int parse_number(const char *what, const char *word, uint64_t *out)
{
    char room[TEXT_MAX / 4];
    if (!parse_whole(slice_of(word), PROGRESS_STATE_MAX, out))
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "%s is a whole number from 0 to %" PRIu64 ", not '%s'", what,
                    PROGRESS_STATE_MAX, text_escape(room, sizeof room, slice_of(word)));
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* --- set --- */

int progress_set_run(struct cli *cli, int n_words, char **words)
{
    uint64_t index, state;
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "a node and its state are needed, such as `progress set 3 17`");
    int code = parse_number("NODE", words[0], &index);
    if (!code)
        code = parse_number("STATE", words[1], &state);
    if (code)
        return code;
    code = cli_told(cli, conclave_progress_set(&cli->connection, index, state));
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:o, s:o}", "node", number(index), "state", number(state)));
    else if (!code)
        printf("%" PRIu64 "\n", state);
    return code;
}

/* --- snap --- */

int progress_snap_run(struct cli *cli, int n_words, char **words)
{
    char key[JOB_KEY_TEXT_MAX];
    uint64_t snapshot;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = cli_key(options.key, key);
    if (code)
        return code;
    code = cli_told(cli, conclave_progress_snap(&cli->connection, key, &snapshot));
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:o, s:s}", "snapshot", number(snapshot), "key", key));
    else
        printf("%" PRIu64 "\n", snapshot);
    return EXIT_OK;
}

/* --- get --- */

int progress_get_run(struct cli *cli, int n_words, char **words)
{
    uint64_t index, snapshot = 0, state = 0;
    const uint64_t *past = options.snapshot ? &snapshot : NULL;
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "one node is needed, such as `progress get 3`");
    int code = parse_number("NODE", words[0], &index);
    if (!code && past)
        code = parse_number("--snapshot", options.snapshot, &snapshot);
    if (code)
        return code;
    code = conclave_progress_get(&cli->connection, index, past, &state);
    bool none = code == EXIT_NOT_FOUND && !cli->connection.unanswered;
    if (code && !none)
        return cli_told(cli, code);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:o, s:o, s:o}", "node", number(index), "snapshot",
                                      past ? number(snapshot) : json_null(), "state",
                                      none ? json_null() : number(state)));
    else if (none)
        printf("none\n");
    else
        printf("%" PRIu64 "\n", state);
    return code;
}

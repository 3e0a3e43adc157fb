/* progress.c - conclave progress set, snap, get: the first seed's SetState, Snap and reads of past
 * snaps. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "shared/base/text.h"

static struct {
    const char *key, *snapshot;
} options;

const struct option_spec progress_snap_options[] = {
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key take one snap (default: a new UUID)"},
    {0}};

const struct option_spec progress_get_options[] = {{"snapshot", OPTION_STRING, &options.snapshot, 0,
                                                    0, "ID",
                                                    "of that snap (default: the present state)"},
                                                   {0}};

/* --- words --- */

static int parse_number(const char *what, const char *word, uint64_t *out)
{
    char room[TEXT_MAX / 4];
    if (!parse_u64(slice_of(word), PROGRESS_STATE_MAX, out))
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
    struct message *reply = NULL;
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "a node and its state are needed, such as `progress set 3 17`");
    int code = parse_number("NODE", words[0], &index);
    if (!code)
        code = parse_number("STATE", words[1], &state);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_PROGRESS_SET);
    request->as.progress_set.index = index;
    request->as.progress_set.state = state;
    code = cli_ask(cli, request, MESSAGE_PROGRESS, &reply);
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:o, s:o}", "node", number(index), "state", number(state)));
    else if (!code)
        printf("%" PRIu64 "\n", state);
    message_drop(&reply);
    return code;
}

/* --- snap --- */

int progress_snap_run(struct cli *cli, int n_words, char **words)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *reply = NULL;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = cli_key(options.key, key);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_PROGRESS_SNAP);
    request->as.progress_snap.key = message_text(request, key);
    code = cli_ask(cli, request, MESSAGE_PROGRESS, &reply);
    if (code)
        return code;
    uint64_t snapshot = reply->as.progress.snapshot;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:o, s:s}", "snapshot", number(snapshot), "key", key));
    else
        printf("%" PRIu64 "\n", snapshot);
    message_drop(&reply);
    return EXIT_OK;
}

/* --- get --- */

static int print_state(struct cli *cli, const struct wire_progress_get *asked,
                       const struct wire_progress *got)
{
    if (cli->json)
        cli_print_json(cli, json_pack("{s:o, s:o, s:o}", "node", number(asked->index), "snapshot",
                                      asked->past ? number(asked->snapshot) : json_null(), "state",
                                      got->found ? number(got->state) : json_null()));
    else if (got->found)
        printf("%" PRIu64 "\n", got->state);
    else
        printf("none\n");
    return got->found ? EXIT_OK : EXIT_NOT_FOUND;
}

int progress_get_run(struct cli *cli, int n_words, char **words)
{
    struct wire_progress_get asked = {.past = options.snapshot};
    struct message *reply = NULL;
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "one node is needed, such as `progress get 3`");
    int code = parse_number("NODE", words[0], &asked.index);
    if (!code && asked.past)
        code = parse_number("--snapshot", options.snapshot, &asked.snapshot);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_PROGRESS_GET);
    request->as.progress_get = asked;
    code = cli_ask(cli, request, MESSAGE_PROGRESS, &reply);
    if (!code)
        code = print_state(cli, &asked, &reply->as.progress);
    message_drop(&reply);
    return code;
}

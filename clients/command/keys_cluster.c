#include "clients/command/keys_cluster.h"

#include <stdlib.h>

#include "clients/ask/knock.h"
#include "clients/library/library.h"
#include "clients/local/keyring.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

/* A cluster that serves answers in a fraction of it; an election fits in. */
#define ASK_US (5 * SECOND_US)

static bool anybody_listens(struct cli *cli)
{
    for (size_t i = 0; i < cli->connection.brokers.n; i++)
        if (knock_listens(&cli->connection.brokers.at[i]))
            return true;
    return false;
}

int keys_fetch(struct cli *cli, const char *dir, bool *runs)
{
    struct message *access;
    *runs = false;
    char why[TEXT_MAX] = "";
    if (!cli->connection.access && !cli->connection.insecure)
        cli_use_dir(cli, dir);
    cli_client(cli); /* with the key as it is before the change, and the brokers that it names */
    if (cli->connection.entry.error || cli->connection.insecure || !anybody_listens(cli))
        return EXIT_OK;
    int code = cli_told(cli, library_access_get(&cli->connection, ASK_US, &access));
    if (code == EXIT_KEY_REFUSED && !cli->connection.unanswered)
        return code;
    if (code) {
        cli_note("the list of keys is changed only here");
        return EXIT_OK;
    }
    if (access->as.access.list.len && keyring_adopt(dir, access->as.access.list, why))
        cli_note("%s", why);
    message_drop(&access);
    *runs = true;
    return EXIT_OK;
}

int keys_hand_over(struct cli *cli, const char *dir)
{
    char *bytes, why[TEXT_MAX] = "";
    size_t len;
    uint64_t version;
    if (keyring_compact(dir, &bytes, &len, &version, why))
        return cli_fail(EXIT_FAILED, "%s", why);
    if (len > ACCESS_LIST_BYTES) {
        free(bytes);
        return cli_fail(EXIT_FAILED,
                        "the list of keys has %zu bytes, and the cluster takes %d: copy "
                        "allowed.json to all machines, or revoke what is not used",
                        len, (int)ACCESS_LIST_BYTES);
    }
    int code = cli_told(cli, library_access_set(&cli->connection, ASK_US, version,
                                                (struct slice){(const uint8_t *)bytes, len}));
    free(bytes);
    if (code)
        cli_note("the list of keys has changed here, but not in the cluster");
    return code;
}

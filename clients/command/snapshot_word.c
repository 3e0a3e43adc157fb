#include "clients/command/snapshot_word.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/snapshot_fetch.h"
#include "clients/show/snapshot_json.h"
#include "shared/base/limits.h"

#define READ_BYTES (64 * KIB_BYTES)

int snapshot_word(struct cli *cli, int n_words, char **words, struct snapshot_name *out)
{
    if (n_words < 1)
        return cli_fail(EXIT_USAGE, "a snapshot's id is needed, such as 3-00000001b9ffba8b-4; "
                                    "`conclave snapshot list` shows them");
    return cli_told(cli, snapshot_id_read(&cli->connection, words[0], out));
}

static int read_bytes(FILE *in, const char *path, struct snapshot_bytes *bytes)
{
    size_t got;
    do {
        got = fread(snapshot_bytes_room(bytes, READ_BYTES), 1, READ_BYTES, in);
        bytes->len += got;
    } while (got && bytes->len <= SNAPSHOT_FILE_BYTES_MAX);
    if (ferror(in))
        return cli_fail(EXIT_USAGE, "%s cannot be read: %s", path, strerror(errno));
    if (bytes->len > SNAPSHOT_FILE_BYTES_MAX)
        return cli_fail(EXIT_USAGE, "%s is too large for a snapshot", path);
    return EXIT_OK;
}

int snapshot_read(const char *path, struct snapshot_model **out)
{
    struct snapshot_bytes bytes = {0};
    struct text why = {0};
    bool is_stdin = !strcmp(path, "-");
    FILE *in = is_stdin ? stdin : fopen(path, "re");
    *out = NULL;
    if (!in)
        return cli_fail(EXIT_USAGE, "%s cannot be read: %s", path, strerror(errno));
    int code = read_bytes(in, path, &bytes);
    if (!is_stdin)
        fclose(in);
    if (!code && snapshot_load_any((struct slice){bytes.at, bytes.len}, out, &why))
        code = cli_fail(EXIT_USAGE, "%s is not a snapshot: %s", path, why.at);
    free(bytes.at);
    return code;
}

int snapshot_find(struct cli *cli, const char *word, struct snapshot_model **out)
{
    struct snapshot_name name;
    return snapshot_name_parse(slice_of(word), &name)
               ? snapshot_read(word, out)
               : cli_told(cli, snapshot_fetch(&cli->connection, &name, out));
}

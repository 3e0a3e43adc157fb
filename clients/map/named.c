#include "clients/map/named.h"

#include <stdlib.h>
#include <string.h>

#include "clients/ask/stored.h"
#include "clients/show/uploading.h"
#include "shared/base/memory.h"
#include "shared/base/slice.h"
#include "shared/tasks/operator.h"
#include "shared/wire/codec.h"

/* --- the list --- */

/* Rows with the answers that hold them, in the order in which they were stored. */
struct found {
    const char *name;  /* only of this one; NULL: all */
    const char *owner; /* likewise */
    struct message **pages;
    const struct wire_value_row **rows;
    size_t n, room;
};

static bool take(void *context, struct message *page, const struct wire_value_row *row)
{
    struct found *found = context;
    if (!row->whole || !row->name.len || !slice_equals(row->format, NAMED_FORMAT) ||
        (found->name && !slice_equals(row->name, found->name)) ||
        (found->owner && !slice_equals(row->owner, found->owner)))
        return true;
    if (found->n == found->room) {
        found->room = 2 * found->room + 16;
        found->pages = mem_grow(found->pages, found->room, sizeof *found->pages);
        found->rows = mem_grow(found->rows, found->room, sizeof *found->rows);
    }
    found->pages[found->n] = message_ref(page);
    found->rows[found->n++] = row;
    return true;
}

static void found_clear(struct found *found)
{
    for (size_t i = 0; i < found->n; i++)
        message_drop(&found->pages[i]);
    free(found->pages);
    free(found->rows);
}

static bool is_replaced(const struct found *found, size_t at)
{
    for (size_t i = at + 1; i < found->n; i++)
        if (slice_same(found->rows[i]->name, found->rows[at]->name) &&
            slice_same(found->rows[i]->owner, found->rows[at]->owner))
            return true;
    return false;
}

int named_each(struct conclave *cluster,
               bool (*each)(void *context, const struct wire_value_row *row), void *context)
{
    struct found found = {0};
    int code = stored_each(cluster, NULL, 0, take, &found);
    bool more = !code;
    for (size_t i = 0; i < found.n && more; i++)
        if (!is_replaced(&found, i))
            more = each(context, found.rows[i]);
    found_clear(&found);
    return code;
}

/* --- one --- */

/* Who the key at hand is: an admin's sees the operators of all. */
static const char *own_name(struct cli *cli)
{
    (void)cli_client(cli); /* the key is read with it */
    return cli->connection.entry.access ? cli->connection.entry.access->name : "";
}

/* Leaves the newest. */
static void take_newest(struct found *found, struct message **page,
                        const struct wire_value_row **row)
{
    if (!found->n)
        return;
    *page = message_ref(found->pages[found->n - 1]);
    *row = found->rows[found->n - 1];
}

int named_own(struct cli *cli, const char *name, struct message **page,
              const struct wire_value_row **row)
{
    struct found found = {.name = name, .owner = own_name(cli)};
    *page = NULL;
    int code = cli_told(cli, stored_each(&cli->connection, NULL, 0, take, &found));
    if (!code)
        take_newest(&found, page, row);
    found_clear(&found);
    return code;
}

static int find_value(struct cli *cli, const char *word, struct message **page,
                      const struct wire_value_row **row)
{
    int code = cli_told(cli, stored_find(&cli->connection, word, page, row));
    if (code || ((*row)->whole && slice_equals((*row)->format, NAMED_FORMAT)))
        return code;
    message_drop(page);
    return cli_fail(EXIT_USAGE, "%s is not an operator; `conclave op list` shows them", word);
}

int named_find(struct cli *cli, const char *word, struct message **page,
               const struct wire_value_row **row)
{
    struct found found = {.name = word};
    char shown[TEXT_MAX / 4];
    *page = NULL;
    if (!strncmp(word, STORED_PREFIX, strlen(STORED_PREFIX)))
        return find_value(cli, word, page, row);
    text_escape(shown, sizeof shown, slice_of(word));
    if (!operator_name_is_valid(slice_of(word)))
        return cli_fail(EXIT_USAGE,
                        "'%s' is not a name of an operator: letters, digits, '.', '_', '-', %d at "
                        "most",
                        shown, OPERATOR_NAME_MAX);
    int code = named_own(cli, word, page, row);
    if (code || *page)
        return code;
    code = cli_told(cli, stored_each(&cli->connection, NULL, 0, take, &found));
    if (!code && !found.n)
        code = cli_fail(EXIT_NOT_FOUND,
                        "there is no operator %s; `conclave op list` shows them, `conclave op add "
                        "%s PROGRAM` adds it",
                        shown, shown);
    for (size_t at = 0; at + 1 < found.n && !code; at++)
        if (!slice_same(found.rows[at]->owner, found.rows[found.n - 1]->owner))
            code = cli_fail(EXIT_USAGE,
                            "several owners have an operator %s; `conclave op list` shows them: "
                            "name it as value:HASH",
                            shown);
    if (!code)
        take_newest(&found, page, row);
    found_clear(&found);
    return code;
}

int named_read(struct cli *cli, const struct wire_value_row *row, struct message **spec)
{
    struct stored_reader reader;
    struct blob *bytes = NULL;
    struct slice piece;
    struct text why = {0};
    char at[STORED_TEXT_MAX];
    size_t len = 0;
    *spec = NULL;
    if (row->len > SEGMENT_BYTES_MAX)
        return cli_fail(EXIT_FAILED, "%s is too long to be an operator",
                        stored_text(row->sha256, at));
    bytes = blob_new(row->len);
    stored_reader_begin(&reader, &cli->connection, row);
    int code = stored_reader_next(&reader, &piece);
    for (; !code && piece.len; code = stored_reader_next(&reader, &piece)) {
        if (piece.len > bytes->len - len)
            break;
        slice_copy(bytes->at + len, piece);
        len += piece.len;
    }
    stored_reader_end(&reader);
    cli_told(cli, code);
    if (!code && (len != bytes->len || operator_load(bytes, spec, &why)))
        code = cli_fail(EXIT_FAILED, "%s cannot be used: %s", stored_text(row->sha256, at),
                        why.len ? why.at : "it has another length");
    blob_drop(&bytes);
    return code;
}

int named_put(struct cli *cli, const struct message *spec, struct message **value)
{
    struct content content = {.spool.fd = -1};
    struct blob *bytes = codec_pack(spec);
    struct spool spool;
    char why[TEXT_MAX], name[OPERATOR_NAME_MAX + 1];
    spool_begin(&spool);
    text_copy(name, sizeof name, spec->as.operator_spec.name);
    int error = spool_add(&spool, bytes->at, bytes->len, why);
    if (!error)
        error = content_of_parts(&content, NAMED_FORMAT, &spool, why);
    int code =
        error ? cli_fail(EXIT_FAILED, "%s", why) : upload_shown(cli, &content, name, NULL, value);
    blob_drop(&bytes);
    spool_clear(&spool);
    content_clear(&content);
    return code;
}

static int drop(struct cli *cli, job_id_t id)
{
    struct message *reply = NULL;
    int code = cli_told(cli, stored_drop(&cli->connection, id, &reply));
    message_drop(&reply);
    return code;
}

int named_remove(struct cli *cli, const char *name, job_id_t except, size_t *removed)
{
    struct found found = {.name = name, .owner = own_name(cli)};
    *removed = 0;
    int code = cli_told(cli, stored_each(&cli->connection, NULL, 0, take, &found));
    for (size_t i = 0; i < found.n && !code; i++) {
        if (found.rows[i]->value == except)
            continue;
        code = drop(cli, found.rows[i]->value);
        *removed += !code;
    }
    found_clear(&found);
    return code;
}

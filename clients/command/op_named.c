/* op_named.c - conclave op add, list, show, rm: programs that fold, under names. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/stored.h"
#include "clients/command/commands.h"
#include "clients/command/rows.h"
#include "clients/map/named.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "shared/base/clock.h"
#include "shared/base/slice.h"
#include "shared/tasks/operator.h"

static struct {
    uint64_t time_limit_us;
    uint64_t limit;
    bool commutative, text;
    bool wide;
} options = {.time_limit_us = OPERATOR_TIME_DEFAULT_US};

const struct option_spec op_add_options[] = {
    {"commutative", OPTION_FLAG, &options.commutative, 0, 0, NULL,
     "files may be folded in any order"},
    {"time-limit", OPTION_DURATION, &options.time_limit_us, 100 * MS_US, TIME_NEVER_US, "TIME",
     "how long one run of the program may take (default 1m)"},
    {"text", OPTION_FLAG, &options.text, 0, 0, NULL, "the result is text; `op show` says so"},
    {0}};

static int check_name(const char *word)
{
    char shown[TEXT_MAX / 4];
    if (operator_name_is_valid(slice_of(word)))
        return EXIT_OK;
    return cli_fail(
        EXIT_USAGE,
        "'%s' is not a name for an operator: letters, digits, '.', '_', '-', %d at most",
        text_escape(shown, sizeof shown, slice_of(word)), OPERATOR_NAME_MAX);
}

static json_t *row_json(const struct wire_value_row *row)
{
    char at[STORED_TEXT_MAX], hash[HASH_TEXT_MAX];
    return json_pack("{s:o, s:s, s:s, s:o, s:I}", "name", render_text(row->name), "value",
                     stored_text(row->sha256, at), "sha256", hash_text(row->sha256.at, hash),
                     "owner", render_text(row->owner), "bytes", (json_int_t)row->len);
}

/* --- add --- */

static int read_program(const char *path, struct blob **out)
{
    char shown[TEXT_MAX / 4], size[RENDER_SIZE_MAX];
    struct stat about;
    text_escape(shown, sizeof shown, slice_of(path));
    if (stat(path, &about) || access(path, X_OK))
        return cli_fail(EXIT_USAGE, "%s cannot be executed: %s", shown, strerror(errno));
    if (!S_ISREG(about.st_mode) || !about.st_size)
        return cli_fail(EXIT_USAGE, "%s is not a program: it is empty, or not a file", shown);
    if ((uint64_t)about.st_size > OPERATOR_BYTES_MAX)
        return cli_fail(EXIT_USAGE,
                        "%s is longer than %s, the most of a program; a script may start what is "
                        "installed on the nodes",
                        shown, render_size(OPERATOR_BYTES_MAX, size));
    FILE *file = fopen(path, "re");
    struct blob *bytes = blob_new((size_t)about.st_size);
    bool whole = file && fread(bytes->at, 1, bytes->len, file) == bytes->len;
    int number = errno;
    if (file)
        fclose(file);
    if (!whole) {
        blob_drop(&bytes);
        return cli_fail(EXIT_USAGE, "%s cannot be read: %s", shown, strerror(number));
    }
    *out = bytes;
    return EXIT_OK;
}

static struct message *make_spec(const char *name, struct blob *program)
{
    struct message *spec = message_new(MESSAGE_OPERATOR_SPEC);
    struct wire_operator_spec *body = &spec->as.operator_spec;
    body->name = message_text(spec, name);
    body->added_ms = clock_wall_ms();
    body->time_limit_us = options.time_limit_us == TIME_NEVER_US ? 0 : options.time_limit_us;
    body->commutative = options.commutative;
    body->text = options.text;
    message_add_frame(spec, program);
    return spec;
}

/* The same program, run in the same way. */
static bool is_same(const struct message *a, const struct message *b)
{
    const struct wire_operator_spec *x = &a->as.operator_spec, *y = &b->as.operator_spec;
    const struct blob *left = message_frame(a, 1), *right = message_frame(b, 1);
    return x->time_limit_us == y->time_limit_us && x->commutative == y->commutative &&
           x->text == y->text &&
           slice_same((struct slice){left->at, left->len}, (struct slice){right->at, right->len});
}

/* What has the name now, if it is the same already: then nothing changes. */
static int find_same(struct cli *cli, const char *name, const struct message *spec,
                     struct message **page, const struct wire_value_row **row)
{
    struct message *now = NULL;
    int code = named_own(cli, name, page, row);
    if (!code && *page)
        code = named_read(cli, *row, &now);
    if (code || !now || !is_same(now, spec))
        message_drop(page);
    message_drop(&now);
    return code;
}

static void print_added(struct cli *cli, const char *name, const struct wire_value_row *row)
{
    char at[STORED_TEXT_MAX];
    if (cli->json)
        cli_print_json(cli, row_json(row));
    else
        printf("%s: %s\n", name, stored_text(row->sha256, at));
}

static int add(struct cli *cli, const char *name, struct blob *program)
{
    struct message *spec = make_spec(name, program), *page = NULL, *value = NULL;
    const struct wire_value_row *row = NULL;
    size_t removed;
    int code = find_same(cli, name, spec, &page, &row);
    if (!code && !page) {
        code = named_put(cli, spec, &value);
        row = code ? NULL : &value->as.value.values.at[0];
        if (!code)
            code = named_remove(cli, name, row->value, &removed);
    }
    if (!code)
        print_added(cli, name, row);
    message_drop(&spec);
    message_drop(&page);
    message_drop(&value);
    return code;
}

int op_add_run(struct cli *cli, int n_words, char **words)
{
    struct blob *program = NULL;
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "op add takes a name and a program: op add merge ./merge.sh");
    int code = check_name(words[0]);
    if (!code)
        code = read_program(words[1], &program);
    if (!code)
        code = add(cli, words[0], program);
    blob_drop(&program);
    return code;
}

/* --- list --- */

const struct option_spec op_list_options[] = {TABLE_LIMIT(options.limit, "first"),
                                              TABLE_WIDE(options.wide),
                                              {0}};

/* Where operators go: one of both is there. */
struct listing {
    json_t *rows;
    struct table *table;
    uint64_t shown;
};

static const struct table_column columns[] = {{.title = "NAME", .least = 8},
                                              {.title = "VALUE"},
                                              {.title = "SIZE", .right = true},
                                              {.title = "OWNER", .least = 5},
                                              {0}};

static bool list_row(void *context, const struct wire_value_row *row)
{
    struct listing *listing = context;
    char name[4 * OPERATOR_NAME_MAX + 1], owner[4 * OWNER_MAX + 1], at[STORED_TEXT_MAX],
        size[RENDER_SIZE_MAX];
    if (options.limit && listing->shown == options.limit)
        return false;
    listing->shown++;
    if (listing->rows) {
        json_array_append_new(listing->rows, row_json(row));
        return true;
    }
    struct table *table = listing->table;
    table_add(table, "%s", text_escape(name, sizeof name, row->name));
    table_add(table, "%s", stored_text(row->sha256, at));
    table_add(table, "%s", render_size(row->len, size));
    table_add(table, "%s", row->owner.len ? text_escape(owner, sizeof owner, row->owner) : "-");
    return true;
}

int op_list_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    struct listing listing = {.rows = cli->json ? json_array() : NULL};
    if (!cli->json)
        listing.table = table_new(columns, options.wide);
    code = cli_told(cli, named_each(&cli->connection, list_row, &listing));
    return rows_end(cli, listing.rows, listing.table, code);
}

/* --- show --- */

static void show(const struct wire_value_row *row, const struct message *message)
{
    const struct wire_operator_spec *spec = &message->as.operator_spec;
    char name[OPERATOR_NAME_MAX + 1], owner[4 * OWNER_MAX + 1], at[STORED_TEXT_MAX],
        when[CLOCK_TEXT_MAX], size[RENDER_SIZE_MAX], limit[MEASURE_TEXT_MAX];
    text_copy(name, sizeof name, spec->name);
    printf("%-12s%s\n%-12s%s\n", "operator", name, "value", stored_text(row->sha256, at));
    if (row->owner.len)
        printf("%-12s%s\n", "owner", text_escape(owner, sizeof owner, row->owner));
    printf("%-12s%s\n", "added", clock_text(spec->added_ms, when));
    printf("%-12s%s\n", "program", render_size(message_frame(message, 1)->len, size));
    printf("%-12s%s\n", "time limit",
           spec->time_limit_us ? text_duration(spec->time_limit_us, limit) : "never");
    printf("%-12s%s\n", "order", spec->commutative ? "any (--commutative)" : "kept");
    printf("%-12s%s\n", "makes", spec->text ? "text" : "bytes");
}

static json_t *show_json(const struct wire_value_row *row, const struct message *message)
{
    const struct wire_operator_spec *spec = &message->as.operator_spec;
    json_t *object = row_json(row);
    json_object_set_new(object, "added", render_time(spec->added_ms));
    json_object_set_new(object, "program_bytes",
                        json_integer((json_int_t)message_frame(message, 1)->len));
    json_object_set_new(object, "time_limit_us", render_number(spec->time_limit_us));
    json_object_set_new(object, "commutative", json_boolean(spec->commutative));
    json_object_set_new(object, "text", json_boolean(spec->text));
    return object;
}

static int show_one(struct cli *cli, const char *word)
{
    struct message *page = NULL, *spec = NULL;
    const struct wire_value_row *row;
    int code = named_find(cli, word, &page, &row);
    if (!code)
        code = named_read(cli, row, &spec);
    if (!code && cli->json)
        cli_print_json(cli, show_json(row, spec));
    else if (!code)
        show(row, spec);
    message_drop(&spec);
    message_drop(&page);
    return code;
}

#define WORD_NEEDED "an operator is needed, such as merge; `conclave op list` shows them"

int op_show_run(struct cli *cli, int n_words, char **words)
{
    return cli_each(cli, n_words, words, WORD_NEEDED, show_one);
}

/* --- rm --- */

static int remove_one(struct cli *cli, const char *word)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    size_t removed = 0;
    int code = check_name(word);
    if (!code)
        code = named_own(cli, word, &page, &row);
    if (!code && !page)
        code = cli_fail(EXIT_NOT_FOUND,
                        "there is no operator %s of this key; `conclave op list` "
                        "shows them",
                        word);
    if (!code)
        code = named_remove(cli, word, JOB_NONE, &removed);
    if (!code && cli->json)
        cli_print_json(cli, row_json(row));
    else if (!code)
        printf("%s is removed\n", word);
    message_drop(&page);
    return code;
}

int op_rm_run(struct cli *cli, int n_words, char **words)
{
    return cli_each(cli, n_words, words, WORD_NEEDED, remove_one);
}

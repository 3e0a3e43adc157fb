/* quota.c - conclave quota: what keys have of the jobs and bytes that one key may have. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "shared/base/text.h"

#define NAME_SHOWN_MAX (OWNER_MAX * 4 + 1)

static struct {
    bool wide;
    uint64_t limit;
} options;

const struct option_spec quota_options[] = {TABLE_LIMIT(options.limit, "first"),
                                            TABLE_WIDE(options.wide),
                                            {0}};

static const struct table_column columns[] = {{.title = "KEY", .least = 8},
                                              {.title = "OPEN JOBS", .right = true},
                                              {.title = "FINISHED", .right = true},
                                              {.title = "VALUES", .right = true},
                                              {.title = "BYTES KEPT"},
                                              {0}};

static void print_row(struct table *table, const struct wire_quota_page *page,
                      const struct wire_quota_row *row)
{
    char name[NAME_SHOWN_MAX], has[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX];
    render_size(row->kept_bytes + row->value_bytes, has);
    table_add(table, "%s", text_escape(name, sizeof name, row->name));
    if (page->jobs_max)
        table_add(table, "%" PRIu64 " of %" PRIu64, row->open_jobs, page->jobs_max);
    else
        table_add(table, "%" PRIu64, row->open_jobs);
    table_add(table, "%" PRIu64, row->kept_jobs);
    table_add(table, "%" PRIu64, row->values);
    table_add(table, "%s%s%s", has, page->bytes_max ? " of " : "",
              page->bytes_max ? render_size(page->bytes_max, most) : "");
}

static void add_row(const struct wire_quota_row *row, json_t *keys)
{
    json_array_append_new(keys,
                          json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "name",
                                    render_text(row->name), "open_jobs", (json_int_t)row->open_jobs,
                                    "kept_jobs", (json_int_t)row->kept_jobs, "kept_bytes",
                                    (json_int_t)row->kept_bytes, "values", (json_int_t)row->values,
                                    "value_bytes", (json_int_t)row->value_bytes));
}

/* What is listed: one of both is there. */
struct listing {
    json_t *keys;
    struct table *table;
    uint64_t n;
};

/* Returns whether more is wanted. */
static bool take_page(struct listing *listing, const struct wire_quota_page *page)
{
    for (size_t i = 0; i < page->keys.n; i++) {
        if (options.limit && listing->n == options.limit)
            return false;
        if (listing->keys)
            add_row(&page->keys.at[i], listing->keys);
        else
            print_row(listing->table, page, &page->keys.at[i]);
        listing->n++;
    }
    return true;
}

/* What each key may have is said of the coordinator that answered last. */
static void print_end(struct cli *cli, const struct wire_quota_page *page, struct listing *listing)
{
    json_t *keys = listing->keys;
    if (listing->table)
        table_end(listing->table, stdout);
    if (keys)
        cli_print_json(cli,
                       json_pack("{s:o, s:o, s:b, s:o}", "jobs_max", render_number(page->jobs_max),
                                 "bytes_max", render_number(page->bytes_max), "bounded",
                                 (int)page->bounded, "keys", keys));
    else if (!page->bounded)
        printf("no limits apply: this is an admin's key, or the cluster has no keys\n");
}

int quota_run(struct cli *cli, int n_words, char **words)
{
    char after[NAME_SHOWN_MAX] = "";
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    struct listing listing = {.keys = cli->json ? json_array() : NULL};
    listing.table = cli->json ? NULL : table_new(columns, options.wide);
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_QUOTA_GET), *reply = NULL;
        request->as.quota_get.after = message_text(request, after);
        code = cli_ask(cli, request, MESSAGE_QUOTA_PAGE, &reply);
        if (code) {
            json_decref(listing.keys);
            table_destroy(&listing.table);
            return code;
        }
        const struct wire_quota_page *page = &reply->as.quota_page;
        more = take_page(&listing, page) && page->more && page->keys.n;
        if (more)
            text_escape(after, sizeof after, page->keys.at[page->keys.n - 1].name);
        else
            print_end(cli, page, &listing);
        message_drop(&reply);
    }
    return code;
}

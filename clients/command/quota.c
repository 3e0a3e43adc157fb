/* quota.c - conclave quota: what keys have of the jobs and bytes that one key may have. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/show/render.h"
#include "shared/base/text.h"

#define NAME_SHOWN_MAX (OWNER_MAX * 4 + 1)
#define CELL_MAX       (2 * RENDER_SIZE_MAX + 8)

static void print_row(const struct wire_quota_page *page, const struct wire_quota_row *row)
{
    char name[NAME_SHOWN_MAX], has[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX], jobs[CELL_MAX],
        bytes[CELL_MAX];
    text_format(jobs, sizeof jobs, "%" PRIu64, row->open_jobs);
    if (page->jobs_max)
        text_format(jobs, sizeof jobs, "%" PRIu64 " of %" PRIu64, row->open_jobs, page->jobs_max);
    render_size(row->kept_bytes + row->value_bytes, has);
    text_format(bytes, sizeof bytes, "%s", has);
    if (page->bytes_max)
        text_format(bytes, sizeof bytes, "%s of %s", has, render_size(page->bytes_max, most));
    printf("%-26s %-12s %8" PRIu64 " %6" PRIu64 " %s\n", text_escape(name, sizeof name, row->name),
           jobs, row->kept_jobs, row->values, bytes);
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

static void take_page(const struct wire_quota_page *page, json_t *keys, bool first)
{
    if (first && !keys)
        printf("%-26s %-12s %8s %6s %s\n", "KEY", "OPEN JOBS", "FINISHED", "VALUES", "BYTES KEPT");
    for (size_t i = 0; i < page->keys.n; i++) {
        if (keys)
            add_row(&page->keys.at[i], keys);
        else
            print_row(page, &page->keys.at[i]);
    }
}

/* What each key may have is said of the coordinator that answered last. */
static void print_end(struct cli *cli, const struct wire_quota_page *page, json_t *keys)
{
    if (keys)
        cli_print_json(cli,
                       json_pack("{s:o, s:o, s:b, s:o}", "jobs_max", render_number(page->jobs_max),
                                 "bytes_max", render_number(page->bytes_max), "bounded",
                                 (int)page->bounded, "keys", keys));
    else if (!page->bounded)
        printf("no such bound holds for whoever asks: it has an admin's key, or there are no "
               "keys\n");
}

int quota_run(struct cli *cli, int n_words, char **words)
{
    char after[NAME_SHOWN_MAX] = "";
    int code = cli_no_words(n_words, words);
    json_t *keys = !code && cli->json ? json_array() : NULL;
    for (bool more = !code, first = true; more; first = false) {
        struct message *request = message_new(MESSAGE_QUOTA_GET), *reply = NULL;
        request->as.quota_get.after = message_text(request, after);
        code = cli_ask(cli, request, MESSAGE_QUOTA_PAGE, &reply);
        if (code) {
            json_decref(keys);
            return code;
        }
        const struct wire_quota_page *page = &reply->as.quota_page;
        take_page(page, keys, first);
        more = page->more && page->keys.n;
        if (more)
            text_escape(after, sizeof after, page->keys.at[page->keys.n - 1].name);
        else
            print_end(cli, page, keys);
        message_drop(&reply);
    }
    return code;
}

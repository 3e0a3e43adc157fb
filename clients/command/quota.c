/* quota.c - conclave quota: what keys have of the jobs and bytes that one key may have. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/library/library.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "shared/base/text.h"

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

/* What is listed: one of both is there. */
struct listing {
    struct conclave_quota quota; /* of the coordinator that answered last */
    json_t *keys;
    struct table *table;
    uint64_t n;
};

static void print_row(const struct listing *listing, const struct conclave_quota_key *key)
{
    char has[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX];
    uint64_t jobs_max = listing->quota.jobs_max, bytes_max = listing->quota.bytes_max;
    struct table *table = listing->table;
    render_size(key->kept_bytes + key->value_bytes, has);
    table_add(table, "%s", key->name);
    if (jobs_max)
        table_add(table, "%" PRIu64 " of %" PRIu64, key->open_jobs, jobs_max);
    else
        table_add(table, "%" PRIu64, key->open_jobs);
    table_add(table, "%" PRIu64, key->kept_jobs);
    table_add(table, "%" PRIu64, key->values);
    table_add(table, "%s%s%s", has, bytes_max ? " of " : "",
              bytes_max ? render_size(bytes_max, most) : "");
}

static void add_row(const struct conclave_quota_key *key, json_t *keys)
{
    json_array_append_new(keys,
                          json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "name",
                                    render_text(slice_of(key->name)), "open_jobs",
                                    (json_int_t)key->open_jobs, "kept_jobs",
                                    (json_int_t)key->kept_jobs, "kept_bytes",
                                    (json_int_t)key->kept_bytes, "values", (json_int_t)key->values,
                                    "value_bytes", (json_int_t)key->value_bytes));
}

static int take(void *context, const struct conclave_quota_key *key)
{
    struct listing *listing = context;
    if (listing->keys)
        add_row(key, listing->keys);
    else
        print_row(listing, key);
    return ++listing->n == options.limit;
}

static void print_end(struct cli *cli, const struct listing *listing)
{
    const struct conclave_quota *quota = &listing->quota;
    if (listing->table)
        table_end(listing->table, stdout);
    if (listing->keys)
        cli_print_json(cli,
                       json_pack("{s:o, s:o, s:b, s:o}", "jobs_max", render_number(quota->jobs_max),
                                 "bytes_max", render_number(quota->bytes_max), "bounded",
                                 quota->bounded, "keys", listing->keys));
    else if (!quota->bounded)
        printf("no limits apply: this is an admin's key, or the cluster has no keys\n");
}

int quota_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    struct listing listing = {.keys = cli->json ? json_array() : NULL};
    listing.table = cli->json ? NULL : table_new(columns, options.wide);
    code = cli_told(cli, conclave_quota(&cli->connection, &listing.quota, take, &listing));
    if (!code) {
        print_end(cli, &listing);
        return code;
    }
    json_decref(listing.keys);
    table_destroy(&listing.table);
    return code;
}

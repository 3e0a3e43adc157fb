#include "clients/show/stored_rows.h"

#include <inttypes.h>
#include <string.h>

#include "clients/ask/stored.h"
#include "clients/show/render.h"

json_t *stored_row_json(const struct wire_value_row *row)
{
    char at[STORED_TEXT_MAX], id[JOB_TEXT_MAX], digits[HASH_TEXT_MAX] = "";
    json_t *jobs = json_array();
    if (row->sha256.len == HASH_BYTES)
        hash_text(row->sha256.at, digits);
    for (size_t i = 0; i < row->jobs.n; i++)
        json_array_append_new(jobs, json_string(job_id_text(row->jobs.at[i].job, id)));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "value",
                     stored_text(row->sha256, at), "id", job_id_text(row->value, id), "sha256",
                     digits, "format", render_text(row->format), "name", render_text(row->name),
                     "owner", render_text(row->owner), "whole", row->whole, "bytes",
                     (json_int_t)row->len, "uploaded", (json_int_t)row->bytes, "segments",
                     (json_int_t)row->segments, "items", (json_int_t)row->items, "age_ms",
                     (json_int_t)row->age_ms, "jobs", jobs);
}

static char *age_text(uint64_t age_ms, char *at, size_t size)
{
    uint64_t seconds = age_ms / 1000;
    if (seconds < 60)
        text_format(at, size, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        text_format(at, size, "%" PRIu64 "m", seconds / 60);
    else
        text_format(at, size, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    return at;
}

static const struct table_column columns[] = {{.title = "VALUE"},
                                              {.title = "FORMAT", .least = 6},
                                              {.title = "SIZE", .right = true},
                                              {.title = "ITEMS", .right = true},
                                              {.title = "UNUSED", .right = true},
                                              {"ID", false, true, 0},
                                              {"OWNER", false, true, 0},
                                              {.title = "NAME", .least = 12},
                                              {"JOBS", false, true, 0},
                                              {0}};

struct table *stored_rows_table(bool wide)
{
    return table_new(columns, wide);
}

static void add_name(const struct wire_value_row *row, struct text *out)
{
    char name[4 * STORED_NAME_MAX + 1];
    double share = row->len ? (double)row->bytes / (double)row->len : 0;
    if (!row->whole)
        text_add(out, "(%.0f%% uploaded) ", 100 * share);
    text_add(out, "%s", text_escape(name, sizeof name, row->name));
}

void stored_rows_add(struct table *table, const struct wire_value_row *row)
{
    char at[STORED_TEXT_MAX], id[JOB_TEXT_MAX], size[RENDER_SIZE_MAX], age[24],
        format[4 * STORED_FORMAT_MAX + 1], owner[4 * OWNER_MAX + 1];
    struct text name = {0}, jobs = {0};
    add_name(row, &name);
    age_text(row->age_ms, age, sizeof age);
    for (size_t i = 0; i < row->jobs.n; i++)
        text_add(&jobs, "%s%s", i ? "," : "", job_id_text(row->jobs.at[i].job, id));
    table_add(table, "%s", stored_text(row->sha256, at));
    table_add(table, "%s", text_escape(format, sizeof format, row->format));
    table_add(table, "%s", render_size(row->len, size));
    table_add(table, "%" PRIu64, row->items);
    table_add(table, "%s", row->jobs.n ? "-" : age);
    table_add(table, "%s", job_id_text(row->value, id));
    table_add(table, "%s", row->owner.len ? text_escape(owner, sizeof owner, row->owner) : "-");
    table_add(table, "%s", name.at);
    table_add(table, "%s", jobs.at);
}

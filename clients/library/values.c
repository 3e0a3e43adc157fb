/* values.c - stored values: libconclave. What is put goes the way of `conclave value put`. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/stored.h"
#include "clients/ask/upload.h"
#include "clients/library/library.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

_Static_assert(CONCLAVE_VALUE_MAX >= STORED_TEXT_MAX && CONCLAVE_SHA256_MAX >= HASH_TEXT_MAX &&
                   CONCLAVE_TEXT_MAX > STORED_NAME_MAX && CONCLAVE_NAME_MAX > STORED_FORMAT_MAX,
               "texts have room");

static void tell(const struct wire_value_row *row, struct conclave_value *out)
{
    *out = (struct conclave_value){.bytes = row->len,
                                   .uploaded = row->bytes,
                                   .items = row->items,
                                   .unused_ms = row->age_ms,
                                   .jobs = row->jobs.n,
                                   .whole = row->whole};
    stored_text(row->sha256, out->value);
    job_id_text(row->value, out->id);
    if (row->sha256.len == HASH_BYTES)
        hash_text(row->sha256.at, out->sha256);
    text_escape(out->format, sizeof out->format, row->format);
    text_escape(out->name, sizeof out->name, row->name);
    text_escape(out->owner, sizeof out->owner, row->owner);
}

/* --- putting --- */

/* What a program's function brings. */
struct bringing {
    int64_t (*read)(void *context, void *at, size_t size);
    void *context;
};

static int bring(struct source *source, void *at, size_t len, size_t *got)
{
    const struct bringing *bringing = source->context;
    size_t most = len < INT_MAX ? len : INT_MAX;
    int64_t n = bringing->read(bringing->context, at, most);
    *got = n > 0 ? (size_t)n : 0;
    if (n >= 0 && *got <= most)
        return OK;
    text_add(&source->why, "%s",
             n < 0 ? "what is to be stored could not be read"
                   : "the function that reads what is to be stored says more than there is room");
    return ERR_IO;
}

static int read_content(struct conclave *cluster, const struct conclave_put *put,
                        struct source *source, struct content *content)
{
    struct integers_rule rule = {.base = put->base ? put->base : 10};
    char why[TEXT_MAX] = "";
    int error = put->integers ? content_of_integers(content, source, &rule, why)
                              : content_of_source(content, source, why);
    if (error == ERR_INTERRUPTED)
        return connection_explain(cluster, error);
    if (error)
        return connection_fail(cluster, EXIT_USAGE, "%s", why);
    if (rule.faults)
        return connection_fail(cluster, EXIT_USAGE, "%s", rule.first.at);
    return EXIT_OK;
}

/* Takes the source. */
static int put_source(struct conclave *cluster, const struct conclave_put *given,
                      struct source *source, struct conclave_value *value)
{
    struct conclave_put put = {0};
    struct content content = {.spool.fd = -1};
    struct message *reply = NULL;
    int code = EXIT_OK;
    if (value)
        *value = (struct conclave_value){0};
    if (given)
        memcpy(&put, given, given->size < sizeof put ? given->size : sizeof put);
    if (put.base && (!put.integers || (put.base != 10 && put.base != 16)))
        code = connection_fail(cluster, EXIT_USAGE, "base is 10 or 16, of integers");
    if (!code)
        code = read_content(cluster, &put, source, &content);
    source_close(source);
    if (!code)
        code = upload(cluster, &content, put.name, NULL, &reply);
    if (!code && value)
        tell(&reply->as.value.values.at[0], value);
    content_clear(&content);
    message_drop(&reply);
    return code;
}

int conclave_value_put(struct conclave *cluster, const void *bytes, size_t len,
                       const struct conclave_put *put, struct conclave_value *value)
{
    struct source source;
    source_of_memory(&source, "line", (struct slice){bytes, len});
    return put_source(cluster, put, &source, value);
}

int conclave_value_put_file(struct conclave *cluster, int fd, const struct conclave_put *put,
                            struct conclave_value *value)
{
    char name[32];
    struct source source;
    text_format(name, sizeof name, "descriptor %d", fd);
    source_of_descriptor(&source, name, dup(fd)); /* that fails: reading it says so */
    return put_source(cluster, put, &source, value);
}

int conclave_value_put_read(struct conclave *cluster,
                            int64_t (*read)(void *context, void *at, size_t size), void *context,
                            const struct conclave_put *put, struct conclave_value *value)
{
    struct bringing bringing = {read, context};
    struct source source;
    source_of_reader(&source, "line", bring, &bringing);
    return put_source(cluster, put, &source, value);
}

/* --- lists --- */

struct telling {
    int (*take)(void *context, const struct conclave_value *value);
    void *context;
};

static bool tell_one(void *context, struct message *page, const struct wire_value_row *row)
{
    const struct telling *telling = context;
    struct conclave_value value;
    (void)page;
    tell(row, &value);
    return !telling->take(telling->context, &value);
}

int conclave_values_each(struct conclave *cluster,
                         int (*take)(void *context, const struct conclave_value *value),
                         void *context)
{
    struct telling telling = {take, context};
    return stored_each(cluster, NULL, 0, tell_one, &telling);
}

int conclave_value_get(struct conclave *cluster, const char *name, struct conclave_value *value)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    int code = stored_find(cluster, name, &page, &row);
    if (code)
        *value = (struct conclave_value){0};
    else
        tell(row, value);
    message_drop(&page);
    return code;
}

/* --- reading --- */

static int find_whole(struct conclave *cluster, const char *name, struct message **page,
                      const struct wire_value_row **row)
{
    int code = stored_find(cluster, name, page, row);
    return code ? code : stored_check_whole(cluster, *row);
}

static int read_each(struct conclave *cluster, const struct wire_value_row *row,
                     int (*take)(void *context, const void *bytes, size_t len), void *context)
{
    struct stored_reader reader;
    struct slice bytes;
    stored_reader_begin(&reader, cluster, row);
    int code = stored_reader_next(&reader, &bytes);
    while (!code && bytes.len && !take(context, bytes.at, bytes.len))
        code = stored_reader_next(&reader, &bytes);
    stored_reader_end(&reader);
    return code;
}

int conclave_value_read_each(struct conclave *cluster, const char *name,
                             int (*take)(void *context, const void *bytes, size_t len),
                             void *context)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    int code = find_whole(cluster, name, &page, &row);
    if (!code)
        code = read_each(cluster, row, take, context);
    message_drop(&page);
    return code;
}

struct filling {
    char *at;
    size_t len;
};

/* The reader hands out no more than the row says. */
static int fill(void *context, const void *bytes, size_t len)
{
    struct filling *filling = context;
    memcpy(filling->at + filling->len, bytes, len);
    filling->len += len;
    return 0;
}

int conclave_value_read(struct conclave *cluster, const char *name, char **bytes, size_t *len)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    struct filling filling = {0};
    *bytes = NULL;
    *len = 0;
    int code = find_whole(cluster, name, &page, &row);
    if (!code) {
        filling.at = mem_new((size_t)row->len + 1, 1);
        code = read_each(cluster, row, fill, &filling);
    }
    message_drop(&page);
    if (code) {
        free(filling.at);
        return code;
    }
    *bytes = filling.at;
    *len = filling.len;
    return EXIT_OK;
}

/* --- removing --- */

int conclave_value_drop(struct conclave *cluster, const char *name)
{
    struct message *page = NULL, *reply = NULL;
    const struct wire_value_row *row;
    int code = stored_find(cluster, name, &page, &row);
    if (!code)
        code = stored_drop(cluster, row->value, &reply);
    message_drop(&page);
    message_drop(&reply);
    return code;
}

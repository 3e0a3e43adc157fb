#include "clients/ask/stored.h"

#include <inttypes.h>
#include <string.h>

#include "clients/show/render.h"

#define NAMED_MAX 4 /* of several values that begin alike */

bool stored_is_name(const char *word)
{
    return !strncmp(word, STORED_PREFIX, strlen(STORED_PREFIX));
}

int stored_parse(const char *word, struct stored_name *out, char *why)
{
    char shown[TEXT_MAX / 4];
    const char *digits = stored_is_name(word) ? word + strlen(STORED_PREFIX) : word;
    size_t n = 0;
    *out = (struct stored_name){0};
    if (!parse_job_id(slice_of(digits), &out->id) && out->id)
        return OK;
    out->id = 0;
    for (; digits[n] && n < 2 * HASH_BYTES; n++) {
        char lower = (char)(digits[n] | 0x20);
        bool hexadecimal = (digits[n] >= '0' && digits[n] <= '9') || (lower >= 'a' && lower <= 'f');
        if (!hexadecimal)
            break;
        out->prefix[n] = digits[n] <= '9' ? digits[n] : lower;
    }
    if (!digits[n] && n >= STORED_DIGITS_MIN)
        return OK;
    text_format(why, TEXT_MAX,
                "'%s' is not a stored value: that is value: and %d to %d hexadecimal digits of its "
                "SHA-256, as `conclave value list` shows them",
                text_escape(shown, sizeof shown, slice_of(word)), STORED_DIGITS_MIN,
                2 * HASH_BYTES);
    return ERR_MALFORMED;
}

char *stored_text(struct slice sha256, char at[STORED_TEXT_MAX])
{
    char digits[HASH_TEXT_MAX] = "?";
    if (sha256.len == HASH_BYTES)
        hash_text(sha256.at, digits);
    text_format(at, STORED_TEXT_MAX, STORED_PREFIX "%.*s", STORED_DIGITS, digits);
    return at;
}

/* --- finding --- */

/* Sets *after to where the next page begins. False: these are not the values after that one, or
 * they lead nowhere, which could have us ask for ever. */
static bool page_fits(const struct wire_value_page *page, job_id_t *after)
{
    job_id_t last = *after;
    for (size_t i = 0; i < page->values.n; i++) {
        if (page->values.at[i].value <= last)
            return false;
        last = page->values.at[i].value;
    }
    last = page->after > last ? page->after : last;
    if (page->more && last == *after)
        return false;
    *after = last;
    return true;
}

int stored_each(struct conclave *cluster, const char *prefix, job_id_t after,
                bool (*take)(void *context, struct message *page, const struct wire_value_row *row),
                void *context)
{
    int code = EXIT_OK;
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_VALUE_LIST), *reply = NULL;
        request->as.value_list.after = after;
        if (prefix && *prefix)
            request->as.value_list.prefix = message_text(request, prefix);
        code = connection_ask(cluster, request, MESSAGE_VALUE_PAGE, &reply);
        if (code)
            break;
        const struct wire_value_page *page = &reply->as.value_page;
        if (!page_fits(page, &after))
            code = connection_fail(cluster, EXIT_FAILED, "a page of stored values does not fit");
        bool wanted = !code;
        for (size_t i = 0; i < page->values.n && wanted; i++)
            wanted = take(context, reply, &page->values.at[i]);
        more = page->more && wanted;
        message_drop(&reply);
    }
    return code;
}

struct finding {
    const struct stored_name *name;
    struct message *page; /* owned: that of the first one that was found */
    const struct wire_value_row *row;
    size_t n;
    struct text names;
};

static bool begins_with(const struct wire_value_row *row, const char *prefix)
{
    char digits[HASH_TEXT_MAX];
    return row->sha256.len == HASH_BYTES &&
           !strncmp(hash_text(row->sha256.at, digits), prefix, strlen(prefix));
}

static bool find_one(void *context, struct message *page, const struct wire_value_row *row)
{
    struct finding *finding = context;
    char at[STORED_TEXT_MAX], id[JOB_TEXT_MAX], format[4 * STORED_FORMAT_MAX + 1];
    if (finding->name->id) {
        if (row->value != finding->name->id)
            return false;
    } else if (!begins_with(row, finding->name->prefix)) {
        return true;
    }
    if (finding->n++ < NAMED_MAX)
        text_add(&finding->names, "%s%s (%s, id %s)", finding->n > 1 ? ", " : "",
                 stored_text(row->sha256, at), text_escape(format, sizeof format, row->format),
                 job_id_text(row->value, id));
    if (!finding->row) {
        finding->page = message_ref(page);
        finding->row = row;
    }
    return !finding->name->id;
}

int stored_find(struct conclave *cluster, const char *word, struct message **page,
                const struct wire_value_row **row)
{
    char why[TEXT_MAX], shown[TEXT_MAX / 4];
    struct stored_name name;
    struct finding finding = {.name = &name};
    *page = NULL;
    if (stored_parse(word, &name, why))
        return connection_fail(cluster, EXIT_USAGE, "%s", why);
    int code = stored_each(cluster, name.prefix, name.id ? name.id - 1 : 0, find_one, &finding);
    text_escape(shown, sizeof shown, slice_of(word));
    if (!code && !finding.n)
        code =
            connection_fail(cluster, EXIT_NOT_FOUND,
                            "no value %s is known here; `conclave value list` lists them", shown);
    else if (!code && finding.n > 1)
        code = connection_fail(cluster, EXIT_USAGE,
                               "%s may be %zu values: %s%s; give more digits, or the id", shown,
                               finding.n, finding.names.at, finding.n > NAMED_MAX ? ", ..." : "");
    if (code) {
        message_drop(&finding.page);
        return code;
    }
    *page = finding.page;
    *row = finding.row;
    return EXIT_OK;
}

int stored_check_whole(struct conclave *cluster, const struct wire_value_row *row)
{
    char at[STORED_TEXT_MAX];
    if (row->whole)
        return EXIT_OK;
    return connection_fail(cluster, EXIT_FAILED,
                           "%s is not whole: %" PRIu64 " of %" PRIu64 " bytes are uploaded",
                           stored_text(row->sha256, at), row->bytes, row->len);
}

int stored_drop(struct conclave *cluster, job_id_t value, struct message **reply)
{
    struct message *request = message_new(MESSAGE_VALUE_DROP);
    request->as.value_drop.value = value;
    int code = connection_ask(cluster, request, MESSAGE_VALUE, reply);
    if (!code && (*reply)->as.value.values.n != 1) {
        message_drop(reply);
        code = connection_fail(cluster, EXIT_FAILED, "the answer is not about one value");
    }
    return code;
}

/* --- reading --- */

void stored_reader_begin(struct stored_reader *reader, struct conclave *cluster,
                         const struct wire_value_row *row)
{
    *reader = (struct stored_reader){.cluster = cluster, .value = row->value, .len = row->len};
    if (row->sha256.len == HASH_BYTES)
        memcpy(reader->sha256, row->sha256.at, HASH_BYTES);
    hash_begin(&reader->hash);
}

void stored_reader_end(struct stored_reader *reader)
{
    message_drop(&reader->chunk);
}

static int at_end(struct stored_reader *reader)
{
    uint8_t got[HASH_BYTES];
    hash_end(&reader->hash, got);
    if (memcmp(got, reader->sha256, HASH_BYTES))
        return connection_fail(reader->cluster, EXIT_FAILED,
                               "the value does not match its SHA-256: do not use it");
    return EXIT_OK;
}

int stored_reader_next(struct stored_reader *reader, struct slice *out)
{
    *out = (struct slice){0};
    message_drop(&reader->chunk);
    if (reader->offset == reader->len)
        return at_end(reader);
    uint64_t left = reader->len - reader->offset;
    struct message *request = message_new(MESSAGE_VALUE_READ);
    request->as.value_read.value = reader->value;
    request->as.value_read.offset = reader->offset;
    request->as.value_read.len = left < VALUE_CHUNK_BYTES ? left : VALUE_CHUNK_BYTES;
    int code = connection_ask(reader->cluster, request, MESSAGE_VALUE_BYTES, &reader->chunk);
    if (code)
        return code;
    const struct wire_value_bytes *chunk = &reader->chunk->as.value_bytes;
    const struct blob *bytes = message_frame(reader->chunk, 1);
    if (!bytes || !bytes->len || bytes->len > left || chunk->offset != reader->offset ||
        chunk->total != reader->len)
        return connection_fail(reader->cluster, EXIT_FAILED,
                               "a part of the value does not fit: %" PRIu64
                               " bytes in all, %" PRIu64 " expected",
                               chunk->total, reader->len);
    *out = (struct slice){bytes->at, bytes->len};
    hash_add(&reader->hash, out->at, out->len);
    reader->offset += out->len;
    return EXIT_OK;
}

int stored_source(struct source *source, void *at, size_t len, size_t *got)
{
    struct stored_reader *reader = source->context;
    struct slice rest = source->memory;
    *got = 0;
    if (!rest.len)
        reader->exit_code = stored_reader_next(reader, &rest);
    if (reader->exit_code)
        return ERR_REFUSED;
    *got = rest.len < len ? rest.len : len;
    if (*got)
        memcpy(at, rest.at, *got);
    source->memory = (struct slice){rest.at + *got, rest.len - *got};
    return OK;
}

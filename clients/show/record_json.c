#include "clients/show/record_json.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"

#define HEX_DIGITS 16

const struct record *record_of_rows(enum message_type type, const char *list)
{
    const struct record *record = message_kind(type)->record();
    for (size_t i = 0; i < record->n_fields; i++)
        if (!strcmp(record->fields[i].name, list))
            return record->fields[i].record();
    panic("%s has no list %s", record->name, list);
}

/* --- single values --- */

json_t *record_json_base64(struct slice bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = mem_new(size, 1);
    sodium_bin2base64(text, size, bytes.at, bytes.len, sodium_base64_VARIANT_ORIGINAL);
    json_t *value = json_string(text);
    free(text);
    return value;
}

int record_json_read_base64(const json_t *value, struct arena *arena, struct slice *out)
{
    size_t len = json_string_length(value), size = len / 4 * 3;
    uint8_t *at = arena_new(arena, size + 1);
    if (!json_is_string(value) ||
        sodium_base642bin(at, size, json_string_value(value), len, NULL, &out->len, NULL,
                          sodium_base64_VARIANT_ORIGINAL))
        return ERR_MALFORMED;
    out->at = at;
    return OK;
}

json_t *record_json_hex(uint64_t number)
{
    char at[HEX_DIGITS + 1];
    text_format(at, sizeof at, "%016" PRIx64, number);
    return json_string(at);
}

int record_json_read_hex(const json_t *value, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) != HEX_DIGITS)
        return ERR_MALFORMED;
    *out = 0;
    for (int i = 0; i < HEX_DIGITS; i++) {
        const char *digit = memchr(digits, text[i], HEX_DIGITS);
        if (!digit)
            return ERR_MALFORMED;
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return OK;
}

/* --- fields --- */

enum shape { SHAPE_NUMBER, SHAPE_HEX, SHAPE_JOB };

static enum shape shape_of(const struct field *field)
{
    if (!strcmp(field->name, "incarnation") || strstr(field->name, "epoch"))
        return SHAPE_HEX;
    return strcmp(field->name, "job") ? SHAPE_NUMBER : SHAPE_JOB;
}

/* NULL: it is left out. */
static const char *name_of(const struct field *field, const struct record_alias *as)
{
    for (; as && as->field; as++)
        if (!strcmp(as->field, field->name))
            return as->name;
    return field->name;
}

static json_t *number_json(const struct field *field, uint64_t number)
{
    char job[JOB_TEXT_MAX];
    switch (shape_of(field)) {
    case SHAPE_HEX:
        return record_json_hex(number);
    case SHAPE_JOB:
        return json_string(job_id_text(number, job));
    default:
        return json_integer((json_int_t)number);
    }
}

static json_t *field_json(const struct field *field, const void *at)
{
    const struct slice *bytes = at;
    switch (field->kind) {
    case FIELD_U64:
        return !*(const uint64_t *)at && !field->required
                   ? json_null()
                   : number_json(field, *(const uint64_t *)at);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_STR:
        return !bytes->len && !field->required ? json_null()
                                               : json_stringn((const char *)bytes->at, bytes->len);
    default:
        return !bytes->len && !field->required ? json_null() : record_json_base64(*bytes);
    }
}

json_t *record_json(const struct record *record, const void *at, const struct record_alias *as)
{
    json_t *object = json_object();
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const char *name = name_of(field, as);
        if (name && field->kind != FIELD_LIST)
            json_object_set_new(object, name,
                                field_json(field, (const uint8_t *)at + field->offset));
    }
    return object;
}

static int read_number(const json_t *value, const struct field *field, uint64_t *out)
{
    const char *text = json_string_value(value);
    switch (shape_of(field)) {
    case SHAPE_HEX:
        return record_json_read_hex(value, out);
    case SHAPE_JOB:
        return text ? parse_job_id(slice_of(text), out) : ERR_MALFORMED;
    default:
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return ERR_MALFORMED;
        *out = (uint64_t)json_integer_value(value);
        return *out <= field->max ? OK : ERR_RANGE;
    }
}

static int read_field(const json_t *value, const struct field *field, void *at, struct arena *arena)
{
    struct slice *bytes = at;
    switch (field->kind) {
    case FIELD_U64:
        return read_number(value, field, at);
    case FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? OK : ERR_MALFORMED;
    case FIELD_STR:
        if (!json_is_string(value))
            return ERR_MALFORMED;
        bytes->len = json_string_length(value);
        bytes->at = memcpy(arena_new(arena, bytes->len + 1), json_string_value(value), bytes->len);
        break;
    default:
        if (record_json_read_base64(value, arena, bytes))
            return ERR_MALFORMED;
    }
    return bytes->len <= field->max ? OK : ERR_TOO_BIG;
}

int record_json_read(const json_t *object, const struct record *record, void *at,
                     const struct record_alias *as, struct arena *arena, struct text *why)
{
    if (!json_is_object(object)) {
        text_add(why, "a %s that is not an object", record->name);
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const char *name = name_of(field, as);
        if (!name || field->kind == FIELD_LIST)
            continue;
        const json_t *value = json_object_get(object, name);
        if ((!value || json_is_null(value)) && !field->required)
            continue;
        if (read_field(value, field, (uint8_t *)at + field->offset, arena)) {
            text_add(why, "%s of a %s is missing or invalid", name, record->name);
            return ERR_MALFORMED;
        }
    }
    return OK;
}

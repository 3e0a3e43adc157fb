#include <inttypes.h>

#include "shared/wire/codec.h"

#define SHOWN_BYTES 64 /* of a text or binary field */

static void print_record(const struct record *record, const void *at, struct text *out);

static void print_list(const struct field *field, const struct record_list *list, struct text *out)
{
    const struct record *record = field->record();
    text_add(out, "[");
    for (size_t i = 0; i < list->n; i++) {
        text_add(out, "%s", i ? ", " : "");
        print_record(record, (const uint8_t *)list->at + i * record->size, out);
    }
    text_add(out, "]");
}

static void print_bytes(const struct slice *slice, bool quoted, struct text *out)
{
    char shown[SHOWN_BYTES * 4 + 1];
    struct slice start = {slice->at, slice->len < SHOWN_BYTES ? slice->len : SHOWN_BYTES};
    if (quoted) {
        text_add(out, "\"%s\"", text_escape(shown, sizeof shown, start));
    } else {
        for (size_t i = 0; i < start.len; i++)
            text_add(out, "%02x", start.at[i]);
    }
    if (start.len < slice->len)
        text_add(out, "...(%zu bytes)", slice->len);
}

static void print_field(const struct field *field, const void *at, struct text *out)
{
    switch (field->kind) {
    case FIELD_U64:
        text_add(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case FIELD_BOOL:
        text_add(out, "%s", *(const bool *)at ? "true" : "false");
        break;
    case FIELD_STR:
        print_bytes(at, true, out);
        break;
    case FIELD_BIN:
        print_bytes(at, false, out);
        break;
    case FIELD_LIST:
        print_list(field, at, out);
        break;
    }
}

static void print_record(const struct record *record, const void *at, struct text *out)
{
    text_add(out, "{");
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        text_add(out, "%s%s=", i ? ", " : "", field->name);
        print_field(field, (const uint8_t *)at + field->offset, out);
    }
    text_add(out, "}");
}

void codec_print(const struct message *message, struct text *out)
{
    const struct message_kind *kind = message_kind(message->type);
    text_add(out, "%s", message_name(message->type));
    if (kind)
        print_record(kind->record(), &message->as, out);
    if (message->n_frames)
        text_add(out, "+%zu frames", message->n_frames);
}

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

static int buffer_write(void *data, const char *bytes, size_t len)
{
    struct codec_buffer *out = data;
    if (out->len + len > out->size) {
        out->size = out->size ? out->size * 2 : 512;
        if (out->size < out->len + len)
            out->size = out->len + len;
        out->at = mem_grow(out->at, out->size, 1);
    }
    if (len) /* an empty text may come without an address */
        memcpy(out->at + out->len, bytes, len);
    out->len += len;
    return 0;
}

static void pack_text(msgpack_packer *packer, const char *text, size_t len)
{
    msgpack_pack_str(packer, len);
    msgpack_pack_str_body(packer, text, len);
}

static bool is_default(const struct field *field, const void *at)
{
    switch (field->kind) {
    case FIELD_U64:
        return *(const uint64_t *)at == 0;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_STR:
    case FIELD_BIN:
        return ((const struct slice *)at)->len == 0;
    case FIELD_LIST:
        return ((const struct record_list *)at)->n == 0;
    }
    return false;
}

static int pack_record(msgpack_packer *packer, const struct record *record, const void *at,
                       const struct message_kind *kind);

static int pack_list(msgpack_packer *packer, const struct field *field,
                     const struct record_list *list)
{
    const struct record *record = field->record();
    if (list->n > field->max)
        return ERR_TOO_BIG;
    msgpack_pack_array(packer, list->n);
    for (size_t i = 0; i < list->n; i++) {
        int error = pack_record(packer, record, (const uint8_t *)list->at + i * record->size, NULL);
        if (error)
            return error;
    }
    return OK;
}

static int pack_field(msgpack_packer *packer, const struct field *field, const void *at)
{
    const struct slice *slice = at;
    switch (field->kind) {
    case FIELD_U64:
        if (*(const uint64_t *)at > field->max)
            return ERR_RANGE;
        msgpack_pack_uint64(packer, *(const uint64_t *)at);
        return OK;
    case FIELD_BOOL:
        if (*(const bool *)at)
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        return OK;
    case FIELD_STR:
        if (slice->len > field->max)
            return ERR_TOO_BIG;
        msgpack_pack_str(packer, slice->len);
        msgpack_pack_str_body(packer, slice->at, slice->len);
        return OK;
    case FIELD_BIN:
        if (slice->len > field->max)
            return ERR_TOO_BIG;
        msgpack_pack_bin(packer, slice->len);
        msgpack_pack_bin_body(packer, slice->at, slice->len);
        return OK;
    case FIELD_LIST:
        return pack_list(packer, field, at);
    }
    return ERR_MALFORMED;
}

/* Optional fields at their default are left out. `kind` is NULL for a record in a list. */
static int pack_record(msgpack_packer *packer, const struct record *record, const void *at,
                       const struct message_kind *kind)
{
    size_t present = kind != NULL;
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        present += field->required || !is_default(field, (const uint8_t *)at + field->offset);
    }
    msgpack_pack_map(packer, present);
    if (kind) {
        pack_text(packer, "type", strlen("type"));
        pack_text(packer, kind->name, kind->name_len);
    }
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const void *value = (const uint8_t *)at + field->offset;
        if (!field->required && is_default(field, value))
            continue;
        pack_text(packer, field->name, field->name_len);
        int error = pack_field(packer, field, value);
        if (error)
            return error;
    }
    return OK;
}

int codec_encode(const struct message *message, struct codec_buffer *out)
{
    const struct message_kind *kind = message_kind(message->type);
    if (!kind)
        return ERR_MALFORMED;
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, buffer_write);
    out->len = 0;
    int error = pack_record(&packer, kind->record(), &message->as, kind);
    if (!error && out->len > FRAME_MAP_MAX_BYTES)
        error = ERR_TOO_BIG;
    return error;
}

void codec_buffer_clear(struct codec_buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct codec_buffer){0};
}

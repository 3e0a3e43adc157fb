#include <msgpack.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

/* Where decoding stands, for messages that name what is wrong. */
struct decoding {
    struct message *message;
    const char *name; /* of the message */
    struct text *why;
};

static int refuse(struct decoding *decoding, int error, const struct field *field, const char *what)
{
    text_add(decoding->why, "%s.%s %s", decoding->name, field->name, what);
    return error;
}

static struct slice raw_of(const msgpack_object *object)
{
    if (object->type == MSGPACK_OBJECT_STR)
        return (struct slice){(const uint8_t *)object->via.str.ptr, object->via.str.size};
    if (object->type == MSGPACK_OBJECT_BIN)
        return (struct slice){(const uint8_t *)object->via.bin.ptr, object->via.bin.size};
    return (struct slice){NULL, 0};
}

/* Fields mostly come in the table's order, so the search starts where the last one ended. */
static const msgpack_object *find(const msgpack_object_map *map, const char *name, size_t len,
                                  uint32_t *hint)
{
    for (uint32_t i = 0; i < map->size; i++) {
        uint32_t at = (*hint + i) % map->size;
        const msgpack_object *key = &map->ptr[at].key;
        if (key->type == MSGPACK_OBJECT_STR && key->via.str.size == len &&
            !memcmp(key->via.str.ptr, name, len)) {
            *hint = at + 1;
            return &map->ptr[at].val;
        }
    }
    return NULL;
}

static int read_record(struct decoding *decoding, const struct record *record,
                       const msgpack_object_map *map, void *at);

static int read_list(struct decoding *decoding, const struct field *field,
                     const msgpack_object *object, struct record_list *list)
{
    const struct record *record = field->record();
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return refuse(decoding, ERR_MALFORMED, field, "must be an array");
    if (object->via.array.size > field->max)
        return refuse(decoding, ERR_TOO_BIG, field, "has too many elements");
    list->n = object->via.array.size;
    list->at = message_room(decoding->message, list->n, record->size);
    for (size_t i = 0; i < list->n; i++) {
        const msgpack_object *element = &object->via.array.ptr[i];
        if (element->type != MSGPACK_OBJECT_MAP)
            return refuse(decoding, ERR_MALFORMED, field, "must be an array of maps");
        int error = read_record(decoding, record, &element->via.map,
                                (uint8_t *)list->at + i * record->size);
        if (error)
            return error;
    }
    return OK;
}

static int read_field(struct decoding *decoding, const struct field *field,
                      const msgpack_object *object, void *at)
{
    struct slice raw = raw_of(object);
    switch (field->kind) {
    case FIELD_U64:
        if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return refuse(decoding, ERR_MALFORMED, field, "must be a whole number, not negative");
        if (object->via.u64 > field->max)
            return refuse(decoding, ERR_RANGE, field, "is too great");
        *(uint64_t *)at = object->via.u64;
        return OK;
    case FIELD_BOOL:
        if (object->type != MSGPACK_OBJECT_BOOLEAN)
            return refuse(decoding, ERR_MALFORMED, field, "must be true or false");
        *(bool *)at = object->via.boolean;
        return OK;
    case FIELD_STR:
        if (object->type != MSGPACK_OBJECT_STR)
            return refuse(decoding, ERR_MALFORMED, field, "must be a text");
        break;
    case FIELD_BIN:
        if (object->type != MSGPACK_OBJECT_BIN)
            return refuse(decoding, ERR_MALFORMED, field, "must be binary");
        break;
    case FIELD_LIST:
        return read_list(decoding, field, object, at);
    }
    if (raw.len > field->max)
        return refuse(decoding, ERR_TOO_BIG, field, "is too long");
    *(struct slice *)at = message_copy(decoding->message, raw);
    return OK;
}

static int read_record(struct decoding *decoding, const struct record *record,
                       const msgpack_object_map *map, void *at)
{
    uint32_t hint = 0;
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const msgpack_object *object = find(map, field->name, field->name_len, &hint);
        if (!object && field->required)
            return refuse(decoding, ERR_MALFORMED, field, "is missing");
        int error =
            object ? read_field(decoding, field, object, (uint8_t *)at + field->offset) : OK;
        if (error)
            return error;
    }
    return OK;
}

static int read_message(const msgpack_object *object, struct message **out, struct text *why)
{
    uint32_t hint = 0;
    const msgpack_object *name = object->type == MSGPACK_OBJECT_MAP
                                     ? find(&object->via.map, "type", strlen("type"), &hint)
                                     : NULL;
    if (!name || name->type != MSGPACK_OBJECT_STR) {
        text_add(why, "the first frame is not a map with a \"type\"");
        return ERR_MALFORMED;
    }
    enum message_type type = message_type_of(raw_of(name));
    if (type == MESSAGE_NONE) {
        char shown[64];
        text_add(why, "unknown message type '%s'", text_escape(shown, sizeof shown, raw_of(name)));
        return ERR_MALFORMED;
    }
    struct message *message = message_new(type);
    struct decoding decoding = {message, message_name(type), why};
    int error =
        read_record(&decoding, message_kind(type)->record(), &object->via.map, &message->as);
    if (error)
        message_drop(&message);
    *out = message;
    return error;
}

int codec_decode(struct slice frame, struct message **out, struct text *why)
{
    *out = NULL;
    int error = codec_scan(frame, why);
    if (error)
        return error;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    if (msgpack_unpack_next(&unpacked, (const char *)frame.at, frame.len, &offset) ==
        MSGPACK_UNPACK_SUCCESS) {
        error = read_message(&unpacked.data, out, why);
    } else {
        text_add(why, "the first frame is not msgpack");
        error = ERR_MALFORMED;
    }
    msgpack_unpacked_destroy(&unpacked);
    return error;
}

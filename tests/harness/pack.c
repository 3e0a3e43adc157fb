#include "tests/harness/pack.h"

#include <assert.h>
#include <string.h>

static void add_byte(struct pack *pack, uint64_t byte)
{
    assert(pack->len < sizeof pack->at);
    pack->at[pack->len++] = (uint8_t)byte;
}

static void add_big_endian(struct pack *pack, uint64_t number, unsigned width)
{
    while (width--)
        add_byte(pack, number >> 8 * width & 0xff);
}

void pack_raw(struct pack *pack, const void *at, size_t len)
{
    assert(len <= sizeof pack->at - pack->len);
    if (len)
        memcpy(pack->at + pack->len, at, len);
    pack->len += len;
}

static void add_sized(struct pack *pack, uint64_t number, unsigned head16, unsigned head32)
{
    bool wide = number > 0xffff;
    add_byte(pack, wide ? head32 : head16);
    add_big_endian(pack, number, wide ? 4 : 2);
}

void pack_map(struct pack *pack, uint64_t pairs)
{
    if (pairs < 16)
        add_byte(pack, 0x80 | pairs);
    else
        add_sized(pack, pairs, 0xde, 0xdf);
}

void pack_array(struct pack *pack, uint64_t elements)
{
    if (elements < 16)
        add_byte(pack, 0x90 | elements);
    else
        add_sized(pack, elements, 0xdc, 0xdd);
}

void pack_number(struct pack *pack, uint64_t number)
{
    if (number < 0x80) {
        add_byte(pack, number);
        return;
    }
    unsigned power = number <= 0xff ? 0 : number <= 0xffff ? 1 : number <= 0xffffffff ? 2 : 3;
    add_byte(pack, 0xcc + power);
    add_big_endian(pack, number, 1u << power);
}

void pack_string(struct pack *pack, const void *at, size_t len)
{
    if (len < 32) {
        add_byte(pack, 0xa0 | len);
    } else if (len < 256) {
        add_byte(pack, 0xd9);
        add_byte(pack, len);
    } else {
        add_sized(pack, len, 0xda, 0xdb);
    }
    pack_raw(pack, at, len);
}

void pack_text(struct pack *pack, const char *text)
{
    pack_string(pack, text, strlen(text));
}

void pack_binary(struct pack *pack, const void *at, size_t len)
{
    if (len < 256) {
        add_byte(pack, 0xc4);
        add_byte(pack, len);
    } else {
        add_sized(pack, len, 0xc5, 0xc6);
    }
    pack_raw(pack, at, len);
}

struct slice pack_bytes(const struct pack *pack)
{
    return (struct slice){pack->at, pack->len};
}

/* --- messages --- */

static void add_record(struct pack *pack, const struct record *record, const void *at,
                       const char *type, const struct change *change);

static void add_value(struct pack *pack, const struct field *field, const void *at,
                      const struct change *change)
{
    const struct slice *slice = at;
    const struct record_list *list = at;
    if (field == change->field) {
        pack_raw(pack, change->instead.at, change->instead.len);
        return;
    }
    switch (field->kind) {
    case FIELD_U64:
        pack_number(pack, *(const uint64_t *)at);
        break;
    case FIELD_BOOL:
        add_byte(pack, *(const bool *)at ? 0xc3 : 0xc2);
        break;
    case FIELD_STR:
        pack_string(pack, slice->at, slice->len);
        break;
    case FIELD_BIN:
        pack_binary(pack, slice->at, slice->len);
        break;
    case FIELD_LIST:
        pack_array(pack, list->n);
        for (size_t i = 0; i < list->n; i++)
            add_record(pack, field->record(), (const uint8_t *)list->at + i * field->record()->size,
                       NULL, change);
        break;
    }
}

static bool is_left_out(const struct field *field, const struct change *change)
{
    return (field == change->field && !change->instead.len) ||
           (!field->required && change->optional_left_out);
}

static unsigned add_strange(struct pack *pack, bool wanted, unsigned which)
{
    static const uint8_t nested[] = {0x93, 0xc0, 0x81, 0xa1, 'x', 0xcb, 0,   0,
                                     0,    0,    0,    0,    0,   0,    0xff};
    if (!wanted)
        return 0;
    switch (which % 4) {
    case 0:
        pack_text(pack, "unheard-of");
        pack_raw(pack, nested, sizeof nested);
        break;
    case 1: /* a key that is no text */
        pack_number(pack, 4711);
        pack_text(pack, "type");
        break;
    case 2: /* a binary key with a name that counts only as text */
        pack_binary(pack, "typ", 3);
        add_byte(pack, 0xc0);
        break;
    case 3:
        pack_text(pack, "");
        pack_binary(pack, "xyz", 3);
        break;
    }
    return 1;
}

static void add_type(struct pack *pack, const char *type)
{
    pack_text(pack, "type");
    pack_text(pack, type);
}

static void add_record(struct pack *pack, const struct record *record, const void *at,
                       const char *type, const struct change *change)
{
    unsigned pairs = type != NULL;
    for (size_t i = 0; i < record->n_fields; i++)
        pairs += !is_left_out(&record->fields[i], change);
    pack_map(pack, change->strange_keys ? 2 * pairs + 1 : pairs);
    add_strange(pack, change->strange_keys, 0);
    if (type && !change->backwards) {
        add_type(pack, type);
        add_strange(pack, change->strange_keys, 1);
    }
    for (size_t i = 0; i < record->n_fields; i++) {
        size_t which = change->backwards ? record->n_fields - 1 - i : i;
        const struct field *field = &record->fields[which];
        if (is_left_out(field, change))
            continue;
        pack_text(pack, field->name);
        add_value(pack, field, (const uint8_t *)at + field->offset, change);
        add_strange(pack, change->strange_keys, (unsigned)which + 2);
    }
    if (type && change->backwards) {
        add_type(pack, type);
        add_strange(pack, change->strange_keys, 1);
    }
}

void pack_message(struct pack *pack, const struct message *message, const struct change *change)
{
    static const struct change none = {0};
    const struct message_kind *kind = message_kind(message->type);
    pack->len = 0;
    add_record(pack, kind->record(), &message->as, kind->name, change ? change : &none);
}

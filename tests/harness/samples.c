#include "tests/harness/samples.h"

#include <assert.h>
#include <string.h>

#include "shared/base/random.h"
#include "shared/base/text.h"

static void fill(struct message *message, const struct sample_source *from,
                 const struct record *record, void *at)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        void *value = (uint8_t *)at + field->offset;
        struct record_list *list = value;
        switch (field->kind) {
        case FIELD_U64:
            *(uint64_t *)value = from->number(from->context, field);
            break;
        case FIELD_BOOL:
            *(bool *)value = from->flag(from->context);
            break;
        case FIELD_STR:
        case FIELD_BIN:
            *(struct slice *)value = message_copy(message, from->bytes(from->context, field));
            break;
        case FIELD_LIST:
            list->n = from->elements(from->context, field);
            list->at = message_room(message, list->n, field->record()->size);
            for (size_t j = 0; j < list->n; j++)
                fill(message, from, field->record(),
                     (uint8_t *)list->at + j * field->record()->size);
            break;
        }
    }
}

struct message *sample_make(enum message_type type, const struct sample_source *source)
{
    struct message *message = message_new(type);
    fill(message, source, message_kind(type)->record(), &message->as);
    return message;
}

/* --- by chance --- */

struct chance {
    uint64_t *random;
    size_t elements_max, bytes_max;
    uint8_t bytes[8192];
};

static uint64_t random_number(uint64_t *random, uint64_t max)
{
    /* All magnitudes alike, and the ends often: these choose msgpack's formats. */
    uint64_t number = random_u64(random) >> random_below(random, 64);
    uint64_t dice = random_below(random, 8);
    if (dice == 0)
        return max;
    if (dice == 1)
        return 0;
    return max == UINT64_MAX ? number : number % (max + 1);
}

static size_t random_size(struct chance *chance, uint64_t max, size_t limit)
{
    return (size_t)random_number(chance->random, max < limit ? max : limit);
}

static uint64_t chance_number(void *context, const struct field *field)
{
    struct chance *chance = context;
    return random_number(chance->random, field->max);
}

static bool chance_flag(void *context)
{
    struct chance *chance = context;
    return random_below(chance->random, 2);
}

static struct slice chance_bytes(void *context, const struct field *field)
{
    struct chance *chance = context;
    size_t len = random_size(chance, field->max, chance->bytes_max);
    for (size_t i = 0; i < len; i++)
        chance->bytes[i] = (uint8_t)random_u64(chance->random);
    return (struct slice){chance->bytes, len};
}

static size_t chance_elements(void *context, const struct field *field)
{
    struct chance *chance = context;
    return random_size(chance, field->max, chance->elements_max);
}

struct message *sample_random(enum message_type type, uint64_t *random, size_t elements_max,
                              size_t bytes_max)
{
    struct chance chance = {random, elements_max, bytes_max, {0}};
    return sample_make(type, &(struct sample_source){&chance, chance_number, chance_flag,
                                                     chance_bytes, chance_elements});
}

/* --- one of each --- */

static uint64_t small_number(void *context, const struct field *field)
{
    (void)context;
    (void)field;
    return 1;
}

static bool small_flag(void *context)
{
    (void)context;
    return true;
}

static struct slice small_bytes(void *context, const struct field *field)
{
    (void)context;
    (void)field;
    return slice_of("x");
}

static size_t small_elements(void *context, const struct field *field)
{
    (void)context;
    (void)field;
    return 1;
}

struct message *sample_small(enum message_type type)
{
    return sample_make(type, &(struct sample_source){NULL, small_number, small_flag, small_bytes,
                                                     small_elements});
}

static size_t collect(const struct record *record, const struct field **out)
{
    size_t n = 0;
    for (size_t i = 0; i < record->n_fields; i++) {
        out[n++] = &record->fields[i];
        if (record->fields[i].kind == FIELD_LIST)
            n += collect(record->fields[i].record(), out + n);
    }
    assert(n <= SAMPLE_FIELDS_MAX);
    return n;
}

size_t sample_fields(enum message_type type, const struct field *out[SAMPLE_FIELDS_MAX])
{
    return collect(message_kind(type)->record(), out);
}

/* --- changing one field wherever it occurs --- */

static void stretch(struct message *message, const struct field *field, void *at, uint64_t over)
{
    struct slice *slice = at;
    struct record_list *list = at;
    switch (field->kind) {
    case FIELD_U64:
        *(uint64_t *)at = field->max + over;
        break;
    case FIELD_BOOL:
        *(bool *)at = true;
        break;
    case FIELD_STR:
    case FIELD_BIN:
        slice->len = (size_t)(field->max + over);
        slice->at = memset(message_room(message, slice->len, 1), 'y', slice->len);
        break;
    case FIELD_LIST:
        list->n = (size_t)(field->max + over);
        list->at = message_room(message, list->n, field->record()->size);
        break;
    }
}

static void clear(const struct field *field, void *at)
{
    static const size_t sizes[] = {
        [FIELD_U64] = sizeof(uint64_t),
        [FIELD_BOOL] = sizeof(bool),
        [FIELD_STR] = sizeof(struct slice),
        [FIELD_BIN] = sizeof(struct slice),
        [FIELD_LIST] = sizeof(struct record_list),
    };
    memset(at, 0, sizes[field->kind]);
}

static void change(struct message *message, const struct record *record, void *at,
                   const struct field *wanted, bool stretched, uint64_t over)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        void *value = (uint8_t *)at + field->offset;
        struct record_list *list = value;
        if (field == wanted && stretched)
            stretch(message, field, value, over);
        else if (field == wanted)
            clear(field, value);
        else if (field->kind == FIELD_LIST)
            for (size_t j = 0; j < list->n; j++)
                change(message, field->record(), (uint8_t *)list->at + j * field->record()->size,
                       wanted, stretched, over);
    }
}

void sample_stretch(struct message *message, const struct field *field, uint64_t over)
{
    change(message, message_kind(message->type)->record(), &message->as, field, true, over);
}

void sample_clear(struct message *message, const struct field *field)
{
    change(message, message_kind(message->type)->record(), &message->as, field, false, 0);
}

/* --- comparing --- */

static bool same(const struct record *record, const void *a, const void *b)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const void *x = (const uint8_t *)a + field->offset, *y = (const uint8_t *)b + field->offset;
        const struct record_list *list_x = x, *list_y = y;
        switch (field->kind) {
        case FIELD_U64:
            if (*(const uint64_t *)x != *(const uint64_t *)y)
                return false;
            break;
        case FIELD_BOOL:
            if (*(const bool *)x != *(const bool *)y)
                return false;
            break;
        case FIELD_STR:
        case FIELD_BIN:
            if (!slice_same(*(const struct slice *)x, *(const struct slice *)y))
                return false;
            break;
        case FIELD_LIST:
            if (list_x->n != list_y->n)
                return false;
            for (size_t j = 0; j < list_x->n; j++) {
                size_t offset = j * field->record()->size;
                if (!same(field->record(), (const uint8_t *)list_x->at + offset,
                          (const uint8_t *)list_y->at + offset))
                    return false;
            }
            break;
        }
    }
    return true;
}

bool sample_same(const struct message *a, const struct message *b)
{
    return a->type == b->type && same(message_kind(a->type)->record(), &a->as, &b->as);
}

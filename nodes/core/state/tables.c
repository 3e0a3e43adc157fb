/* The tables of the replicated state: the array of them, and loading their parts. */
#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

const struct state_table *const state_tables[TABLE_COUNT] = {
#define X(SYMBOL, name, type) [TABLE_##SYMBOL] = &state_##name,
    STATE_TABLES(X)
#undef X
};

/* NULL: of none. */
static const struct state_table *table_of(enum message_type part)
{
    for (int i = 0; i < TABLE_COUNT; i++)
        for (int at = 0; at < TABLE_PARTS_MAX && state_tables[i]->parts[at]; at++)
            if (state_tables[i]->parts[at] == part)
                return state_tables[i];
    return NULL;
}

static int load_message(struct state *into, const struct message *message, struct slice packed,
                        machine_value *want, void *wanting)
{
    const struct state_table *table = table_of(message->type);
    bool first = into->applied == 0;
    if (!table || first != (table == &state_head) || table->load(into, message, packed))
        return ERR_MALFORMED;
    if (want && table->want_values)
        table->want_values(message, want, wanting);
    return OK;
}

/* A bundle holds no bundles. */
static int load_bundle(struct state *into, const struct message *bundle, machine_value *want,
                       void *wanting)
{
    int error = OK;
    for (size_t i = 0; i < bundle->n_frames && !error; i++) {
        struct message *message;
        struct text why = {0};
        struct slice packed = {bundle->frames[i]->at, bundle->frames[i]->len};
        error = codec_unpack(packed, &message, &why);
        if (error)
            return ERR_MALFORMED;
        error = load_message(into, message, packed, want, wanting);
        message_drop(&message);
    }
    return error;
}

int checkpoint_load_part(struct state *into, struct slice part, machine_value *want, void *wanting)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(part, &message, &why))
        return ERR_MALFORMED;
    int error = message->type == MESSAGE_IMAGE_BUNDLE
                    ? load_bundle(into, message, want, wanting)
                    : load_message(into, message, part, want, wanting);
    message_drop(&message);
    return error;
}

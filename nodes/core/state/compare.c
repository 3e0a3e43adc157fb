/* Comparing states: the machinery. The lists of fields stand beside their tables. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

/* --- digests --- */

#define DIGEST_LANES 4 /* as many products as a processor has under way at a time */

/* Of long blocks, such as the counts by node: words of one lane wait for each other only. */
static uint64_t digest_lanes(const uint8_t *at, size_t n_words)
{
    uint64_t lanes[DIGEST_LANES] = {n_words}, word, hash = 0;
    for (size_t i = 0; i + DIGEST_LANES <= n_words; i += DIGEST_LANES)
        for (size_t lane = 0; lane < DIGEST_LANES; lane++) {
            memcpy(&word, at + (i + lane) * sizeof word, sizeof word);
            lanes[lane] = random_fold(lanes[lane], word);
        }
    for (size_t lane = 0; lane < DIGEST_LANES; lane++)
        hash = random_fold(hash, lanes[lane]);
    return hash;
}

/* Eight bytes at a time: simulations do this for every entry at every node. */
uint64_t digest_block(const void *at, size_t len)
{
    uint64_t hash = len, word;
    size_t i = 0;
    if (len >= 4 * DIGEST_LANES * sizeof word) {
        i = len - len % (DIGEST_LANES * sizeof word);
        hash = random_fold(hash, digest_lanes(at, i / sizeof word));
    }
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, (const uint8_t *)at + i, sizeof word);
        hash = random_fold(hash, word);
    }
    word = 0;
    if (i < len)
        memcpy(&word, (const uint8_t *)at + i, len - i);
    return random_fold(hash, word);
}

const void *member_at(const void *owner, const struct member *field)
{
    return (const uint8_t *)owner + field->offset;
}

uint64_t digest_bytes(const void *owner, const struct member *field)
{
    return digest_block(member_at(owner, field), field->size);
}

uint64_t digest_text(const void *owner, const struct member *field)
{
    const char *text = member_at(owner, field);
    return digest_block(text, strlen(text));
}

uint64_t digest_blob(const void *owner, const struct member *field)
{
    const struct blob *blob = *(struct blob *const *)member_at(owner, field);
    return blob ? random_fold(1, digest_block(blob->at, blob->len)) : 0;
}

uint64_t digest_fields(struct fields fields, const void *owner)
{
    uint64_t hash = fields.n;
    for (size_t i = 0; i < fields.n; i++)
        if (fields.at[i].digest)
            hash = random_fold(hash, fields.at[i].digest(owner, &fields.at[i]));
    return hash;
}

static const void *element_at(struct fields fields, const void *array, size_t i)
{
    return (const uint8_t *)array + i * fields.size;
}

uint64_t digest_array(struct fields fields, const void *at, size_t n)
{
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++)
        hash = random_fold(hash, digest_fields(fields, element_at(fields, at, i)));
    return hash;
}

/* --- comparing --- */

void compare_fields(const struct comparison *to, struct fields fields, const void *a, const void *b)
{
    void *none = a && b ? NULL : mem_new(1, fields.size);
    a = a ? a : none;
    b = b ? b : none;
    for (size_t i = 0; i < fields.n; i++)
        if (fields.at[i].digest)
            to->field(to->context, fields.at[i].name,
                      fields.at[i].digest(a, &fields.at[i]) ==
                          fields.at[i].digest(b, &fields.at[i]));
    free(none);
}

void compare_arrays(const struct comparison *to, struct fields fields, const void *a, size_t n_a,
                    const void *b, size_t n_b)
{
    for (size_t i = 0; i < n_a || i < n_b; i++)
        compare_fields(to, fields, i < n_a ? element_at(fields, a, i) : NULL,
                       i < n_b ? element_at(fields, b, i) : NULL);
}

/* --- the state --- */

/* Of the tables each compares its own. */
static const struct member state_fields[] = {
    OWN(state, step),
    FIELD(state, applied, bytes),
    FIELD(state, applied_term, bytes),
    OWN(state, keys_stored_first),
    OWN(state, keys_stored_next),
    OWN(state, builds),
    OWN(state, released),
};

static uint64_t digest_row(void *context, size_t at, const struct row *row, row_digest *digest)
{
    (void)context;
    (void)at;
    return digest(row);
}

uint64_t state_digest(const struct state *state)
{
    return state_digest_with(state, digest_row, NULL);
}

uint64_t state_digest_with(const struct state *state, state_row_digest *of_row, void *context)
{
    uint64_t hash = digest_fields(FIELDS_OF(state), state);
    for (int i = 0; i < TABLE_COUNT; i++) {
        const struct state_table *table = state_tables[i];
        const struct row *row;
        uint64_t cursor = 0;
        hash = random_fold(hash, table->digest(state));
        for (size_t at = 0; table->digest_row && (row = table->next(state, &cursor)); at++)
            hash = random_fold(hash, of_row(context, at, row, table->digest_row));
    }
    return hash;
}

void state_compare(const struct state *a, const struct state *b, state_field *field, void *context)
{
    struct comparison to = {field, context};
    compare_fields(&to, FIELDS_OF(state), a, b);
    for (int i = 0; i < TABLE_COUNT; i++)
        state_tables[i]->compare(&to, a, b);
}

static void note_first(void *context, const char *name, bool same)
{
    const char **first = context;
    if (!same && !*first)
        *first = name;
}

const char *state_differs(const struct state *a, const struct state *b)
{
    const char *first = NULL;
    state_compare(a, b, note_first, &first);
    return first;
}

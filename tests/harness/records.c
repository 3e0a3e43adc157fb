#include "tests/harness/records.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

static int compare(const struct kept_record *record, const struct write *write)
{
    size_t shorter = record->key_len < write->key_len ? record->key_len : write->key_len;
    int order = memcmp(record->key, write->key, shorter);
    return order ? order : (int)record->key_len - (int)write->key_len;
}

/* Where the key is, or belongs. */
static size_t find(const struct records *records, const struct write *write, bool *found)
{
    size_t low = 0, high = records->n;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(&records->at[middle], write);
        if (!order) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget(struct records *records, size_t at)
{
    blob_drop(&records->at[at].value);
    records->n--;
    memmove(&records->at[at], &records->at[at + 1], (records->n - at) * sizeof *records->at);
}

static void insert(struct records *records, size_t at, const struct write *write)
{
    if (records->n == records->size) {
        records->size = records->size ? 2 * records->size : 64;
        records->at = mem_grow(records->at, records->size, sizeof *records->at);
    }
    memmove(&records->at[at + 1], &records->at[at], (records->n++ - at) * sizeof *records->at);
    struct kept_record *record = &records->at[at];
    *record = (struct kept_record){.key_len = write->key_len, .value = blob_ref(write->entry)};
    memcpy(record->key, write->key, write->key_len);
}

const struct kept_record *records_find(const struct records *records, const struct record_key *key)
{
    struct write write = {.key_len = key->len};
    bool found;
    memcpy(write.key, key->at, key->len);
    size_t at = find(records, &write, &found);
    return found ? &records->at[at] : NULL;
}

void records_write(struct records *records, const struct write *write)
{
    bool found;
    size_t at = find(records, write, &found);
    if (found)
        forget(records, at);
    if (write->entry)
        insert(records, at, write);
}

int records_restore(const struct records *records, struct node *node,
                    const struct kept_record **refused)
{
    int error = OK;
    for (size_t i = 0; i < records->n && !error; i++) {
        const struct kept_record *record = *refused = &records->at[i];
        error = node_restore_record(node, (struct slice){record->key, record->key_len},
                                    (struct slice){record->value->at, record->value->len});
    }
    return error;
}

void records_clear(struct records *records)
{
    while (records->n)
        forget(records, records->n - 1);
    free(records->at);
    *records = (struct records){0};
}

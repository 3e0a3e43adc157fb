#include "shared/base/task_row.h"

#include <string.h>

#include "shared/base/bytes.h"

#define NUMBER_BYTES 10 /* of the longest */
#define NUMBERS      14

static void list(const struct task_row *row, const uint64_t *numbers[NUMBERS])
{
    const uint64_t *all[NUMBERS] = {&row->first,      &row->count,    &row->state,  &row->node,
                                    &row->attempts,   &row->exit,     &row->signal, &row->flags,
                                    &row->started_ms, &row->wall_us,  &row->cpu_us, &row->max_rss,
                                    &row->out.bytes,  &row->err.bytes};
    memcpy(numbers, all, sizeof all);
}

#define BUNDLE_NUMBERS 6

static void list_bundle(const struct task_bundle *bundle, const uint64_t *numbers[BUNDLE_NUMBERS])
{
    const uint64_t *all[BUNDLE_NUMBERS] = {&bundle->len,   &bundle->op,      &bundle->head_len,
                                           &bundle->files, &bundle->out_len, &bundle->err_len};
    memcpy(numbers, all, sizeof all);
}

static size_t put_number(uint8_t *at, uint64_t number)
{
    size_t n = 0;
    for (; number >= 0x80; number >>= 7)
        at[n++] = (uint8_t)(number | 0x80);
    at[n++] = (uint8_t)number;
    return n;
}

static bool take_number(struct slice *rest, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64 && rest->len; shift += 7) {
        uint8_t byte = *rest->at;
        *rest = (struct slice){rest->at + 1, rest->len - 1};
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static size_t put_stream(uint8_t *at, const struct task_stream *stream)
{
    size_t n = bytes_put_part(at, stream->hash, stream->bytes ? HASH_BYTES : 0);
    return n + bytes_put_part(at + n, stream->at.at, stream->at.len);
}

static size_t put_bundle(uint8_t *at, const struct task_bundle *bundle)
{
    const uint64_t *numbers[BUNDLE_NUMBERS];
    size_t n = 0;
    list_bundle(bundle, numbers);
    for (size_t i = 0; i < BUNDLE_NUMBERS; i++)
        n += put_number(at + n, *numbers[i]);
    n += bytes_put_part(at + n, bundle->head_hash, HASH_BYTES);
    n += bytes_put_part(at + n, bundle->at.at, bundle->at.len);
    return n + bytes_put_part(at + n, bundle->err_line.at, bundle->err_line.len);
}

bool task_bundle_fits(const struct task_bundle *bundle)
{
    uint64_t rest = bundle->len;
    const uint64_t parts[] = {bundle->head_len, bundle->out_len, bundle->err_len};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; rest -= parts[i++])
        if (parts[i] > rest)
            return false;
    return bundle->op || bundle->at.len == bundle->len;
}

static bool take_bundle(struct slice *rest, struct task_bundle *bundle)
{
    const uint64_t *numbers[BUNDLE_NUMBERS];
    struct slice hash;
    list_bundle(bundle, numbers);
    for (size_t i = 0; i < BUNDLE_NUMBERS; i++)
        if (!take_number(rest, (uint64_t *)numbers[i]))
            return false;
    if (!bytes_take_part(rest, &hash) || !bytes_take_part(rest, &bundle->at) ||
        !bytes_take_part(rest, &bundle->err_line) || hash.len != HASH_BYTES)
        return false;
    memcpy(bundle->head_hash, hash.at, HASH_BYTES);
    return task_bundle_fits(bundle);
}

static bool take_stream(struct slice *rest, struct task_stream *stream)
{
    struct slice hash;
    if (!bytes_take_part(rest, &hash) || !bytes_take_part(rest, &stream->at) ||
        hash.len != (stream->bytes ? HASH_BYTES : 0) || stream->at.len > stream->bytes)
        return false;
    if (hash.len)
        memcpy(stream->hash, hash.at, HASH_BYTES);
    return true;
}

size_t task_row_room(const struct task_row *row)
{
    const struct task_bundle *bundle = &row->bundle;
    return 9 * BYTES_LENGTH + (NUMBERS + BUNDLE_NUMBERS) * NUMBER_BYTES + 3 * HASH_BYTES +
           row->reason.len + row->out.at.len + row->err.at.len + bundle->at.len +
           bundle->err_line.len;
}

size_t task_row_write(uint8_t *at, const struct task_row *row)
{
    const uint64_t *numbers[NUMBERS];
    size_t n = BYTES_LENGTH;
    list(row, numbers);
    for (size_t i = 0; i < NUMBERS; i++)
        n += put_number(at + n, *numbers[i]);
    n += bytes_put_part(at + n, row->reason.at, row->reason.len);
    n += put_stream(at + n, &row->out);
    n += put_stream(at + n, &row->err);
    if (row->bundle.len)
        n += put_bundle(at + n, &row->bundle);
    for (int byte = 0; byte < BYTES_LENGTH; byte++)
        at[byte] = (uint8_t)((n - BYTES_LENGTH) >> 8 * byte);
    return n;
}

bool task_row_take(struct slice *rest, struct task_row *row)
{
    struct slice left = *rest, body;
    const uint64_t *numbers[NUMBERS];
    *row = (struct task_row){0};
    list(row, numbers);
    if (!bytes_take_part(&left, &body))
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        if (!take_number(&body, (uint64_t *)numbers[i]))
            return false;
    if (!bytes_take_part(&body, &row->reason) || !take_stream(&body, &row->out) ||
        !take_stream(&body, &row->err) || (body.len && !take_bundle(&body, &row->bundle)))
        return false;
    *rest = left;
    return true;
}

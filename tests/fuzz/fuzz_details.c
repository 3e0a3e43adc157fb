/* fuzz_details.c - libFuzzer on what clients read of tasks that have ended (X11): rows of details,
 * and what tasks have left beside them. All of that is what some node says. Whatever the bytes are,
 * reading them ends; what was read is the same after a way through bytes; a range that is read is
 * of the stream or file that was meant, and nothing is read beyond what a bundle has.
 *
 * An input is: how, the number of tasks, a segment of rows after its length; the rest are the bytes
 * of the values that bundles are in. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clients/map/task_bundle.h"
#include "clients/map/task_kept.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/bundle.h"
#include "tests/fuzz/reader.h"

#define VIEWS_MAX  200 /* tasks that are looked at */
#define FILES_READ 8   /* of each of them */
#define READ_MAX   300 /* bytes at a time */

enum { HOW_OUT = 1, HOW_ERR = 2, HOW_HASHED = 4, HOW_EMPTY = 8, HOW_SHORT = 16 };

struct attack {
    uint8_t how;
    struct slice values;
    uint64_t op; /* of the bundle that is being read */
};

/* --- rows --- */

static void row_again(const struct task_row *row)
{
    uint8_t *bytes = mem_new(task_row_room(row), 1);
    size_t len = task_row_write(bytes, row);
    struct slice rest = {bytes, len};
    struct task_row copy;
    assert(len <= task_row_room(row));
    assert(task_row_take(&rest, &copy) && !rest.len);
    assert(copy.first == row->first && copy.count == row->count && copy.state == row->state);
    assert(slice_same(copy.reason, row->reason) && slice_same(copy.out.at, row->out.at));
    assert(slice_same(copy.err.at, row->err.at) && copy.max_rss == row->max_rss);
    assert(copy.bundle.len == row->bundle.len && slice_same(copy.bundle.at, row->bundle.at));
    free(bytes);
}

static void read_rows(struct slice rest)
{
    struct task_row row;
    while (rest.len) {
        struct slice before = rest;
        if (!task_row_take(&rest, &row)) {
            assert(rest.at == before.at && rest.len == before.len);
            return;
        }
        row_again(&row);
        assert(!row.bundle.len || task_bundle_fits(&row.bundle));
    }
}

/* --- what tasks have left --- */

static int fetch(void *context, uint64_t op, uint64_t offset, struct blob **out, struct text *why)
{
    const struct attack *it = context;
    uint64_t at = (op - it->op) * BUNDLE_PIECE_BYTES + offset;
    size_t left = at < it->values.len ? it->values.len - (size_t)at : 0;
    if (!left && !(it->how & HOW_EMPTY)) {
        text_add(why, "there is no such value");
        return ERR_REFUSED;
    }
    size_t most = it->how & HOW_SHORT ? 7 : READ_MAX;
    *out = blob_copy(it->values.at + (left ? at : 0), left < most ? left : most);
    return OK;
}

/* Where a range of the bundle stands; NULL: not all of it is there. */
static const uint8_t *expected(const struct attack *it, const struct task_bundle *bundle,
                               uint64_t offset, size_t len)
{
    struct slice all = bundle->op ? it->values : bundle->at;
    return offset <= all.len && len <= all.len - offset ? all.at + offset : NULL;
}

static void check_read(const struct attack *it, const struct task_bundle *bundle, uint64_t offset,
                       const uint8_t *got, size_t len, int error, const struct text *why)
{
    const uint8_t *meant = expected(it, bundle, offset, len);
    assert(!error == !why->len);
    assert(error || (len <= bundle->len && offset <= bundle->len - len));
    assert(error || !len || (meant && !memcmp(got, meant, len)));
}

static void read_stream(struct attack *it, struct bundle_reader *reader,
                        const struct bundle_fetch *from, const struct task_bundle *bundle,
                        enum task_stream_kind kind)
{
    uint64_t kept = kind == TASK_STDERR ? bundle->err_len : bundle->out_len;
    uint64_t start = bundle->head_len + (kind == TASK_STDERR ? bundle->out_len : 0);
    uint8_t at[READ_MAX];
    for (uint64_t offset = 0; offset < kept; offset += kept / 3 + 1) {
        size_t len = kept - offset < sizeof at ? (size_t)(kept - offset) : sizeof at;
        struct text why = {0};
        int error = bundle_read_stream(reader, from, bundle, kind, offset, at, len, &why);
        check_read(it, bundle, start + offset, at, len, error, &why);
    }
    struct text why = {0};
    assert(bundle_read_stream(reader, from, bundle, kind, kept, at, 1, &why));
}

static void read_file(struct attack *it, struct bundle_reader *reader,
                      const struct bundle_fetch *from, uint64_t task,
                      const struct task_bundle *bundle, uint64_t file)
{
    struct task_source_file about;
    uint8_t at[READ_MAX];
    struct text why = {0};
    if (bundle_file(reader, from, task, bundle, file, &about, &why)) {
        assert(why.len);
        return;
    }
    assert(file < bundle->files && strlen(about.path) <= TASK_PATH_MAX);
    assert(about.len <= bundle->len);
    uint64_t start = reader->starts[file];
    assert(start >= bundle->head_len + bundle->out_len + bundle->err_len);
    assert(start <= bundle->len && about.len <= bundle->len - start);
    for (uint64_t offset = 0; offset < about.len; offset += about.len / 2 + 1) {
        size_t len = about.len - offset < sizeof at ? (size_t)(about.len - offset) : sizeof at;
        struct text reason = {0};
        int error = bundle_read_file(reader, from, task, bundle, file, offset, at, len, &reason);
        check_read(it, bundle, start + offset, at, len, error, &reason);
    }
    assert(bundle_read_file(reader, from, task, bundle, file, about.len, at, 1, &why));
}

/* A fuzzer finds no SHA-256: at the input's wish the one of the list is right. */
static void set_hash(const struct attack *it, struct task_bundle *bundle)
{
    const uint8_t *head = bundle->head_len <= BUNDLE_PIECE_BYTES
                              ? expected(it, bundle, 0, (size_t)bundle->head_len)
                              : NULL;
    if (head && it->how & HOW_HASHED)
        hash_bytes(head, (size_t)bundle->head_len, bundle->head_hash);
}

static void read_bundle(struct attack *it, uint64_t task, struct task_bundle bundle)
{
    struct bundle_reader reader = {0};
    struct bundle_fetch from = {fetch, it};
    it->op = bundle.op;
    set_hash(it, &bundle);
    read_stream(it, &reader, &from, &bundle, TASK_STDOUT);
    read_stream(it, &reader, &from, &bundle, TASK_STDERR);
    for (uint64_t file = 0; file <= bundle.files && file < FILES_READ; file++)
        read_file(it, &reader, &from, task, &bundle, file);
    bundle_reader_clear(&reader);
}

/* --- the tasks of a job --- */

static void look_at(struct attack *it, struct task_kept *kept, const struct task_view *view)
{
    struct task_bundle bundle;
    struct task_view same;
    struct text why = {0};
    uint8_t at[READ_MAX];
    uint64_t task = view->task;
    assert(task >= 1 && task <= kept->total && task_kept_has(kept, task));
    assert(task_view_is_end(view->state) && view->exit >= -1);
    assert(!task_kept_bundle(kept, task, &bundle, &why));
    for (int kind = 0; kind < TASK_STREAMS; kind++) {
        uint64_t stored = kind == TASK_STDERR ? bundle.err_len : bundle.out_len;
        uint64_t len = view->output[kind].kept;
        if (stored || !kept->streams[kind])
            continue;
        len = len < sizeof at ? len : sizeof at;
        assert(!task_kept_read(kept, task, kind, 0, at, (size_t)len, &why));
        assert(task_kept_read(kept, task, kind, view->output[kind].kept, at, 1, &why));
    }
    struct text none = {0};
    assert(!task_kept_view(kept, task, &same, &none) && same.task == task);
    if (bundle.len)
        read_bundle(it, task, bundle);
}

static void read_tasks(struct attack *it, uint64_t total, struct slice segment)
{
    const bool streams[TASK_STREAMS] = {it->how & HOW_OUT, it->how & HOW_ERR};
    struct task_kept kept;
    struct task_view view = {0};
    struct text why = {0};
    int error;
    task_kept_begin(&kept, total, streams);
    error = task_kept_add(&kept, segment, &why);
    assert(!error == !why.len && kept.ended <= total);
    for (unsigned n = 0; n < VIEWS_MAX && !task_kept_next(&kept, &view, &why); n++)
        look_at(it, &kept, &view);
    task_kept_clear(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct reader in = {at, len};
    struct attack it = {.how = reader_byte(&in)};
    uint64_t total = 1 + (uint64_t)reader_byte(&in) * reader_byte(&in);
    size_t bytes = reader_byte(&in);
    bytes = bytes << 8 | reader_byte(&in);
    struct slice segment = reader_bytes(&in, bytes);
    it.values = (struct slice){in.at, in.left};
    read_rows(segment);
    read_tasks(&it, total, segment);
    return 0;
}

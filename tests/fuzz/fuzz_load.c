/* fuzz_load.c - libFuzzer on what a node reads from its disk when it starts: the parts of a
 * checkpoint, the entries of the log, the records. A disk that is refused is refused whole; on one
 * that is taken what must hold of a node holds, then and when it goes on; and its state comes out
 * of a checkpoint as it went in. */
#include <assert.h>
#include <stdlib.h>

#include "nodes/core/records/record.h"
#include "nodes/core/state/compare.h"
#include "nodes/core/state/state.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/host.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"

#define ITEMS_MAX 64
#define TERM      3

struct disk_maker {
    struct reader in;
    struct forge forge;
    struct host host;
    struct blob *parts[ITEMS_MAX]; /* of the checkpoint; owned */
    size_t n_parts;
};

/* Bytes as they are, or a message that is in order. */
static struct blob *make_packed(struct disk_maker *it, enum message_place place)
{
    uint8_t how = reader_byte(&it->in);
    if (how & 1)
        return forge_packed(&it->forge, place);
    struct slice bytes = reader_bytes(&it->in, how * 8u);
    return blob_copy(bytes.at, bytes.len);
}

static void add_part(struct disk_maker *it)
{
    struct blob *part = make_packed(it, PLACE_CHECKPOINT);
    if (part)
        it->parts[it->n_parts++] = part;
}

/* A checkpoint without a head is none, and chance makes few. */
static void add_head(struct disk_maker *it)
{
    struct message *head = message_new(MESSAGE_IMAGE_HEAD);
    head->as.image_head.index = reader_byte(&it->in);
    head->as.image_head.index_term = 1 + reader_below(&it->in, TERM);
    head->as.image_head.cluster_id = it->forge.cluster_id;
    it->parts[it->n_parts++] = codec_pack(head);
    message_drop(&head);
}

static void add_entry(struct disk_maker *it)
{
    term_t term = 1 + reader_below(&it->in, TERM);
    struct blob *entry = make_packed(it, PLACE_ENTRY);
    if (entry)
        entries_add(&it->host.log, term, entry);
    blob_drop(&entry);
}

static void add_record(struct disk_maker *it)
{
    static const char tables[] = "aefgkmnorstu";
    uint8_t how = reader_byte(&it->in);
    struct record_key key = record_key((enum record_table)tables[how % (sizeof tables - 1)]);
    struct write write = {.kind = WRITE_RECORD};
    if (how & 64)
        record_key_u32(&key, 1 + reader_below(&it->in, 4));
    if (how & 128)
        record_key_u64(&key, reader_byte(&it->in));
    if (!(how & 192))
        record_key_name(&key, reader_bytes(&it->in, reader_below(&it->in, 8)));
    struct slice value = reader_bytes(&it->in, reader_byte(&it->in));
    write.entry = how & 32 ? forge_packed(&it->forge, PLACE_CHANNEL) : NULL;
    if (!write.entry)
        write.entry = blob_copy(value.at, value.len);
    write.key_len = key.len;
    memcpy(write.key, key.at, key.len);
    host_write(&it->host, &write);
    blob_drop(&write.entry);
}

static void fill(struct disk_maker *it)
{
    for (unsigned i = 0; i < ITEMS_MAX && it->in.left; i++)
        switch (reader_below(&it->in, 4)) {
        case 0:
            add_part(it);
            break;
        case 1:
            add_entry(it);
            break;
        case 2:
            add_record(it);
            break;
        default:
            if (!it->n_parts)
                add_head(it);
        }
    if (it->n_parts) {
        struct entries log = it->host.log; /* they follow the checkpoint */
        struct message *head = NULL;
        struct text why = {0};
        struct slice first = {it->parts[0]->at, it->parts[0]->len};
        log_index_t index = 0;
        if (!codec_unpack(first, &head, &why) && head->type == MESSAGE_IMAGE_HEAD)
            index = head->as.image_head.index;
        message_drop(&head);
        it->host.log = (struct entries){0};
        host_write(&it->host, &(struct write){.kind = WRITE_CHECKPOINT,
                                              .index = index,
                                              .parts = it->parts,
                                              .n_parts = it->n_parts,
                                              .whole = true});
        log.base = index;
        log.names = it->host.log.names; /* of the checkpoint's parts */
        it->host.log = log;
    }
}

/* The state goes through a checkpoint. */
static void save_and_load(struct host *host)
{
    struct state *state = inside_state_to_change(host->node);
    if (!state->applied)
        return; /* no checkpoint is made of nothing */
    struct checkpoint_build *build = state_machine.save(state);
    void *fresh = state_machine.fresh(state);
    while (!state_machine.saved(build)) {
        host->now_us += SECOND_US;
        host_step(host, (struct event){.kind = EVENT_TICK});
    }
    const struct checkpoint *saved = state_machine.saved(build);
    for (size_t i = 0; i < saved->n; i++) {
        struct slice part = {saved->parts[i]->at, saved->parts[i]->len};
        int error = state_machine.load(fresh, part, NULL, NULL);
        assert(!error);
    }
    assert(state_machine.is_whole(fresh, saved));
    const char *field = saved->index == state->applied ? state_differs(state, fresh) : NULL;
    if (field)
        panic("%s is another one after a checkpoint", field);
    state_machine.drop(&fresh);
    state_machine.end(state, &build);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    const struct identity identity = founded_identity(1, 1);
    struct disk_maker *it = mem_new(1, sizeof *it);
    it->in = (struct reader){at, len};
    it->forge = (struct forge){.in = &it->in,
                               .numbers = {1, 2, 3, (uint64_t)1 << JOB_INDEX_BITS | 1,
                                           (uint64_t)1 << JOB_INDEX_BITS | 2, HOST_BIRTH},
                               .n_numbers = 6,
                               .cluster_id = {identity.cluster_id, CLUSTER_ID_BYTES}};
    host_init(&it->host, 1, 1, reader_byte(&it->in));
    it->host.durable.term = TERM;
    fill(it);
    if (!host_try(&it->host)) {
        save_and_load(&it->host);
        host_settle(&it->host);
        save_and_load(&it->host);
        host_crash(&it->host);
        host_start(&it->host);
    }
    for (size_t i = 0; i < it->n_parts; i++)
        blob_drop(&it->parts[i]);
    host_end(&it->host);
    free(it);
    return 0;
}
